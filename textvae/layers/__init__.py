"""Small neural parts that several families share."""

from textvae.layers.keyed_noise import keyed_normal, sentence_keys
from textvae.layers.locked_dropout import LockedDropout
from textvae.layers.pooling import Pooling, pool, valid_positions
from textvae.layers.precision import at_least_float32
from textvae.layers.recurrent_stack import Cell, RecurrentStack
from textvae.layers.transformer import Cache, TransformerBlock
from textvae.layers.vocabulary import VocabularyProjection
from textvae.layers.word_dropout import drop_words

__all__ = [
    "Cache",
    "Cell",
    "LockedDropout",
    "Pooling",
    "RecurrentStack",
    "TransformerBlock",
    "VocabularyProjection",
    "at_least_float32",
    "drop_words",
    "keyed_normal",
    "pool",
    "sentence_keys",
    "valid_positions",
]
