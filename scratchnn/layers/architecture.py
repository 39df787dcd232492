"""Builds a network from names and sizes, and describes its layers as plain data for a file or as rows of a summary.

A saved model holds its layers as plain data, the name of each class and its arguments; only the classes listed here,
and those that the reader hands over, are ever made from a file.
"""

from __future__ import annotations

from _collections_abc import Sequence

from .. import defaults
from ..checks import MOST_NUMBERS, chosen, in_order, require_size, shown
from ..errors import ArgumentError
from . import ARGUMENTS
from .activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .base import Layer, Sequential, Shape, shape_text
from .linear import Dropout, Linear
from .weights import parameter_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ACTIVATIONS: dict[str, type[Layer]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "gelu": GELU,
    "silu": SiLU,
    "elu": ELU,
    "softplus": Softplus,
}
RECTIFIERS = (ReLU, LeakyReLU, GELU, SiLU, ELU, Softplus)  # nearly x above 0, and next to nothing below

# Functions of numbers that are one of these. (A function of the same name may be another one: these are known.)
_FUNCTIONS = {
    "math.tanh": "tanh",
    "scratchnn.elementary.sigmoid": "sigmoid",
    "scratchnn.elementary.tanh": "tanh",
    "scratchnn.linalg.relu": "relu",
    "scratchnn.linalg.sigmoid": "sigmoid",
}


def _class(name: str) -> Any:
    """The class of a layer that a file may name, None for any other; only now is its file loaded."""
    from .. import layers

    return getattr(layers, name) if name in ARGUMENTS else None


def find_activation(given: Any) -> Layer:
    """The activation that is meant by its name, its class, a layer such as ``LeakyReLU(0.2)``, or ``math.tanh``.

    ``ValueError`` says which there are.
    """
    if type(given) in ACTIVATIONS.values():
        return given  # type: ignore[no-any-return]
    if callable(given) and not isinstance(given, Layer):
        given = _FUNCTIONS.get(f"{getattr(given, '__module__', '')}.{getattr(given, '__name__', '')}", given)
    others = "; any other is a layer with forward and backward, for Model.from_layers" if callable(given) else ""
    return ACTIVATIONS[chosen("activation", given, ACTIVATIONS, others)]()


def hidden_sizes(hidden_size: int | Sequence[int]) -> list[int]:
    """One size a hidden layer, from a single number or a list of them."""
    if isinstance(hidden_size, str) or (
        not isinstance(hidden_size, (int, Sequence)) and not hasattr(hidden_size, "__index__")
    ):
        raise ArgumentError(f"hidden_size must be a whole number or a list of them, got {shown(hidden_size)}")
    sizes = hidden_size if isinstance(hidden_size, Sequence) else [hidden_size]
    return [require_size("hidden_size", size) for size in sizes]


def perceptron(sizes: Sequence[int], activation: Layer, dropout: float, init: str | float) -> Sequential:
    """Linear, activation, (dropout,) again and again, and a last Linear; ``sizes`` goes from inputs to outputs.

    ``activation`` is a pattern: each place gets a layer of its own. ``init`` "auto" chooses for each Linear by its
    place and size.
    """
    plain = layer_to_plain(activation)
    rectifies = isinstance(activation, RECTIFIERS)
    linears = []
    for place, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        rule = defaults.initialisation(inputs, outputs, rectifies and place > 0) if init == defaults.AUTO else init
        linears.append(Linear(inputs, outputs, init=rule))
    stack: list[Layer] = []
    for linear in linears[:-1]:
        stack += [linear, layer_from_plain(plain)]
        if dropout:
            stack.append(Dropout(dropout))
    return Sequential([*stack, linears[-1]])


def layer_to_plain(layer: Layer) -> dict[str, Any]:
    """A layer as plain data: the name of its class and its arguments."""
    kind = type(layer).__name__
    if _class(kind) is not type(layer):
        _check_own_layer(layer)
    elif isinstance(layer, Sequential):
        return {"kind": kind, "layers": [layer_to_plain(inner) for inner in layer]}
    return {"kind": kind, **layer.config()}


def layer_from_plain(plain: dict[str, Any], own: Mapping[str, type[Layer]] | None = None) -> Layer:
    """The layer that ``layer_to_plain`` described; ``own`` are classes that are not scratchnn's, by their names."""
    arguments = dict(plain)
    name = arguments.pop("kind")
    kind = _class(name) or (own or {})[name]
    if "layers" in ARGUMENTS.get(name, ()):
        arguments["layers"] = [layer_from_plain(inner, own) for inner in arguments["layers"]]
    layer: Layer = kind(**arguments)
    return layer


def own_layers(layers: Any) -> dict[str, type[Layer]]:
    """Classes of layers that are not scratchnn's, by their names; ``ArgumentError`` for what cannot be one of those."""
    own: dict[str, type[Layer]] = {}
    listed = in_order(layers)
    for kind in [layers] if listed is None else listed:
        if not isinstance(kind, type) or not issubclass(kind, Layer):
            raise ArgumentError(f"layers must be classes of layers of your own, such as [Mine], got {shown(kind)}")
        name = kind.__name__
        if _class(name) is kind:
            continue
        if name in ARGUMENTS:
            raise ArgumentError(f"a layer of your own cannot be called {name}: scratchnn has one of that name")
        if own.setdefault(name, kind) is not kind:
            raise ArgumentError(f"two classes of layers are called {name}: a file could not tell them apart")
    return own


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a text, or lists and dicts of those: what a file holds."""
    if type(value) is dict:
        return all(type(name) is str for name in value) and all(map(_is_plain, value.values()))
    return type(value) in (int, float, bool, str, type(None)) or (type(value) is list and all(map(_is_plain, value)))


def _left_out(kind: type[Layer], config: Mapping[str, Any]) -> list[str]:
    """The arguments that a class takes and ``config`` does not tell: they get their defaults."""
    from inspect import signature

    return [name for name in signature(kind).parameters if name not in config]


def _check_own_layer(layer: Layer) -> None:
    """``ArgumentError`` unless a layer of one's own can be made again from what its ``config`` says."""
    kind = type(layer)
    own_layers([kind])
    config = layer.config()
    try:
        again = kind(**config)
        same = again.config() == config and again.parameter_shapes() == layer.parameter_shapes()
        reason = "makes another layer"
        for name in _left_out(kind, config):
            here, there = getattr(layer, name, None), getattr(again, name, None)
            if _is_plain(here) and here != there:
                same, reason = False, f"makes one with {name} {shown(there)}, not {shown(here)}"
        if not _is_plain(config):
            same, reason = False, "needs what a file does not hold"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        same, reason = False, f"fails: {error}"
    if not same:
        raise ArgumentError(
            f"{kind.__name__} cannot be saved: {kind.__name__}(**config()) {reason}; config must return its arguments, "
            "as numbers, texts, lists and dicts of them"
        )


def gives_any_number(network: Sequential) -> bool:
    """Whether outputs may be of any size and sign: the last layer that changes numbers is linear."""
    from .convolution import AvgPool2D, Conv2D, Flatten, MaxPool2D

    passing = (Sequential, Dropout, Flatten, MaxPool2D, AvgPool2D)
    last = next((layer for layer in reversed(list(network.walk())) if not isinstance(layer, passing)), None)
    return type(last) in (Linear, Conv2D)


def summary(network: Sequential, shape: Shape) -> str:
    """A table as text: each layer, its output shape and its number of parameters."""
    table = [("layer", "output shape", "parameters"), ("input", shape_text(shape), "")]
    table += summary_rows(network, shape)
    count, learning = parameter_count(network), parameter_count(network, network.trainable_parameters())
    totals = [("total", "", f"{count:,}")]
    if learning < count:
        totals.append(("trainable", "", f"{learning:,}"))
    widths = [max(len(row[column]) for row in [*table, *totals]) for column in range(3)]
    rule = "-" * (sum(widths) + 4)
    text = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in [*table, *totals]]
    return "\n".join([text[0], rule, *text[1 : len(table)], rule, *text[len(table) :]])


def summary_rows(network: Sequential, shape: Shape, indent: str = "") -> list[tuple[str, str, str]]:
    """(layer, output shape, parameters) for every layer of a network whose input samples have this shape."""
    rows = []
    for layer in network:
        output = layer.output_shape(shape)
        if isinstance(layer, Sequential):
            rows.append((f"{indent}{type(layer).__name__}", shape_text(output), ""))
            rows += summary_rows(layer, shape, indent + "  ")
        else:
            count = parameter_count(layer)
            frozen = " (frozen)" if count and not layer.trainable else ""
            rows.append((f"{indent}{type(layer).__name__}{frozen}", shape_text(output), f"{count:,}"))
        shape = output
    return rows


def scaling_for(network: Sequential, scaling: str) -> str:
    """How features are to be scaled for a network: as it is asked for, but that indices never are.

    ``ArgumentError`` for another scaling of those, and where they would have to come out of another layer."""
    leaves = list(network.in_line())
    late = next((layer for layer in leaves[1:] if layer.reads_indices), None)
    if late is not None:
        raise ArgumentError(f"{late!r} must be the first layer: it reads rows of whole numbers as they were given")
    if not network.reads_indices:
        return scaling
    if scaling not in ("auto", "none"):
        raise ArgumentError(
            f"scaling {scaling!r} would change the whole numbers that {leaves[0]!r} reads: leave it out, or say 'none'"
        )
    return "none"


def find_input_shape(network: Sequential, given: int | Sequence[int] | None) -> Shape:
    """The shape of a sample, as it is given or read off the first Linear; ``ArgumentError`` if there is neither."""
    if given is None:
        first = next((layer for layer in network.walk() if isinstance(layer, Linear)), None)
        if first is None:
            raise ArgumentError("input_shape is needed: there is no Linear layer to read it off")
        # An Embedding in front of it makes several numbers of each.
        each = getattr(next(network.in_line()), "features", 1) if network.reads_indices else 1
        return (max(first.inputs // each, 1),)
    numbers = in_order(given)
    if numbers is None and hasattr(given, "__index__"):
        numbers = [given]
    if numbers is None:
        raise ArgumentError(f"input_shape must be a whole number or (channels, height, width), got {shown(given)}")
    if not 1 <= len(numbers) <= 3:
        raise ArgumentError(f"input_shape must be one to three sizes, got {len(numbers)}")
    return tuple(require_size("input_shape", number, most=MOST_NUMBERS) for number in numbers)


def frozen_layers(network: Sequential) -> list[int]:
    """Where in ``network.walk()`` the layers are that do not learn."""
    layers = enumerate(network.walk())
    return [place for place, layer in layers if not layer.trainable and not isinstance(layer, Sequential)]
