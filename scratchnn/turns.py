"""Who may use a model when several threads have it: any number may ask it at once, one may change it, and not both.

A model that learns is in between two states, and what it would answer is neither. Whoever changes it waits for those
who are asking; whoever asks meanwhile is refused, because a run may take hours. Callbacks, which are called by the
thread that changes it, may ask and change. Relies on ``errors``.
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident  # threading would take a millisecond to import
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from .errors import ModelBusyError

Method = TypeVar("Method", bound=Callable[..., Any])


class Turns:
    """Who is at it. A copy, also one in another process, begins with nobody."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = allocate_lock()  # held for moments only, while the numbers below change
        self._asking = 0
        self._changing: int | None = None  # the thread that does
        self._depth = 0  # how often it has begun to
        self._free: Any = None  # a lock that the last one who asks lets go of

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        return Turns, ()

    def mine(self) -> bool:
        """Whether it is this thread that changes the model."""
        return self._changing == get_ident()

    def begun(self) -> bool:
        """Whether any thread changes the model, or waits for its turn to."""
        return self._changing is not None

    def begin_asking(self) -> None:
        """``ModelBusyError`` if another thread changes the model."""
        self._after_a_fork()
        with self._lock:
            if self._changing not in (None, get_ident()):
                raise ModelBusyError(
                    "this model is learning in another thread: wait until fit has returned, or ask a copy that "
                    "copy.deepcopy made before"
                )
            self._asking += not self.mine()

    def end_asking(self) -> None:
        """To be called once for each ``begin_asking`` that has not failed."""
        with self._lock:
            self._asking -= not self.mine()
            if not self._asking and self._free is not None:
                self._free.release()
                self._free = None

    def begin_changing(self) -> None:
        """Wait until nobody asks any more; ``ModelBusyError`` if another thread changes the model."""
        self._after_a_fork()
        with self._lock:
            if self._changing not in (None, get_ident()):
                raise ModelBusyError("this model is learning in another thread: a model can only be changed by one")
            self._changing = get_ident()
            self._depth += 1
            free = allocate_lock()
            if self._asking:
                free.acquire()
                self._free = free
        try:
            free.acquire()
        except BaseException:  # Ctrl-C: it does not begin
            with self._lock:
                self._free = None
            self.end_changing()
            raise

    def end_changing(self) -> None:
        """To be called once for each ``begin_changing`` that has not failed."""
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._changing = None

    def _after_a_fork(self) -> None:
        """The threads that were at it are not there in a child process."""
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]


def asking(method: Method) -> Method:
    """A method that leaves the object as it is; its ``_turns`` are asked for a turn."""

    @wraps(method)
    def guarded(self: Any, *arguments: Any, **settings: Any) -> Any:
        turns = self._turns
        turns.begin_asking()
        try:
            return method(self, *arguments, **settings)
        finally:
            turns.end_asking()

    return cast(Method, guarded)


def changing(method: Method) -> Method:
    """A method that changes the object."""

    @wraps(method)
    def guarded(self: Any, *arguments: Any, **settings: Any) -> Any:
        turns = self._turns
        turns.begin_changing()
        try:
            return method(self, *arguments, **settings)
        finally:
            turns.end_changing()

    return cast(Method, guarded)
