"""Ctrl-C and SIGTERM while a network learns: the batch at hand is finished first, then the run stops where it stands.

Python raises KeyboardInterrupt wherever it happens to be, in the middle of an update of the weights as well. What it
leaves there is neither the state before the batch nor the one after it, and worth nothing to a run that is resumed.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

KILLED_BY = 128  # plus the number of the signal: the shells' convention for exit codes


class AtOnce(KeyboardInterrupt):
    """A second signal came: nobody is to wait any longer."""


class Interruption:
    """Puts off Ctrl-C, and SIGTERM if asked to: the first asks the run to stop after this batch, the second stops it
    at once.

    Use it in a ``with`` block and as a callback. ``asked`` is the number of the signal that came, or 0; after the run
    ``go_on`` does what the signal would have done. Signals for which somebody else has set a handler, or which are
    ignored (as Ctrl-C is in a process started in the background), are left alone.
    """

    def __init__(self, *, sigterm: bool) -> None:
        self.asked = 0
        self._usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
        if sigterm:
            self._usual[signal.SIGTERM] = signal.SIG_DFL
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            for number, usual in self._usual.items():
                if signal.getsignal(number) is usual:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        # Ctrl-C last: from then on it may break in anywhere, and SIGTERM must not be left without its usual handler.
        for number, handler in reversed(list(self._before.items())):
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked:
            raise AtOnce
        self.asked = number

    def put_off(self, interrupt: KeyboardInterrupt) -> None:
        """The same for one that a callback has raised; a second one is raised again."""
        if self.asked or isinstance(interrupt, AtOnce):
            raise interrupt
        self.asked = signal.SIGINT

    def go_on(self, where: str) -> None:
        """What the signal that came would have done: ``KeyboardInterrupt`` for Ctrl-C, for SIGTERM ``SystemExit``."""
        if self.asked == signal.SIGTERM:
            raise SystemExit(KILLED_BY + self.asked)
        if self.asked:
            raise KeyboardInterrupt(where)

    def on_train_begin(self, model: Any, run: Any) -> None:
        """Nothing to do yet."""

    def on_batch_end(self, model: Any, run: Any) -> None:
        """Ask the model to stop, if a signal came."""
        if self.asked:
            model.stop_training = True

    def on_epoch_end(self, model: Any, run: Any) -> None:
        """The same: Ctrl-C may have come while the epoch was evaluated."""
        self.on_batch_end(model, run)

    def on_train_end(self, model: Any, run: Any) -> None:
        """Nothing left to do."""
