"""Fitted models made of numbers that somebody else has learned: what every import from another format ends in.

Layers bring their weights along; what the model is to know of its data (scalings, classes, names) is said beside them.
Everything is checked as it is in a file, so that a model made here can be saved and loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checks import in_order, shown
from ..engines.finding import DEFAULT_ENGINE
from ..errors import ArgumentError, DataError
from ..layers.base import Layer, Parameter, Sequential
from ..model import Model
from ..preprocessing.labels import as_labels
from ..preprocessing.rows import as_rows
from ..preprocessing.scaling import Scaling
from ..saving import model_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..losses import Loss
    from ..preprocessing.labels import Label


def fitted_model(
    layers: Sequence[Layer],
    *,
    task: str | None = None,
    loss: str | Loss | type[Loss],
    input_shape: int | Sequence[int],
    classes: Sequence[Label] = (),
    scaling: Scaling | None = None,
    target_scaling: Scaling | None = None,
    feature_names: Sequence[str] = (),
    label_name: str | None = None,
    label_position: int | None = None,
    engine: Any = DEFAULT_ENGINE,
    seed: int | None = 0,
) -> Model:
    """A model that predicts, saves and learns on as if it had been fitted to data, with the weights of ``layers``.

    ``layers`` have their weights (set by ``layer.weight.value = rows``, or by ``layers.weights.set_weights``) and
    become the model's own, as with ``Model.from_layers``, which has ``task``, ``loss``, ``input_shape``, ``engine``
    and ``seed``. ``classes`` are in the order of the outputs; a classifier that is given none has the numbers from 0
    on. ``scaling`` is what becomes of raw features before the first layer, ``target_scaling`` what a regression's
    outputs stand for; without them both are left alone. ``feature_names`` are the names of all features, or
    none; ``label_name`` and ``label_position`` (from 0, or -1 for the end) say which column of the file that was
    learned from had the label.

    Raises ``DataError`` for weights that are not finite, and ``ArgumentError`` for parts that do not fit each other.
    """
    scaling, target_scaling = scaling or Scaling("none"), target_scaling or Scaling("none")
    network = Sequential(layers)
    ops, taken = network.ops, _take_weights(network)
    model = Model.from_layers(
        network.layers,
        loss=loss,
        input_shape=input_shape,
        task=task,
        scaling=scaling.kind,
        # An autoencoder's targets may be scaled as its rows are, which nobody can ask for by name.
        target_scaling=target_scaling.kind if target_scaling.kind in Scaling.TARGET_KINDS else "auto",
        engine=engine,
        seed=seed,  # type: ignore[arg-type]
    )
    try:
        model.schema = model.schema._replace(
            classes=_classes(classes, model.task, model.output_size),
            scaling=_plain(scaling),
            target_scaling=_plain(target_scaling),
            feature_names=_names(feature_names),
            label_name=label_name,
            label_position=label_position,
        )
        _check(model)
    except (TypeError, ValueError):
        _give_back(network, ops, taken)
        raise
    model.network.eval()
    return model


def _check(model: Model) -> None:
    """``ArgumentError`` for what could not be saved and loaded."""
    try:
        model_format.described(model.network, model.loss, model.schema, model.seed)
    except ArgumentError as error:
        raise ArgumentError(str(error).replace("cannot be saved", "cannot be made", 1)) from None


def _give_back(network: Sequential, ops: Any, taken: list[tuple[Parameter, Any]]) -> None:
    """Leave layers that came to no model as they were handed over, so that they can be handed over again."""
    network.use(ops)
    for parameter, matrix in taken:
        parameter.value = matrix
    for layer in network.walk():
        layer.in_model = False


def _take_weights(network: Sequential) -> list[tuple[Parameter, Any]]:
    """Have the layers keep the weights that they have, as finite floats of the right shapes; returns these."""
    if any(layer.in_model for layer in network.walk()):
        raise ArgumentError("layers that belong to a model, which would be changed: hand over their copy()")
    parameters, ops, matrices = network.parameters(), network.ops, []
    for number, (parameter, expected) in enumerate(zip(parameters, network.parameter_shapes())):
        rows = as_rows(ops.to_rows(parameter.value), f"weights[{number}]")
        came = len(rows), len(rows[0])
        if came != expected:
            raise ArgumentError(
                f"weights[{number}] is {came[0]}x{came[1]}, the layers need {expected[0]}x{expected[1]}"
            )
        matrices.append(ops.from_rows([[float(v) for v in row] for row in rows]))
    for parameter, matrix in zip(parameters, matrices):
        parameter.value = matrix
    for layer in network.walk():
        layer.keeps_weights |= any(isinstance(value, Parameter) for value in vars(layer).values())
    return [*zip(parameters, matrices)]


def _classes(classes: Sequence[Label], task: str, outputs: int) -> tuple[Label, ...]:
    """Classes as a model keeps them: texts, whole numbers, bools."""
    if task != "classification":
        if len(classes):
            raise ArgumentError(f"classes are for a classifier, this model does {task}")
        return ()
    if not len(classes):
        return tuple(range(max(outputs, 2)))
    try:
        plain = as_labels(classes, "classes")
    except DataError as error:
        raise ArgumentError(str(error)) from None
    return tuple(int(label) if isinstance(label, float) and label.is_integer() else label for label in plain)


def _plain(scaling: Scaling) -> Scaling:
    """The same with numbers that are Python's own."""
    return Scaling(scaling.kind, [*map(float, scaling.means)], [*map(float, scaling.deviations)])


def _names(names: Sequence[str]) -> tuple[str, ...]:
    given = in_order(names)
    if given is None or not all(isinstance(name, str) for name in given):
        raise ArgumentError(f"feature_names must be a list of texts, got {shown(names)}")
    return tuple(map(str.__str__, given))
