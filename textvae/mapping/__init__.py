"""A trained model applied to every row of a file: encode, score, impute, classify, reconstruct or generate.

`verbs` are what is done to a text, `formats` the kinds of files, `apply` is the pure function of a table, and
`map_file` reads, applies and writes, with its finished parts kept by `work`.
"""

from textvae.mapping.apply import Counts, OnError, apply
from textvae.mapping.files import map_file
from textvae.mapping.verbs import (
    ClassifyVerb,
    EncodeVerb,
    GenerateVerb,
    ImputeVerb,
    ReconstructVerb,
    ScoreVerb,
    Verb,
    VerbConfig,
)

__all__ = [
    "ClassifyVerb",
    "Counts",
    "EncodeVerb",
    "GenerateVerb",
    "ImputeVerb",
    "OnError",
    "ReconstructVerb",
    "ScoreVerb",
    "Verb",
    "VerbConfig",
    "apply",
    "map_file",
]
