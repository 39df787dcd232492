"""Update rules, from simple to complex, then schedules for the learning rate, then gradient clipping.

An optimizer changes a list of ``Parameter`` in place, once a batch, with the operations of an engine. The rules and
their defaults are those of PyTorch's documentation, so that results can be compared; but the rates of SGD and Adagrad,
which were measured.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from . import defaults, linalg
from .checks import chosen, require_number, require_size, shown
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
    """The class and the arguments of an optimizer or a schedule: its settings, where a schedule may be one of them. All
    else that it keeps is what it has learned on the way. [] for None."""
    if thing is None:
        return []
    arguments = {name: value for name, (value, _) in _arguments(thing).items()}
    return [type(thing).__name__, {k: described(v) if isinstance(v, Schedule) else v for k, v in arguments.items()}]


class Optimizer(Computing):
    """Base class of optimizers, the rules by which gradients change parameters. One of your own needs ``step``."""

    # What ``fit`` may say of it, beside ``lr`` and ``weight_decay``, if it goes by its name.
    takes: tuple[str, ...] = ()
    steps = 0  # taken so far, where a rule counts them
    weight_decay = 0.0
    part: Any = None  # of the rows, which it learned from last: see ``Model.partial_fit``

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

    def _shrunk(self, parameter: Any) -> Matrix:
        """The value that a step starts from."""
        return parameter.value

    def _decayed(self, parameter: Any) -> Matrix:
        """(1 - lr·weight_decay)·w: where a step starts that has the weight's decay besides."""
        if not self.weight_decay:
            return parameter.value
        return self.ops.scale(parameter.value, 1.0 - self.lr * self.weight_decay)

    def _move(self, parameters: Sequence[Any], directions: Sequence[Matrix]) -> None:
        """value - lr·direction for all parameters, or for none if one of them overflows."""
        values = []
        for number, (parameter, direction) in enumerate(zip(parameters, directions)):
            try:
                values.append(self.ops.add_scaled(self._shrunk(parameter), direction, -self.lr))
            except OverflowError as error:
                raise type(error)(f"parameter {number}, {parameter.name}: {error}") from None
        for parameter, value in zip(parameters, values):
            parameter.value = value


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w - lr·v, where v is the gradient or a running mix of gradients.

    With ``weight_decay`` d the gradient becomes g + d·w; without momentum that is (1 - lr·d)·w - lr·g, which needs no
    sum of two matrices more. With ``momentum`` m, v ← m·v + g (v starts as the first g); with ``nesterov`` the step
    goes along g + m·v instead of v (Sutskever et al. 2013).
    """

    takes = ("momentum", "nesterov")

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
        self._move(parameters, self._directions(parameters))

    def _directions(self, parameters: Sequence[Any]) -> list[Matrix]:
        if not self.momentum:
            return [parameter.gradient for parameter in parameters]
        ops, gradients = self.ops, [self._decayed_gradient(parameter) for parameter in parameters]
        if self.velocities:
            self.velocities = [ops.add_scaled(g, v, self.momentum) for g, v in zip(gradients, self.velocities)]
        else:
            self.velocities = [ops.scale(g, 1.0) for g in gradients]
        if self.nesterov:
            return [ops.add_scaled(g, v, self.momentum) for g, v in zip(gradients, self.velocities)]
        return self.velocities

    def _shrunk(self, parameter: Any) -> Matrix:
        return parameter.value if self.momentum else self._decayed(parameter)

    def matrices(self) -> list[Matrix]:
        return self.velocities

    def remembers(self, shapes: list[tuple[int, int]], steps: int) -> tuple[Any, int] | None:
        return (shapes if self.momentum and steps else []), 0

    def restore(self, matrices: Sequence[Matrix], steps: int) -> None:
        self.velocities = list(matrices)


class Adaptive(Optimizer):
    """What rules have in common that divide the step of each number by the root of a mean, or sum, of its squared
    gradients: what they remember are matrices as large as the parameters, a list of them under each name in
    ``memory``. One of your own needs ``directions``."""

    memory: tuple[str, ...] = ("squares",)
    squares: list[Matrix]

    def __init__(self, lr: float, epsilon: float, weight_decay: float) -> None:
        super().__init__(lr)
        self.epsilon = require_number("epsilon", epsilon, 0.0, above=True)
        self.weight_decay = require_number("weight_decay", weight_decay, 0.0)
        self.reset()

    def reset(self) -> None:
        self.steps = 0
        for name in self.memory:
            setattr(self, name, [])

    def directions(self, gradients: Sequence[Matrix]) -> list[Matrix]:
        """Where each parameter goes, for the gradients of this step."""
        raise NotImplementedError

    def step(self, parameters: Sequence[Any]) -> None:
        self.steps += 1
        self._move(parameters, self.directions([self._decayed_gradient(parameter) for parameter in parameters]))

    def _running(self, before: Sequence[Matrix], keep: float, share: float, matrices: Sequence[Matrix]) -> list[Matrix]:
        """keep·before + share·g for the matrices g; what was before the first step is 0."""
        ops = self.ops
        added = [ops.scale(g, share) for g in matrices]
        return [ops.add_scaled(g, m, keep) for g, m in zip(added, before)] if before else added

    def _running_squares(self, keep: float, share: float, matrices: Sequence[Matrix]) -> list[Matrix]:
        """keep·s + share·g² for each number g of the matrices and its s in ``squares``, which begin at 0."""
        ops = self.ops
        if not self.squares:
            return [ops.map(lambda g: share * (g * g), g) for g in matrices]
        return [ops.map(lambda s, g: keep * s + share * (g * g), s, g) for s, g in zip(self.squares, matrices)]

    def _divided(self, matrices: Sequence[Matrix]) -> list[Matrix]:
        """m / (√s + ε) for each number m of the matrices and its s in ``squares``."""
        epsilon, sqrt, ops = self.epsilon, self.ops.sqrt, self.ops
        return [ops.map(lambda m, s: m / (sqrt(s) + epsilon), m, s) for m, s in zip(matrices, self.squares)]

    def matrices(self) -> list[Matrix]:
        return [matrix for name in self.memory for matrix in getattr(self, name)]

    def remembers(self, shapes: list[tuple[int, int]], steps: int) -> tuple[Any, int] | None:
        return (shapes * len(self.memory) if steps else []), steps

    def restore(self, matrices: Sequence[Matrix], steps: int) -> None:
        each = len(matrices) // len(self.memory)
        parts = {name: list(matrices[i * each : (i + 1) * each]) for i, name in enumerate(self.memory)}
        if any(min(row) < 0.0 for m in parts.get("squares", []) for row in self.ops.to_rows(m)):
            raise ValueError("means of squares below 0")
        self.steps = steps
        vars(self).update(parts)


class Adagrad(Adaptive):
    """Adagrad (Duchi, Hazan & Singer 2011): w ← w - lr·g / (√s + ε), where s is the sum of all g² so far.

    Numbers that seldom get a gradient keep taking long steps. ``weight_decay`` d adds d·w to the gradient first.
    """

    def __init__(self, lr: float = 0.1, epsilon: float = 1e-10, weight_decay: float = 0.0) -> None:
        super().__init__(lr, epsilon, weight_decay)

    def directions(self, gradients: Sequence[Matrix]) -> list[Matrix]:
        self.squares = self._running_squares(1.0, 1.0, gradients)
        return self._divided(gradients)


class RMSprop(Adaptive):
    """RMSprop (Tieleman & Hinton 2012, lecture 6e): w ← w - lr·g / (√s + ε), where s ← alpha·s + (1 - alpha)·g² is a
    running mean that forgets.

    With ``momentum`` m the step goes along v ← m·v + g / (√s + ε). ``weight_decay`` d adds d·w to the gradient first.
    """

    takes = ("momentum",)

    def __init__(
        self,
        lr: float = 0.01,
        alpha: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.alpha = require_number("alpha", alpha, 0.0, 1.0)
        self.momentum = require_number("momentum", momentum, 0.0, 1.0)
        if self.momentum:
            self.memory = ("velocities", "squares")
        self.velocities: list[Matrix] = []
        super().__init__(lr, epsilon, weight_decay)

    def directions(self, gradients: Sequence[Matrix]) -> list[Matrix]:
        self.squares = self._running_squares(self.alpha, 1.0 - self.alpha, gradients)
        along = self._divided(gradients)
        if self.momentum:
            along = self.velocities = self._running(self.velocities, self.momentum, 1.0, along)
        return along


class Adam(Adaptive):
    """Adam (Kingma & Ba 2015, algorithm 1): steps scaled by running means of the gradient and of its square.

    m ← beta1·m + (1 - beta1)·g, s ← beta2·s + (1 - beta2)·g², w ← w - lr·m̂ / (√ŝ + ε), where the hat stands for
    dividing out that the means began at 0: m̂ = m / (1 - beta1ᵗ) after t steps. ``weight_decay`` d adds d·w to the
    gradient first.
    """

    memory = ("means", "squares")
    means: list[Matrix]

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.beta1 = require_number("beta1", beta1, 0.0, 1.0)
        self.beta2 = require_number("beta2", beta2, 0.0, 1.0)
        super().__init__(lr, epsilon, weight_decay)

    def directions(self, gradients: Sequence[Matrix]) -> list[Matrix]:
        self.squares = self._running_squares(self.beta2, 1.0 - self.beta2, gradients)
        self.means = self._running(self.means, self.beta1, 1.0 - self.beta1, gradients)
        # m̂ / (√ŝ + ε) with fewer divisions: what the hats divide by is the same for all numbers.
        first, second = 1.0 - self.beta1**self.steps, 1.0 - self.beta2**self.steps
        slope, start = first / math.sqrt(second), max(first * self.epsilon, sys.float_info.min)
        sqrt, ops = self.ops.sqrt, self.ops
        return [ops.map(lambda m, s: m / (slope * sqrt(s) + start), m, s) for m, s in zip(self.means, self.squares)]


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2): w ← w - lr·(m̂ / (√ŝ + ε) + d·w).

    The decay d is no part of the gradient, so it is not divided by the size of gradients as it is in ``Adam``: every
    weight shrinks at the same rate.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon, weight_decay)

    def _decayed_gradient(self, parameter: Any) -> Matrix:
        return parameter.gradient

    def _shrunk(self, parameter: Any) -> Matrix:
        return self._decayed(parameter)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


class Schedule:
    """Base class of learning rate schedules: each sets an optimizer's rate once an epoch, starting from its own."""

    def __repr__(self) -> str:
        return _as_call(self)

    def start(self, optimizer: Optimizer) -> None:
        """Called before the first epoch, whose rate is the optimizer's own unless this sets another."""
        self.base = optimizer.lr

    def after_epoch(self, optimizer: Optimizer, epoch: int, loss: float) -> None:
        """Called after epoch ``epoch`` (1, 2, ...) with the loss to judge it by (validation loss if there is one)."""
        optimizer.lr = self.rate(epoch)

    def rate(self, epoch: int) -> float:
        """The learning rate after ``epoch`` epochs."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """All that it keeps, for a checkpoint: its arguments, and where it stands."""
        return dict(vars(self))

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` gave."""
        vars(self).update(state)

    def known(self) -> bool:
        """Whether it is one of scratchnn's, so that the losses it has seen tell where it stands."""
        return type(self) in SCHEDULES.values()


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


def _half_a_cosine(first: float, last: float, part: float) -> float:
    """On the way from one rate to another: the first where ``part`` is 0, the last where it is 1."""
    return last + (first - last) * (1.0 + math.cos(math.pi * part)) / 2.0


class OneCycleSchedule(Schedule):
    """One cycle (Smith & Topin 2018): up from a low rate to the optimizer's own, and down to next to nothing.

    The first epoch has the rate lr / ``div_factor``. Over the first ``pct_start`` of the ``epochs`` (rounded to whole
    ones) it rises to lr, and falls over the others to lr / (div_factor · ``final_div_factor``), each time along half a
    cosine. What goes down once is best given a rate larger than one that stays. Momentum is left alone.
    """

    def __init__(
        self, epochs: int, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
    ) -> None:
        self.epochs = require_size("epochs", epochs)
        self.pct_start = require_number("pct_start", pct_start, 0.0, 1.0)
        self.div_factor = require_number("div_factor", div_factor, 1.0)
        self.final_div_factor = require_number("final_div_factor", final_div_factor, 1.0)

    def start(self, optimizer: Optimizer) -> None:
        super().start(optimizer)
        optimizer.lr = self.rate(0)

    def rate(self, epoch: int) -> float:
        lowest, rising = self.base / self.div_factor, round(self.pct_start * self.epochs)
        if epoch < rising:
            return _half_a_cosine(lowest, self.base, epoch / rising)
        part = (min(epoch, self.epochs) - rising) / max(self.epochs - rising, 1)
        return _half_a_cosine(self.base, lowest / self.final_div_factor, part)


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


class WarmUp(Schedule):
    """Linear warm-up (Goyal et al. 2017, section 2.2): ``epochs`` epochs with rates that rise to the optimizer's own.

    Of n epochs the first has the rate lr / (n + 1), the second 2·lr / (n + 1); the one after them has lr. From there on
    the schedule ``then`` goes its way, as if training had just begun; without one the rate stays.
    """

    def __init__(self, epochs: int, then: Schedule | None = None) -> None:
        self.epochs = require_size("epochs", epochs, 0)
        if then is not None and not isinstance(then, Schedule):
            raise ArgumentError(f"then must be a Schedule such as CosineSchedule(30), or None, got {shown(then)}")
        self.then = then

    def start(self, optimizer: Optimizer) -> None:
        super().start(optimizer)
        if self.then is not None:
            self.then.start(optimizer)  # what it keeps is there from the beginning, as in every checkpoint
        if self.epochs:
            optimizer.lr = self.rate(0)

    def after_epoch(self, optimizer: Optimizer, epoch: int, loss: float) -> None:
        since = epoch - self.epochs
        if since <= 0:
            optimizer.lr = self.rate(epoch)
        if self.then is not None and since == 0:
            self.then.start(optimizer)
        elif self.then is not None and since > 0:
            self.then.after_epoch(optimizer, since, loss)

    def rate(self, epoch: int) -> float:
        """The rate after so many epochs of warming up."""
        return self.base * min((epoch + 1) / (self.epochs + 1), 1.0)

    def __copy__(self) -> WarmUp:
        """With a copy of the other schedule: each of the two goes its own way."""
        other = WarmUp(self.epochs, copy(self.then))
        vars(other).update({name: value for name, value in vars(self).items() if name != "then"})
        return other

    def state(self) -> dict[str, Any]:
        return {**vars(self), "then": None if self.then is None else self.then.state()}

    def restore(self, state: dict[str, Any]) -> None:
        if self.then is not None:
            self.then.restore(state["then"])
        super().restore({**state, "then": self.then})

    def known(self) -> bool:
        return super().known() and (self.then is None or self.then.known())


SCHEDULES: dict[str, type[Schedule]] = {
    "cosine": CosineSchedule,
    "step": StepSchedule,
    "plateau": ReduceOnPlateau,
    "warmup": WarmUp,
    "onecycle": OneCycleSchedule,
}


def make_schedule(schedule: Any, epochs: int) -> Schedule | None:
    """A schedule as it is, or one by its name or class that suits a run of so many epochs.

    "cosine" falls to 0 at the end, "step" goes down to a tenth after each third of the run, "plateau" when the loss has
    not fallen for more than 3 epochs, "warmup" rises for a tenth of the run and then falls as a cosine does, "onecycle"
    rises for three tenths. "auto" is the recommended one, None and "none" are no schedule. ``ValueError`` lists the
    names.
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
    if name == "warmup":
        rising = math.ceil(epochs / 10) if epochs > 1 else 0
        return WarmUp(rising, CosineSchedule(epochs - rising))
    if name in ("cosine", "onecycle"):
        return SCHEDULES[name](epochs)  # type: ignore[call-arg]
    return SCHEDULES[name]()


def make_optimizer(
    optimizer: str | Optimizer | type[Optimizer],
    lr: float | None,
    settings: Mapping[str, Any],
    weight_decay: float | None,
) -> tuple[Optimizer, float]:
    """The optimizer that ``fit``'s arguments describe, and its first rate; ``ValueError`` names what is wrong.

    Without a rate (None) it is the recommended one, or the optimizer object's own; SGD without a ``momentum`` gets the
    recommended one, and any without a ``weight_decay`` its own. An object that was handed over stays as it is.
    """
    if isinstance(optimizer, Optimizer):
        given = [name for name, value in {**settings, "weight_decay": weight_decay}.items() if value]
        if given:
            raise ArgumentError(f"{' and '.join(given)} must be given to the {type(optimizer).__name__} object itself")
        return optimizer, optimizer.lr if lr is None else require_number("lr", lr, 0.0, above=True)
    name = chosen("optimizer", optimizer, OPTIMIZERS, ", or an Optimizer object")
    rule, rate = OPTIMIZERS[name], defaults.LEARNING_RATES[name] if lr is None else lr
    _require_taken(name, [setting for setting, value in settings.items() if value and setting not in rule.takes])
    arguments = {setting: settings[setting] for setting in rule.takes if settings.get(setting) is not None}
    if name == "sgd":
        arguments.setdefault("momentum", defaults.MOMENTUM)
    if weight_decay is not None:
        arguments["weight_decay"] = weight_decay
    return rule(rate, **arguments), rate


def _require_taken(name: str, odd: Sequence[str]) -> None:
    """``ArgumentError`` for settings that the optimizer of this name has not."""
    if odd:
        takers = [repr(other) for other, rule in OPTIMIZERS.items() if {*odd} <= {*rule.takes}]
        which = f"the optimizer{'s' * (len(takers) > 1)} {' and '.join(takers)}"
        raise ArgumentError(f"{' and '.join(odd)}: only for {which}, not for {name!r}")


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
    far = 2.0 ** (600 if ops.epsilon < 1e-10 else 75)  # as far as the engine's floats go in both directions
    norm = 0.0
    for unit in (1.0, 1.0 / far, far):  # another one where squares were too large, or too small, for a float
        gradients = [p.gradient if unit == 1.0 else ops.scale(p.gradient, unit) for p in parameters]
        norm = math.sqrt(linalg.total([ops.dot(g, g) for g in gradients])) / unit
        if 1.0 / math.sqrt(far) < norm < math.inf:
            break
    return norm
