"""Data of any shape and kind, to everything that takes data: it works, or an exception raised on purpose says why not.

The other arguments of all public names are gone through in misuse.py, which test_hostile_files.py runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratchnn
from scratchnn import Model
from tests.adversarial import misuse

pytestmark = pytest.mark.skipif(os.name != "posix", reason="an alarm as POSIX has it")

ENTRIES = st.one_of(
    st.floats(),
    st.integers(-3, 300),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=2),
    st.binary(max_size=2),
)
ROWS = st.one_of(
    st.lists(st.lists(st.floats(-10, 300), min_size=2, max_size=2), min_size=1, max_size=5),
    st.lists(st.lists(ENTRIES, max_size=3), max_size=5),
    st.lists(st.one_of(st.lists(ENTRIES, max_size=3), st.tuples(ENTRIES, ENTRIES), st.binary(max_size=3), ENTRIES)),
    st.recursive(ENTRIES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=1), inner))),
)
LABELS = st.one_of(st.lists(st.integers(0, 1), max_size=5), st.lists(ENTRIES, max_size=5), ROWS)


@pytest.fixture(scope="module")
def model() -> Model:
    return misuse.fitted()


@given(X=ROWS, y=LABELS)
def test_fit(X: Any, y: Any) -> None:
    assert misuse.complaint(lambda: Model(2, 3, 2, engine="linalg").fit(X, y, epochs=1)) == ""
    assert misuse.complaint(lambda: misuse._regression(X, y)) == ""


@given(X=ROWS, y=LABELS)
def test_use(model: Model, X: Any, y: Any) -> None:
    for call in (
        lambda: model.predict(X),
        lambda: model.predict_proba(X),
        lambda: model.score(X, y),
        lambda: model.evaluate(X, y),
        lambda: Model.get_accuracy(y, X),
    ):
        assert misuse.complaint(call) == ""


@given(X=ROWS, y=LABELS)
def test_data_helpers(X: Any, y: Any) -> None:
    assert misuse.complaint(lambda: scratchnn.train_test_split(X, y)) == ""
    assert misuse.complaint(lambda: scratchnn.one_hot(y)) == ""
    assert misuse.complaint(lambda: scratchnn.one_hot(y, X)) == ""


LOSSES = ["MSELoss", "L1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss", "KLDivLoss"]


@pytest.mark.parametrize("loss", LOSSES)
@given(outputs=ROWS, targets=LABELS, weights=st.one_of(st.none(), LABELS))
def test_losses(loss: str, outputs: Any, targets: Any, weights: Any) -> None:
    assert misuse.complaint(lambda: misuse._loss(loss, outputs=outputs, targets=targets, weights=weights)) == ""


@given(values=LABELS)
def test_weights(values: Any) -> None:
    assert misuse.complaint(lambda: misuse._set("weights")(values)) == ""


@given(
    text=st.one_of(st.binary(max_size=60), st.text('01a,;"\n\r\t .e-', max_size=60).map(str.encode)),
    label=st.integers(-3, 3),
)
def test_a_csv_file_of_anything(text: bytes, label: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "anything.csv"
    path.write_bytes(text)
    for settings in ({}, {"label": label}, {"regression": True, "header": False}):
        assert misuse.complaint(lambda settings=settings: scratchnn.load_csv(path, **settings)) == ""
