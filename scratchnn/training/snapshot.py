"""A model as it was before ``fit``, to be put back if the run cannot begin."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from ..optim import Optimizer, Schedule


class Snapshot:
    """All that a model is made of (and the optimizer and schedule it is given), to be put back if ``fit`` refuses to
    begin: whatever was prepared until then leaves no trace. Use it in a ``with`` block."""

    def __init__(self, model: Any, *others: Any) -> None:
        layers = list(model.network.walk())
        things = [model, *layers, *(part for other in others for part in _parts(other))]
        self._things = [(thing, dict(vars(thing))) for thing in things]
        self._parameters = [(parameter, dict(vars(parameter))) for parameter in model.network.parameters()]
        self._generators = [(rng, rng.getstate()) for rng in (model.order_rng, *generators_of(layers))]

    def put_back(self) -> None:
        """Everything as it was when the snapshot was taken."""
        for thing, attributes in [*self._things, *self._parameters]:
            vars(thing).clear()
            vars(thing).update(attributes)
        for rng, state in self._generators:
            rng.setstate(state)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        if kind is not None:
            self.put_back()

    def forget(self) -> None:
        """Let go of everything: a run has begun, and what was before it need not be held in memory."""
        self._things, self._parameters, self._generators = [], [], []


def _parts(thing: Any) -> list[Any]:
    """An optimizer, or a schedule with those that it hands over to; [] for anything else."""
    inside = vars(thing).values() if isinstance(thing, Schedule) else []
    return [thing, *(part for value in inside for part in _parts(value))] if isinstance(thing, _KINDS) else []


_KINDS = (Optimizer, Schedule)


def generators_of(layers: Iterable[Any]) -> list[Random]:
    """Those that layers draw from while training."""
    found = [getattr(layer, "rng", None) for layer in layers]
    return [rng for rng in found if isinstance(rng, Random)]
