"""Small neural network layers that several families share."""

from textvae.layers.batch_norm import FixedScaleBatchNorm
from textvae.layers.keyed_noise import derived_keys, keyed_normal, keyed_uniform, sentence_keys
from textvae.layers.locked_dropout import LockedDropout
from textvae.layers.lstm_with_term import lstm_with_term
from textvae.layers.masked_autoregressive import AutoregressiveMap, MaskedAutoregressive
from textvae.layers.matrix_product import Linear, matrix_product
from textvae.layers.ngram_bag import NgramBag
from textvae.layers.pooling import Pooling, pool, valid_positions
from textvae.layers.precision import at_least_float32
from textvae.layers.recurrent_stack import Cell, RecurrentStack
from textvae.layers.top_down import TopDown
from textvae.layers.transformer import Cache, TransformerBlock
from textvae.layers.uncompiled import keep_uncompiled, uncompiled
from textvae.layers.variance_linear import VarianceLinear
from textvae.layers.vocabulary import VocabularyProjection
from textvae.layers.word_dropout import drop_words, words_of

__all__ = [
    "AutoregressiveMap",
    "Cache",
    "Cell",
    "FixedScaleBatchNorm",
    "Linear",
    "LockedDropout",
    "MaskedAutoregressive",
    "NgramBag",
    "Pooling",
    "RecurrentStack",
    "TopDown",
    "TransformerBlock",
    "VarianceLinear",
    "VocabularyProjection",
    "at_least_float32",
    "derived_keys",
    "drop_words",
    "keep_uncompiled",
    "keyed_normal",
    "keyed_uniform",
    "lstm_with_term",
    "matrix_product",
    "pool",
    "sentence_keys",
    "uncompiled",
    "valid_positions",
    "words_of",
]
