"""Preprocessing: what is known of the data, and what becomes of raw rows and labels before a network sees them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
