"""Ctrl-C and SIGTERM while a model is fitted: the run stops after a whole batch, and can be gone on with to the bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scratchnn import Callback, CosineSchedule, EarlyStopping, Model, load_digits, optim
from scratchnn.saving import atomic, records

ROOT = Path(__file__).resolve().parents[2]
TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:160], TRAIN.y[:160]
EPOCHS = 3


pytestmark = pytest.mark.usefixtures("usual_interrupts")


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def raising() -> None:
    raise KeyboardInterrupt


class Spy(Callback):
    """Counts what it is told, and does something at some of these moments."""

    def __init__(self, act: Callable[[], None], moments: Callable[[str, Any], bool]) -> None:
        self.act, self.moments = act, moments
        self.told: list[str] = []

    def _tell(self, event: str, run: Any) -> None:
        self.told.append(event)
        if self.moments(event, run):
            self.act()

    def on_train_begin(self, model: Any, run: Any) -> None:
        self._tell("begin", run)

    def on_batch_end(self, model: Any, run: Any) -> None:
        self._tell("batch", run)

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self._tell("epoch", run)

    def on_train_end(self, model: Any, run: Any) -> None:
        self._tell("end", run)


def never(event: str, run: Any) -> bool:
    return False


def second_batch(event: str, run: Any) -> bool:
    return event == "batch" and run.batch == 2


def fit(spy: Callback | None = None, **more: Any) -> Model:
    model = Model(64, [20, 12], 10, dropout=0.2, seed=5)
    callbacks = [*([spy] if spy else []), EarlyStopping(patience=9)]
    held_out = (TEST.X[:40], TEST.y[:40])
    settings = {"momentum": 0.9, "schedule": CosineSchedule(EPOCHS), "validation_data": held_out}
    model.fit(X, Y, epochs=EPOCHS, callbacks=callbacks, **{**settings, **more})
    return model


def weights_after_interrupts(path: Path, spy: Callback) -> tuple[Any, int]:
    """The weights in the end of a run that was interrupted again and again, and how often it was."""
    for times in range(1000):
        try:
            return fit(spy, checkpoint=path, resume=True, stop_on_sigterm=True).weights, times
        except (KeyboardInterrupt, SystemExit):
            pass
    raise AssertionError("the run does not get on")


@pytest.mark.parametrize("act", [ctrl_c, raising])
def test_a_run_that_is_interrupted_between_batches_again_and_again_ends_with_the_same_bits(
    act: Callable[[], None], tmp_path: Path
) -> None:
    rng = random.Random(1)
    spy = Spy(act, lambda event, run: rng.random() < 0.3)
    weights, times = weights_after_interrupts(tmp_path / "run", spy)
    assert times > 3
    assert weights == fit().weights


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_within_batches_again_and_again_ends_with_the_same_bits(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an update: Dropout has drawn, some of the weights have moved, others have not."""
    whole = fit().weights
    rng = random.Random(2)
    move = optim.Optimizer._move

    def interrupted(self: Any, parameters: Any, directions: Any) -> None:
        half = len(parameters) // 2
        move(self, parameters[:half], directions[:half])
        for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
            signal.raise_signal(number)
        move(self, parameters[half:], directions[half:])

    monkeypatch.setattr(optim.Optimizer, "_move", interrupted)
    weights, times = weights_after_interrupts(tmp_path / "run", Spy(raising, never))
    assert times > 3
    assert weights == whole


def test_everybody_is_told_before_the_interrupt_goes_on_up(tmp_path: Path) -> None:
    first, second = Spy(raising, second_batch), Spy(raising, never)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after epoch 1, batch 2; resume=True goes on from .*run$"):
        Model(64, 5, 10).fit(X, Y, epochs=EPOCHS, callbacks=[first, second], checkpoint=tmp_path / "run")
    assert first.told == second.told == ["begin", "batch", "batch", "end"]
    assert os.listdir(tmp_path) == ["run"]


def test_an_epoch_that_is_interrupted_while_it_is_validated_leaves_no_half_of_itself_in_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluate, calls = Model.measured, []

    def interrupted(self: Model, *rows: Any) -> Any:
        calls.append(rows)
        if len(calls) == 2:
            ctrl_c()
        return evaluate(self, *rows)

    monkeypatch.setattr(Model, "measured", interrupted)
    model = Model(64, 5, 10)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=EPOCHS, validation_split=0.2)
    assert {len(figures) for figures in vars(model.history).values()} == {1}


def test_the_checkpoint_is_of_the_last_whole_batch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(Spy(ctrl_c, second_batch), checkpoint=tmp_path / "run")
    record = records.load_record(tmp_path / "run", "scratchnn checkpoint", range(9))
    assert (record["state"]["run"]["epoch"], record["state"]["run"]["batch"]) == (1, 2)


@pytest.mark.parametrize("act", [ctrl_c, raising])
def test_a_second_one_waits_for_nothing(act: Callable[[], None], tmp_path: Path) -> None:
    def twice() -> None:
        ctrl_c()
        act()

    spy = Spy(twice, second_batch)
    with pytest.raises(KeyboardInterrupt):
        fit(spy, checkpoint=tmp_path / "run")
    assert os.listdir(tmp_path) == []
    assert spy.told == ["begin", "batch", "batch", "end"]


def test_without_a_checkpoint_ctrl_c_is_what_it_always_was() -> None:
    spy = Spy(ctrl_c, second_batch)
    after = Spy(ctrl_c, never)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        Model(64, 5, 10).fit(X, Y, callbacks=[spy, after])
    assert after.told == ["begin", "batch", "end"]  # it did not wait for anybody


def test_handlers_of_others_are_left_alone(tmp_path: Path) -> None:
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        fit(Spy(ctrl_c, second_batch), checkpoint=tmp_path / "run", stop_on_sigterm=True)
        fit(Spy(lambda: signal.raise_signal(signal.SIGTERM), second_batch), stop_on_sigterm=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert came == [signal.SIGINT] * EPOCHS + [signal.SIGTERM] * EPOCHS


def test_signals_are_as_before_after_a_fit_that_fails(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError):
        fit(Spy(lambda: 1 // 0, second_batch), checkpoint=tmp_path / "run", stop_on_sigterm=True)  # type: ignore[arg-type, return-value]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_fit_in_another_thread_sets_no_handlers(tmp_path: Path) -> None:
    found: list[Any] = []

    def work() -> None:
        fit(Spy(lambda: found.append(signal.getsignal(signal.SIGINT)), second_batch), checkpoint=tmp_path / "run")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler] * EPOCHS


SCRIPT = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from scratchnn import Callback, Model, load_digits
class Tell(Callback):
    def on_batch_end(self, model, run):
        print("batch", flush=True)
train, _ = load_digits()
model, asked = Model(64, 5, 10), sys.argv[1] == "yes"
try:
    model.fit(train.X, train.y, epochs=10**6, callbacks=[Tell()], checkpoint="run", stop_on_sigterm=asked)
finally:
    print("tidied up", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("asked", [True, False])
def test_sigterm_ends_a_script_that_asked_for_it_with_a_checkpoint(asked: bool, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "yes" if asked else "no"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "batch\n"
        process.terminate()
        said = process.stdout.read().splitlines()
        assert process.stderr.read() == ""
    assert process.returncode == (143 if asked else -signal.SIGTERM)
    assert ("tidied up" in said) == asked
    assert (tmp_path / "run").exists() == asked
    if asked:
        state = records.load_record(tmp_path / "run", "scratchnn checkpoint", range(9))["state"]
        assert state["run"]["batch"] == len(said)  # the one read above, and all but the last of these


# --- a checkpoint that cannot be written --------------------------------------------------------------------


def test_a_full_disk_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = {"now": False}
    write = atomic.write_atomically

    def write_if_there_is_room(path: Any, data: bytes) -> None:
        if full["now"]:
            raise OSError(28, "cannot be written: No space left on device", str(path))
        write(path, data)

    class Filling(Callback):
        def on_epoch_end(self, model: Any, run: Any) -> None:
            full["now"] = run.epoch == 2

    monkeypatch.setattr(atomic, "write_atomically", write_if_there_is_room)
    with pytest.warns(RuntimeWarning, match=r"run: .*No space left on device; training goes on without ") as caught:
        model = fit(Filling(), checkpoint=tmp_path / "run", checkpoint_every=1)
    assert len(caught) == 1  # once, though every batch of an epoch was tried
    assert Path(caught[0].filename).name == "test_interruption.py"
    assert model.weights == fit().weights
    again = fit(Filling(), checkpoint=tmp_path / "run", checkpoint_every=1, resume=True)  # its end was written
    assert again.weights == model.weights


def test_an_interrupt_does_not_promise_a_checkpoint_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Any, data: bytes) -> None:
        raise OSError(28, "cannot be written: No space left on device", str(path))

    monkeypatch.setattr(atomic, "write_atomically", full)
    stopped = pytest.raises(KeyboardInterrupt, match=r"stopped after epoch 1, batch 2$")
    with stopped, pytest.warns(RuntimeWarning, match="No space left"):
        fit(Spy(ctrl_c, second_batch), checkpoint=tmp_path / "run")


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_run_that_lost_its_lock_leaves_the_file_to_the_other(tmp_path: Path) -> None:
    path = tmp_path / "run"
    other = atomic.Lock(path)

    class OtherRun(Callback):
        """Somebody removes the lock file, and starts a second run."""

        def on_batch_end(self, model: Any, run: Any) -> None:
            if (run.epoch, run.batch) == (2, 2):
                (tmp_path / ".run.lock").unlink()
                other.__enter__()
                path.write_bytes(b"what the other run wrote")

        def on_epoch_end(self, model: Any, run: Any) -> None:
            if run.epoch == 2:
                other.__exit__()  # it has come to its end, and its results are there

    with pytest.warns(RuntimeWarning, match=r"run: in use by process \d+: .*; training goes on") as caught:
        model = fit(OtherRun(), checkpoint=path, checkpoint_every=1)
    assert len(caught) == 1
    assert path.read_bytes() == b"what the other run wrote"
    assert model.weights == fit().weights
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_run_that_was_overtaken_by_another_leaves_its_results_alone(tmp_path: Path) -> None:
    """Somebody removes the lock file and starts a second run, which comes to its end before the first writes again."""
    path = tmp_path / "run"
    written: list[bytes] = []

    class OtherRun(Callback):
        def on_batch_end(self, model: Any, run: Any) -> None:
            if (run.epoch, run.batch) == (2, 2):
                (tmp_path / ".run.lock").unlink()
                Model(64, 5, 10).fit(X, Y, epochs=1, checkpoint=path)
                written.append(path.read_bytes())

    with pytest.warns(RuntimeWarning, match="run: another run has written to it meanwhile; training goes on") as caught:
        model = fit(OtherRun(), checkpoint=path, checkpoint_every=1)
    assert len(caught) == 1
    assert [path.read_bytes()] == written
    assert model.weights == fit().weights
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_removed_lock_alone_costs_nothing(tmp_path: Path) -> None:
    remove = Spy(lambda: (tmp_path / ".run.lock").unlink(), second_batch)
    weights = fit(remove, checkpoint=tmp_path / "run", checkpoint_every=1).weights
    assert fit(Spy(raising, never), checkpoint=tmp_path / "run", checkpoint_every=1, resume=True).weights == weights
    assert os.listdir(tmp_path) == ["run"]
