"""What a model knows of its data: how raw rows and labels become what a network reads, and outputs become answers.

A ``Schema`` never changes. A model starts with one that only says what it is for; the first data make another out of
it, which knows classes, scalings and the names of columns, and holds for good. ``Model``, the commands and the saved
file all ask this one object.
"""

from __future__ import annotations

import math
from operator import eq as _equal

from ..checks import in_order, require_size, shown
from ..errors import ArgumentError, DataError, NotFittedError
from .labels import as_flags, as_labels, as_targets, class_numbers, find_classes
from .rows import as_rows
from .scaling import Scaling
from .tables import column_names, in_column_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Union

    from .labels import Label
    from .rows import Row

    Target = Union[int, list[float]]  # a class number, or the numbers that the outputs are to be

Rows = list[list[float]]


class Schema:
    """The task, the shape of a sample, and what was learned of the data: classes, scalings, columns.

    ``scaling_kind`` and ``target_scaling_kind`` are what was asked for, ``scaling`` and ``target_scaling`` what it came
    to; both are None until there were data. ``label_position`` is that of the label's column in the file that was
    learned from, counted from 0, or from -1 at the end.
    """

    task: str
    input_shape: tuple[int, ...]
    output_size: int
    scaling_kind: str
    target_scaling_kind: str
    classes: tuple[Label, ...]
    scaling: Scaling | None
    target_scaling: Scaling | None
    feature_names: tuple[str, ...]
    label_name: str | None
    label_position: int | None

    def __init__(
        self,
        task: str,
        input_shape: tuple[int, ...],
        output_size: int,
        scaling_kind: str = "auto",
        target_scaling_kind: str = "auto",
        classes: tuple[Label, ...] = (),
        scaling: Scaling | None = None,
        target_scaling: Scaling | None = None,
        feature_names: tuple[str, ...] = (),
        label_name: str | None = None,
        label_position: int | None = None,
    ) -> None:
        known = locals()
        del known["self"]
        vars(self).update(known)

    def _replace(self, **changes: Any) -> Schema:
        """Another one that differs in these."""
        return Schema(**{**vars(self), **changes})

    def __setattr__(self, name: str, *value: Any) -> None:
        raise AttributeError(f"a Schema never changes: _replace({name}=...) makes another")

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"Schema({', '.join([f'{name}={value!r}' for name, value in vars(self).items()])})"

    # --- what it says ----------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Features a row."""
        return math.prod(self.input_shape)

    @property
    def pixels(self) -> bool:
        """Whether rows are bytes, one a pixel."""
        return self.scaling is not None and self.scaling.kind == "pixels"

    @property
    def regression(self) -> bool:
        """Whether the labels are numbers to be predicted."""
        return self.task == "regression"

    def require_learned(self) -> Scaling:
        """The scaling of features; ``NotFittedError`` before there were data."""
        if self.scaling is None:
            raise NotFittedError("this model has not been fitted yet: call fit(X, y) first")
        return self.scaling

    # --- learning it -----------------------------------------------------------------------------------------

    def with_columns(self, X: Any, columns: Any = None) -> Schema:
        """With the names of the columns of ``X``, a DataFrame, or of ``columns``: a list of names, or whatever has
        ``feature_names``, ``label_name`` and ``label_position``, as a ``Dataset``. What has learned stays as it is."""
        if self.scaling is not None:
            return self
        told = getattr(columns, "feature_names", columns)
        names = column_names(X) or ([] if told is None else in_order(told))
        if names is None or not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"columns must be a Dataset or a list of names, got {shown(told)}")
        if len(names) not in (0, self.width):
            raise ArgumentError(f"columns has {len(names)} names for {self.width} features")
        label, position = getattr(columns, "label_name", None), getattr(columns, "label_position", None)
        if not isinstance(label, (str, type(None))):
            raise ArgumentError(f"the label's name must be a text or None, got {shown(label)}")
        if position is not None:
            position = require_size("the label's position", position, -1 - self.width, self.width)
        return self._replace(feature_names=tuple(map(str, names)), label_name=label, label_position=position)

    def with_classes(self, labels: Sequence[Label], name: str = "y", complete: bool = False) -> Schema:
        """With the classes of these labels. Labels that are numbers from 0 on may leave some of the outputs' classes
        out, unless they are said to be ``complete``."""
        found, expected = find_classes(labels), max(self.output_size, 2)
        if len(found) < 2:
            raise DataError(f"{name} has a single class, {shown(found[0])}: at least two are needed to learn from")
        if len(found) < expected and not complete and all(isinstance(c, int) and 0 <= c < expected for c in found):
            found = list(range(expected))
        if len(found) != expected:
            raise DataError(
                f"{name} has {len(found)} classes, but the model has outputs for {expected}: "
                f"set output_size={len(found)}"
            )
        return self._replace(classes=tuple(found))

    def told_classes(self, classes: Sequence[Label]) -> Schema:
        """With all the classes that there will be, told before there are rows of each."""
        told = self.with_classes(classes, "classes", complete=True)
        if self.classes and told.classes != self.classes:
            raise ArgumentError(
                f"classes are {shown([*self.classes])} since the first rows, got {shown([*told.classes])}"
            )
        return told

    def learned(
        self, rows: Sequence[Row], y: Any, standardises: bool, sample_weight: Any = None, class_weight: Any = None
    ) -> tuple[Schema, list[Target], list[float] | None]:
        """(the schema of these training data, targets, weights): what is known already holds for good.

        ``standardises``: whether outputs may stand for standardised targets.
        """
        schema, labels = self, [0] * len(rows)  # type: tuple[Schema, list[Label]]
        if self.task == "classification":
            y = labels = as_labels(y, "y", len(rows), self.classes)
            schema = self if self.classes else self.with_classes(labels)
        targets = schema.targets(y, "y", len(rows))
        from .weighting import sample_weights

        weights = sample_weights(labels, schema.classes, sample_weight, class_weight)
        scaling = self.scaling or Scaling.fit(rows, self.scaling_kind, weights)
        of_targets = self.target_scaling or schema._fit_targets(scaling, rows, targets, standardises, weights)
        return schema._replace(scaling=scaling, target_scaling=of_targets), targets, weights

    def _fit_targets(
        self,
        scaling: Scaling,
        rows: Sequence[Row],
        targets: Sequence[Any],
        standardises: bool,
        weights: Sequence[float] | None,
    ) -> Scaling:
        """What the network's outputs stand for."""
        standard = self.target_scaling_kind == "standard"
        if not standard and (self.target_scaling_kind == "none" or not standardises):
            return Scaling("none")
        tables = 1 < self.output_size == self.width
        if tables and not standard and all(list(row) == target for row, target in zip(rows, targets)):
            return scaling  # an autoencoder gives back what it is given: its inputs, as it sees them
        return Scaling.fit_targets(targets, weights)

    # --- raw data in -----------------------------------------------------------------------------------------

    def rows(self, X: Any, name: str = "X") -> Sequence[Row]:
        """The rows of ``X``, checked; a DataFrame's columns in the order that they had when the model learned."""
        if self.feature_names:
            X = in_column_order(X, self.feature_names, name)
        return as_rows(X, name, self.width, self.input_shape)

    def inputs(self, rows: Sequence[Row]) -> tuple[Sequence[Row], float]:
        """(rows, factor) such that rows times factor are what the network reads."""
        return self.require_learned().raw(rows)

    def targets(self, y: Any, name: str, length: int) -> list[Target]:
        """What the outputs are to be, one entry a row of so many."""
        if self.task == "multilabel":
            return list(as_flags(y, self.output_size, name, length))
        if self.regression:
            return list(as_targets(y, self.output_size, name, length))
        numbers = class_numbers(as_labels(y, name, length, self.classes), self.classes, name)
        return [[float(k)] for k in numbers] if self.output_size == 1 else list(numbers)

    def training_batch(self, X: Any, y: Any, standardises: bool) -> tuple[Rows, list[Target]]:
        """(inputs, targets) as the network and the loss see them when they are fitted to raw rows and labels."""
        rows = self.rows(X)
        schema, targets, _ = self.learned(rows, y, standardises)
        of_targets = schema.target_scaling
        if of_targets is not None and of_targets.kind != "none":
            targets = [*of_targets.transform([t for t in targets if isinstance(t, list)])]
        return schema.require_learned().transform(rows), targets

    # --- outputs back ----------------------------------------------------------------------------------------

    def answers(self, outputs: Rows, loss: Any) -> list[Any]:
        """What a user reads: labels, rows of 0 and 1, or values in the unit of the targets."""
        if self.task == "classification":
            return [self.classes[k] for k in self._decided(outputs, loss)]
        if self.task == "multilabel":
            return self._flags(outputs, loss)
        values = self.values(outputs)
        return [row[0] for row in values] if self.output_size == 1 else values

    def values(self, outputs: Rows) -> Rows:
        """Outputs in the unit of the targets as they were given."""
        self.require_learned()
        assert self.target_scaling is not None  # it is learned together with that of features
        return self.target_scaling.undo(outputs)

    def probabilities(self, outputs: Rows, loss: Any) -> Rows:
        """Of each class, or of each label by itself; ``ArgumentError`` for regression."""
        if self.task == "multilabel":
            return loss.label_probabilities(outputs)  # type: ignore[no-any-return]
        probabilities: Rows | None = loss.probabilities(outputs) if self.task == "classification" else None
        if probabilities is None:
            raise ArgumentError("predict_proba needs a classifier, this model does regression")
        return probabilities

    def count_correct(self, outputs: Rows, targets: Sequence[Target], loss: Any) -> int | None:
        """How many rows of outputs name the right class, or all labels rightly; None for regression."""
        if self.regression:
            return None
        wanted: Sequence[Any] = targets
        if self.task == "multilabel":
            return sum(map(bool, map(_equal, self._flags(outputs, loss), wanted)))
        if self.output_size == 1:
            wanted = [target[0] for target in wanted]
        return sum(map(bool, map(_equal, self._decided(outputs, loss), wanted)))

    def _decided(self, outputs: Rows, loss: Any) -> list[int]:
        """The class number that each row of outputs names."""
        if self.output_size > 1:
            return [*map(list.index, outputs, map(max, outputs))]
        return [int(row[1] >= 0.5) for row in loss.probabilities(outputs) or []]

    def _flags(self, outputs: Rows, loss: Any) -> list[list[int]]:
        """Rows of 0 and 1: which labels are more probable than not."""
        return [[int(p >= 0.5) for p in row] for row in self.probabilities(outputs, loss)]

    # --- files -----------------------------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """As plain data, for a saved model. Targets that are left alone have no scaling there."""
        targets = self.target_scaling
        return {
            "task": self.task,
            "input_shape": list(self.input_shape),
            "classes": list(self.classes),
            "scaling_kind": self.scaling_kind,
            "scaling": self.scaling.to_dict() if self.scaling else None,
            "target_scaling_kind": self.target_scaling_kind,
            "target_scaling": None if targets is None or targets.kind == "none" else targets.to_dict(),
            "feature_names": list(self.feature_names),
            "label_name": self.label_name,
            "label_position": self.label_position,
        }

    @classmethod
    def from_plain(cls, parts: Mapping[str, Any], output_size: int) -> Schema:
        """From what ``to_plain`` gave, and ``model_format`` has checked."""
        scaling, targets = parts["scaling"], parts["target_scaling"]
        of_targets = Scaling.from_dict(targets) if targets else Scaling("none")
        return cls(
            parts["task"],
            tuple(parts["input_shape"]),
            output_size,
            parts["scaling_kind"],
            parts["target_scaling_kind"],
            tuple(parts["classes"]),
            Scaling.from_dict(scaling) if scaling else None,
            of_targets if scaling else None,
            tuple(parts["feature_names"]),
            parts["label_name"],
            parts["label_position"],
        )
