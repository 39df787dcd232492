"""Pages to draw and play on, served to this machine's own browser: ``python -m scratchnn.play [model.pkl]``.

``images`` makes a drawing what a network was trained on, ``drawing`` answers for the page *Draw*, ``learning`` has its
model, ``settings``, ``session`` and ``sessions`` are the page *Play*, ``server`` speaks HTTP and keeps everybody else
out. The pages themselves are plain files in ``pages/``. Nothing here is loaded unless it is asked for.
"""

from .. import lazily

__getattr__ = lazily(__name__, {"main": "__main__"})
