"""A place in a notebook's output whose text can be changed, where a program runs in one.

IPython is never imported: whoever runs in a notebook has it loaded already. A terminal's IPython is a terminal.
"""

from __future__ import annotations

import os
import sys
from typing import Any


class Place:
    """An output of the running cell: the first text makes it, each further one takes its place."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._name = ""

    def show(self, text: str) -> None:
        """Show a text there. Where the notebook does not take it, nothing is said: it is progress, and no result."""
        first = not self._name
        self._name = self._name or f"scratchnn-{os.urandom(8).hex()}"  # unlike any other output's, in any session
        try:
            self._publisher.publish({"text/plain": text}, {}, transient={"display_id": self._name}, update=not first)
        except Exception:  # whatever a front end raises, training goes on
            self._publisher = _Nobody


class _Nobody:
    @staticmethod
    def publish(*data: Any, **how: Any) -> None:
        """Show nothing."""


def find_place() -> Place | None:
    """A new place in the running cell's output; None outside a notebook."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_shell() if callable(get_shell) else None
    publisher = getattr(shell, "display_pub", None)
    if getattr(shell, "kernel", None) is None or not hasattr(publisher, "publish"):
        return None
    return Place(publisher)
