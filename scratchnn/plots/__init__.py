"""Plots: figures as SVG with nothing but the standard library, to save as files or to look at in a notebook.

    from scratchnn import plots

    plots.learning_curves(history).save("curves.svg")

Every kind is a function that takes plain data and returns a ``Figure``, which saves itself (``figure.save(path)``),
shows itself in a notebook, and can stand beside others (``side_by_side``). Functions and no class for each kind: what
one may do with a figure is the same for all of them. ``lines`` and ``scatter`` are the general ones. All are put
together from the same few parts: scales (``scales.py``), marks (``marks.py``), and a panel with axes (``axes.py``).
"""

from .. import lazily

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Figure": "figure",
    "confusion_matrix": "matrices",
    "decision_boundary": "boundaries",
    "images": "pictures",
    "learning_curves": "curves",
    "lines": "curves",
    "prediction_error": "regression",
    "probabilities": "bars",
    "residuals": "regression",
    "scatter": "scatters",
    "search_results": "bars",
    "side_by_side": "figure",
    "weights": "pictures",
}

__all__ = [*_HOMES]
__getattr__ = lazily(__name__, _HOMES)
