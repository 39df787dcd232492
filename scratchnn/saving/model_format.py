"""A model as plain data, and checking what a model file says before anything is made of it.

A saved model is described by plain data: its layers, loss, classes, scaling, weights. Whoever wrote the file may have
written anything, so every part is checked here for its type, its range, and whether it fits the others, and nothing
may be missing or left over. Every error is a ``ValueError`` of one line.
"""

from __future__ import annotations

from .. import checks
from ..checks import MOST_NUMBERS, MOST_SEEDS, require, require_known
from ..errors import ArgumentError
from ..layers import ARGUMENTS
from ..layers.architecture import frozen_layers, layer_from_plain, layer_to_plain, own_layers, scaling_for
from ..layers.base import MOST_LAYERS, Sequential, width
from ..losses import LOSSES, check_loss, loss_from_plain
from ..preprocessing.scaling import Scaling
from .records import finite_doubles, pack_matrix, packed_shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from ..layers.base import Layer, Shape
    from ..losses import Loss
    from ..preprocessing.schema import Schema

TASKS = ("classification", "regression", "multilabel")

# What a row may cost on its way through a network from a file, in multiply-adds, unless the caller allows more: what
# takes a fraction of a second, and so much for each byte of weights as convolutions over large images need.
WORK = 1 << 26
WORK_FOR_A_BYTE = 1 << 11

_PARTS: dict[str, tuple[type, ...]] = {
    "layers": (list,),
    "loss": (str,),
    "loss_arguments": (dict,),
    "task": (str,),
    "input_shape": (list,),
    "classes": (list,),
    "scaling_kind": (str,),
    "scaling": (dict, type(None)),
    "feature_names": (list,),
    "label_name": (str, type(None)),
    "label_position": (int, type(None)),
    "weights": (list,),
    "target_scaling_kind": (str,),
    "target_scaling": (dict, type(None)),  # None where targets are left alone
    "seed": (int, type(None)),
    "frozen": (list,),  # positions in Sequential.walk(), where 0 is the network itself, rising
}

# Parts that came with a version of the format, and what older files stand for.
_ADDED: dict[int, dict[str, Any]] = {
    3: {"target_scaling_kind": "auto", "target_scaling": None, "seed": 0, "frozen": []},
    4: {"loss_arguments": {}},  # no loss of before had any
}


def shown(value: Any) -> str:
    """A value from a file as it may stand in a message: of what holds others only how many."""
    inside = type(value) in (list, tuple, dict, bytes)
    return f"a {type(value).__name__} of {len(value)}" if inside else checks.shown(value)


def described(network: Sequential, loss: Loss, schema: Schema, seed: int | None) -> dict[str, Any]:
    """A model as plain data; ``ArgumentError`` for one that could not be read again."""
    loss_name = next((name for name, kind in LOSSES.items() if type(loss) is kind), None)
    if loss_name is None:
        raise ArgumentError(f"only a model with a loss of scratchnn can be saved, this one has {loss!r}")
    description = {
        "layers": [layer_to_plain(layer) for layer in network],
        "loss": loss_name,
        "loss_arguments": loss.config(),
        **schema.to_plain(),
        "weights": [pack_matrix(network.ops.to_rows(p.value)) for p in network.parameters()],
        "seed": seed,
        "frozen": frozen_layers(network),
    }
    try:
        check_description(description, own_layers([type(layer) for layer in network.in_line()]))
        check_fit(network, description)
    except ValueError as error:
        raise ArgumentError(f"this model cannot be saved: {error}") from None
    return description


def network_of(description: Any, own: Mapping[str, type[Layer]], max_work: int | None) -> tuple[Sequential, Loss]:
    """The network, without weights, and the loss that a file describes, after all of it has been checked."""
    check_description(description, own)
    plain = description["layers"]
    network = Sequential([layer_from_plain(layer, own) for layer in plain])
    if [layer_to_plain(layer) for layer in network] != plain:
        raise ValueError("the arguments of the layers are not written as save writes them")
    check_fit(network, description)  # before there are weights: sizes are believed where there are numbers for them
    check_work(network, description, max_work)
    kind = description["scaling_kind"]
    require(scaling_for(network, kind) == kind, f"a scaling_kind {kind!r} of rows that name things")
    loss, shape = _loss_of(description), tuple(description["input_shape"])
    check_loss(network, loss, description["task"], width(network.output_shape(shape)))
    return network, loss


def fill(network: Sequential, description: dict[str, Any]) -> None:
    """Give a built network the weights that a file describes, and freeze the layers that were frozen."""
    layers = list(network.walk())
    for position in description["frozen"]:
        layers[position].trainable = False
    for parameter, packed in zip(network.parameters(), description.pop("weights")):
        parameter.value = network.ops.from_doubles(finite_doubles(packed), packed_shape(packed))


def brought_up_to_date(description: Any, version: int) -> Any:
    """What a file of this version describes, with the parts that came later; ``ValueError`` if it has one of them."""
    later = [parts for since, parts in _ADDED.items() if since > version]
    if type(description) is dict:
        for name, value in (item for parts in later for item in parts.items()):
            require(name not in description, f"there is an unknown part, {shown(name)}")
            description[name] = type(value)(value) if type(value) in (list, dict) else value
    return description


def check_description(description: Any, own: Collection[str] = ()) -> None:
    """``ValueError`` unless this describes a model: all its parts, of the right types, within bounds. ``own`` are the
    names of layers that are not scratchnn's."""
    require(type(description) is dict, f"a dict of parts was expected, got {shown(description)}")
    for name, types in _PARTS.items():
        require(name in description, f"the part {name!r} is missing")
        value = description[name]
        expected = " or ".join(kind.__name__ for kind in types)
        require(type(value) in types, f"{name} is to be of type {expected}, got {shown(value)}")
    unknown = next((name for name in description if name not in _PARTS), None)
    require(unknown is None, f"there is an unknown part, {shown(unknown)}")
    require_known("loss", description["loss"], LOSSES)
    _loss_of(description)
    require_known("task", description["task"], TASKS)
    require_known("scaling_kind", description["scaling_kind"], Scaling.KINDS)
    require_known("target_scaling_kind", description["target_scaling_kind"], Scaling.TARGET_KINDS)
    require(bool(description["layers"]), "a model needs at least one layer")
    _check_layers(description["layers"], 0, own)
    _check_shape(description["input_shape"])
    _check_classes(description["classes"])
    require(set(map(type, description["feature_names"])) <= {str}, "feature_names are to be texts")
    seed = description["seed"]
    require(seed is None or 0 <= seed < MOST_SEEDS, f"seed is to be from 0 to 2**128 - 1, got {shown(seed)}")


def _loss_of(description: dict[str, Any]) -> Loss:
    return loss_from_plain(description["loss"], description["loss_arguments"])


def _check_layers(layers: list[Any], before: int, own: Collection[str] = ()) -> int:
    """Check a list of layers, ``before`` of which were met elsewhere; returns how many there are now."""
    count = before
    for layer in layers:
        count += 1
        require(count <= MOST_LAYERS, f"more than {MOST_LAYERS} layers")
        require(type(layer) is dict, f"a layer is to be a dict, got {shown(layer)}")
        kind = layer.get("kind")
        if type(kind) is str and kind in own:
            continue  # its constructor knows its arguments, and nobody else
        hint = "hand over one of your own, as in Model.load(path, layers=[Mine])"  # first, as a message may be cut off
        known = type(kind) is str and kind in ARGUMENTS
        require(known, f"unknown layer {shown(kind)}: {hint}; known are {', '.join(ARGUMENTS)}")
        unknown = next((name for name in layer if name != "kind" and name not in ARGUMENTS[kind]), None)
        require(unknown is None, f"{kind} has an unknown argument, {shown(unknown)}")
        for name, types in ARGUMENTS[kind].items():
            require(name in layer, f"{name} of {kind} is missing")
            check_argument(kind, name, layer[name], types)
        if "layers" in ARGUMENTS[kind]:
            count = _check_layers(layer["layers"], count, own)
    return count


def check_argument(kind: str, name: str, value: Any, types: tuple[type, ...]) -> None:
    """``ValueError`` for an argument of a layer that is of another type than these."""
    fine = type(value) in types
    if type(value) is list and name != "layers":
        fine = fine and len(value) == 2 and {*map(type, value)} == {int}
    require(fine, f"{name} of {kind} cannot be {shown(value)}")


def _check_shape(shape: list[Any]) -> None:
    """The sizes of one sample; their product is looked at where the layers are."""
    sizes = 1 <= len(shape) <= 3 and all(type(size) is int and 0 < size <= MOST_NUMBERS for size in shape)
    require(sizes, f"input_shape is to be one to three sizes from 1 to {MOST_NUMBERS}")


def _check_classes(classes: list[Any]) -> None:
    """Class labels are all texts, or all whole numbers of at most 64 bits (hashes of longer ones can be chosen)."""
    kinds = {*map(type, classes)}
    require(kinds <= {str} or kinds <= {int, bool}, "classes are to be all texts or all whole numbers")
    if int in kinds:
        require(all(-(1 << 63) <= label < 1 << 63 for label in classes), "a class label of more than 64 bits")
    require(len({*classes}) == len(classes), "the same class twice")


def check_fit(network: Sequential, description: dict[str, Any]) -> None:
    """``ValueError`` unless the parts of a checked description fit each other; ``network`` is made of its layers."""
    inputs, outputs = check_sizes(network, tuple(description["input_shape"]))
    _check_weights(network.parameter_shapes(), description["weights"])
    _check_frozen(network, description["frozen"])
    _check_learned(description, inputs, outputs)
    _check_target_scaling(description, outputs)


def check_sizes(network: Sequential, shape: Shape) -> tuple[int, int]:
    """(numbers in, numbers out) of a network for samples of this shape; ``ValueError`` where they are too many."""
    inputs = outputs = _checked_width("input_shape", shape)
    for layer in network.in_line():
        shape = layer.output_shape(shape)
        outputs = _checked_width(type(layer).__name__, shape)
    return inputs, outputs


def _checked_width(what: str, shape: Shape) -> int:
    size = width(shape)
    if size > MOST_NUMBERS:
        raise ArgumentError(f"{what} of {shown(size)} numbers a sample; at most {MOST_NUMBERS} are possible")
    return size


def check_work(network: Sequential, description: dict[str, Any], max_work: int | None) -> None:
    """``ValueError`` if a row takes more multiply-adds than ``max_work``, or without it than these weights can need.

    Layers that look at little and compute much cost nothing to write down: without a limit a file of a few hundred
    bytes would keep a machine busy for ever.
    """
    work = network.work(tuple(description["input_shape"]))
    given = sum(len(matrix["doubles"]) for matrix in description["weights"])
    most = WORK + WORK_FOR_A_BYTE * given if max_work is None else max_work
    require(
        work <= most,
        f"a row would take about {work:,} multiply-adds, and at most {most:,} are accepted: "
        "hand over a larger max_work to load it all the same",
    )


def _check_weights(expected: list[tuple[int, int]], packed: list[Any]) -> None:
    require(len(packed) == len(expected), f"{len(expected)} weights expected, got {len(packed)}")
    for number, (shape, matrix) in enumerate(zip(expected, packed)):
        came = packed_shape(matrix)
        require(came == shape, f"weights[{number}] is {came[0]}x{came[1]}, the layers need {shape[0]}x{shape[1]}")


def _check_frozen(network: Sequential, frozen: list[Any]) -> None:
    """Positions of layers that do not learn: those of layers there are, each once, in order."""
    layers = list(network.walk())
    before = -1
    for position in frozen:
        known = type(position) is int and before < position < len(layers)
        require(
            known and not isinstance(layers[position], Sequential),
            f"frozen is to list positions of layers, rising, of {len(layers)} and none of a Sequential: "
            f"got {shown(position)}",
        )
        before = position


def _check_learned(description: dict[str, Any], inputs: int, outputs: int) -> None:
    """What was learned from the data: scaling, classes, and the columns of the file."""
    scaling, classes, position = description["scaling"], description["classes"], description["label_position"]
    expected = max(outputs, 2) if description["task"] == "classification" and scaling is not None else 0
    require(len(classes) == expected, f"{expected} classes expected, got {len(classes)}")
    if scaling is not None:
        learned = Scaling.from_dict(scaling)
        asked_for = description["scaling_kind"]
        require(asked_for in ("auto", learned.kind), f"scaling {asked_for!r} was asked for, {learned.kind!r} is there")
        columns = len(learned.means)
        require(learned.kind != "standard" or columns == inputs, f"scaling of {columns} columns, expected {inputs}")
    names = len(description["feature_names"])
    require(names in (0, inputs), f"{names} feature_names for {inputs} features")
    require(position is None or -inputs - 1 <= position <= inputs, f"a label_position of {shown(position)}")


def _check_target_scaling(description: dict[str, Any], outputs: int) -> None:
    """What was learned of regression targets."""
    scaling, asked_for = description["target_scaling"], description["target_scaling_kind"]
    if scaling is None:
        fitted = description["scaling"] is not None
        require(not fitted or asked_for != "standard", "target_scaling 'standard' was asked for, none is there")
        return
    learned = Scaling.from_dict(scaling)
    require(description["scaling"] is not None, "a target_scaling, but no scaling of features")
    fitting = description["task"] == "regression" and description["loss"] == "mse" and learned.kind != "none"
    require(fitting, f"target_scaling {learned.kind!r} is for regression with the loss mse")
    fine = asked_for in ("auto", learned.kind)
    require(fine, f"target_scaling {asked_for!r} was asked for, {learned.kind!r} is there")
    columns = len(learned.means)
    right = learned.kind != "standard" or columns == outputs
    require(right, f"target_scaling of {columns} columns, expected {outputs}")
