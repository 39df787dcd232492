"""Losses: how wrong a batch of outputs is, as one number, and its gradient.

``forward(outputs, targets)`` gives the mean loss, ``backward()`` dLoss/dOutputs for that same batch, both on plain rows
of floats. ``measure`` gives both at once on the matrices of any engine: the losses here are formulas in the vocabulary
of ``engines/base``, and training uses that. ``weights``, one number a sample, multiplies each sample's share of the
loss; the sum is still divided by the number of samples.
"""

from __future__ import annotations

from . import linalg
from .checks import require_number, shown
from .engines.lists import LISTS
from .errors import ArgumentError
from .layers.activations import Softmax
from .layers.linear import Dropout
from .preprocessing.scaling import Scaling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Union

    Matrix = Any
    # One class number a sample, or one row a sample (one-hot, or any numbers the loss can be measured against).
    Targets = Sequence[Union[int, float, Sequence[float]]]
    Formula = Callable[[Any, Any], Any]  # of an output and its target, for an engine's ``map``

Rows = list[list[float]]


class Loss:
    """Base class of all losses. One of your own needs ``forward`` and ``backward``."""

    task = "regression"  # what a model with this loss is for, unless it is told

    def forward(self, outputs: Rows, targets: Targets, weights: Sequence[float] | None = None) -> float:
        """The mean loss of a batch: ``outputs`` is samples x outputs, ``targets`` has one entry a sample."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(outputs, targets, weights=None)")

    def backward(self) -> Rows:
        """dLoss/dOutputs (samples x outputs) for the batch last given to ``forward``."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward()")

    def prepare(self, ops: Any, targets: Targets, width: int) -> Any:
        """The targets of a whole run, for ``measure``; ``width`` is how many outputs there are."""
        return targets

    def measure(
        self, ops: Any, outputs: Matrix, prepared: Any, indices: Sequence[int], weights: Sequence[float] | None
    ) -> tuple[float, Matrix]:
        """(the mean loss, dLoss/dOutputs) of a batch of the engine ``ops``: of the samples with these ``indices``."""
        value = self.forward(ops.to_rows(outputs), [prepared[i] for i in indices], weights)
        return value, ops.from_rows(self.backward())

    def probabilities(self, outputs: Rows) -> Rows | None:
        """Class probabilities from a network's outputs, or None for a loss that does not know classes."""
        return None

    def label_probabilities(self, outputs: Rows) -> Rows:
        """The probability of each label by itself, where a row has any number of them."""
        return outputs

    def config(self) -> dict[str, Any]:
        """The arguments that make this loss again, as plain data: what a saved model holds."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


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


def _target_row(width: int, target: Any, sample: int) -> list[float]:
    """A target as a row as wide as its outputs, a list of floats as it is; a bare number stands for a row of one."""
    if type(target) is list and len(target) == width and {*map(type, target)} == {float}:
        return target
    if isinstance(target, (int, float)):
        row = [float(target)]
    else:
        _require_numbers("rows of targets", target)
        row = [float(v) for v in target]
    if len(row) != width:
        raise ValueError(f"target {sample} has {len(row)} numbers, its row of outputs has {width}")
    return row


class FormulaLoss(Loss):
    """A loss written once in the vocabulary of engines: ``compute`` is its formula, and that of its gradient."""

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        """(the mean loss, dLoss/dOutputs) of matrices of ``ops``: ``targets`` is samples x outputs, ``weights`` samples
        x 1, or None where all are 1."""
        raise NotImplementedError

    def target_rows(self, targets: Targets, width: int) -> Rows:
        """Targets as rows as wide as the outputs; ``ValueError`` for those that the loss cannot be taken of."""
        return [_target_row(width, target, sample) for sample, target in enumerate(targets)]

    def _on_rows(self) -> bool:
        """Whether a class derived from this one computes on rows, with a ``forward`` or a ``backward`` of its own."""
        kind = type(self)
        return kind.forward is not FormulaLoss.forward or kind.backward is not FormulaLoss.backward

    def prepare(self, ops: Any, targets: Targets, width: int) -> Any:
        if self._on_rows():
            return super().prepare(ops, targets, width)
        return ops.prepare_targets(self.target_rows(targets, width))

    def measure(
        self, ops: Any, outputs: Matrix, prepared: Any, indices: Sequence[int], weights: Sequence[float] | None
    ) -> tuple[float, Matrix]:
        if self._on_rows():
            return super().measure(ops, outputs, prepared, indices, weights)
        column = None if weights is None else ops.from_rows([[w] for w in weights])
        return self.compute(ops, outputs, ops.take_targets(prepared, indices), column)

    def forward(self, outputs: Rows, targets: Targets, weights: Sequence[float] | None = None) -> float:
        _check_lengths(outputs, targets, weights)
        try:
            width = len(outputs[0])
            if not width:
                raise ValueError("a loss needs rows of outputs with at least one number, got an empty one")
            rows = [[v + 0.0 for v in row] for row in outputs]
            column = None if weights is None else [[w + 0.0] for w in weights]
            value, self._gradient = self.compute(LISTS, rows, self.target_rows(targets, width), column)
        except (TypeError, OverflowError):
            for row in outputs:
                _require_numbers("rows of outputs", row)
            if weights is not None:
                _require_numbers("weights", weights)
            raise
        return value

    def backward(self) -> Rows:
        return self._gradient  # type: ignore[no-any-return]


# --- of numbers that are to be hit -----------------------------------------------------------------------------------


class _ElementwiseLoss(FormulaLoss):
    """The mean over all entries of a function of one output and its target."""

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        """(loss, its derivative with respect to the output) of one output and its target."""
        raise NotImplementedError

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        rows, columns = ops.shape(outputs)
        share, (loss, derivative) = 1.0 / (rows * columns), self.formulas(ops)
        counted = ops.from_rows([[1.0]] * rows) if weights is None else weights
        losses = ops.sum_columns(ops.map(lambda o, t: share * loss(o, t), outputs, targets))
        value = ops.dot(losses, counted)
        if weights is None:
            return value, ops.map(lambda o, t: share * derivative(o, t), outputs, targets)
        return value, ops.map(lambda o, t, w: w * share * derivative(o, t), outputs, targets, weights)


class MSELoss(_ElementwiseLoss):
    """Mean squared error: the mean over all entries of (output - target)²."""

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        return lambda o, t: (o - t) * (o - t), lambda o, t: 2.0 * (o - t)


class L1Loss(_ElementwiseLoss):
    """Mean absolute error: the mean over all entries of |output - target|. Its slope is the same however large the
    error, and taken as 0 where there is none."""

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        size, where = ops.abs, ops.where
        return lambda o, t: size(o - t), lambda o, t: where(o > t, 1.0, where(o < t, -1.0, 0.0))


class HuberLoss(_ElementwiseLoss):
    """Huber's loss (1964): the mean over all entries of e²/2 for errors e = output - target of at most ``delta``, and
    of delta·(|e| - delta/2) for larger ones, which so have a bounded say. ``delta`` is in the unit of the targets."""

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = require_number("delta", delta, 0.0, above=True)

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        maximum, delta = ops.maximum, self.delta

        def derivative(o: Any, t: Any) -> Any:
            return -maximum(-maximum(o - t, -delta), -delta)

        def loss(o: Any, t: Any) -> Any:
            c = derivative(o, t)  # both cases in one, and no square that could overflow
            return c * ((o - t) - 0.5 * c)

        return loss, derivative

    def config(self) -> dict[str, Any]:
        return {"delta": self.delta}


class StandardisedMSELoss(MSELoss):
    """The mean squared error of outputs that stand for standardised targets, told in the targets' own unit.

    The targets are as they came, ``scaling`` says what became of them for the network. The gradient is that of the mean
    squared error between standardised numbers: with any unit of the targets the network learns alike, and each of
    several outputs has as much of a say.
    """

    def __init__(self, scaling: Scaling) -> None:
        self.scaling = scaling

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        width = ops.shape(outputs)[1]
        units = ops.from_rows([self.scaling.units(width)])
        centres = ops.from_rows(self.scaling.undo([[0.0] * width]))
        undone = ops.map(lambda o, unit, centre: o * unit + centre, outputs, units, centres)
        value, gradient = super().compute(ops, undone, targets, weights)
        # One unit comes from undoing the outputs, one from dividing the errors: MSE's gradient has one of them.
        return value, ops.map(lambda g, unit: g / unit, gradient, units)


def _check_probabilities(rows: Rows, what: str = "binary cross-entropy") -> Rows:
    for sample, row in enumerate(rows):
        for t in row:
            if not 0.0 <= t <= 1.0:
                raise ValueError(f"{what} needs targets from 0 to 1, got {t!r} for sample {sample}")
    return rows


class BCELoss(_ElementwiseLoss):
    """Binary cross-entropy on probabilities: the mean of -(t·log p + (1-t)·log(1-p)).

    Outputs must lie in [0, 1]; logarithms have a floor (see ``EDGE``), so that a probability of exactly 0 or 1 costs
    much and not infinitely much. Prefer ``BCEWithLogitsLoss``, which needs no floor.
    """

    # Probabilities nearer to 0 or 1 than this (or than numbers are apart there, in float32) are moved to it: the
    # gradient stays below 1e12.
    EDGE = 1e-12
    MARGIN = 1e-6  # outputs that were rounded on their way here may be beyond 0 or 1 by so much

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        log, log1p, maximum, edge = ops.log, ops.log1p, ops.maximum, max(self.EDGE, ops.epsilon)

        def inside(p: Any) -> Any:
            return -maximum(-maximum(p, edge), edge - 1.0)

        def loss(o: Any, t: Any) -> Any:
            p = inside(o)
            return -(t * log(p) + (1.0 - t) * log1p(-p))

        def derivative(o: Any, t: Any) -> Any:
            p = inside(o)
            return (p - t) / (p * (1.0 - p))

        return loss, derivative

    def target_rows(self, targets: Targets, width: int) -> Rows:
        return _check_probabilities(super().target_rows(targets, width))

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        where, low, high = ops.where, -self.MARGIN, 1.0 + self.MARGIN
        beyond = ops.map(lambda p: where((p >= low) & (p <= high), 0.0, 1.0), outputs)
        if ops.dot(beyond, beyond):
            pairs = ((sample, p) for sample, row in enumerate(ops.to_rows(outputs)) for p in row)
            sample, wrong = next((sample, p) for sample, p in pairs if not low <= p <= high)
            raise ValueError(
                f"BCELoss needs outputs from 0 to 1, got {wrong!r} for sample {sample}: "
                "end the network with Sigmoid, or use BCEWithLogitsLoss"
            )
        return super().compute(ops, outputs, targets, weights)

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [[1.0 - row[0], row[0]] for row in outputs] if len(outputs[0]) == 1 else None


class BCEWithLogitsLoss(_ElementwiseLoss):
    """Binary cross-entropy on logits: the mean of t·softplus(-x) + (1-t)·softplus(x).

    No probability is ever rounded to 0 or 1, and nothing cancels where an answer is sure and right.
    """

    def formulas(self, ops: Any) -> tuple[Formula, Formula]:
        softplus, sigmoid = ops.softplus, ops.sigmoid
        return lambda o, t: t * softplus(-o) + (1.0 - t) * softplus(o), lambda o, t: sigmoid(o) - t

    def target_rows(self, targets: Targets, width: int) -> Rows:
        return _check_probabilities(super().target_rows(targets, width))

    def label_probabilities(self, outputs: Rows) -> Rows:
        return [[linalg.sigmoid(v) for v in row] for row in outputs]

    def probabilities(self, outputs: Rows) -> Rows | None:
        if len(outputs[0]) != 1:
            return None
        return [[linalg.sigmoid(-row[0]), linalg.sigmoid(row[0])] for row in outputs]


# --- of classes -------------------------------------------------------------------------------------------------------


class _ClassLoss(FormulaLoss):
    """A loss whose targets are class numbers, or rows of class probabilities (one-hot)."""

    task = "classification"

    def target_rows(self, targets: Targets, width: int) -> Rows:
        one_hot: dict[int, list[float]] = {}  # of the classes that occur, each once
        rows = []
        for sample, target in enumerate(targets):
            if isinstance(target, (int, float)):
                k = _class_number(target, width, sample)
                if k not in one_hot:
                    one_hot[k] = [0.0] * width
                    one_hot[k][k] = 1.0
                rows.append(one_hot[k])
            else:
                rows.append(_target_row(width, target, sample))
        return rows


def _class_number(target: Any, classes: int, sample: int) -> int:
    if not isinstance(target, int) or not 0 <= target < classes:
        raise ValueError(f"target {sample} should be a class number from 0 to {classes - 1} or a row, got {target!r}")
    return target


class CrossEntropyLoss(_ClassLoss):
    """Cross-entropy on logits, fused with log-softmax: the mean of -log softmax(logits)[class].

    The gradient is softmax(logits) - target. Targets are class numbers, or rows of class probabilities (one-hot).
    ``label_smoothing`` a of K classes makes (1 - a)·t + a/K of a target t (Szegedy et al. 2016, section 7), so that no
    answer pays for being surer than that.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = require_number("label_smoothing", label_smoothing, 0.0, 1.0)

    def config(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        samples, classes = ops.shape(outputs)
        share = 1.0 / samples
        if self.label_smoothing:
            kept, spread = 1.0 - self.label_smoothing, self.label_smoothing / classes
            targets = ops.map(lambda t: kept * t + spread, targets)
        if weights is not None:
            targets = ops.map(lambda t, w: t * w, targets, weights)
        softmax, logs = ops.softmax_and_log(outputs)
        mass = ops.sum_columns(targets)  # 1 for a distribution; the formula holds for any
        gradient = ops.map(lambda p, t, m: share * (p * m - t), softmax, targets, mass)
        return -share * ops.dot(targets, logs), gradient

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [linalg.softmax(row) for row in outputs]


class NLLLoss(_ClassLoss):
    """Negative log-likelihood on log-probabilities (the output of LogSoftmax): the mean of -output[class].

    Targets are class numbers, or rows of class probabilities (one-hot).
    """

    def cost(self, ops: Any) -> Formula:
        """What an output costs, for the target there: times the target, it is the loss."""
        return lambda o, t: -o

    def compute(self, ops: Any, outputs: Matrix, targets: Matrix, weights: Matrix | None) -> tuple[float, Matrix]:
        share, where, cost = 1.0 / ops.shape(outputs)[0], ops.where, self.cost(ops)
        shares = targets if weights is None else ops.map(lambda t, w: t * w, targets, weights)
        # What nobody wants may be infinite.
        costs = ops.map(lambda s, o, t: where(s == 0.0, 0.0, cost(o, t)), shares, outputs, targets)
        return share * ops.dot(shares, costs), ops.scale(shares, -share)

    def probabilities(self, outputs: Rows) -> Rows | None:
        return [[linalg.exp(v) for v in row] for row in outputs]


class KLDivLoss(NLLLoss):
    """Kullback-Leibler divergence (1951) on log-probabilities (the output of LogSoftmax): the sum over a row of
    t·(log t - output), and its mean over the samples, which PyTorch calls "batchmean". 0·log 0 is 0.

    Targets are rows of probabilities, such as what another network says. A model learns them as a regression of rows,
    and what it predicts are log-probabilities; with ``task="classification"`` it learns labels, as with ``NLLLoss``.
    """

    task = "regression"

    def cost(self, ops: Any) -> Formula:
        log = ops.log
        return lambda o, t: log(t) - o

    def target_rows(self, targets: Targets, width: int) -> Rows:
        return _check_probabilities(super().target_rows(targets, width), "KLDivLoss")


LOSSES: dict[str, type[Loss]] = {
    "mse": MSELoss,
    "l1": L1Loss,
    "huber": HuberLoss,
    "bce": BCELoss,
    "bce_with_logits": BCEWithLogitsLoss,
    "cross_entropy": CrossEntropyLoss,
    "nll": NLLLoss,
    "kl_div": KLDivLoss,
}

# The arguments of each loss that has any, as a model file may hold them: numbers, which the class itself checks.
ARGUMENTS: dict[str, tuple[str, ...]] = {"huber": ("delta",), "cross_entropy": ("label_smoothing",)}


def loss_from_plain(name: str, arguments: dict[str, Any]) -> Loss:
    """The loss of that name with these arguments, as its ``config`` gave them; ``ValueError`` for any others."""
    kind: Any = LOSSES[name]
    unknown = [argument for argument in arguments if argument not in ARGUMENTS.get(name, ())]
    if unknown:
        raise ArgumentError(f"{kind.__name__} has an unknown argument, {shown(unknown[0])}")
    loss: Loss = kind(**arguments)
    if loss.config() != arguments or {*map(type, arguments.values())} - {float}:
        raise ArgumentError(f"the arguments of {kind.__name__} are not written as save writes them")
    return loss


def fitted_loss(loss: Loss, scaling: Scaling | None) -> Loss:
    """A loss as it is computed: on targets as they were given, and outputs that stand for targets so scaled."""
    return loss if scaling is None or scaling.kind == "none" else StandardisedMSELoss(scaling)


def check_loss(network: Any, loss: Loss, task: str, outputs: int) -> None:
    """``ValueError`` for a loss that does not fit the network's last layer, or with which this many outputs do not
    tell classes apart, if they should."""
    last = [layer for layer in network.in_line() if not isinstance(layer, Dropout)][-1:]
    if last and isinstance(last[0], Softmax) and type(loss) in (CrossEntropyLoss, NLLLoss, KLDivLoss):
        remedy = "does the softmax itself: leave it out" if type(loss) is CrossEntropyLoss else "needs LogSoftmax"
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
