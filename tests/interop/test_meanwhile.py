"""A model that is learning in another thread is in between two states: nobody carries one of these away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scratchnn import Callback, Model, ModelBusyError
from scratchnn.interop.description import describe
from scratchnn.interop.safetensors import save_model
from scratchnn.interop.sklearn_models import from_sklearn, to_sklearn

X, Y = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [0, 1, 1, 0]


class Pauses(Callback):
    """Holds a run up after its first batch, until it may go on; asks meanwhile, which its own thread may."""

    def __init__(self, use: Callable[[Model], Any]) -> None:
        self.use, self.reached, self.go_on, self.answered = use, threading.Event(), threading.Event(), False

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.use(model)
        self.answered = True
        self.reached.set()
        assert self.go_on.wait(30)


@pytest.mark.parametrize("way", ["describe", "save_model", "to_sklearn", "from_sklearn"])
def test_while_a_model_learns_other_threads_are_refused(way: str, tmp_path: Path) -> None:
    if way == "to_sklearn":
        pytest.importorskip("sklearn", reason="needs scikit-learn")
    file = tmp_path / "model.safetensors"
    use: Callable[[Model], Any] = {
        "describe": describe,
        "save_model": lambda model: save_model(model, file),
        "to_sklearn": to_sklearn,
        "from_sklearn": lambda model: from_sklearn(SimpleNamespace(model_=model)),
    }[way]
    model = Model(2, 3, 2, engine="linalg")
    model.fit(X, Y, epochs=1)
    pauses = Pauses(use)
    learner = threading.Thread(target=model.fit, args=(X, Y), kwargs={"epochs": 1, "callbacks": [pauses]})
    learner.start()
    try:
        assert pauses.reached.wait(30) and pauses.answered
        file.unlink(missing_ok=True)
        with pytest.raises(ModelBusyError, match="this model is learning in another thread: "):
            use(model)
        assert not file.exists()
    finally:
        pauses.go_on.set()
        learner.join(30)
    use(model)
