"""What computes: finding a number engine by its name, and carrying one along.

``linalg`` is a module, the readable engine; ``lanes`` makes an engine for each network.
"""

from __future__ import annotations

from typing import Any

from .. import linalg
from ..checks import unknown

ENGINES = ("lanes", "linalg")
DEFAULT_ENGINE = "lanes"


def find_engine(engine: Any, widest: int | None = None) -> Any:
    """The number engine of that name, or the engine itself if it is one (such as ``Lanes(width=64)``).

    ``widest`` is the length of the longest rows that it will have to do with, if that is known. ``ValueError`` lists
    the known names. An engine that is not asked for is not imported.
    """
    if engine == "linalg":
        return linalg
    if engine == "lanes":
        from .lanes.engine import Lanes

        return Lanes() if widest is None else Lanes.for_rows(widest)
    operations = ("affine", "matmul_tn", "matmul_nt", "tuned_for")
    if not isinstance(engine, type) and all(hasattr(engine, operation) for operation in operations):
        return engine
    raise unknown("engine", engine, ENGINES)


class _Readable:
    """The number engine that computes: ``linalg``, unless the object was moved to another one."""

    # Not the module itself: ``help`` of every class would show all that it says of itself.

    def __get__(self, thing: Any, kind: Any = None) -> Any:
        return self if thing is None else linalg

    def __repr__(self) -> str:
        return "linalg"


class Computing:
    """What has a number engine: layers, optimizers and models. They can be copied and pickled."""

    ops: Any = _Readable()  # the engine; an instance may have another

    def __getstate__(self) -> dict[str, Any]:
        # A module can be neither copied nor pickled. What is left out is found in the class again, where it is linalg.
        return {name: value for name, value in vars(self).items() if value is not linalg}
