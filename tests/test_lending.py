"""A value that many tasks need is sent to each worker once, whatever the executor, and let go of in the end.

Most tests run on workers that are pretended: they have places of their own, are sent everything as bytes, and take
tasks in an order that the test chooses. That real processes behave like them is tested as well.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from queue import Queue
from random import Random
from typing import Any

import pytest

from scratchnn import ArgumentError, lending
from scratchnn.lending import Lending

HOME = ("home", 1)
VALUE = list(range(20_000))


class Counted:
    """A value that counts how often it is sent anywhere."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.sent = 0

    def __reduce__(self) -> Any:
        self.sent += 1
        return Counted, (self.numbers,)


def add(value: Counted, number: int) -> int:
    if number < 0:
        raise ValueError("below 0")
    return sum(value.numbers) + number


def results(lender: Lending) -> dict[int, int]:
    found = {number: lender.result_of(future) for number, future in lender.done()}
    assert lender.failure is None
    return found


class Pretended(Executor):
    """``workers`` that take turns as ``rng`` has it, from the front of the queue or (``last``) from its end. Each does
    ``tasks`` before another takes its place, or any number. They work in a thread, or when they are told to."""

    def __init__(
        self,
        workers: int,
        rng: Random,
        *,
        last: bool = False,
        tasks: int = 0,
        fails: float = 0.0,
        by_itself: bool = True,
    ) -> None:
        self.names = list(range(workers))
        self.next_name = workers
        self.places: dict[Any, dict[Any, Any]] = {}
        self.done_by: dict[int, int] = {}
        self.rng, self.last, self.tasks, self.fails = rng, last, tasks, fails
        self.waiting: list[Any] = []
        self.sizes: list[int] = []
        self.news: Queue[bool] = Queue()
        self.thread = threading.Thread(target=self._work, daemon=True) if by_itself else None
        if self.thread:
            self.thread.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        sent = pickle.dumps((function, arguments))
        self.sizes.append(len(sent))
        future: Future[Any] = Future()
        self.waiting.append((sent, future))
        self.news.put(True)
        return future

    def _work(self) -> None:
        while self.news.get():
            self.work_once()

    def work_once(self) -> None:
        """Have a worker take a task that waits."""
        sent, future = self.waiting.pop(-1 if self.last else 0)
        if not future.set_running_or_notify_cancel():
            return
        place = self.rng.randrange(len(self.names))
        name = self.names[place]
        if self.rng.random() < self.fails:
            self.names[place], self.next_name = self.next_name, self.next_name + 1
            future.set_exception(CancelledError("it died"))
            return
        HERE.worker, HERE.places = ("there", name), self.places.setdefault(name, {})
        try:
            function, arguments = pickle.loads(sent)
            future.set_result(pickle.loads(pickle.dumps(function(*arguments))))
        except ValueError as error:
            future.set_exception(error)
        finally:
            del HERE.worker, HERE.places
        self.done_by[name] = self.done_by.get(name, 0) + 1
        if self.done_by[name] == self.tasks:
            self.names[place], self.next_name = self.next_name, self.next_name + 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.news.put(False)
        if self.thread:
            self.thread.join()
        for places in self.places.values():
            for place in places.values():
                place.hold()


class Told:
    """What a lender waits at, for workers that work when somebody waits: a few tasks, as ``rng`` has it, before the
    first answer is read. So a run does not depend on how threads take turns."""

    def __init__(self, executor: Pretended, rng: Random) -> None:
        self.executor = executor
        self.rng = rng
        self.answers: list[Any] = []

    def put(self, future: Any) -> None:
        self.answers.append(future)

    def get(self) -> Any:
        for _ in range(self.rng.choice([0, 1, 2, 60])):
            if self.executor.waiting:
                self.executor.work_once()
        while not self.answers:
            self.executor.work_once()
        return self.answers.pop(0)


HERE = threading.local()


@pytest.fixture(autouse=True)
def pretended_places(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """Each pretended worker has its own; returns those of this process."""
    at_home: dict[Any, Any] = {}

    def place_of(key: Any) -> Any:
        return getattr(HERE, "places", at_home).setdefault(key, lending._Place())

    monkeypatch.setattr(lending, "place_of", place_of)
    monkeypatch.setattr(lending, "this_process", lambda: getattr(HERE, "worker", HOME))
    return at_home


@pytest.mark.parametrize("last", [False, True], ids=["first come", "last come"])
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_every_worker_is_sent_the_value_about_once(workers: int, last: bool) -> None:
    for seed in range(10):
        value = Counted(VALUE)
        jobs = [(k,) for k in range(60)]
        executor = Pretended(workers, Random(seed), last=last, by_itself=False)
        with executor, Lending(executor, value, add, jobs) as lender:
            lender._done = Told(executor, Random(seed))  # type: ignore[assignment]
            assert results(lender) == {k: sum(VALUE) + k for k in range(60)}
        asked = len(executor.places)
        # Chance decides who takes what here, so a worker may be sent a second one that was meant for another.
        assert asked <= lender.sent == value.sent <= 4 * asked
        large = [size for size in executor.sizes if size > 10_000]
        assert len(large) == lender.sent and max(set(executor.sizes) - set(large)) < 500


def test_workers_that_are_replaced_after_each_task_are_sent_it_with_each_that_is_done() -> None:
    value = Counted(VALUE)
    jobs = [(k,) for k in range(30)]
    with Pretended(3, Random(0), tasks=1) as executor, Lending(executor, value, add, jobs) as lender:
        assert results(lender) == {k: sum(VALUE) + k for k in range(30)}
    assert lender.sent == 30


@pytest.mark.parametrize("last", [False, True], ids=["first come", "last come"])
def test_workers_that_die_cost_the_task_they_had_and_no_other(last: bool) -> None:
    for seed in range(10):
        executor, jobs = Pretended(3, Random(seed), last=last, fails=0.2), [(k,) for k in range(40)]
        with executor, Lending(executor, Counted(VALUE), add, jobs) as lender:
            outcomes = dict(lender.done())
        assert sorted(outcomes) == list(range(40))
        done = {k: future for k, future in outcomes.items() if future.exception() is None}
        assert 0 < len(done) < 40
        assert all(lender.result_of(future) == sum(VALUE) + k for k, future in done.items())


def test_what_a_task_raises_comes_out_of_its_future() -> None:
    with Pretended(2, Random(0)) as executor, Lending(executor, Counted(VALUE), add, [(1,), (-1,), (2,)]) as lender:
        outcomes = dict(lender.done())
    assert type(outcomes[1].exception()) is ValueError
    assert [lender.result_of(outcomes[k]) for k in (0, 2)] == [sum(VALUE) + 1, sum(VALUE) + 2]


def test_two_lenders_on_the_same_workers_are_told_apart() -> None:
    executor, jobs = Pretended(3, Random(0)), [(k,) for k in range(10)]
    one, other = [Lending(executor, Counted([k]), add, jobs) for k in (1, 2)]
    with executor, one, other:
        of_one, of_other = one.done(), other.done()
        pairs = [(next(of_one), next(of_other)) for _ in jobs]  # taking turns
    for lender, value, found in zip((one, other), (1, 2), zip(*pairs)):
        assert {number: lender.result_of(future) for number, future in found} == {k: value + k for k in range(10)}


@pytest.mark.parametrize("count", [1, 3])
def test_threads_have_the_value_and_home_lets_go_of_it(count: int, pretended_places: dict[Any, Any]) -> None:
    value = Counted(VALUE)
    with ThreadPoolExecutor(count) as threads, Lending(threads, value, add, [(k,) for k in range(20)]) as lender:
        assert results(lender) == {k: sum(VALUE) + k for k in range(20)}
        assert [place.loan.value for place in pretended_places.values()] == [value]
    assert value.sent == lender.sent == 0
    assert [place.loan for place in pretended_places.values()] == [None]


def test_a_worker_lets_go_of_a_value_that_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[Any] = []

    class Timer:
        def __init__(self, seconds: float, function: Callable[[], None]) -> None:
            self.seconds, self.end, self.cancelled = seconds, function, False
            timers.append(self)

        def start(self) -> None:
            pass

        def cancel(self) -> None:
            self.cancelled = True

    monkeypatch.setattr(lending.threading, "Timer", Timer)
    with Pretended(1, Random(0)) as executor, Lending(executor, Counted(VALUE), add, [(1,), (2,)]) as lender:
        results(lender)
        assert [(timer.seconds, timer.cancelled) for timer in timers] == [(60.0, True), (60.0, False)]
        (place,) = executor.places[0].values()
        assert place.loan.value.numbers == VALUE
        timers[-1].end()
        assert place.loan is None
        assert lender.sent == 1
        with Lending(executor, Counted([1]), add, [(1,), (2,)]) as again:
            assert results(again) == {0: 2, 1: 3}


def test_a_process_keeps_the_values_of_a_few_lenders_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    keys = [("a", 1, str(k)) for k in range(lending.MOST_KEPT + 1)]
    first = lending.place_of(keys[0])
    assert lending.place_of(keys[0]) is first
    for key in keys[1:]:
        lending.place_of(key)
    assert lending.place_of(keys[0]) is not first


def test_an_executor_that_takes_no_more_says_why() -> None:
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with Lending(threads, Counted([1]), add, [(1,), (2,)]) as lender:
        assert list(lender.done()) == []
    assert type(lender.failure) is RuntimeError


def test_a_future_that_is_no_future_is_refused() -> None:
    pool: Any = type("Pool", (), {"submit": lambda self, *job: 3})()
    with Lending(pool, 1, add, [(1,)]) as lender, pytest.raises(ArgumentError, match="Pool gave int"):
        next(iter(lender.done()))


def test_what_has_not_begun_is_cancelled_when_the_block_is_left() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        futures: list[Future[Any]] = []
        held = threads.submit(gate.wait)
        with Lending(threads, Counted([1]), add, [(k,) for k in range(5)]) as lender:
            for number in range(5):
                lender._submit(number, None)
            futures += lender._running
        gate.set()
        held.result()
    assert len(futures) == 5 and all(future.cancelled() for future in futures)


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", get_all_start_methods())
def test_processes_are_sent_the_value_once_each(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    value = Counted(VALUE)
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as processes:
        with Lending(processes, value, add, [(k,) for k in range(24)]) as lender:
            assert results(lender) == {k: sum(VALUE) + k for k in range(24)}
        if method == "fork":  # they have it from the start
            assert value.sent == lender.sent == 0
        else:
            assert 1 <= lender.sent <= 24 and value.sent == lender.sent
        before = value.sent
        workers = len(set(processes._processes or {}))
        with Lending(processes, value, add, [(k,) for k in range(24)]) as lender:
            assert results(lender) == {k: sum(VALUE) + k for k in range(24)}
        assert workers == 2 and 1 <= value.sent - before <= 24
