"""Uses of a trained model: generate, reconstruct, interpolate, impute, classify. Functions that take a model."""

from textvae.results import Answer, Imputation, Interpolation, NewSentence, Reconstruction
from textvae.tasks.generate import generate_sentences
from textvae.tasks.impute import HiddenWord, ImputationAccuracy, impute, impute_accuracy
from textvae.tasks.interpolate import interpolate
from textvae.tasks.markov_chain import markov_chain
from textvae.tasks.reconstruct import reconstruct

__all__ = [
    "Answer",
    "HiddenWord",
    "Imputation",
    "ImputationAccuracy",
    "Interpolation",
    "NewSentence",
    "Reconstruction",
    "generate_sentences",
    "impute",
    "impute_accuracy",
    "interpolate",
    "markov_chain",
    "reconstruct",
]
