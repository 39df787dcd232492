"""Preprocessing: what is known of the data, and what becomes of raw rows and labels before a network sees them."""

from .. import lazily

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
__getattr__ = lazily(__name__, _HOMES)
