"""What can be done to each text of a file. To add a verb: one file, and its import here."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from textvae.config import one_of
from textvae.mapping.verbs.base import Reading, Verb
from textvae.mapping.verbs.classify import ClassifyVerb
from textvae.mapping.verbs.encode import EncodeVerb
from textvae.mapping.verbs.generate import GenerateVerb
from textvae.mapping.verbs.impute import ImputeVerb
from textvae.mapping.verbs.reconstruct import ReconstructVerb
from textvae.mapping.verbs.score import ScoreVerb

if TYPE_CHECKING:
    VerbConfig: TypeAlias = Verb
else:
    VerbConfig = one_of(Verb, globals())
"""The settings of any verb, chosen by `kind`: classify, encode, generate, impute, reconstruct, score."""

__all__ = [
    "ClassifyVerb",
    "EncodeVerb",
    "GenerateVerb",
    "ImputeVerb",
    "Reading",
    "ReconstructVerb",
    "ScoreVerb",
    "Verb",
    "VerbConfig",
]
