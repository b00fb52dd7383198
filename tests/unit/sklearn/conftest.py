"""Fitted estimators, which tests use and do not change."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn")

from tests.unit.sklearn.estimators import CASES, TEXTS, Case, features
from textvae.sklearn import LatentFeatures, TextVAEClassifier


@pytest.fixture(params=CASES.values(), ids=CASES.keys(), scope="package", name="case")
def _case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="package", name="done")
def _done(case: Case) -> Any:
    """The estimator of the case, fitted to `TEXTS`."""
    return case.fit()


@pytest.fixture(scope="package")
def fitted() -> LatentFeatures:
    return features().fit(TEXTS)


@pytest.fixture(scope="package")
def fitted_classifier() -> TextVAEClassifier:
    found = CASES["classifier"].fit()
    assert isinstance(found, TextVAEClassifier)
    return found
