"""Any number of processes trains a network to the same bytes as one alone, and none of them is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import active_children, get_context
from typing import Any

import pytest

from scratchnn import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    EarlyStopping,
    Flatten,
    Linear,
    MaxPool2D,
    Model,
    ReLU,
    Tanh,
    load_digits,
)
from scratchnn.engines.lanes import shared
from scratchnn.training.workers import sharing

TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:90], TRAIN.y[:90]
HELD_OUT = TEST.X[:30], TEST.y[:30]
ROW_COSTS = -(10**12)


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is warned of how small they are."""
    monkeypatch.setattr(sharing, "LEAST_WORK", 0)


@pytest.fixture
def all_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every loop is divided, also where that does not pay; in threads, and in processes that are forked."""
    monkeypatch.setattr(shared, "EXCHANGE_COST", ROW_COSTS)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """The quickest workers to start."""
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """No process outlives its run."""
    yield
    assert active_children() == []


def plain(**settings: Any) -> tuple[Model, dict[str, Any]]:
    return Model(64, [20, 12], 10, seed=3), settings


def layers(*stack: Any, **settings: Any) -> tuple[Model, dict[str, Any]]:
    return Model.from_layers([*stack], seed=3), settings


IMAGE = (1, 8, 8)
RUNS: dict[str, Any] = {
    "plain": lambda: plain(momentum=0.0, schedule=None),
    "as recommended": plain,
    "nesterov and weight decay": lambda: plain(nesterov=True, weight_decay=1e-3),
    "adam, warm-up": lambda: plain(optimizer="adam", schedule="warmup"),
    "adamw, clipped": lambda: plain(optimizer="adamw", clip_norm=0.5),
    "rmsprop, weighted rows": lambda: plain(optimizer="rmsprop", sample_weight=[1.0 + i % 3 for i in range(90)]),
    "validation, early stopping": lambda: plain(
        validation_split=0.2, callbacks=[EarlyStopping(patience=1, min_delta=1.0)]
    ),
    "plateau": lambda: plain(schedule="plateau", validation_data=HELD_OUT),
    "all rows at once": lambda: plain(batch_size=None),
    "batches of one": lambda: plain(batch_size=1, epochs=1),
    "a last batch of one": lambda: plain(batch_size=89),
    "in their order": lambda: plain(shuffle=False),
    "dropout": lambda: (Model(64, [20, 12], 10, dropout=0.3, seed=3), {}),
    "tanh, linear alone": lambda: layers(Linear(64, 16), Tanh(), Linear(16, 10)),
    "batch norm": lambda: layers(Linear(64, 16), BatchNorm(16), ReLU(), Dropout(0.1), Linear(16, 10)),
    "convolution": lambda: (
        Model.from_layers(
            [Conv2D(1, 4, 3), ReLU(), MaxPool2D(2), AvgPool2D(3), Flatten(), Linear(4, 10)], input_shape=IMAGE, seed=3
        ),
        {"epochs": 1},
    ),
    "frozen": lambda: frozen(),
    "regression": lambda: (Model(64, 12, 2, task="regression", seed=3), {"y": [[float(v), v / 2.0] for v in Y]}),
    "dense rows": lambda: (Model(64, 12, 10, scaling="standard", seed=3), {"X": [[v / 3.0 for v in row] for row in X]}),
}


def frozen() -> tuple[Model, dict[str, Any]]:
    model = Model(64, [20, 12], 10, seed=3)
    model.network[0].trainable = False
    return model, {}


def trained(name: str, **more: Any) -> Model:
    model, settings = RUNS[name]()
    settings = {"X": X, "y": Y, "epochs": 2, "batch_size": 16, **settings, **more}
    model.fit(settings.pop("X"), settings.pop("y"), **settings)
    return model


def result(model: Model) -> Any:
    """All that a run leaves, to the last bit."""
    history = {name: values for name, values in vars(model.history).items() if name != "seconds"}
    return repr((model.weights, history))


# --- the same bytes --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("name", RUNS)
def test_any_number_of_workers_gives_the_bytes_of_one_alone(name: str, threads: ThreadPoolExecutor) -> None:
    alone = result(trained(name))
    for workers in (1, 2, 3, 7):
        assert result(trained(name, workers=workers, executor=threads)) == alone, workers


def test_loops_that_are_too_short_are_not_divided(threads: ThreadPoolExecutor) -> None:
    assert result(trained("plain", workers=3, executor=threads)) == result(trained("plain"))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_however_they_are_started(method: str) -> None:
    context = get_context(method)
    with ProcessPoolExecutor(2, context) as executor:
        assert result(trained("dropout", workers=3, executor=executor)) == result(trained("dropout"))


def test_processes_of_ones_own() -> None:
    assert result(trained("as recommended", workers=2)) == result(trained("as recommended"))
