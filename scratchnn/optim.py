"""Update rules, from simple to complex, then schedules for the learning rate, then gradient clipping.

An optimizer changes a list of ``Parameter`` in place, once a batch, with the operations of an engine. The rules and
their defaults are those of PyTorch's documentation, so that results can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import defaults, linalg
from .checks import chosen, require_number, require_size
from .engines.finding import Computing
from .engines.lists import LISTS
from .errors import ArgumentError

Matrix = Any


def _arguments(thing: Any) -> dict[str, tuple[Any, Any]]:
    """(value, default) of each argument that made an optimizer or a schedule.

    Arguments that are not kept under their own names, as a class of one's own may do, are left out."""
    import inspect  # which takes long to import, and few ever ask

    kept, arguments = vars(thing), inspect.signature(type(thing)).parameters.values()
    return {a.name: (kept[a.name], a.default) for a in arguments if a.name in kept}


def _as_call(thing: Any) -> str:
    """The call that makes an optimizer or a schedule, such as Adam(lr=0.003), without arguments that have defaults."""
    told = [(name, value) for name, (value, default) in _arguments(thing).items() if value != default]
    return f"{type(thing).__name__}({', '.join(f'{name}={value!r}' for name, value in told)})"


def described(thing: Any) -> list[Any]:
    """The class and the arguments of an optimizer or a schedule: its settings. All else that it keeps is what it has
    learned on the way. [] for None."""
    if thing is None:
        return []
    return [type(thing).__name__, {name: value for name, (value, _) in _arguments(thing).items()}]


class Optimizer(Computing):
    """Base class of optimizers, the rules by which gradients change parameters. One of your own needs ``step``."""

    steps = 0  # taken so far, where a rule counts them
    weight_decay = 0.0

    def __init__(self, lr: float) -> None:
        self.lr = require_number("lr", lr, 0.0, above=True)

    def __repr__(self) -> str:
        return _as_call(self)

    def step(self, parameters: Sequence[Any]) -> None:
        """Change every parameter's value by its gradient, which ``backward`` has left in it."""
        raise NotImplementedError

    def begin(self, ops: Any, going_on: bool = False) -> None:
        """Get ready for a run on an engine. Momentum belongs to one run (it may even come from another network), unless
        this one is said to be ``going_on`` where the last one ended."""
        matrices = [ops.from_rows(self.ops.to_rows(matrix)) for matrix in self.matrices()] if going_on else []
        self.ops = ops
        if going_on:
            self.restore(matrices, self.steps)
        else:
            self.reset()

    def reset(self) -> None:
        """Forget what earlier steps left behind (momentum)."""

    def matrices(self) -> list[Matrix]:
        """What it remembers from step to step, for a checkpoint."""
        return []

    def remembers(self, shapes: list[tuple[int, int]], steps: int) -> tuple[Any, int] | None:
        """(shapes of ``matrices``, ``steps``) after so many steps; a checkpoint has to agree.

        ``shapes`` are those of the parameters. None: a rule of one's own, which does not say.
        """
        return None

    def restore(self, matrices: Sequence[Matrix], steps: int) -> None:
        """Take up what ``matrices`` gave, after so many steps. ``ValueError`` for what it cannot have given."""

    def _decayed_gradient(self, parameter: Any) -> Matrix:
        """g + weight_decay·w: the gradient with that of an L2 penalty on the weights."""
        if not self.weight_decay:
            return parameter.gradient
        return self.ops.add_scaled(parameter.gradient, parameter.value, self.weight_decay)

    def _move(self, parameters: Sequence[Any], directions: Sequence[Matrix]) -> None:
        """value - lr·direction for all parameters, or for none if one of them overflows."""
        values = []
        for number, (parameter, direction) in enumerate(zip(parameters, directions)):
            try:
                values.append(self.ops.add_scaled(parameter.value, direction, -self.lr))
            except OverflowError as error:
                raise type(error)(f"parameter {number}, {parameter.name}: {error}") from None
        for parameter, value in zip(parameters, values):
            parameter.value = value


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w - lr·v, where v is the gradient or a running mix of gradients.

    With ``weight_decay`` d the gradient becomes g + d·w. With ``momentum`` m, v ← m·v + g (v starts as the first g);
    with ``nesterov`` the step goes along g + m·v instead of v (Sutskever et al. 2013).
    """

    def __init__(
        self, lr: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
    ) -> None:
        super().__init__(lr)
        self.momentum = require_number("momentum", momentum, 0.0, 1.0)
        self.weight_decay = require_number("weight_decay", weight_decay, 0.0)
        if nesterov and not momentum:
            raise ArgumentError("nesterov needs a momentum above 0")
        self.nesterov = nesterov
        self.velocities: list[Matrix] = []

    def reset(self) -> None:
        self.velocities = []

    def step(self, parameters: Sequence[Any]) -> None:
        ops = self.ops
        directions = [self._decayed_gradient(p) for p in parameters]
        if self.momentum:
            if self.velocities:
                self.velocities = [ops.add_scaled(g, v, self.momentum) for g, v in zip(directions, self.velocities)]
            else:
                self.velocities = [ops.scale(g, 1.0) for g in directions]
            if self.nesterov:
                directions = [ops.add_scaled(g, v, self.momentum) for g, v in zip(directions, self.velocities)]
            else:
                directions = self.velocities
        self._move(parameters, directions)

    def matrices(self) -> list[Matrix]:
        return self.velocities

    def remembers(self, shapes: list[tuple[int, int]], steps: int) -> tuple[Any, int] | None:
        return (shapes if self.momentum and steps else []), 0

    def restore(self, matrices: Sequence[Matrix], steps: int) -> None:
        self.velocities = list(matrices)


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1): steps scaled by running means of the gradient and of its square.

    ``weight_decay`` d adds d·w to the gradient first.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.beta1 = require_number("beta1", beta1, 0.0, 1.0)
        self.beta2 = require_number("beta2", beta2, 0.0, 1.0)
        self.epsilon = require_number("epsilon", epsilon, 0.0, above=True)
        self.weight_decay = require_number("weight_decay", weight_decay, 0.0)
        self.reset()

    def reset(self) -> None:
        self.steps = 0
        self.means: list[Matrix] = []
        self.squares: list[Matrix] = []

    def step(self, parameters: Sequence[Any]) -> None:
        self.steps += 1
        gradients = [self._decayed_gradient(parameter) for parameter in parameters]
        self.means = self._running(self.means, self.beta1, gradients, lambda g: g)
        self.squares = self._running(self.squares, self.beta2, gradients, lambda g: g * g)
        self._move(parameters, [self._direction(m, s) for m, s in zip(self.means, self.squares)])

    def _running(
        self, before: Sequence[Matrix], beta: float, gradients: Sequence[Matrix], power: Callable[[Any], Any]
    ) -> list[Matrix]:
        """Running means of a power of the gradients, which start at 0."""
        share, ops = 1.0 - beta, self.ops
        if not before:
            return [ops.map(lambda g: share * power(g), gradient) for gradient in gradients]
        return [ops.map(lambda m, g: beta * m + share * power(g), m, g) for m, g in zip(before, gradients)]

    def _direction(self, mean: Matrix, square: Matrix) -> Matrix:
        """m̂ / (√ŝ + ε), where the hat stands for dividing out that the means began at 0."""
        first, second = 1.0 - self.beta1**self.steps, 1.0 - self.beta2**self.steps
        epsilon, sqrt = self.epsilon, self.ops.sqrt
        return self.ops.map(lambda m, s: (m / first) / (sqrt(s / second) + epsilon), mean, square)

    def matrices(self) -> list[Matrix]:
        return [*self.means, *self.squares]

    def remembers(self, shapes: list[tuple[int, int]], steps: int) -> tuple[Any, int] | None:
        return (shapes * 2 if steps else []), steps

    def restore(self, matrices: Sequence[Matrix], steps: int) -> None:
        half = len(matrices) // 2
        if any(min(row) < 0.0 for m in matrices[half:] for row in self.ops.to_rows(m)):
            raise ValueError("means of squares below 0")
        self.steps, self.means, self.squares = steps, list(matrices[:half]), list(matrices[half:])


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam}


class Schedule:
    """Base class of learning rate schedules: each sets an optimizer's rate once an epoch, starting from its own."""

    def __repr__(self) -> str:
        return _as_call(self)

    def start(self, optimizer: Optimizer) -> None:
        """Called before the first epoch."""
        self.base = optimizer.lr

    def after_epoch(self, optimizer: Optimizer, epoch: int, loss: float) -> None:
        """Called after epoch ``epoch`` (1, 2, ...) with the loss to judge it by (validation loss if there is one)."""
        optimizer.lr = self.rate(epoch)

    def rate(self, epoch: int) -> float:
        """The learning rate after ``epoch`` epochs."""
        raise NotImplementedError


class StepSchedule(Schedule):
    """Multiplies the learning rate by ``gamma`` every ``step_size`` epochs."""

    def __init__(self, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = require_size("step_size", step_size)
        self.gamma = require_number("gamma", gamma, 0.0, above=True)

    def rate(self, epoch: int) -> float:
        return self.base * self.gamma ** (epoch // self.step_size)


class CosineSchedule(Schedule):
    """Cosine annealing (Loshchilov & Hutter 2017): half a cosine from the first rate to ``minimum`` in ``epochs``."""

    def __init__(self, epochs: int, minimum: float = 0.0) -> None:
        self.epochs = require_size("epochs", epochs)
        self.minimum = require_number("minimum", minimum, 0.0)

    def rate(self, epoch: int) -> float:
        angle = math.pi * min(epoch, self.epochs) / self.epochs
        return self.minimum + (self.base - self.minimum) * (1.0 + math.cos(angle)) / 2.0


class ReduceOnPlateau(Schedule):
    """Multiplies the learning rate by ``factor`` when the loss has not fallen by ``threshold`` of itself (relative)
    for more than ``patience`` epochs; never below ``minimum``."""

    def __init__(self, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4, minimum: float = 0.0) -> None:
        self.factor = require_number("factor", factor, 0.0, 1.0, above=True)
        self.patience = require_size("patience", patience, 0)
        self.threshold = require_number("threshold", threshold, 0.0, 1.0)
        self.minimum = require_number("minimum", minimum, 0.0)

    def start(self, optimizer: Optimizer) -> None:
        super().start(optimizer)
        self.best = math.inf
        self.waited = 0

    def after_epoch(self, optimizer: Optimizer, epoch: int, loss: float) -> None:
        if loss < self.best * (1.0 - self.threshold) or self.best == math.inf:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            optimizer.lr = min(optimizer.lr, max(optimizer.lr * self.factor, self.minimum))
            self.waited = 0


SCHEDULES: dict[str, type[Schedule]] = {"cosine": CosineSchedule, "step": StepSchedule, "plateau": ReduceOnPlateau}


def make_schedule(schedule: Any, epochs: int) -> Schedule | None:
    """A schedule as it is, or one by its name or class that suits a run of so many epochs.

    "cosine" falls to 0 at the end, "step" goes down to a tenth after each third of the run, "plateau" when the loss has
    not fallen for more than 3 epochs. "auto" is the recommended one, None and "none" are no schedule. ``ValueError``
    lists the names.
    """
    if schedule == defaults.AUTO:
        schedule = defaults.SCHEDULE
    if schedule is None or isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str) and schedule.lower() == "none":
        return None
    name = chosen("schedule", schedule, SCHEDULES, ", or a Schedule such as StepSchedule(30)")
    if name == "step":
        return StepSchedule(math.ceil(epochs / 3))
    if name == "plateau":
        return ReduceOnPlateau(patience=3)
    return CosineSchedule(epochs) if name == "cosine" else SCHEDULES[name]()


def make_optimizer(
    optimizer: str | Optimizer | type[Optimizer],
    lr: float | None,
    sgd_settings: Mapping[str, Any],
    weight_decay: float,
) -> tuple[Optimizer, float]:
    """The optimizer that ``fit``'s arguments describe, and its first rate; ``ValueError`` names what is wrong.

    Without a rate (None) it is the recommended one, or the optimizer object's own; SGD without a ``momentum`` gets the
    recommended one. An object that was handed over stays as it is.
    """
    if isinstance(optimizer, Optimizer):
        given = [name for name, value in {**sgd_settings, "weight_decay": weight_decay}.items() if value]
        if given:
            raise ArgumentError(f"{' and '.join(given)} must be given to the {type(optimizer).__name__} object itself")
        return optimizer, optimizer.lr if lr is None else require_number("lr", lr, 0.0, above=True)
    optimizer = chosen("optimizer", optimizer, OPTIMIZERS, ", or an Optimizer object")
    rate = defaults.LEARNING_RATES[optimizer] if lr is None else lr
    if optimizer == "sgd":
        settings = dict(sgd_settings)
        if settings.get("momentum") is None:
            settings["momentum"] = defaults.MOMENTUM
        return OPTIMIZERS["sgd"](rate, weight_decay=weight_decay, **settings), rate  # type: ignore[call-arg]
    odd = [name for name, value in sgd_settings.items() if value]
    if odd:
        raise ArgumentError(f"{' and '.join(odd)}: only for the optimizer 'sgd', not for {optimizer!r}")
    return OPTIMIZERS[optimizer](rate, weight_decay=weight_decay), rate  # type: ignore[call-arg]


def clip_gradient_norm(parameters: Sequence[Any], maximum: float, ops: Any = LISTS) -> float:
    """Scale all gradients by one factor so that their joint Euclidean norm is at most ``maximum``; returns the norm
    they had (Pascanu et al. 2013)."""
    maximum = require_number("the maximal gradient norm", maximum, 0.0, above=True)
    norm = gradient_norm(parameters, ops)
    if norm > maximum:
        for parameter in parameters:
            parameter.gradient = ops.scale(parameter.gradient, maximum / norm)
    return norm


def gradient_norm(parameters: Sequence[Any], ops: Any) -> float:
    """The joint Euclidean norm of all gradients."""
    norm = 0.0
    for unit in (1.0, 2.0**-600, 2.0**600):  # another one where squares were too large, or too small, for a float
        gradients = [p.gradient if unit == 1.0 else ops.scale(p.gradient, unit) for p in parameters]
        norm = math.sqrt(linalg.total([ops.dot(g, g) for g in gradients])) / unit
        if 1e-140 < norm < math.inf:
            break
    return norm
