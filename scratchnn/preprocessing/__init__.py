"""Preprocessing: what is known of the data, and what becomes of raw rows and labels before a network sees them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .labels import Label as Label
    from .labels import as_answers as as_answers
    from .labels import as_flags as as_flags
    from .labels import as_labels as as_labels
    from .labels import as_targets as as_targets
    from .labels import class_numbers as class_numbers
    from .labels import find_classes as find_classes
    from .labels import one_hot as one_hot
    from .labels import outputs_for as outputs_for
    from .rows import Row as Row
    from .rows import as_rows as as_rows
    from .scaling import PIXEL_FACTOR as PIXEL_FACTOR
    from .scaling import Scaling as Scaling
    from .schema import Schema as Schema

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Schema": "schema",
    "Row": "rows",
    "Label": "labels",
    "as_rows": "rows",
    "as_labels": "labels",
    "as_targets": "labels",
    "outputs_for": "labels",
    "as_flags": "labels",
    "as_answers": "labels",
    "find_classes": "labels",
    "class_numbers": "labels",
    "one_hot": "labels",
    "PIXEL_FACTOR": "scaling",
    "Scaling": "scaling",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
