"""Measurements of a model: likelihood bounds, information in z, reconstruction, text quality, a verdict on collapse."""

from textvae.evaluation.annealed import AISConfig, Annealed, AnnealingPath, annealed_likelihood
from textvae.evaluation.bidirectional import Sandwich, Simulated, bidirectional, simulate
from textvae.evaluation.evaluate import chosen_sentences, evaluate
from textvae.evaluation.information import Information, active_units, information
from textvae.evaluation.judge import Judge, Judgement, LabelJudge, judge_recipe
from textvae.evaluation.likelihood import Likelihood, likelihood, log_weights_by_sample
from textvae.evaluation.paired import PairedDifference, SentenceNLL, paired_difference
from textvae.evaluation.perplexity import perplexities
from textvae.evaluation.probe import Probe, linear_probe, posterior_means
from textvae.evaluation.rate_distortion import RateDistortion, lossy_codes, rate_distortion
from textvae.evaluation.reconstruction import PermutedCodes, Reconstruction, bleu, permuted_codes, reconstruct
from textvae.evaluation.result import Evaluation, Example
from textvae.evaluation.settings import EvaluateConfig, require_bound
from textvae.evaluation.streaming import LogMeanExp
from textvae.evaluation.text_quality import distinct, prior_samples, text_quality
from textvae.evaluation.verdict import Verdict, judge_reconstruction, verdict_of

__all__ = [
    "AISConfig",
    "Annealed",
    "AnnealingPath",
    "EvaluateConfig",
    "Evaluation",
    "Example",
    "Information",
    "Judge",
    "Judgement",
    "LabelJudge",
    "Likelihood",
    "LogMeanExp",
    "PairedDifference",
    "PermutedCodes",
    "Probe",
    "RateDistortion",
    "Reconstruction",
    "Sandwich",
    "SentenceNLL",
    "Simulated",
    "Verdict",
    "active_units",
    "annealed_likelihood",
    "bidirectional",
    "bleu",
    "chosen_sentences",
    "distinct",
    "evaluate",
    "information",
    "judge_recipe",
    "judge_reconstruction",
    "likelihood",
    "linear_probe",
    "log_weights_by_sample",
    "lossy_codes",
    "paired_difference",
    "permuted_codes",
    "perplexities",
    "posterior_means",
    "prior_samples",
    "rate_distortion",
    "reconstruct",
    "require_bound",
    "simulate",
    "text_quality",
    "verdict_of",
]
