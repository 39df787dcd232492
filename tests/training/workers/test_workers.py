"""Any number of processes trains a network to the same bytes as one alone, and none of them is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import AuthenticationError, active_children, get_context
from multiprocessing.connection import Client, Connection
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from scratchnn import (
    SGD,
    ArgumentError,
    AvgPool2D,
    BatchNorm,
    Callback,
    Conv2D,
    Dropout,
    EarlyStopping,
    Flatten,
    Linear,
    MaxPool2D,
    Model,
    ReLU,
    Tanh,
    TrainingDiverged,
    WorkerError,
    __version__,
    load_digits,
)
from scratchnn.engines.lanes import shared
from scratchnn.layers.base import Layer
from scratchnn.training.workers import sharing, starting, team, worker
from scratchnn.training.workers.messages import packed, packed_data, unpacked_data

ROOT = Path(__file__).resolve().parents[3]
TRAIN, TEST = load_digits()
X, Y = TRAIN.X[:50], TRAIN.y[:50]
BRIGHT = [bytes([0, 9, 3 * i, 255, 254][(i + k * k) % 5] for k in range(200)) for i in range(50)]
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
    "steps of few bits": lambda: plain(momentum=0.0, schedule=None, lr=1e-5),
    # The brightest pixels of a row are added up before they are multiplied.
    "bright pixels": lambda: (Model(200, 12, 10, seed=3), {"X": BRIGHT}),
    "as recommended": plain,
    "nesterov and weight decay": lambda: plain(nesterov=True, weight_decay=1e-3),
    "adam, warm-up": lambda: plain(optimizer="adam", schedule="warmup"),
    "adamw, clipped": lambda: plain(optimizer="adamw", clip_norm=0.5),
    "rmsprop, weighted rows": lambda: plain(optimizer="rmsprop", sample_weight=[1.0 + i % 3 for i in range(50)]),
    "validation, early stopping": lambda: plain(
        validation_split=0.2, callbacks=[EarlyStopping(patience=1, min_delta=1.0)]
    ),
    "plateau": lambda: plain(schedule="plateau", validation_data=HELD_OUT),
    "all rows at once": lambda: plain(batch_size=None),
    "batches of one": lambda: plain(batch_size=1, epochs=1, X=X[:10], y=Y[:10]),
    "a last batch of one": lambda: plain(batch_size=49),
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
    for workers in (2, 3, 7) if name in ("as recommended", "dropout", "a last batch of one") else (3,):
        assert result(trained(name, workers=workers, executor=threads)) == alone, workers


@pytest.mark.slow
@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("name", RUNS)
def test_each_number_of_workers_gives_the_bytes_of_one_alone(name: str, threads: ThreadPoolExecutor) -> None:
    alone = result(trained(name))
    for workers in (1, 2, 5, 7):
        assert result(trained(name, workers=workers, executor=threads)) == alone, workers


def test_one_worker_is_this_process() -> None:
    assert result(trained("plain", workers=1)) == result(trained("plain"))


def test_loops_that_are_too_short_are_not_divided(threads: ThreadPoolExecutor) -> None:
    assert result(trained("plain", workers=3, executor=threads)) == result(trained("plain"))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_however_they_are_started(method: str) -> None:
    context = get_context(method)
    with ProcessPoolExecutor(2, context) as executor:
        assert result(trained("dropout", workers=3, executor=executor)) == result(trained("dropout"))


def test_processes_of_ones_own() -> None:
    assert result(trained("as recommended", workers=2)) == result(trained("as recommended"))


def test_a_thread_pool_that_says_how_many_it_runs() -> None:
    with ThreadPoolExecutor(2) as executor:
        assert result(trained("plain", executor=executor)) == result(trained("plain"))


def test_pickled_and_all_they_can_be() -> None:
    for rows, targets, weights in (
        ([b"\1\2", b"\3\4"], [1, 0], None),
        ([[0.1, -1e300], [2, 3.5]], [[0.5, 1.0], [2.0, 3.0]], [1.0, 0.25]),
        ([[1.0]], [[0.5]], None),
    ):
        assert unpacked_data(packed_data(rows, 0.5, targets, weights)) == (rows, 0.5, targets, weights)


# --- runs that are kept, changed and ended ---------------------------------------------------------------------------


class Calls(Callback):
    """Calls a function after the third batch of a run."""

    def __init__(self, action: Any) -> None:
        self.action = action
        self.batches = 0

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.batches += 1
        if self.batches == 3:
            self.action(model)


def stop(model: Any) -> None:
    model.stop_training = True


@pytest.mark.parametrize(
    ("name", "first", "second"), [("dropout", 3, None), ("dropout", None, 2), ("adam, warm-up", 2, 3)]
)
def test_a_run_is_resumed_with_and_without_workers(
    name: str, first: int | None, second: int | None, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    def sharing_of(workers: int | None) -> dict[str, Any]:
        return {} if workers is None else {"workers": workers, "executor": threads}

    path = tmp_path / "run.ckpt"
    trained(name, checkpoint=path, callbacks=[Calls(stop)], **sharing_of(first))
    model = trained(name, checkpoint=path, resume=True, callbacks=[Calls(lambda model: None)], **sharing_of(second))
    assert result(model) == result(trained(name, callbacks=[Calls(lambda model: None)]))


def double(model: Any) -> None:
    model.weights = [[[2.0 * v for v in row] for row in m] if isinstance(m[0], list) else m for m in model.weights]


@pytest.mark.usefixtures("all_divided")
def test_weights_that_a_callback_changes_are_changed_everywhere(threads: ThreadPoolExecutor) -> None:
    alone = trained("as recommended", callbacks=[Calls(double)])
    together = trained("as recommended", callbacks=[Calls(double)], workers=3, executor=threads)
    assert result(together) == result(alone) != result(trained("as recommended"))


@pytest.mark.usefixtures("all_divided")
def test_an_optimizer_that_a_callback_changes_is_changed_everywhere(threads: ThreadPoolExecutor) -> None:
    def run(**more: Any) -> Any:
        optimizer = SGD(0.1, momentum=0.9)

        def less(model: Any) -> None:
            optimizer.momentum, optimizer.lr = 0.5, 0.05

        return result(trained("plain", optimizer=optimizer, momentum=None, callbacks=[Calls(less)], **more))

    assert run(workers=3, executor=threads) == run()


@pytest.mark.usefixtures("all_divided")
def test_a_change_that_nobody_can_see_is_noticed(threads: ThreadPoolExecutor) -> None:
    def other_rate(model: Any) -> None:
        next(layer for layer in model.network if isinstance(layer, Dropout)).rate = 0.9

    with pytest.raises(WorkerError, match=r"worker 1 of 2 .* no longer has the weights of this process: "):
        trained("dropout", callbacks=[Calls(other_rate)], workers=3, executor=threads)


class GoesItsWay(Layer):
    """Computes with other numbers in every thread but the first, and with one more exchange, or one less."""

    def __init__(self, extra: int) -> None:
        self.extra = extra

    def forward(self, x: Any) -> Any:
        if (threading.current_thread() is threading.main_thread()) == (self.extra < 0):
            self.ops.matmul_nt(x, x)
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("extra", [-1, 1])
def test_processes_that_part_do_not_wait_for_each_other(extra: int, threads: ThreadPoolExecutor) -> None:
    model = Model.from_layers([Linear(64, 12), Linear(12, 10), GoesItsWay(extra)], seed=3)
    with pytest.raises(WorkerError, match="no longer has the weights of this process: "):
        model.fit(X, Y, epochs=2, batch_size=25, workers=3, executor=threads)


@pytest.mark.usefixtures("all_divided")
def test_an_error_in_a_callback_ends_all() -> None:
    def fail(model: Any) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trained("plain", callbacks=[Calls(fail)], workers=3)


@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("workers", [None, 3])
def test_a_run_that_diverges(workers: int | None, threads: ThreadPoolExecutor) -> None:
    sharing_of = {} if workers is None else {"workers": workers, "executor": threads}
    with pytest.raises(TrainingDiverged, match="training diverged in epoch 1, batch"):
        trained("plain", lr=1e30, clip_norm=None, **sharing_of)


@pytest.mark.usefixtures("all_divided", "usual_interrupts")
def test_ctrl_c_ends_all() -> None:
    with pytest.raises(KeyboardInterrupt):
        trained("plain", callbacks=[Calls(lambda model: os.kill(os.getpid(), signal.SIGINT))], workers=3)


@pytest.mark.usefixtures("all_divided", "usual_interrupts")
def test_workers_leave_ctrl_c_to_the_process_that_runs_fit() -> None:
    def interrupt_all(model: Any) -> None:
        for process in active_children():
            os.kill(process.pid or 0, signal.SIGINT)

    model = trained("plain", callbacks=[Calls(interrupt_all)], workers=3)
    assert result(model) == result(trained("plain", callbacks=[Calls(lambda model: None)]))


# --- workers that are lost -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_worker_that_is_killed_between_two_batches_is_named_and_done_without(number: int) -> None:
    def kill(model: Any) -> None:
        (process,) = [one for one in active_children() if one.name == f"worker {number}"]
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()

    said = rf"worker {number} of 3 \(process \d+\) was lost \(killed by signal 9\); its part"
    with pytest.warns(RuntimeWarning, match=said):
        model = trained("as recommended", callbacks=[Calls(kill)], workers=4)
    assert result(model) == result(trained("as recommended", callbacks=[Calls(lambda model: None)]))


class Dies(Layer):
    """Kills its process in the middle of a batch, if that is a worker: when it is first to learn from ``row``."""

    def __init__(self, process: int, after: int) -> None:
        self.process = process
        self.after = after

    def forward(self, x: Any) -> Any:
        self.after -= 1
        if os.getpid() != self.process and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        return gradient


@pytest.mark.usefixtures("all_divided")
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_that_die_in_the_middle_of_a_batch(workers: int) -> None:
    def run(**more: Any) -> Model:
        model = Model.from_layers([Linear(64, 12), ReLU(), Dies(os.getpid(), 5), Linear(12, 10)], seed=3)
        model.fit(X, Y, epochs=2, batch_size=16, **more)
        return model

    with pytest.warns(RuntimeWarning) as lost:
        model = run(workers=workers)
    assert len([one for one in lost if one.category is RuntimeWarning]) == workers - 1
    assert result(model) == result(run())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process")
def test_no_worker_outlives_a_process_that_is_killed() -> None:
    """Workers have its standard output, too: that is at its end when all of them are."""
    program = f"""
import multiprocessing, os, signal, sys, warnings
sys.path.insert(0, {str(ROOT)!r})
from scratchnn import Callback, Model, load_digits

class Dies(Callback):
    def on_epoch_end(self, model, run):
        print(len(multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

warnings.simplefilter("ignore")
train, _ = load_digits()
multiprocessing.set_start_method("fork")
Model(64, 40, 10).fit(train.X[:200], train.y[:200], workers=3, callbacks=[Dies()])
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "2\n"


@pytest.mark.parametrize("hidden", [40, pytest.param(400, id="a job larger than a pipe holds")])
def test_a_script_without_a_guard_is_told_what_is_missing(tmp_path: Path, hidden: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import multiprocessing, sys
sys.path.insert(0, {str(ROOT)!r})
from scratchnn import Model, load_digits

multiprocessing.set_start_method("spawn", force=True)
train, _ = load_digits()
Model(64, {hidden}, 10).fit(train.X[:200], train.y[:200], workers=2)
""",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert 'a script that uses workers needs if __name__ == "__main__"' in done.stderr.splitlines()[-1]


# --- what cannot be shared -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers must be .* at least 1"),
        ({"workers": -2}, "workers must be .* at least 1"),
        ({"workers": "many"}, "workers must be"),
        ({"workers": 10**9}, "workers may be at most 256, got 1000000000"),
        ({"executor": object()}, "executor must be a concurrent.futures.Executor, got object"),
        ({"executor": ThreadPoolExecutor}, "executor must be running, got the class"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        trained("plain", **arguments)


def test_an_engine_whose_sums_depend_on_their_order() -> None:
    with pytest.raises(ArgumentError, match=r"workers need engine=.lanes.* has 'linalg'"):
        Model(64, 12, 10, engine="linalg").fit(X, Y, workers=2)


def test_an_executor_that_runs_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(ArgumentError, match="workers=5 are this process and 4 tasks, and the executor runs 2"):
            trained("plain", workers=5, executor=executor)
        monkeypatch.setattr(starting, "START_SECONDS", 0.3)
        busy = threading.Event()
        executor.submit(busy.wait)
        try:
            with pytest.raises(WorkerError, match=r"1 of 2 workers have begun within 0.3 s: ask for workers=2"):
                trained("plain", workers=3, executor=executor)
        finally:
            busy.set()


def test_an_executor_that_has_been_shut_down(threads: ThreadPoolExecutor) -> None:
    threads.shutdown()
    with pytest.raises(WorkerError, match="workers cannot be started: RuntimeError: "):
        trained("plain", workers=2, executor=threads)


def test_a_layer_that_cannot_be_sent() -> None:
    class Local(Dies):
        pass

    model = Model.from_layers([Linear(64, 12), Local(0, -1), Linear(12, 10)], seed=3)
    before = repr(model.weights)
    problem = pytest.raises(
        WorkerError, match=r"worker 1, a task of ProcessPoolExecutor, ended before it began: .*Local"
    )
    with ProcessPoolExecutor(1, get_context("spawn")) as executor, problem:
        model.fit(X, Y, workers=2, executor=executor)
    assert repr(model.weights) == before
    model.fit(X, Y, epochs=1)


def test_small_networks_are_told_that_it_does_not_pay(monkeypatch: pytest.MonkeyPatch, threads: Executor) -> None:
    monkeypatch.setattr(sharing, "LEAST_WORK", 10**9)
    with pytest.warns(RuntimeWarning, match="workers do not pay for so small a network: a batch is about"):
        trained("plain", workers=2, executor=threads)


class Elsewhere(Executor):
    """An executor of which nothing is known; its tasks say that they run on another machine."""

    def __init__(self, inner: Executor, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        self.inner = inner
        self.asked: list[Any] = []
        answers = iter([("here", ""), (host, "another")])
        monkeypatch.setattr(starting, "machine", lambda: next(answers))

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Any:
        self.asked.append(arguments)
        return self.inner.submit(function, *arguments, **named)


@pytest.mark.usefixtures("all_divided")
def test_workers_on_another_machine_call_at_an_address(
    monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor
) -> None:
    executor = Elsewhere(threads, monkeypatch, "localhost")
    assert result(trained("plain", workers=2, executor=executor)) == result(trained("plain"))
    host, port = executor.asked[1][0]
    assert host == "127.0.0.1"
    assert port


@pytest.mark.usefixtures("all_divided")
@pytest.mark.filterwarnings("error")
def test_a_usual_timeout_of_sockets_is_no_matter(monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor) -> None:
    socket.setdefaulttimeout(100.0)  # with which every socket that is made of another one makes that non-blocking
    try:
        for executor in (threads, Elsewhere(threads, monkeypatch, "localhost")):
            assert result(trained("plain", workers=2, executor=executor)) == result(trained("plain"))
    finally:
        socket.setdefaulttimeout(None)


def test_a_machine_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor) -> None:
    executor = Elsewhere(threads, monkeypatch, "no\x1bsuch.invalid")
    with pytest.raises(
        WorkerError, match=r"a worker would run on no\\x1bsuch.invalid, which this machine cannot reach"
    ):
        trained("plain", workers=2, executor=executor)


def test_callers_who_do_not_know_the_key_are_not_let_in() -> None:
    door = starting.Door(None)
    try:
        refused: list[BaseException] = []

        def call() -> None:
            try:
                Client(door.address, authkey=b"guessed").close()
            except (AuthenticationError, EOFError, OSError) as error:
                refused.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        assert door.next() is None
        caller.join()
        assert refused
    finally:
        door.close()


class Alarm:
    """A ``threading.Timer`` that goes off when the test says so."""

    def __init__(self, seconds: float, function: Any) -> None:
        self.seconds, self.ring = seconds, function
        self.started = self.cancelled = self.joined = False

    def start(self) -> None:
        self.started = True

    def cancel(self) -> None:
        self.cancelled = True

    def join(self) -> None:
        self.joined = True


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[Alarm]:
    """All that were set, in order."""
    alarms: list[Alarm] = []

    def set_alarm(seconds: float, function: Any) -> Alarm:
        alarms.append(Alarm(seconds, function))
        return alarms[-1]

    monkeypatch.setattr(starting, "Timer", set_alarm)
    return alarms


def test_who_does_not_know_the_key_holds_the_door_only_so_long_whatever_comes(alarms: list[Alarm]) -> None:
    door = starting.Door("127.0.0.1")

    def drip() -> None:
        """Send one byte of the answer, and when the time is over the next ones, until nobody listens any more."""
        with socket.create_connection(door.address) as call:
            call.recv(1)
            call.sendall(b"\0")
            (alarm,) = alarms
            assert (alarm.seconds, alarm.started) == (starting.ANSWER_SECONDS, True)
            alarm.ring()
            with suppress(OSError):
                while call.recv(1 << 10):
                    call.sendall(b"\0")

    caller = threading.Thread(target=drip)
    try:
        caller.start()
        assert door.next() is None
    finally:
        caller.join()
        door.close()


def test_who_has_proved_to_know_the_key_may_take_as_long_as_a_batch_takes(alarms: list[Alarm]) -> None:
    door = starting.Door(None)
    caller = threading.Thread(target=lambda: Client(door.address, authkey=door.key).close())
    try:
        caller.start()
        with door.next():
            assert [(alarm.cancelled, alarm.joined) for alarm in alarms] == [(True, True)]
    finally:
        caller.join()
        door.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="asks for options of a socket")
def test_both_sides_notice_a_machine_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        worker.set_options(one)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        waited = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        again = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        assert 60 <= waited + again * one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) <= 300


# --- who knows the key, and says nothing -----------------------------------------------------------------------------


class Called:
    """A starter of one worker, a thread that does what it is told to with a connection that is let in."""

    count, hint, sends_job = 1, "", False

    def __init__(self, says: Any) -> None:
        self.says = says
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []

    def host(self) -> None:
        return None

    def start(self, door: starting.Door, job: Any) -> None:
        def call() -> None:
            with Client(door.address, authkey=door.key) as connection:
                self.says(connection)
                self.over.wait()

        self.threads.append(threading.Thread(target=call))
        self.threads[0].start()

    def failed(self) -> str:
        return ""

    def ended(self, number: int) -> str:
        return ""

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


def hello(connection: Any) -> None:
    connection.send_bytes(packed([1, 7, __version__]))


def test_a_worker_that_does_not_say_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "START_SECONDS", 0.2)
    with pytest.raises(WorkerError, match=r"0 of 1 workers have begun within 0.2 s"):
        starting.gathered(Called(lambda connection: None), dict, b"")


def test_a_worker_that_ends_before_it_has_said_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "START_SECONDS", 0.2)
    with pytest.raises(WorkerError, match=r"0 of 1 workers have begun within 0.2 s"):
        starting.gathered(Called(lambda connection: connection.close()), dict, b"")


@pytest.mark.parametrize("data", [b"", bytes(1 << 24)])
def test_a_worker_that_is_never_ready(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "SILENT_SECONDS", 0.2)
    with pytest.raises(
        WorkerError, match=r"worker 1 of 1 \(process 7\) was lost before it was ready \(silent for 0.2 s\)"
    ):
        starting.gathered(Called(hello), dict, data)


def test_a_worker_that_hangs_up_before_it_is_ready() -> None:
    def says(connection: Any) -> None:
        hello(connection)
        connection.recv_bytes()
        connection.close()

    with pytest.raises(WorkerError, match=r"was lost before it was ready \(its connection was closed\)"):
        starting.gathered(Called(says), dict, b"")


# --- members of a team -----------------------------------------------------------------------------------------------


@pytest.fixture
def connected() -> Iterator[tuple[team.Member, Any]]:
    """A member, and the other end of its connection."""
    here, there = socket.socketpair()
    with Connection(there.detach()) as other, Connection(here.detach()) as connection:
        yield team.Member(connection, "worker 1", lambda: ""), other


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "SILENT_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
def test_a_member_that_is_silent_is_lost(request: pytest.FixtureRequest) -> None:
    member, _ = request.getfixturevalue("connected")
    with pytest.warns(RuntimeWarning, match=r"worker 1 was lost \(silent for 0.1 s\); its part is computed again"):
        assert member.receive() is None
    assert not member.alive


@pytest.mark.usefixtures("impatient")
def test_a_member_that_falls_silent_in_the_middle_of_a_message_is_lost(request: pytest.FixtureRequest) -> None:
    member, other = request.getfixturevalue("connected")
    os.write(other.fileno(), pack("!i", 100) + bytes(50))
    with pytest.warns(RuntimeWarning, match=r"worker 1 was lost \(silent for 0.1 s\)"):
        assert member.receive() is None


@pytest.mark.usefixtures("impatient")
def test_a_member_that_does_not_listen_is_lost(request: pytest.FixtureRequest) -> None:
    member, _ = request.getfixturevalue("connected")
    with pytest.warns(RuntimeWarning, match=r"worker 1 was lost \(silent for 0.1 s\)"):
        member.send(bytes(1 << 24))
    assert not member.alive


@pytest.mark.parametrize(("number", "what"), [(0, 5), (1, 6), (1 << 31, 5)])
def test_a_member_that_answers_out_of_step_has_parted(number: int, what: int, connected: Any) -> None:
    member, other = connected
    leader = team.Leader([member])
    other.send_bytes(team.PART + pack("<II", 0, 5) + b"of the member")
    assert leader.exchange(b"own", lambda place: b"", 5) == [b"own", b"of the member"]
    other.send_bytes(team.PART + pack("<II", number, what) + b"of the member")
    with pytest.raises(WorkerError, match="worker 1 no longer has the weights of this process: "):
        leader.exchange(b"own", lambda place: b"", 5)


class Freezes(Dies):
    """Stops its process in the middle of a batch, if that is a worker."""

    def forward(self, x: Any) -> Any:
        self.after -= 1
        if os.getpid() != self.process and not self.after:
            os.kill(os.getpid(), signal.SIGSTOP)
        return x


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process")
@pytest.mark.usefixtures("all_divided")
def test_a_worker_that_freezes_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(starting, "END_SECONDS", 0.0)

    def run(**more: Any) -> Model:
        model = Model.from_layers([Linear(64, 12), ReLU(), Freezes(os.getpid(), 5), Linear(12, 10)], seed=3)
        model.fit(X, Y, epochs=2, batch_size=16, **more)
        return model

    with pytest.warns(
        RuntimeWarning, match=r"worker 1 of 1 .* was lost \(silent for 1 s\); its part is computed again"
    ):
        model = run(workers=2)
    assert result(model) == result(run())
