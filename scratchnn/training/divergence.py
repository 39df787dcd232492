"""Training that runs away: noticed after every step, answered with the last weights that were of use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import TrainingDiverged

RUNAWAY = 1e12  # a step that makes the loss of its own batch so many times worse was no step of learning
LARGEST_LOSS = 1e300  # such a loss, times the rows of an epoch, would be infinite


def finite_loss(loss: Any, data: Any, ops: Any, outputs: Any, indices: Sequence[int]) -> tuple[float, Any]:
    """(the loss of some rows of training data, its gradient); ``OverflowError`` if the loss is infinite, or nearly so,
    or not a number."""
    try:
        value, gradient = data.measured(loss, ops, outputs, indices)
    except ValueError:
        if ops.all_finite(outputs):
            raise
        value, gradient = math.nan, None  # the loss refused outputs that are not finite
    if not abs(value) <= LARGEST_LOSS:
        raise OverflowError(f"the loss is {value}")
    return float(value), gradient


class Divergence:
    """Keeps weights to go back to: those of the run's start, of the epoch's start, and the last with a finite loss."""

    def __init__(
        self, network: Any, loss: Any, data: Any, ops: Any, parameters: Sequence[Any], rows_at_once: int
    ) -> None:
        self._network = network
        self._loss = loss
        self._data = data
        self._ops = ops
        self._parameters = parameters
        self._rows_at_once = rows_at_once
        self._first: list[Any] = []
        self._epoch_first: list[Any] = []
        self._good: list[Any] = []
        self._batch: Sequence[int] = ()  # the rows of the last step, ...
        self._batch_loss = math.nan  # ... and their loss before it

    def begin(self) -> None:
        """A run starts from the weights there are."""
        self._first = self._good = self._values()

    def begin_epoch(self) -> None:
        """So does an epoch."""
        self._epoch_first = self._values()

    def before_step(self, indices: Sequence[int], loss: float) -> None:
        """The weights there are gave a finite loss for these rows."""
        self._batch, self._batch_loss = indices, loss
        self._good = self._values()

    def error(self, run: Any, batch: int, what: str) -> TrainingDiverged:
        """Put the last good weights back, and say what happened and what helps."""
        self._go_back()
        return TrainingDiverged(
            f"training diverged in epoch {run.epoch}, batch {batch}: {what}; try a lower learning rate than "
            f"{run.first_lr:g}, clip_norm, or features and targets scaled to about 1",
            run.epoch,
            batch,
        )

    def require_usable_weights(self, run: Any, rows: int | None = None) -> None:
        """``TrainingDiverged``, and the weights of before the last step, unless what that step made can be used.

        Its finite loss was that of the weights before it. So its batch, or the first ``rows`` of it, goes through the
        network once more: the loss has to be finite, and not beyond all measure worse.
        """
        number = self._not_finite()
        if number is not None:
            what = f"parameter {number}, {self._parameters[number].name}, is no longer finite"
            raise self.error(run, run.batch, what)
        indices = self._batch[:rows]
        if not indices:
            return  # of a run that was resumed at its end
        try:
            loss = self._loss_of(indices)
            if loss > RUNAWAY * max(self._batch_loss, 1.0):
                raise OverflowError(f"the loss rose from {self._batch_loss:.3g} to {loss:.3g}")
        except OverflowError as error:
            raise self.error(run, run.batch, f"after the step, {error}") from None

    def _go_back(self) -> None:
        """Put the last good weights back. A finite loss of one batch can be luck: these fit all rows."""
        self._put(self._first)
        limit = RUNAWAY * max(self._loss_of_all(), 1.0)
        for values in (self._good, self._epoch_first):
            self._put(values)
            loss = self._loss_of_all()
            if math.isfinite(loss) and loss <= limit and self._not_finite() is None:
                return
        self._put(self._first)

    def _values(self) -> list[Any]:
        return [parameter.value for parameter in self._parameters]

    def _put(self, values: Sequence[Any]) -> None:
        for parameter, value in zip(self._parameters, values):
            parameter.value = value

    def _not_finite(self) -> int | None:
        """The first parameter with a number in it that is infinite or none, if there is one."""
        for number, parameter in enumerate(self._parameters):
            if not self._ops.all_finite(parameter.value):
                return number
        return None

    def _loss_of_all(self) -> float:
        """The mean loss of all rows as when predicting; infinity if that runs away."""
        total, count = 0.0, len(self._data)
        for first in range(0, count, self._rows_at_once):
            indices = range(first, min(first + self._rows_at_once, count))
            try:
                total += self._loss_of(indices) * len(indices) / count
            except (ArithmeticError, ValueError):
                return math.inf
        return total

    def _loss_of(self, indices: Sequence[int]) -> float:
        """The loss of some rows as when predicting."""
        network, ops, reader = self._network, self._ops, self._ops.loss_engine
        network.eval()
        try:
            outputs = network.forward(ops.take_rows(self._data.prepared, indices))
        finally:
            network.train()
        outputs = outputs if reader is ops else ops.to_rows(outputs)
        return finite_loss(self._loss, self._data, reader, outputs, indices)[0]
