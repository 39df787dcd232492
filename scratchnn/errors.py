"""The exceptions that scratchnn raises on purpose, in one place, so that a caller can catch them by name.

Each is one of the standard library's as well (``ValueError``, ``OverflowError``, ``RuntimeError``): code that only
knows those still catches it. The other way round, a ``ValueError`` that is none of these is nobody's fault but the
package's: a bug.
The message always says what was expected, what came and where.
"""

from __future__ import annotations


class ArgumentError(ValueError):
    """An argument, an option or a choice that makes no sense, or that does not go with the others."""


class DataError(ValueError):
    """Data that cannot be learned from or predicted on: a broken file, ragged rows, NaN, unknown labels."""


class ModelFileError(ValueError):
    """A file that should hold a saved model, and does not, or not a whole one."""


class NotFittedError(ValueError):
    """A model was asked to predict before it was fitted."""


class ModelBusyError(RuntimeError):
    """A model was asked or changed while another thread was changing it."""


class WorkerError(RuntimeError):
    """Processes that were to train together did not begin, or no longer stand at the same weights."""


class TrainingDiverged(OverflowError):
    """Training ran away: a loss or a weight is infinite or not a number, or too large for the engine, or the last step
    made the loss 1e12 times worse.

    ``epoch`` and ``batch`` count from 1. The model has the last weights with which the loss of all rows was finite.
    """

    def __init__(self, message: str, epoch: int = 0, batch: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.batch = batch
