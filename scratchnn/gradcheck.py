"""Numerical gradients: the proof that a ``backward`` is the derivative of its ``forward``.

Every entry of an input or a parameter is moved a little to both sides, the change of the loss gives the slope, and
the slope must agree with what ``backward`` says. Works for any layer, loss or whole model; one that computes in lanes
is copied to ``linalg`` first, whose floats can be moved a little.

Two central differences, with steps h and h/2, are combined so that the error of order h² cancels (Richardson
extrapolation). Where the two do not agree the function has a kink nearby (ReLU, max pooling): the step is then made
smaller until both sides of it lie on the same side of the kink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from .checks import shown
from .engines.lists import LISTS
from .errors import ArgumentError
from .layers.base import Layer, Sequential
from .losses import Loss
from .preprocessing.rows import as_rows

Rows = list[list[float]]

STEP = 1e-3  # h, for entries around 1 in size; larger entries get a proportionally larger one
SMALLEST_STEP = 1e-7
AGREEMENT = 1e-4  # the two differences may disagree by this much (relative) before a kink is suspected
FLOOR = 1e-6  # gradients smaller than this are compared absolutely: below it rounding decides


class GradientReport:
    """The outcome of a check. ``worst`` is the largest relative error, ``ok`` whether it is below ``tolerance``.

    ``where`` names the worst entry, ``analytic`` and ``numeric`` are its two values, ``entries`` counts all entries.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.worst = 0.0
        self.where = "nowhere"
        self.analytic = self.numeric = 0.0
        self.entries = 0

    @property
    def ok(self) -> bool:
        """Whether there was something to check, and all of it agreed."""
        return self.entries > 0 and self.worst < self.tolerance

    def compare(self, where: str, analytic: float, numeric: float) -> None:
        """Take one more entry into account."""
        error = abs(analytic - numeric) / max(abs(analytic), abs(numeric), FLOOR)
        self.entries += 1
        # 'not <=' so that NaN counts as an error
        if not error <= self.worst:
            self.worst, self.where, self.analytic, self.numeric = error, where, analytic, numeric
            if error != error:
                self.worst = float("inf")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from .reports.displays import gradients

        return gradients(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        verdict = "agree" if self.ok else "DISAGREE"
        return (
            f"{self.entries} gradients {verdict}: worst relative error {self.worst:.2e} (allowed {self.tolerance:g}) "
            f"at {self.where}: backward says {self.analytic:.10g}, the numerical slope is {self.numeric:.10g}"
        )


def slope(f: Callable[[], float], row: list[float], j: int) -> float:
    """df/drow[j], numerically; ``row`` is moved and put back."""
    centre = row[j]
    step = STEP * max(1.0, abs(centre))

    def difference(h: float) -> float:
        row[j] = centre + h
        above = f()
        row[j] = centre - h
        below = f()
        row[j] = centre
        return (above - below) / (2.0 * h)

    while True:
        coarse, fine = difference(step), difference(step / 2.0)
        if abs(coarse - fine) <= AGREEMENT * max(abs(coarse), abs(fine), FLOOR) or step / 10.0 < SMALLEST_STEP:
            return (4.0 * fine - coarse) / 3.0
        step /= 10.0


def _compare_matrix(report: GradientReport, name: str, f: Callable[[], float], values: Rows, gradient: Rows) -> None:
    expected = [len(row) for row in values]
    if gradient is None or [len(row) for row in gradient] != expected:
        came = "None" if gradient is None else f"rows of {[len(row) for row in gradient]} numbers"
        raise ArgumentError(f"the gradient of {name} should have rows of {expected} numbers, backward gave {came}")
    for i, row in enumerate(values):
        for j in range(len(row)):
            report.compare(f"{name}[{i}][{j}]", gradient[i][j], slope(f, row, j))


def _replay(layer: Layer) -> Callable[[], None]:
    """A function that sets back what ``forward`` changes inside ``layer``: generators, so that Dropout draws the same
    mask each time, and running means."""
    generators = [getattr(part, "rng", None) for part in layer.walk()]
    states = [(rng, rng.getstate()) for rng in generators if isinstance(rng, Random)]
    running = [(parameter, parameter.value) for parameter in layer.parameters() if not parameter.trainable]

    def replay() -> None:
        for rng, state in states:
            rng.setstate(state)
        for parameter, value in running:
            parameter.value = value

    return replay


def _check(
    layer: Layer, x: Rows, value: Callable[[Rows], float], gradient: Callable[[], Rows], tolerance: float
) -> GradientReport:
    """Compare d value(layer(x)) with respect to x, unless it is indices, and every parameter that can be trained;
    ``gradient`` gives dvalue/dOutputs."""
    replay, x = _replay(layer), _floats(x)

    def f() -> float:
        replay()
        return value(layer.forward(x))

    f()
    input_gradient = layer.backward(gradient())
    gradients = layer.gradients()
    report = GradientReport(tolerance)
    if not layer.reads_indices:
        _compare_matrix(report, "input", f, x, input_gradient)
    learning = set(map(id, layer.trainable_parameters()))
    for number, (parameter, analytic) in enumerate(zip(layer.parameters(), gradients)):
        if id(parameter) in learning:
            _compare_matrix(report, f"parameter {number} ({parameter.name})", f, parameter.value, analytic)
    replay()
    return report


def _floats(x: Rows) -> Rows:
    return [list(map(float, row)) for row in as_rows(x, "x")]


def _on_floats(layer: Layer) -> Layer:
    """The layer itself if it computes with ``linalg``, else a copy that does."""
    if not isinstance(layer, Layer):
        raise ArgumentError(f"a layer is needed, such as Linear(5, 3), got {shown(layer)}")
    if layer.ops is LISTS:
        return layer
    layer = layer.copy()
    layer.use(LISTS)
    return layer


def check_layer(layer: Layer, x: Rows, *, seed: int = 0, tolerance: float = 1e-6) -> GradientReport:
    """Check a layer's gradients for its input ``x`` (samples x features) and all its parameters.

    The loss is a random weighted sum of the outputs, so that no entry's gradient hides behind another's.
    """
    rng, layer = Random(seed), _on_floats(layer)
    replay = _replay(layer)
    direction = [[rng.uniform(-1.0, 1.0) for _ in row] for row in layer.forward(_floats(x))]
    replay()

    def value(outputs: Rows) -> float:
        return sum(d * o for ds, os in zip(direction, outputs) for d, o in zip(ds, os))

    return _check(layer, x, value, lambda: [list(row) for row in direction], tolerance)


def check_loss(
    loss: Loss,
    outputs: Rows,
    targets: Sequence[Any],
    *,
    weights: Sequence[float] | None = None,
    tolerance: float = 1e-6,
) -> GradientReport:
    """Check a loss's gradient with respect to ``outputs`` (samples x outputs)."""
    return _check(Sequential([]), outputs, lambda rows: loss.forward(rows, targets, weights), loss.backward, tolerance)


def check_network(
    layer: Layer, loss: Loss, x: Rows, targets: Sequence[Any], *, tolerance: float = 1e-6
) -> GradientReport:
    """Check a whole chain, layers and loss together, for the input ``x`` and every parameter."""
    return _check(_on_floats(layer), x, lambda rows: loss.forward(rows, targets), loss.backward, tolerance)


def check_model(model: Any, X: Sequence[Any], y: Sequence[Any], *, tolerance: float = 1e-6) -> GradientReport:
    """Check a ``Model`` on raw rows and labels, exactly as ``fit`` would see them."""
    x, targets = model.training_batch(X, y)
    return check_network(model.network, model.loss, x, targets, tolerance=tolerance)
