"""Finding an engine by its name, and carrying one along."""

from __future__ import annotations

from .. import linalg
from ..checks import unknown
from . import short_rows
from .base import Engine
from .lists import LISTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENGINES = ("lanes", "linalg", "numpy", "torch")
DEFAULT_ENGINE = "lanes"


def find_engine(engine: Any, widest: int | None = None, weights: int | None = None) -> Any:
    """The number engine of that name, or the engine itself if it is one (such as ``Lanes(width=64)``).

    ``widest`` is the length of the longest rows that it will have to do with, and ``weights`` the number of weights
    that these are multiplied by, if that is known. ``ArgumentError`` lists the known names. An engine that is not asked
    for is not imported.
    """
    if engine == "linalg" or engine is linalg:
        return LISTS
    if engine == "lanes":
        if weights is not None and weights <= short_rows.MOST_WEIGHTS:
            return short_rows.SHORT_ROWS
        from .lanes.engine import Lanes

        return Lanes() if widest is None else Lanes.for_rows(widest)
    if isinstance(engine, Engine):
        return engine
    if engine in ("numpy", "torch"):
        from .arrays import ArrayEngine

        return ArrayEngine(engine)
    raise unknown("engine", engine, ENGINES, ", or an Engine such as ArrayEngine('cupy')")


class Computing:
    """What has a number engine: layers, optimizers and models."""

    ops: Any = LISTS  # the engine; an instance may have another
