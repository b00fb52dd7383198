"""Uses of a trained model: generate, reconstruct, interpolate, impute, classify. Functions that take a model."""

from textvae.tasks.generate import NewSentence, generate_sentences
from textvae.tasks.impute import Answer, HiddenWord, Imputation, ImputationAccuracy, impute, impute_accuracy
from textvae.tasks.interpolate import Interpolation, interpolate
from textvae.tasks.markov_chain import markov_chain
from textvae.tasks.reconstruct import Reconstruction, reconstruct

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
