"""A large value that many tasks of an executor need, such as rows to learn from: each worker is sent it only once.

A task may run in any worker, so it comes without the value, and with a key. A worker that has nothing under this key
gives the task back at once, and it is handed out again, with the value: by then other workers are busy, and it most
often finds the one that asked. Nothing but the executor's own way of sending tasks is needed, so it does not matter
what kind it is, on which machines its workers are, and whether they are replaced while it works. This process, its
threads, and processes that are forked from it have the value from the start.

Workers let go of the value when no task has used it for a while, and of all but that of the last few lenders.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache
from queue import SimpleQueue
from typing import Any

from .errors import ArgumentError

KEEP_SECONDS = 60.0  # that a worker keeps a value which no task uses
MOST_KEPT = 4  # values of different lenders that a process keeps
KEY_BYTES = 8

Worker = tuple[str, int]
Key = tuple[str, int, str]  # the lender's machine and process, and what tells its values apart


def this_process() -> Worker:
    """What tells it from all others."""
    return socket.gethostname(), os.getpid()


class Loan:
    """What holds a value on its way: schedulers that look into lists, as Dask does, would take seconds for large
    ones."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Place:
    """Where a process keeps one value."""

    def __init__(self) -> None:
        self.loan: Loan | None = None
        self._timer: threading.Timer | None = None

    def wait(self, seconds: float) -> None:
        """Let go of the value when it has not been used for so long."""
        self.hold()
        self._timer = threading.Timer(seconds, self.clear)
        self._timer.daemon = True
        self._timer.start()

    def hold(self) -> None:
        """Keep the value for the moment."""
        if self._timer is not None:
            self._timer.cancel()

    def clear(self) -> None:
        """Let go of the value."""
        self.loan = None


# State of a module, as no other has it: a task finds nothing in a worker of somebody else's executor but what
# is loaded there, so a value that outlives the task can be kept nowhere else. Results never depend on what is kept.
@lru_cache(maxsize=MOST_KEPT)
def place_of(key: Key) -> _Place:
    """The place for the value of this key: always the same one, as long as it is among those asked for last."""
    return _Place()


def run_task(
    key: Key, loan: Loan | None, turn: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Worker, tuple[Any, ...]]:
    """What runs in a worker: (which one it is, with ``function(value, *arguments)`` in it if the value is here).

    ``turn`` counts how often tasks were handed out: no two are the same, which an executor could take for one.
    """
    worker, place = this_process(), place_of(key)
    if worker == key[:2]:  # it is the lender who clears the place
        loan = loan or place.loan
        return worker, (function(loan.value, *arguments),) if loan else ()
    place.hold()
    loan = place.loan = loan or place.loan
    if loan is None:
        return worker, ()
    try:
        return worker, (function(loan.value, *arguments),)
    finally:
        place.wait(KEEP_SECONDS)


class Lending:
    """Has an executor run ``function(value, *job)`` for every job, in a ``with`` block.

    ``sent`` counts how many tasks the value was handed to.
    """

    def __init__(
        self, executor: Any, value: Any, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]
    ) -> None:
        self.sent = 0
        self._executor = executor
        self._loan = Loan(value)
        self._function = function
        self._jobs = jobs
        self._key = (*this_process(), secrets.token_hex(KEY_BYTES))
        self._turns = 0
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._running: dict[Any, int] = {}  # futures, and the numbers of their jobs
        self._asked: dict[Worker, Any] = {}  # the future that takes the value to a worker
        self.failure: Exception | None = None  # why not all jobs could be handed out

    def __enter__(self) -> Lending:
        place_of(self._key).loan = self._loan
        return self

    def __exit__(self, *exception: object) -> None:
        place_of(self._key).clear()
        for future in list(self._running):
            future.cancel()  # those that have begun go on to their end, but nobody waits for them

    def done(self) -> Iterator[tuple[int, Any]]:
        """(number of the job, its future) as they are done: ``result_of`` tells what came out. ``failure`` is set if an
        executor takes no more."""
        for number in range(len(self._jobs)):
            if not self._submit(number, None):
                break
        while self._running:
            future = self._done.get()
            number = self._running.pop(future)
            self._asked = {worker: asked for worker, asked in self._asked.items() if asked is not future}
            if future.cancelled() or future.exception() is not None or future.result()[1]:
                yield number, future
            else:
                self._again(number, future.result()[0])

    @staticmethod
    def result_of(future: Any) -> Any:
        """What the function gave, or what it raised."""
        return future.result()[1][0]

    def _again(self, number: int, worker: Worker) -> None:
        """Hand out a job that a worker gave back: with the value, unless another takes it there."""
        if worker in self._asked:
            self._submit(number, None)
        else:
            future = self._submit(number, self._loan)
            if future is not None:
                self._asked[worker] = future

    def _submit(self, number: int, loan: Loan | None) -> Any:
        """The future of a job; None, with ``failure`` set, if the executor does not take it."""
        if self.failure is not None:
            return None
        self._turns += 1
        try:
            job = self._jobs[number]
            future = self._executor.submit(run_task, self._key, loan, self._turns, self._function, job)
        except Exception as problem:  # it has been shut down, or a job has broken it
            self.failure = problem
            return None
        if not isinstance(future, Future):
            kind, came = type(self._executor).__name__, type(future).__name__
            raise ArgumentError(f"executor must hand out futures of concurrent.futures, {kind} gave {came}")
        self.sent += loan is not None
        self._running[future] = number
        future.add_done_callback(self._done.put)
        return future
