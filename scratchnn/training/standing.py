"""Where a run stands that is to be resumed: what a checkpoint says of it, all of it checked before any of it is set.

Whoever wrote the file may have written anything, or taken it apart and put it together again. So every part is compared
with what is known of the run without the file: its epochs, batches and rows, the shapes of its weights, what its
optimizer remembers after so many steps, how many generators and callbacks it has, and the parts with each other. Every
error is a ``ValueError`` of one line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from random import Random
from typing import Any

from ..checks import require, shown
from ..optim import Optimizer, Schedule, described
from .callbacks import History, Run
from .checkpoint import generator_state, unpack, unpack_order

PARTS = {"run", "order", "weights", "momentum", "steps", "lr", "schedule", "generators", "callbacks"}


class Standing:
    """What a checkpoint's ``state`` says, unpacked; ``ValueError`` if it cannot be what such a run has left.

    ``run`` is the run at its beginning, with ``batch_size`` rows a batch; ``same_engine`` says whether it goes on where
    it ran before.
    """

    def __init__(self, state: Any, run: Run, batch_size: int, network: Any, same_engine: bool = True) -> None:
        require(type(state) is dict and set(state) == PARTS, "the state of a run has parts missing, or unknown ones")
        self._state = state
        self.order = unpack_order(state["order"], run.samples)
        self.run = run.at(state["run"], batch_size, between_epochs=not self.order)
        self.steps_taken = self.run.batch + run.batches * max(self.run.epoch - 1, 0)
        self._network = network
        self._same_engine = same_engine

    def weights(self, ops: Any) -> list[Any]:
        """The values of all parameters."""
        parameters, values = self._network.parameters(), []
        changing = {id(parameter) for parameter in self._network.changing_parameters()}
        for number, (parameter, part) in enumerate(zip(parameters, _listed(self._state, "weights", len(parameters)))):
            values.append(unpack(part, ops, self._same_engine))
            _require_shape(f"weights[{number}]", ops.shape(values[-1]), ops.shape(parameter.value))
            frozen = id(parameter) not in changing
            require(not (frozen and part["form"]), f"weights[{number}] is frozen and has a form of its own")
        return values

    def memory(self, optimizer: Optimizer) -> tuple[list[Any], int]:
        """What the optimizer remembers: its matrices, and how many steps it has counted."""
        ops = optimizer.ops
        momentum = [unpack(part, ops, self._same_engine) for part in _listed(self._state, "momentum")]
        steps = self._state["steps"]
        shapes = [ops.shape(p.value) for p in self._network.trainable_parameters()]
        expected = optimizer.remembers(shapes, self.steps_taken)
        if expected is not None:
            name, (wanted, counted) = type(optimizer).__name__, expected
            require(
                len(momentum) == len(wanted), f"momentum of {name}: {len(momentum)} matrices, expected {len(wanted)}"
            )
            for number, (matrix, shape) in enumerate(zip(momentum, wanted)):
                _require_shape(f"momentum[{number}] of {name}", ops.shape(matrix), shape)
            require(steps == counted, f"steps of {name}: {shown(steps)}, expected {counted}")
        require(type(steps) is int and steps >= 0, f"{shown(steps)} steps of an optimizer")
        return momentum, steps

    def schedule(self, schedule: Schedule | None, now: Schedule | None, first: float) -> tuple[dict[str, Any], float]:
        """The attributes of a schedule that has started at the learning rate ``first``, and where it has led to; of the
        schedule ``now``, if the run goes on for more epochs and that is another one."""
        saved, lr = self._state["schedule"], self._state["lr"]
        require(type(saved) is dict, f"the schedule is to be a dict, got {shown(saved)}")
        require(type(lr) is float and 0.0 <= lr < math.inf and lr == self.run.lr, f"a learning rate of {shown(lr)}")
        if schedule is None or schedule.known():
            wanted, rate = _followed(schedule, self.run.history, first)
            fine = saved == wanted and all(type(saved[name]) is type(value) for name, value in wanted.items())
            require(fine, "the schedule stands elsewhere than its losses have led it")
            require(_alike(lr, rate), f"a learning rate of {shown(lr)}, where the schedule has led to {rate:g}")
            if described(schedule) != described(now):
                return _followed(now, self.run.history, first)
            return wanted, lr
        _check_schedule(schedule, saved)
        return dict(saved), lr

    def generators(self, generators: Sequence[Random]) -> list[Any]:
        """The states of all generators."""
        states = _listed(self._state, "generators", len(generators))
        for number, (state, rng) in enumerate(zip(states, generators)):
            _check_generator(f"generator {number}", state, generator_state(rng))
        return states

    def callbacks(self, callbacks: Sequence[Any], model: Any) -> list[Any]:
        """The states of the callbacks that have one."""
        states = _listed(self._state, "callbacks", len(callbacks))
        for callback, state in zip(callbacks, states):
            name = type(callback).__name__
            require(type(state) is dict, f"the state of {name} is to be a dict, got {shown(state)}")
            if hasattr(callback, "check_state"):
                callback.check_state(state, model, self.run)
        return states


def _listed(state: dict[str, Any], name: str, count: int | None = None) -> list[Any]:
    values = state[name]
    require(type(values) is list, f"{name} is to be a list, got {shown(values)}")
    require(count is None or len(values) == count, f"{name} of {len(values)}, expected {count}")
    return values  # type: ignore[no-any-return]


def _require_shape(what: str, came: tuple[int, int], expected: tuple[int, int]) -> None:
    require(came == expected, f"{what} is {came[0]}x{came[1]}, the layers need {expected[0]}x{expected[1]}")


def _check_schedule(schedule: Schedule, saved: dict[str, Any]) -> None:
    """``ValueError`` for what cannot be the state of a schedule of one's own, or of one that hands over to such a
    one."""
    hidden = next((name for name in saved if hasattr(type(schedule), name)), None)
    require(hidden is None, f"{shown(hidden)} of a schedule is no state of it")
    for name, value in schedule.state().items():
        require(name in saved, f"{name} of the schedule is missing")
        fine = value is None or _kind(saved[name]) is _kind(value)
        require(fine, f"{name} of the schedule cannot be {shown(saved[name])}")
        inner = vars(schedule).get(name)
        if isinstance(inner, Schedule):
            _check_schedule(inner, saved[name])


def _followed(schedule: Schedule | None, history: History, first: float) -> tuple[dict[str, Any], float]:
    """(attributes, learning rate) of a schedule that started at the rate ``first`` and saw the losses of a history."""
    if schedule is None:
        return {}, first
    there, optimizer = copy(schedule), Optimizer(first)
    there.start(optimizer)
    for epoch, loss in enumerate(history.validation_loss or history.loss, 1):
        there.after_epoch(optimizer, epoch, loss)
    return there.state(), optimizer.lr


def _kind(value: Any) -> type:
    """The type of a value, where all numbers are of one."""
    return float if type(value) is int else type(value)


def _alike(came: Any, expected: Any) -> bool:
    """The same, but that on another machine a cosine may be rounded otherwise."""
    close = (
        type(expected) is float and type(came) is float and math.isclose(came, expected, rel_tol=1e-9, abs_tol=1e-15)
    )
    return type(came) is type(expected) and (came == expected or close)


def _check_generator(what: str, came: Any, now: Sequence[Any]) -> None:
    """The state of a Mersenne Twister: 624 words and a position among them, and a number put by, or none."""
    require(type(came) is list and len(came) == 3 and came[0] == now[0], f"{what} is of another kind")
    words, put_by = came[1], came[2]
    require(type(words) is list and len(words) == len(now[1]), f"{what} has too few numbers, or too many")
    fine = all(type(word) is int and 0 <= word < 1 << 32 for word in words) and words[-1] < len(words)
    require(fine and any(words[:-1]), f"{what} has numbers that it cannot have")
    require(put_by is None or (type(put_by) is float and math.isfinite(put_by)), f"{what} cannot be {shown(put_by)}")
