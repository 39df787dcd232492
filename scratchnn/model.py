"""``Model``: a network, its loss, and what it knows of its data, with fit, predict, score, save and load.

It checks what users hand in, scales features, turns labels into class numbers and back, and leaves the training loop
to ``training``, the mathematics to ``layers``, ``losses`` and an engine, and files to ``storage``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Union

from . import layers as layer_module
from . import linalg, storage
from .callbacks import History
from .errors import DataError, ModelFileError, NotFittedError
from .layers import (
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Shape,
    Sigmoid,
    Tanh,
    require_size,
    width,
)
from .losses import LOSSES, BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, MSELoss
from .optim import Optimizer, Schedule
from .preprocessing import Label, Row, Scaling, as_labels, as_rows, as_targets, class_numbers, find_classes
from .training import Training, TrainingData, check_pair, make_optimizer, sample_weights

Rows = list[list[float]]
Target = Union[int, list[float]]

ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}
TASKS = ("classification", "regression")
ENGINES = ("linalg",)
DEFAULT_ENGINE = "linalg"
CHUNK = 256  # rows that go through the network at once when it predicts: bounds memory, costs no speed


def find_engine(name: str) -> Any:
    """The number engine of that name; ``ValueError`` lists the known ones."""
    if name == "linalg":
        return linalg
    raise ValueError(f"unknown engine {name!r}: known are {', '.join(ENGINES)}")


def _choose(what: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}: known are {', '.join(known)}")
    return known[name]


def _hidden_sizes(hidden_size: int | Sequence[int]) -> list[int]:
    sizes = [hidden_size] if isinstance(hidden_size, int) else hidden_size
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise ValueError(f"hidden_size must be a whole number or a list of them, got {hidden_size!r}")
    return [require_size("hidden_size", size) for size in sizes]


def _perceptron(sizes: Sequence[int], activation: type[Layer], dropout: float, init: str | float) -> Sequential:
    """Linear, activation, (dropout,) again and again, and a last Linear."""
    stack: list[Layer] = []
    for inputs, outputs in zip(sizes[:-2], sizes[1:-1]):
        stack += [Linear(inputs, outputs, init=init), activation()]
        if dropout:
            stack.append(Dropout(dropout))
    return Sequential([*stack, Linear(sizes[-2], sizes[-1], init=init)])


class Model:
    """A multilayer perceptron, or with ``from_layers`` any stack of layers.

    ``input_size`` features go through one hidden layer of ``hidden_size`` units, or several if it is a list (none if
    that is empty), to ``output_size`` outputs: one a class, or one a number to be predicted. A classifier with one
    output tells two classes apart.

    Keyword arguments: ``activation`` (relu, leaky_relu, tanh, sigmoid), ``dropout`` (rate after each hidden layer),
    ``init`` ("auto": he for ReLUs and xavier otherwise; or as in ``Linear``), ``task`` ("classification" or
    "regression"), ``scaling`` (of features, see ``preprocessing.Scaling``), ``engine`` (what computes), ``seed``
    (same seed, same data: same result to the last bit). Raises ``ValueError`` for an argument that makes no sense.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int] = 100,
        output_size: int = 10,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        init: str | float = "auto",
        task: str = "classification",
        scaling: str = "auto",
        engine: str = DEFAULT_ENGINE,
        seed: int = 0,
    ) -> None:
        kind: type[Layer] = _choose("activation", activation, ACTIVATIONS)
        _choose("task", task, dict.fromkeys(TASKS))
        Dropout(dropout)  # checks the rate
        if init == "auto":
            init = "he" if kind in (ReLU, LeakyReLU) else "xavier"
        sizes = [
            require_size("input_size", input_size),
            *_hidden_sizes(hidden_size),
            require_size("output_size", output_size),
        ]
        loss: Loss = MSELoss()
        if task == "classification":
            loss = CrossEntropyLoss() if output_size > 1 else BCEWithLogitsLoss()
        self._assemble(_perceptron(sizes, kind, dropout, init), loss, task, (sizes[0],), scaling, engine, seed)

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[Layer],
        *,
        loss: str | Loss = "cross_entropy",
        input_shape: int | Sequence[int] | None = None,
        task: str | None = None,
        scaling: str = "auto",
        engine: str = DEFAULT_ENGINE,
        seed: int = 0,
    ) -> Model:
        """A model around any stack of layers.

        ``loss`` is a loss or its name (cross_entropy, nll, mse, bce, bce_with_logits). ``input_shape`` is the number of
        features or (channels, height, width); it is read off the first Linear if not given. ``task`` follows from the
        loss if not given: classification for cross-entropy and NLL, and for binary cross-entropy on a single output.
        Weights are drawn from ``seed``, but for layers that were given a generator of their own.
        """
        if isinstance(loss, str):
            loss = _choose("loss", loss, LOSSES)()
        if not isinstance(loss, Loss):
            raise ValueError(f"loss must be a Loss or the name of one ({', '.join(LOSSES)}), got {loss!r}")
        network = Sequential(layers)
        if not network.layers:
            raise ValueError("a model needs at least one layer")
        shape = cls._input_shape(network, input_shape)
        outputs = width(network.output_shape(shape))
        if task is None:
            binary = isinstance(loss, (BCELoss, BCEWithLogitsLoss)) and outputs == 1
            task = "classification" if binary else loss.task
        _choose("task", task, dict.fromkeys(TASKS))
        if task == "classification" and loss.probabilities([[0.0] * outputs]) is None:
            raise ValueError(f"{loss} with {outputs} outputs does not tell classes apart: use CrossEntropyLoss")
        model = cls.__new__(cls)
        model._assemble(network, loss, task, shape, scaling, engine, seed)
        return model

    @staticmethod
    def _input_shape(network: Sequential, given: int | Sequence[int] | None) -> Shape:
        if given is None:
            first = next((layer for layer in network.walk() if isinstance(layer, Linear)), None)
            if first is None:
                raise ValueError("input_shape is needed: there is no Linear layer to read it off")
            return (first.inputs,)
        numbers = [given] if isinstance(given, int) else list(given)
        return tuple(require_size("input_shape", number) for number in numbers)

    def _assemble(
        self,
        network: Sequential,
        loss: Loss,
        task: str,
        shape: Shape,
        scaling: str,
        engine: str,
        seed: int | None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.task = task
        self.input_shape = shape
        self.output_size = width(network.output_shape(shape))
        self.engine = engine
        self.ops = find_engine(engine)
        if scaling not in Scaling.KINDS:
            raise ValueError(f"unknown scaling {scaling!r}: known are {', '.join(Scaling.KINDS)}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise ValueError(f"seed must be a whole number, or None for a different one each time, got {seed!r}")
        self.scaling_kind = scaling
        self.scaling: Scaling | None = None  # learned by the first fit
        self.classes: list[Label] = []  # learned by the first fit, too
        self.feature_names: list[str] = []
        self.label_name: str | None = None
        self.stop_training = False
        # Two generators, so that the starting weights do not depend on how often rows were shuffled.
        self._weight_rng = Random() if seed is None else Random(f"weights {seed}")
        self._order_rng = Random() if seed is None else Random(f"order {seed}")
        network.use(self.ops)
        network.initialise(self._weight_rng)

    # --- what it is ----------------------------------------------------------------------------------------

    @property
    def input_size(self) -> int:
        """Features a row."""
        return width(self.input_shape)

    @property
    def parameter_count(self) -> int:
        """How many numbers training can change."""
        return sum(math.prod(self.ops.shape(p.value)) for p in self.network.parameters())

    @property
    def weights(self) -> list[Any]:
        """A copy of all parameters in the order of the layers: weights as lists of rows, biases as lists of numbers."""
        values = []
        for parameter in self.network.parameters():
            rows = [list(row) for row in self.ops.to_rows(parameter.value)]
            values.append(rows[0] if parameter.name == "bias" else rows)
        return values

    @weights.setter
    def weights(self, values: Sequence[Any]) -> None:
        parameters = self.network.parameters()
        if len(values) != len(parameters):
            raise ValueError(f"weights needs {len(parameters)} matrices and vectors, got {len(values)}")
        matrices = []
        for number, (parameter, value) in enumerate(zip(parameters, values)):
            rows = as_rows([value] if parameter.name == "bias" else value, f"weights[{number}]")
            came, expected = (len(rows), len(rows[0])), self.ops.shape(parameter.value)
            if came != expected:
                raise ValueError(f"weights[{number}] must be {expected[0]}x{expected[1]}, got {came[0]}x{came[1]}")
            matrices.append(self.ops.from_rows([[float(v) for v in row] for row in rows]))
        for parameter, matrix in zip(parameters, matrices):
            parameter.value = matrix

    def summary(self) -> str:
        """A table as text: each layer, its output shape and its number of parameters."""
        table = [("layer", "output shape", "parameters"), ("input", _shape_text(self.input_shape), "")]
        table += _summary_rows(self.network, self.input_shape, self.ops, "")
        table.append(("total", "", f"{self.parameter_count:,}"))
        widths = [max(len(row[column]) for row in table) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in table]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def __repr__(self) -> str:
        return f"Model({self.network!r}, loss={self.loss!r}, task={self.task!r}, engine={self.engine!r})"

    # --- data in -------------------------------------------------------------------------------------------

    def _learn_data(self, rows: Sequence[Row], y: Any) -> list[Target]:
        """Learn scaling and classes from the first training data, and turn ``y`` into targets."""
        classes: list[Label] = []
        if self.task == "classification":
            labels = as_labels(y, "y", len(rows))
            classes = self.classes or self._fitting_classes(labels)
        scaling = self.scaling or Scaling.fit(rows, self.scaling_kind)
        targets = self._targets(y, classes, len(rows))
        self.classes, self.scaling = classes, scaling
        return targets

    def _fitting_classes(self, labels: Sequence[Label]) -> list[Label]:
        """The classes of the labels. Labels that are numbers from 0 on may leave some of the outputs' classes out."""
        found = find_classes(labels)
        expected = max(self.output_size, 2)
        if len(found) < 2:
            raise DataError(f"y has a single class, {found[0]!r}: at least two are needed to learn from")
        if len(found) == expected:
            return found
        numbers = all(isinstance(c, int) and 0 <= c < expected for c in found)
        if numbers and len(found) < expected:
            return list(range(expected))
        raise DataError(
            f"y has {len(found)} classes, but the model has outputs for {expected}: set output_size={len(found)}"
        )

    def _targets(self, y: Any, classes: Sequence[Label], length: int) -> list[Target]:
        if self.task == "regression":
            return list(as_targets(y, self.output_size, "y", length))
        numbers = class_numbers(as_labels(y, "y", length), classes)
        return [[float(k)] for k in numbers] if self.output_size == 1 else list(numbers)

    def _require_fitted(self) -> Scaling:
        if self.scaling is None:
            raise NotFittedError("this model has not been fitted yet: call fit(X, y) first")
        return self.scaling

    def training_batch(self, X: Any, y: Any) -> tuple[Rows, list[Target]]:
        """(inputs, targets) as the network and the loss see them when they are fitted to raw rows and labels."""
        rows = as_rows(X, "X", self.input_size)
        targets = self._learn_data(rows, y)
        return self._require_fitted().transform(rows), targets

    # --- training ------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 10,
        lr: float | None = None,
        batch_size: int | None = 32,
        optimizer: str | Optimizer = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: Schedule | None = None,
        clip_norm: float | None = None,
        validation_data: tuple[Any, Any] | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[Label, float] | str | None = None,
        callbacks: Sequence[Any] = (),
        eval: int = 1,
        show_training_info: bool = False,
        shuffle: bool = True,
    ) -> History:
        """Train on rows ``X`` (samples x features) and labels ``y`` (one a row), and return the ``History``.

        A second call goes on from the weights of the first, with the scaling and the classes learned then.

        ``lr`` is 0.1 for SGD and 0.001 for Adam if not given. ``batch_size=None`` takes all rows at once (full-batch
        gradient descent). ``validation_data`` is a pair (X, y) that is measured after every epoch. ``sample_weight``
        is one number a row, ``class_weight`` a dict of class: weight or "balanced". ``show_training_info`` shows
        progress on standard error, a line every ``eval`` epochs. Raises ``DataError`` for data that cannot be learned
        from, ``ValueError`` for other arguments.
        """
        require_size("eval", eval)
        rows = as_rows(X, "X", self.input_size)
        sgd_settings = {"momentum": momentum, "nesterov": nesterov}
        rule = make_optimizer(optimizer, lr, sgd_settings, weight_decay)
        looking_on = list(callbacks)
        if show_training_info:
            from .progress import TrainingProgress

            looking_on.insert(0, TrainingProgress(every=eval))
        training = Training(
            self,
            rule,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            clip_norm=clip_norm,
            shuffled=shuffle,
            callbacks=looking_on,
        )
        targets = self._learn_data(rows, y)
        labels = as_labels(y, "y", len(rows)) if self.classes else [0] * len(rows)
        weights = sample_weights(labels, self.classes, sample_weight, class_weight)
        data = TrainingData(self._prepare(rows), targets, weights)
        validate = None
        if validation_data is not None:
            pair = check_pair(validation_data, "validation_data")
            held_out = self._evaluation_data(*pair, "validation_data")
            validate = lambda: self._evaluate(held_out)  # noqa: E731
        try:
            return training.run(data, validate, self._order_rng)
        finally:
            self.network.eval()

    def _prepare(self, rows: Sequence[Row]) -> Any:
        return self.ops.prepare(*self._require_fitted().raw(rows))

    def count_correct(self, outputs: Rows, targets: Sequence[Target]) -> int | None:
        """How many rows of outputs name the right class; None for regression."""
        if self.task == "regression":
            return None
        wanted = [target[0] if isinstance(target, list) else target for target in targets]
        return sum(k == target for k, target in zip(self._decide(outputs), wanted))

    def _decide(self, outputs: Rows) -> list[int]:
        """The class number that each row of outputs names."""
        if self.output_size > 1:
            return [row.index(max(row)) for row in outputs]
        return [int(row[1] >= 0.5) for row in self.loss.probabilities(outputs) or []]

    # --- using it ------------------------------------------------------------------------------------------

    def _outputs(self, prepared: Any) -> Rows:
        self.network.eval()
        outputs: Rows = []
        for first in range(0, len(prepared), CHUNK):
            indices = range(first, min(first + CHUNK, len(prepared)))
            outputs += self.ops.to_rows(self.network.forward(self.ops.take_rows(prepared, indices)))
        return outputs

    def _raw_outputs(self, X: Any) -> Rows:
        self._require_fitted()
        return self._outputs(self._prepare(as_rows(X, "X", self.input_size)))

    def predict(self, X: Any) -> list[Any]:
        """For each row of ``X`` (samples x features, raw) its class as given in training; for regression its value (a
        number, or a list where the model has several outputs). ``NotFittedError`` before ``fit``."""
        outputs = self._raw_outputs(X)
        if self.task == "classification":
            return [self.classes[k] for k in self._decide(outputs)]
        return [row[0] for row in outputs] if self.output_size == 1 else outputs

    def predict_proba(self, X: Any) -> Rows:
        """For each row of ``X`` the probability of every class, in the order of ``classes``."""
        outputs = self._raw_outputs(X)
        probabilities = self.loss.probabilities(outputs) if self.task == "classification" else None
        if probabilities is None:
            raise ValueError("predict_proba needs a classifier, this model does regression")
        return probabilities

    def _evaluation_data(self, X: Any, y: Any, name: str) -> TrainingData:
        rows = as_rows(X, f"X of {name}" if name else "X", self.input_size)
        self._require_fitted()
        return TrainingData(self._prepare(rows), self._targets(y, self.classes, len(rows)))

    def _evaluate(self, data: TrainingData) -> tuple[float, float | None]:
        outputs = self._outputs(data.prepared)
        correct = self.count_correct(outputs, data.targets)
        return self.loss.forward(outputs, data.targets), None if correct is None else correct / len(data)

    def evaluate(self, X: Any, y: Any) -> tuple[float, float | None]:
        """(mean loss, accuracy as a fraction) on rows and labels; the accuracy is None for regression."""
        return self._evaluate(self._evaluation_data(X, y, ""))

    def score(self, X: Any, y: Any) -> float:
        """The fraction of rows classified rightly; for regression R² = 1 - residual / total sum of squares."""
        data = self._evaluation_data(X, y, "")
        if self.task == "classification":
            accuracy = self._evaluate(data)[1]
            assert accuracy is not None
            return accuracy
        outputs = self._outputs(data.prepared)
        residual = math.fsum((o - t) ** 2 for row, target in zip(outputs, data.targets) for o, t in zip(row, target))
        means = [linalg.mean(column) for column in zip(*data.targets)]
        total = math.fsum((t - m) ** 2 for target in data.targets for t, m in zip(target, means))
        if not total:
            return 1.0 if not residual else 0.0
        return 1.0 - residual / total

    @staticmethod
    def get_accuracy(predictions: Any, y: Any) -> float:
        """The percentage (0 to 100) of predictions that equal the labels ``y``."""
        labels = as_labels(y)
        guesses = as_labels(predictions, "predictions")
        if not labels or len(labels) != len(guesses):
            raise DataError(
                f"accuracy needs as many predictions as labels, and at least one: got {len(guesses)} and {len(labels)}"
            )
        return 100.0 * sum(a == b for a, b in zip(guesses, labels)) / len(labels)

    # --- files ---------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, whole or not at all. Raises ``OSError`` if the place cannot be written."""
        loss_name = next((name for name, kind in LOSSES.items() if type(self.loss) is kind), None)
        if loss_name is None:
            raise ValueError(f"only a model with a loss of scratchnn can be saved, this one has {self.loss!r}")
        description = {
            "layers": [_layer_to_plain(layer) for layer in self.network],
            "loss": loss_name,
            "task": self.task,
            "input_shape": list(self.input_shape),
            "classes": list(self.classes),
            "scaling": self.scaling.to_dict() if self.scaling else None,
            "feature_names": list(self.feature_names),
            "label_name": self.label_name,
            "weights": [storage.pack_matrix(self.ops.to_rows(p.value)) for p in self.network.parameters()],
        }
        storage.save(path, description)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, engine: str = DEFAULT_ENGINE) -> Model:
        """The model that ``save`` wrote; ``ModelFileError`` if the file is not a whole model."""
        find_engine(engine)
        description = storage.load(path)
        try:
            return cls._from_description(description, engine)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(f"{os.fspath(path)}: the parts of this model do not fit together: {error}") from None

    @classmethod
    def _from_description(cls, description: dict[str, Any], engine: str) -> Model:
        network = Sequential([_layer_from_plain(plain) for plain in description["layers"]])
        shape = tuple(require_size("input_shape", number) for number in description["input_shape"])
        model = cls.__new__(cls)
        loss = LOSSES[description["loss"]]()
        model._assemble(network, loss, description["task"], shape, "auto", engine, 0)
        packed = description["weights"]
        parameters = network.parameters()
        if len(packed) != len(parameters):
            raise ValueError(f"{len(parameters)} weights expected, got {len(packed)}")
        for parameter, matrix in zip(parameters, packed):
            rows = storage.unpack_matrix(matrix)
            if tuple(matrix["shape"]) != tuple(model.ops.shape(parameter.value)):
                raise ValueError(
                    f"{parameter.name} of shape {matrix['shape']}, expected {model.ops.shape(parameter.value)}"
                )
            parameter.value = model.ops.from_rows(rows)
        model.classes = list(description["classes"])
        model.scaling = Scaling.from_dict(description["scaling"]) if description["scaling"] else None
        model.feature_names = list(description["feature_names"])
        model.label_name = description["label_name"]
        network.eval()
        return model


def _layer_to_plain(layer: Layer) -> dict[str, Any]:
    """A layer as plain data: the name of its class and its arguments."""
    kind = type(layer).__name__
    if getattr(layer_module, kind, None) is not type(layer):
        raise ValueError(f"only layers of scratchnn can be saved, not {kind}")
    if isinstance(layer, Sequential):
        return {"kind": kind, "layers": [_layer_to_plain(inner) for inner in layer]}
    return {"kind": kind, **layer.config()}


SAVEABLE = (
    "Linear",
    "ReLU",
    "LeakyReLU",
    "Tanh",
    "Sigmoid",
    "Softmax",
    "LogSoftmax",
    "Dropout",
    "Sequential",
)


def _layer_from_plain(plain: dict[str, Any]) -> Layer:
    """The layer that ``_layer_to_plain`` described."""
    arguments = dict(plain)
    kind = arguments.pop("kind")
    if kind not in SAVEABLE:
        raise ValueError(f"unknown layer {kind!r}")
    if kind == "Sequential":
        return Sequential([_layer_from_plain(inner) for inner in arguments["layers"]])
    layer: Layer = getattr(layer_module, kind)(**arguments)
    return layer


def _shape_text(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _summary_rows(network: Sequential, shape: Shape, ops: Any, indent: str) -> list[tuple[str, str, str]]:
    rows = []
    for layer in network:
        output = layer.output_shape(shape)
        if isinstance(layer, Sequential):
            rows.append((f"{indent}Sequential", _shape_text(output), ""))
            rows += _summary_rows(layer, shape, ops, indent + "  ")
        else:
            count = sum(math.prod(ops.shape(p.value)) for p in layer.parameters())
            rows.append((f"{indent}{type(layer).__name__}", _shape_text(output), f"{count:,}"))
        shape = output
    return rows
