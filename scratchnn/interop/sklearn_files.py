"""Files of scikit-learn's estimators, as joblib and pickle write them. Reading one can run any code that is in it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

from ..checks import MESSAGE, shortened, shown_path
from ..errors import ArgumentError, ModelFileError
from ..saving import records


def load_estimator(path: str | os.PathLike[str], warn: Callable[[str], Any] | None = None) -> Any:
    """What is in a file that ``joblib.dump`` or ``pickle.dump`` has written. Only for files that you trust.

    ``warn`` is told in a line each what scikit-learn warns of, such as a file of another version; without it, warnings
    are Python's own. Raises ``ArgumentError`` where joblib or scikit-learn is missing, ``OSError`` for a file that
    cannot be opened, ``ModelFileError`` for one that cannot be read, or is a model of scratchnn already.
    """
    name = shown_path(path)
    if records.begins_like(path, records.FORMAT):
        raise ModelFileError(f"{name}: this is a model of scratchnn already")
    if not os.path.exists(path):
        raise ModelFileError(f"{name}: no such file")
    try:
        import joblib  # type: ignore[import-untyped, import-not-found, unused-ignore]
        import sklearn  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: F401
    except ImportError as error:
        raise ArgumentError(
            f"{name}: reading it needs scikit-learn and joblib ({error}): python -m pip install scikit-learn"
        ) from None
    with open(path, "rb"), warnings.catch_warnings(record=warn is not None) as caught:
        try:
            estimator = joblib.load(path)
        except Exception as error:  # whatever a pickle does
            reason = shortened(" ".join(f"{type(error).__name__}: {error}".split()), MESSAGE - len(name))
            raise ModelFileError(f"{name}: cannot be read as a joblib or pickle file: {reason}") from None
    for warning in caught or ():
        if warn is not None:
            warn(f"warning: {name}: {' '.join(str(warning.message).split())}")
    return estimator
