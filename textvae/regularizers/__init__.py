"""Penalties that must see the model. A regularizer is a callable (model, batch, terms, step) -> penalties [B] by name."""

from textvae.regularizers.classification import ClassificationLoss

__all__ = ["ClassificationLoss"]
