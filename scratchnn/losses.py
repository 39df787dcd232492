"""Losses: how wrong a batch of outputs is, as one number, and its gradient.

``forward(outputs, targets)`` gives the mean loss, ``backward()`` dLoss/dOutputs for that same batch. Both work on
plain rows of floats, whichever engine computed them. ``weights``, one number a sample, multiplies each sample's
share of the loss; the sum is still divided by the number of samples.
"""

from __future__ import annotations

import math

from . import linalg
from .errors import ArgumentError
from .layers.activations import Softmax
from .layers.base import Sequential
from .layers.linear import Dropout
from .preprocessing.scaling import Scaling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Union

    # One class number a sample, or one row a sample (one-hot, or any numbers the loss can be measured against).
    Targets = Sequence[Union[int, float, Sequence[float]]]

Rows = list[list[float]]


class Loss:
    """Base class of all losses. One of your own needs ``forward`` and ``backward``."""

    task = "regression"  # what a model with this loss is for, unless it is told

    def forward(self, outputs: Rows, targets: Targets, weights: Sequence[float] | None = None) -> float:
        """The mean loss of a batch: ``outputs`` is samples x outputs, ``targets`` has one entry a sample."""
        raise NotImplementedError

    def backward(self) -> Rows:
        """dLoss/dOutputs (samples x outputs) for the batch last given to ``forward``."""
        raise NotImplementedError

    def probabilities(self, outputs: Rows) -> Rows | None:
        """Class probabilities from a network's outputs, or None for a loss that does not know classes."""
        return None

    def label_probabilities(self, outputs: Rows) -> Rows:
        """The probability of each label by itself, where a row has any number of them."""
        return outputs

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _check_lengths(outputs: Rows, targets: Targets, weights: Sequence[float] | None) -> None:
    given: dict[str, Any] = {"outputs": outputs, "targets": targets}
    if weights is not None:
        given["weights"] = weights
    for what, values in given.items():
        if not hasattr(values, "__len__") or not hasattr(values, "__getitem__") or isinstance(values, dict):
            raise ValueError(f"{what} of a loss must be a list, got {type(values).__name__}")
    count = len(outputs)
    if not count:
        raise ValueError("a loss needs at least one row of outputs, got none")
    for what, values in given.items():
        if len(values) != count:
            raise ValueError(
                f"a loss needs one {what[:-1]} for each row of outputs, got {count} rows and {len(values)} {what}"
            )


def _require_numbers(what: str, values: Any) -> None:
    """``ValueError`` unless these can be added to floats and compared with them."""
    try:
        bool(sum(values, 0.0) < 0.0)
    except (TypeError, OverflowError, ArithmeticError):
        raise ValueError(f"{what} of a loss must be floats, got {type(values).__name__} of something else") from None


def _target_row(output: Sequence[float], target: Any, sample: int) -> list[float]:
    """A target as a row as wide as its outputs; a bare number stands for a row of one."""
    if isinstance(target, (int, float)):
        row = [float(target)]
    else:
        _require_numbers("rows of targets", target)
        row = [float(v) for v in target]
    if len(row) != len(output):
        raise ValueError(f"target {sample} has {len(row)} numbers, its row of outputs has {len(output)}")
    return row


class _SummedLoss(Loss):
    """A loss that is the sum of what each sample adds to it."""

    def _add(self, output: list[float], target: Any, factor: float, sample: int) -> tuple[list[float], list[float]]:
        """(summands of the loss, dLoss/dOutput) of one sample, both times ``factor``."""
        raise NotImplementedError

    def forward(self, outputs: Rows, targets: Targets, weights: Sequence[float] | None = None) -> float:
        _check_lengths(outputs, targets, weights)
        count, summands, self._gradient = len(outputs), [], []
        try:
            factors = [1.0 / count] * count if weights is None else [weight / count for weight in weights]
            for sample, (output, target, factor) in enumerate(zip(outputs, targets, factors)):
                if not len(output):
                    raise ValueError("a loss needs rows of outputs with at least one number, got an empty one")
                losses, gradient = self._add(output, target, factor, sample)
                summands += losses
                self._gradient.append(gradient)
            return math.fsum(summands)
        except (TypeError, OverflowError):
            for row in outputs:
                _require_numbers("rows of outputs", row)
            if weights is not None:
                _require_numbers("weights", weights)
            raise

    def backward(self) -> Rows:
        return self._gradient


class _ElementwiseLoss(_SummedLoss):
    """The mean over all entries of a function of one output and its target."""

    def _element(self, output: float, target: float) -> tuple[float, float]:
        """(loss, derivative with respect to the output) of one entry."""
        raise NotImplementedError

    def _check(self, output: list[float], target: list[float], sample: int) -> None:
        """``ValueError`` for numbers that the loss cannot be taken of."""

    def _add(self, output: list[float], target: Any, factor: float, sample: int) -> tuple[list[float], list[float]]:
        wanted, share, element = _target_row(output, target, sample), factor / len(output), self._element
        self._check(output, wanted, sample)
        pairs = [element(o, t) for o, t in zip(output, wanted)]
        return [share * loss for loss, _ in pairs], [share * derivative for _, derivative in pairs]


class MSELoss(_ElementwiseLoss):
    """Mean squared error: the mean over all entries of (output - target)²."""

    def _element(self, output: float, target: float) -> tuple[float, float]:
        difference = output - target
        return difference * difference, 2.0 * difference


class StandardisedMSELoss(MSELoss):
    """The mean squared error of outputs that stand for standardised targets, told in the targets' own unit.

    The targets are as they came, ``scaling`` says what became of them for the network. ``backward`` is the gradient of
    the mean squared error between standardised numbers: with any unit of the targets the network learns alike, and
    each of several outputs has as much of a say.
    """

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling

    def forward(self, outputs: Rows, targets: Targets, weights: Sequence[float] | None = None) -> float:
        value = super().forward(self.scaling.undo(outputs), targets, weights)
        # One unit comes from undoing the outputs, one from dividing the errors: MSE's gradient has one of them.
        units = self.scaling.units(len(outputs[0]))
        self._gradient = [[g / unit for g, unit in zip(row, units)] for row in self._gradient]
        return value


def _check_probabilities(target: list[float], sample: int) -> None:
    for t in target:
        if not 0.0 <= t <= 1.0:
            raise ValueError(f"binary cross-entropy needs targets from 0 to 1, got {t!r} for sample {sample}")


class BCELoss(_ElementwiseLoss):
    """Binary cross-entropy on probabilities: the mean of -(t·log p + (1-t)·log(1-p)).

    Outputs must lie in [0, 1]; logarithms have a floor (see ``EDGE``), so that a probability of exactly 0 or 1 costs
    much and not infinitely much. Prefer ``BCEWithLogitsLoss``, which needs no floor.
    """

    EDGE = 1e-12  # probabilities nearer to 0 or 1 than this are moved to it: the gradient stays below 1e12

    def _element(self, output: float, target: float) -> tuple[float, float]:
        p = min(max(output, self.EDGE), 1.0 - self.EDGE)
        loss = -(target * linalg.log(p) + (1.0 - target) * math.log1p(-p))
        return loss, (p - target) / (p * (1.0 - p))

    def _check(self, output: list[float], target: list[float], sample: int) -> None:
        _check_probabilities(target, sample)
        for p in output:
            # the small margin is for outputs that were rounded on their way here
            if not -1e-6 <= p <= 1.0 + 1e-6:
                raise ValueError(
                    f"BCELoss needs outputs from 0 to 1, got {p!r} for sample {sample}: "
                    "end the network with Sigmoid, or use BCEWithLogitsLoss"
                )

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [[1.0 - row[0], row[0]] for row in outputs] if len(outputs[0]) == 1 else None


class BCEWithLogitsLoss(_ElementwiseLoss):
    """Binary cross-entropy on logits: the mean of t·softplus(-x) + (1-t)·softplus(x).

    No probability is ever rounded to 0 or 1, and nothing cancels where an answer is sure and right.
    """

    def _element(self, output: float, target: float) -> tuple[float, float]:
        loss = target * linalg.softplus(-output) + (1.0 - target) * linalg.softplus(output)
        return loss, linalg.sigmoid(output) - target

    def _check(self, output: list[float], target: list[float], sample: int) -> None:
        _check_probabilities(target, sample)

    def label_probabilities(self, outputs: Rows) -> Rows:
        return [[linalg.sigmoid(v) for v in row] for row in outputs]

    def probabilities(self, outputs: Rows) -> Rows | None:
        if len(outputs[0]) != 1:
            return None
        return [[linalg.sigmoid(-row[0]), linalg.sigmoid(row[0])] for row in outputs]


def _class_number(target: Any, classes: int, sample: int) -> int:
    if not isinstance(target, int) or not 0 <= target < classes:
        raise ValueError(f"target {sample} should be a class number from 0 to {classes - 1} or a row, got {target!r}")
    return target


class CrossEntropyLoss(_SummedLoss):
    """Cross-entropy on logits, fused with log-softmax: the mean of -log softmax(logits)[class].

    The gradient is softmax(logits) - target. Targets are class numbers, or rows of class probabilities (one-hot).
    """

    task = "classification"

    def _add(self, output: list[float], target: Any, factor: float, sample: int) -> tuple[list[float], list[float]]:
        probabilities, logs = linalg.softmax_and_log(output)
        if isinstance(target, (int, float)):
            k = _class_number(target, len(output), sample)
            probabilities[k] -= 1.0
            return [-factor * logs[k]], [factor * p for p in probabilities]
        wanted = _target_row(output, target, sample)
        mass = math.fsum(wanted)  # 1 for a distribution; the formula below holds for any
        loss = -factor * math.fsum([t * v for t, v in zip(wanted, logs) if t])
        return [loss], [factor * (p * mass - t) for p, t in zip(probabilities, wanted)]

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [linalg.softmax(row) for row in outputs]


class NLLLoss(_SummedLoss):
    """Negative log-likelihood on log-probabilities (the output of LogSoftmax): the mean of -output[class].

    Targets are class numbers, or rows of class probabilities (one-hot).
    """

    task = "classification"

    def _add(self, output: list[float], target: Any, factor: float, sample: int) -> tuple[list[float], list[float]]:
        if isinstance(target, (int, float)):
            wanted = [0.0] * len(output)
            wanted[_class_number(target, len(output), sample)] = 1.0
        else:
            wanted = _target_row(output, target, sample)
        loss = -factor * math.fsum([t * v for t, v in zip(wanted, output) if t])
        return [loss], [-factor * t for t in wanted]

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [[linalg.exp(v) for v in row] for row in outputs]


LOSSES: dict[str, type[Loss]] = {
    "mse": MSELoss,
    "bce": BCELoss,
    "bce_with_logits": BCEWithLogitsLoss,
    "cross_entropy": CrossEntropyLoss,
    "nll": NLLLoss,
}


def fitted_loss(loss: Loss, scaling: Scaling | None) -> Loss:
    """A loss as it is computed: on targets as they were given, and outputs that stand for targets so scaled."""
    return loss if scaling is None or scaling.kind == "none" else StandardisedMSELoss(scaling)


def check_loss(network: Any, loss: Loss, task: str, outputs: int) -> None:
    """``ValueError`` for a loss that does not fit the network's last layer, or with which this many outputs do not
    tell classes apart, if they should."""
    last = [layer for layer in network.walk() if not isinstance(layer, (Sequential, Dropout))][-1:]
    if last and isinstance(last[0], Softmax) and type(loss) in (CrossEntropyLoss, NLLLoss):
        remedy = "needs LogSoftmax" if type(loss) is NLLLoss else "does the softmax itself: leave it out"
        raise ArgumentError(f"the network ends in Softmax, but {type(loss).__name__} {remedy}")
    if task == "multilabel" and (outputs == 1 or not isinstance(loss, (BCELoss, BCEWithLogitsLoss))):
        came = f"{outputs} output{'s' * (outputs > 1)}"
        raise ArgumentError(
            f"multilabel needs several outputs and BCEWithLogitsLoss or BCELoss, not {came} with {loss}"
        )
    probabilities = loss.probabilities([[0.0] * min(outputs, 2)]) or [[]]
    if task == "classification" and len(probabilities[0]) < 2:
        better = "CrossEntropyLoss" if outputs > 1 else "BCEWithLogitsLoss"
        count = f"{outputs} outputs" if outputs > 1 else "one output"
        raise ArgumentError(f"{loss} with {count} does not tell classes apart: use {better}")
