"""Penalties that must see the model: callables (model, batch, terms, step) -> penalties [B] by name."""

from textvae.regularizers.classification import ClassificationLoss

__all__ = ["ClassificationLoss"]
