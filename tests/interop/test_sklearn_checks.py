"""scikit-learn's own checks of what an estimator has to do, on each engine.

What is expected to fail is one requirement, that a row of weight 3 be worth as much as three rows. Where all rows are
in one batch it holds to rounding, which is 1e-15 with floats and 6e-5 with lanes, and scikit-learn asks for 1e-7. With
batches of some of the rows it holds for no stochastic method: three rows come in three places of an epoch.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sklearn", "1.6", reason="needs scikit-learn 1.6")

import numpy as np
from sklearn.utils.estimator_checks import estimator_checks_generator

from scratchnn.interop.sklearn import ScratchClassifier, ScratchRegressor

BOTH = (ScratchClassifier, ScratchRegressor)
WEIGHTS = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"


def all_checks(failing: str = "", **parameters: Any) -> Any:
    """Every check of both estimators as a test of its own; where there is a reason, those of weights are to fail.

    (What ``parametrize_with_checks`` does, which hands pytest a generator in some versions; pytest 9 warns of that.)
    """
    expected = dict.fromkeys(WEIGHTS, failing) if failing else {}
    pairs = [
        pair
        for kind in BOTH
        for pair in estimator_checks_generator(kind(**parameters), expected_failed_checks=expected, mark="xfail")
    ]
    return pytest.mark.parametrize(("estimator", "check"), pairs, ids=named)


def named(value: Any) -> str:
    """An estimator or a check in the name of a test."""
    function = getattr(value, "func", value)
    more = ", ".join(f"{name}={v}" for name, v in getattr(value, "keywords", {}).items() if isinstance(v, (bool, str)))
    name = getattr(function, "__name__", type(value).__name__)
    return f"{name}({more})" if more else name


@all_checks(engine="numpy", batch_size=None)
def test_with_floats_and_one_batch_nothing_fails(estimator: Any, check: Any) -> None:
    check(estimator)


@all_checks("batches of some of the rows: a row that is there three times comes three times", engine="numpy")
def test_with_floats_and_what_is_recommended(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@all_checks("lanes round: 6e-5 between weights and repeated rows, where 1e-7 is asked for", batch_size=None)
def test_with_lanes(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(("engine", "allowed"), [("numpy", 1e-13), ("linalg", 1e-13), ("lanes", 2e-4)])
def test_weights_are_worth_as_many_rows(engine: str, allowed: float) -> None:
    """What the check above asks for, by the figures."""
    rng = np.random.RandomState(42)
    X, y, weights = rng.rand(15, 30), rng.randint(0, 3, size=15), rng.randint(0, 5, size=15)
    again, labels = X.repeat(weights, axis=0), y.repeat(weights)
    for kind, method in ((ScratchClassifier, "predict_proba"), (ScratchRegressor, "predict")):
        estimator = kind(engine=engine, batch_size=None)
        weighted = getattr(estimator.fit(X, y, sample_weight=weights), method)(X)
        repeated = getattr(estimator.fit(again, labels), method)(X)
        np.testing.assert_allclose(weighted, repeated, rtol=allowed)
