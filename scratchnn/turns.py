"""Who may use a model when several threads have it: any number may ask it at once, one may change it, and not both.

A model that learns is in between two states, and what it would answer is neither. Whoever changes it waits for those
who are asking; whoever asks meanwhile is refused, because a run may take hours. Callbacks, which are called by the
thread that changes it, may ask and change.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident  # threading would take a millisecond to import

from .errors import ModelBusyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])

PATIENCE = 1.0  # seconds after which somebody who waits looks for threads that have died


class Turns:
    """Who is at it. A copy, also one in another process, begins with nobody.

    Every turn has a token of its own, so that ending it twice, or one that has not quite begun when Ctrl-C came, does
    no harm.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self.running = False  # whether a run is under way, whose callbacks may begin another
        self._lock = allocate_lock()  # held for moments only, while what follows changes
        self._asking: dict[object, int] = {}  # the thread of each turn
        self._changing: dict[object, int] = {}  # all of one thread
        self._ended: Any = None  # a lock that whoever ends a turn lets go of

    def __reduce__(self) -> tuple[type[Turns], tuple[()]]:
        return Turns, ()

    def begun(self) -> bool:
        """Whether any thread changes the model, or waits for its turn to."""
        return bool(self._changing)

    def mine(self) -> bool:
        """Whether it is this thread that changes the model."""
        return get_ident() in self._changing.values()

    def ask(self, token: object) -> None:
        """Begin to ask; ``ModelBusyError`` if another thread changes the model."""
        self._after_a_fork()
        with self._lock:
            if self._changing and not self.mine():
                raise ModelBusyError(
                    "this model is learning in another thread: wait until fit has returned, or ask a copy that "
                    "copy.deepcopy made before"
                )
            self._asking[token] = get_ident()

    def change(self, token: object) -> None:
        """Begin to change it, when no other thread asks any more; ``ModelBusyError`` if another changes it."""
        self._after_a_fork()
        with self._lock:
            if self._changing and not self.mine():
                raise ModelBusyError("this model is learning in another thread: a model can only be changed by one")
            self._changing[token] = get_ident()
        while True:
            with self._lock:
                if all(thread == get_ident() for thread in self._asking.values()):
                    return
                ended = self._ended = allocate_lock()
                ended.acquire()
            if not ended.acquire(timeout=PATIENCE):
                self._forget_the_dead()

    def end(self, token: object) -> None:
        """End a turn, if it has begun."""
        with self._lock:
            self._asking.pop(token, None)
            self._changing.pop(token, None)
            if self._ended is not None:
                self._ended.release()
                self._ended = None

    def _forget_the_dead(self) -> None:
        """Turns of threads that are no more: one may have been stopped on its way out of its turn."""
        alive = sys._current_frames()
        with self._lock:
            for token in [token for token, thread in self._asking.items() if thread not in alive]:
                del self._asking[token]

    def _after_a_fork(self) -> None:
        """The threads that were at it are not there in a child process."""
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]


def asking(method: Method) -> Method:
    """A method that leaves the object as it is; its ``turns`` are asked for a turn."""
    return _in_turn(method, Turns.ask)


def changing(method: Method) -> Method:
    """A method that changes the object."""
    return _in_turn(method, Turns.change)


def _in_turn(method: Method, begin: Callable[[Turns, object], None]) -> Method:
    def guarded(self: Any, *arguments: Any, **settings: Any) -> Any:
        turns, token = self.turns, object()
        try:
            begin(turns, token)
            return method(self, *arguments, **settings)
        finally:
            turns.end(token)

    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        setattr(guarded, name, getattr(method, name))
    vars(guarded)["__wrapped__"] = method  # where ``inspect`` finds the arguments
    return guarded  # type: ignore[return-value]
