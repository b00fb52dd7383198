"""Estimators with scikit-learn's conventions: texts in, codes or classes out."""

from __future__ import annotations

from textvae.sklearn.classifier import TextVAEClassifier
from textvae.sklearn.inputs import InputError
from textvae.sklearn.latent_features import LatentFeatures

__all__ = ["InputError", "LatentFeatures", "TextVAEClassifier"]
