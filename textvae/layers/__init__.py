"""Small neural parts that several families share."""

from textvae.layers.locked_dropout import LockedDropout
from textvae.layers.masked_autoregressive import AutoregressiveMap, MaskedAutoregressive
from textvae.layers.pooling import Pooling, pool, valid_positions
from textvae.layers.precision import at_least_float32
from textvae.layers.recurrent_stack import Cell, RecurrentStack
from textvae.layers.transformer import Cache, TransformerBlock
from textvae.layers.variance_linear import VarianceLinear
from textvae.layers.vocabulary import VocabularyProjection
from textvae.layers.word_dropout import drop_words

__all__ = [
    "AutoregressiveMap",
    "Cache",
    "Cell",
    "LockedDropout",
    "MaskedAutoregressive",
    "Pooling",
    "RecurrentStack",
    "TransformerBlock",
    "VarianceLinear",
    "VocabularyProjection",
    "at_least_float32",
    "drop_words",
    "pool",
    "valid_positions",
]
