"""What can be handed over as ``executor``, and where there can be none."""

from __future__ import annotations

import sys

from .errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def require_executor(executor: Any) -> None:
    """``ArgumentError`` for what does not hand out the futures of ``concurrent.futures``, such as a Dask client."""
    from concurrent.futures import Executor

    if isinstance(executor, type) and hasattr(executor, "submit"):
        raise ArgumentError(f"executor must be running, got the class: hand over {executor.__name__}(...)")
    foreign = hasattr(executor, "get_executor") and not isinstance(executor, Executor)
    if foreign or not hasattr(executor, "submit"):
        remedy = ": hand over its get_executor()" if foreign else ""
        raise ArgumentError(f"executor must be a concurrent.futures.Executor, got {type(executor).__name__}{remedy}")


def in_webassembly() -> bool:
    """Whether this Python has no process and no thread but its own, as in a browser."""
    return sys.platform in ("emscripten", "wasi")
