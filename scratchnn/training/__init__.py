"""Training: the loop, who looks on while it runs, what becomes of it when numbers run away, and checkpoints.

``trainer`` is the loop; it knows no model, file or label. Everything else here attaches to it as a callback, or keeps
what there was before it.
"""

from .. import lazily

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Trainer": "trainer",
    "TrainingData": "trainer",
    "Callback": "callbacks",
    "EarlyStopping": "callbacks",
    "BestWeights": "callbacks",
    "History": "callbacks",
    "Run": "callbacks",
}

__all__ = [*_HOMES]
__getattr__ = lazily(__name__, _HOMES)
