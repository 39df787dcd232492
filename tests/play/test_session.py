"""Sessions of the page *Play*: the same run as ``fit`` would be, in steps, and frames that wait for nobody."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scratchnn import Model
from scratchnn.errors import ArgumentError
from scratchnn.play.session import GRID, LEVELS, UNIT_GRID, Session
from scratchnn.play.sessions import Sessions
from scratchnn.play.settings import ACTIVATIONS, DEFAULTS, OPTIMIZERS, TOYS, Settings, choices


@contextmanager
def session(**settings: Any) -> Iterator[Session]:
    opened = Session(Settings({"samples": 40, **settings}))
    try:
        yield opened
    finally:
        opened.close()


def until(condition: Any) -> None:
    """Wait, a minute at most, for something that another thread does."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


# --- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", TOYS)
def test_every_toy_set_can_be_had(data: str) -> None:
    X, y = Settings({"data": data, "samples": 30}).points()
    assert len(X) == len(y) == 30 and set(map(len, X)) == {2}
    assert set(y) == set(range(3 if data == "blobs" else 2))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"data": "mnist"}, "unknown data"),
        ({"data": ["moons"]}, "unknown data"),
        ({"activation": "relu6"}, "unknown activation"),
        ({"optimizer": None}, "unknown optimizer"),
        ({"samples": 10}, "samples must be a whole number of at least 20"),
        ({"samples": 1001}, "samples may be at most 1000"),
        ({"samples": 30.0}, "samples must be a whole number"),
        ({"samples": True}, "samples must be a whole number"),
        ({"batch_size": 0}, "batch_size"),
        ({"noise": -0.1}, "noise"),
        ({"noise": 1e9}, "noise may be at most 3"),
        ({"noise": "0.1"}, "noise"),
        ({"lr": 0}, "lr"),
        ({"lr": 11}, "lr may be at most 10"),
        ({"lr": 10**400}, "lr"),
        ({"layers": [17]}, "units of hidden layer 1 may be at most 16"),
        ({"layers": [4, 0]}, "units of hidden layer 2"),
        ({"layers": [1] * 5}, "at most 4"),
        ({"layers": 8}, "layers must be a list"),
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 40}, "seed may be at most"),
        ({"units": 8}, "unknown settings 'units'"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_reason(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ArgumentError, match=reason):
        Settings(wrong)


def test_what_is_offered_can_be_chosen() -> None:
    offered = choices()
    assert offered["defaults"] == DEFAULTS
    for name in ACTIVATIONS:
        Settings({"activation": name, "layers": [offered["units"]] * offered["layers"]})
    for name in OPTIMIZERS:
        Settings({"optimizer": name})


# --- the run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{}, {"data": "blobs", "layers": [5], "optimizer": "sgd", "activation": "relu"}, {"layers": []}]
)
def test_the_lines_beside_it_train_the_same_network(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with session(**settings) as playing:
        for _ in range(3):
            playing.command("epoch")
            until(lambda: playing.status == "paused")
        frame = playing.frame()
        assert (frame["epoch"], len(frame["losses"])) == (3, 3)
        names: dict[str, Any] = {}
        exec(compile(frame["code"], "the code", "exec"), names)
        assert names["model"].weights == playing.model.weights
        assert "accuracy:" in capsys.readouterr().out


def test_a_step_is_one_batch() -> None:
    with session(batch_size=10) as playing:
        assert playing.frame()["loss"] is None
        for batch in (1, 2, 3, 4):
            playing.command("step")
            until(lambda batch=batch: playing.standing.batch == batch and playing.status == "paused")
        assert playing.standing.epoch == 1
        playing.command("step")
        until(lambda: playing.standing.epoch == 2 and playing.standing.batch == 1)


def test_it_trains_until_it_is_paused() -> None:
    with session() as playing:
        assert playing.status == "ready"
        playing.command("train")
        until(lambda: playing.standing.epoch >= 3)
        assert playing.status == "training"
        playing.command("pause")
        until(lambda: playing.status == "paused")
        number = playing.standing.number
        playing.command("train")
        until(lambda: playing.standing.number > number)


def test_what_runs_away_is_said() -> None:
    with session() as playing:

        def learn(indices: Any) -> None:
            raise OverflowError("weights are too large")

        playing.command("epoch")
        until(lambda: playing.status == "paused")
        playing.trainer.learn = learn  # type: ignore[method-assign]
        playing.command("train")
        until(lambda: playing.status == "failed")
        assert "weights are too large" in playing.frame()["error"]
        playing.command("train")
        assert playing.status == "failed"


def test_whatever_else_goes_wrong_in_training_is_said_as_well() -> None:
    with session() as playing:

        def learn(indices: Any) -> None:
            raise ZeroDivisionError("nobody thought of that")

        playing.trainer.learn = learn  # type: ignore[method-assign]
        playing.command("train")
        until(lambda: playing.status != "training")
        assert playing.status == "failed"
        assert playing.frame()["error"] == "training ended with ZeroDivisionError: nobody thought of that"


def test_nobody_looks_so_it_pauses() -> None:
    now = [0.0]
    playing = Session(Settings({"samples": 40}), lambda: now[0])
    try:
        playing.command("train")
        until(lambda: playing.standing.number > 2)
        now[0] = 25.0
        until(lambda: playing.status == "paused")
    finally:
        playing.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "scratchnn play"]


# --- frames --------------------------------------------------------------------------------------------------


def test_a_frame_shows_what_the_network_says_of_every_place() -> None:
    with session(data="blobs", layers=[6, 5], samples=60) as playing:
        for _ in range(2):
            playing.command("epoch")
            until(lambda: playing.status == "paused")
        frame, description = playing.frame(), playing.description()
        left, bottom, width = description["extent"]
        steps = [(k + 0.5) / GRID * width for k in range(GRID)]
        places = [[left + x, bottom + y] for y in reversed(steps) for x in steps]
        playing.model.network.eval()
        wanted = playing.model.loss.probabilities(
            playing.model.network(playing.model.scaling.transform(places))  # type: ignore[union-attr]
        )
        shades = base64.b64decode(frame["frontier"])
        assert len(shades) == GRID * GRID
        for byte, row in zip(shades, wanted or []):
            winner, shade = divmod(byte, LEVELS + 1)
            assert row[winner] == pytest.approx(max(row), abs=1e-6)
            assert shade / LEVELS == pytest.approx((max(row) - 1 / 3) / (2 / 3), abs=0.02)
        assert [len(layer) for layer in frame["units"]] == [6, 5]
        assert all(len(base64.b64decode(unit)) == UNIT_GRID**2 for layer in frame["units"] for unit in layer)
        assert [(len(layer), len(layer[0])) for layer in frame["weights"]] == [(2, 6), (6, 5), (5, 3)]
        assert all(left <= x <= left + width and bottom <= y <= bottom + width for x, y in playing.X)


def test_every_unit_has_its_own_frontier() -> None:
    with session(layers=[3], activation="tanh") as playing:
        (units,) = playing.frame()["units"]
        x, y, width = playing.extent
        step = width / GRID
        place = [x + 0.5 * step, y + (GRID - 0.5) * step]  # the upper left corner
        hidden = playing.model.network[1](playing.model.network[0](playing.model.scaling.transform([place])))  # type: ignore[union-attr]
        assert [base64.b64decode(unit)[0] for unit in units] == [
            pytest.approx(128 + 127 * v, abs=1.5) for v in hidden[0]
        ]


def test_frames_need_no_turn_of_the_training() -> None:
    """A frame is computed while a batch is being learned, and by nobody who waits for it."""
    with session() as playing:
        inside, go_on = threading.Event(), threading.Event()
        learn = playing.trainer.learn

        def slow(indices: Any) -> None:
            inside.set()
            assert go_on.wait(60)
            learn(indices)

        playing.trainer.learn = slow  # type: ignore[method-assign]
        playing.command("train")
        assert inside.wait(60)
        frame = playing.frame()  # with a lock around the batch, this would never return
        assert (frame["status"], frame["number"]) == ("training", 0)
        go_on.set()
        until(lambda: playing.standing.number > 0)


def test_the_curve_comes_in_parts() -> None:
    with session() as playing:
        for _ in range(3):
            playing.command("epoch")
            until(lambda: playing.status == "paused")
        playing.command("step")
        until(lambda: playing.standing.epoch == 4)
        whole = playing.frame()["losses"]
        assert len(whole) == 3
        assert playing.frame(2)["losses"] == whole[2:]
        assert playing.frame(50)["losses"] == []


# --- all sessions --------------------------------------------------------------------------------------------


def test_there_are_only_so_many_and_idle_ones_give_way() -> None:
    now = [0.0]
    sessions = Sessions(most=2, clock=lambda: now[0])
    small = Settings({"samples": 20, "layers": [2]})
    try:
        first, second = sessions.open(small), sessions.open(small)
        assert first is not None and second is not None and first[0] != second[0]
        assert sessions.open(small) is None
        now[0] = 40.0
        second[1].seen()
        third = sessions.open(small)
        assert third is not None and sessions.find(first[0]) is None and first[1].closed
        assert sessions.find(second[0]) is second[1]
        sessions.drop(second[0])
        assert len(sessions) == 1
        now[0] = 1000.0
        assert sessions.open(small) is not None and len(sessions) == 1
    finally:
        sessions.close()
    assert sessions.open(small) is None


def test_only_the_model_of_the_session_learns() -> None:
    with session() as playing:
        assert isinstance(playing.model, Model)
        before = playing.frame()["weights"]
        playing.command("epoch")
        until(lambda: playing.status == "paused")
        assert playing.frame()["weights"] != before
