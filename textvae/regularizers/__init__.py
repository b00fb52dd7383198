"""Penalties that must see the model: callables (model, batch, terms, step) -> penalties [B] by name.

Those that a recipe can name have a config with `build(vocab_size=, latent_dim=)`, which gives a module: its parameters
are trained beside the model's and kept in checkpoints. To add one: one file, one line here.
"""

from typing import Annotated

from pydantic import Field

from textvae.regularizers.bag_of_words import BagOfWordsConfig, BagOfWordsLoss
from textvae.regularizers.classification import ClassificationLoss

# A union of one needs no discriminator; pydantic asks for two members to have one.
RegularizerConfig = Annotated[BagOfWordsConfig, Field()]

__all__ = ["BagOfWordsConfig", "BagOfWordsLoss", "ClassificationLoss", "RegularizerConfig"]
