"""Rows through a network that does not learn from them: what predicting, scoring and validating have in common."""

from __future__ import annotations

from .errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .layers.base import Sequential, Shape
    from .preprocessing.schema import Schema

    Rows = list[list[float]]
    Questions = Sequence[tuple[Sequence[int], Any]]  # (numbers of rows, these rows as the engine has prepared them)

CHUNK = 256  # rows that go through the network at once; fewer, if it is large
WORK_AT_ONCE = 1 << 29  # multiply-adds for as many rows as go through a network at once: bounds memory at no cost


class Labelled:
    """Rows to be asked about, and what their outputs should be."""

    def __init__(self, questions: Questions, targets: Sequence[Any], rows: Sequence[Any]) -> None:
        self.questions = questions
        self.targets = targets
        self.rows = rows  # as they came


class Inference:
    """Computes a network's outputs on ``engine``, also while it learns on another one.

    What is computed for a row does not depend on the rows beside it, nor on when it is asked for: in the middle of an
    epoch it is the same, to the last bit, as it would be with these weights after training.
    """

    def __init__(self, network: Sequential, engine: Any, shape: Shape) -> None:
        self.network = network
        self.engine = engine
        self.rows_at_once = max(min(CHUNK, WORK_AT_ONCE // network.work(shape)), 1)

    def prepared(self, rows: Sequence[Any], factor: float, name: str = "X") -> Any:
        """Rows times ``factor`` as the engine reads them; ``DataError`` for numbers that it, or the network's first
        layer, cannot read."""
        self.network.check_rows(rows, name)
        return self._prepared(rows, factor, name)

    def _prepared(self, rows: Sequence[Any], factor: float, name: str) -> Any:
        try:
            return self.engine.prepare(rows, factor)
        except OverflowError as error:
            raise DataError(f"{name}: {error}") from None

    def questions(self, rows: Sequence[Any], factor: float, name: str = "X") -> Questions:
        """Rows to be asked about: pixels apart from rows of numbers, because an engine may read all rows of a kind
        alike."""
        self.network.check_rows(rows, name)
        pixels = [type(row) is bytes for row in rows]
        if all(pixels) or not any(pixels):
            return [(range(len(rows)), self._prepared(rows, factor, name))]
        kinds = [[number for number, is_pixels in enumerate(pixels) if is_pixels is kind] for kind in (True, False)]
        return [(numbers, self._prepared([rows[i] for i in numbers], factor, name)) for numbers in kinds]

    def labelled(self, schema: Schema, X: Any, y: Any, name: str = "") -> Labelled:
        """Raw rows and labels to measure a model with, checked; ``name`` is what they are called in a message."""
        of = f" of {name}" if name else ""
        rows = schema.rows(X, f"X{of}")
        schema.require_learned()
        targets = schema.targets(y, f"y{of}", len(rows))
        return Labelled(self.questions(*schema.inputs(rows), f"X{of}"), targets, rows)

    def outputs(self, questions: Questions, learning: bool) -> Rows:
        """What the network gives for each row. ``learning``: whether the thread that asks is the one that trains it,
        so that it goes on training afterwards."""
        network = self.network
        if network.ops is self.engine:
            return self._computed(questions, learning)
        # A callback asks in the middle of an epoch.
        engine_of_run, parameters = network.ops, network.parameters()
        values = [parameter.value for parameter in parameters]
        try:
            network.use(self.engine)
            return self._computed(questions, learning)
        finally:
            network.use(engine_of_run)
            for parameter, value in zip(parameters, values):
                parameter.value = value

    def _computed(self, questions: Questions, learning: bool) -> Rows:
        ops, forward, at_once = self.engine, self.network.forward, self.rows_at_once
        training = learning and self.network.training
        self.network.eval()
        outputs: Rows = [[]] * sum(len(numbers) for numbers, _ in questions)
        try:
            for numbers, prepared in questions:
                for first in range(0, len(numbers), at_once):
                    indices = range(first, min(first + at_once, len(numbers)))
                    found = ops.to_rows(forward(ops.take_rows(prepared, indices)))
                    for number, row in zip(numbers[first:], found):
                        outputs[number] = row
        finally:
            if training:
                self.network.train()
        return outputs
