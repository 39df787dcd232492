"""PyTorch's names and layouts for the weights of a network: what ``state_dict`` of its twin there would hold.

The twin of a network is a ``torch.nn.Sequential`` with one module for each layer, in the same places, so that the
weight of the third layer is "2.weight", and of the first one inside a ``Sequential`` there "2.0.weight". A
``Residual`` has its layers' names as a ``Sequential`` would: its twin is a subclass of that,

    class Residual(torch.nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

and that of ``Embedding`` is ``torch.nn.Embedding`` with its output flattened to one row a sample. With a ``Flatten``
behind an ``Embedding``, and wherever images become rows, a plain ``torch.nn.Sequential`` does: here ``Flatten`` changes
nothing there, but it has a place of its own, as it has in PyTorch.

=========  =====================  ==================================  ===========================================
layer      ours                   there                               in its shape
=========  =====================  ==================================  ===========================================
Linear     weight                 weight                              (outputs, inputs)
Conv2D     weight                 weight                              (filters, channels, kernel height and width)
LayerNorm  weight, bias           weight, bias                        that of a sample
BatchNorm  weight, bias           weight, bias                        (features,)
           running_mean, ...      running_mean, running_var           (features,)
           (none)                 num_batches_tracked                 (), how many there were: 0 is written
Embedding  weight                 weight                              (count, features)
=========  =====================  ==================================  ===========================================

The shapes are those of the modules' documentation (https://docs.pytorch.org/docs/stable/nn.html).
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import listed, shown
from ..errors import ArgumentError, ModelFileError
from ..layers.base import Sequential, shape_text, width
from ..layers.convolution import Conv2D
from ..layers.embedding import Embedding
from ..layers.linear import Linear
from ..layers.normalisation import BatchNorm, LayerNorm
from ..saving import records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..layers.base import Layer, Shape
    from .safetensors import Tensor

WEIGHT_DTYPES = ("F64", "F32", "F16", "BF16")
COUNTER = "num_batches_tracked"


class Place(NamedTuple):
    """One parameter of a layer, and where its numbers are there: ``shape`` is theirs, ``matrix`` ours."""

    layer: Layer
    parameter: str
    name: str
    shape: tuple[int, ...]
    matrix: tuple[int, int]
    transposed: bool = False


def leaves(network: Sequential, shape: Shape, prefix: str = "") -> Iterator[tuple[str, Layer, Shape]]:
    """(name there, layer, shape of its input samples) for each layer that samples of this shape go through."""
    for position, layer in enumerate(network):
        name = f"{prefix}{position}"
        if isinstance(layer, Sequential):
            yield from leaves(layer, shape, f"{name}.")
        else:
            yield name, layer, shape
        shape = layer.output_shape(shape)


def places(network: Sequential, shape: Shape, names: Sequence[str] | None = None) -> list[Place]:
    """Where each of ``network.parameters()`` is there, in the same order. ``names`` are those of the layers with
    weights, one after the other, where they are not called by their positions."""
    with_weights = [leaf for leaf in leaves(network, shape) if leaf[1].parameter_shapes()]
    if names is not None:
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise ArgumentError(f"names must be a list of texts, got {shown(names)}")
        if len(names) != len(with_weights):
            raise ArgumentError(f"names must be those of {len(with_weights)} layers with weights, got {len(names)}")
        with_weights = [(name, layer, sample) for name, (_, layer, sample) in zip(names, with_weights)]
    return [place for leaf in with_weights for place in _of_layer(*leaf)]


def _of_layer(name: str, layer: Layer, sample: Shape) -> Iterator[Place]:
    """The parameters of one layer."""
    matrices = layer.parameter_shapes()
    if type(layer) is Linear:
        shapes: list[tuple[int, ...]] = [(layer.outputs, layer.inputs), (layer.outputs,)]
    elif type(layer) is Conv2D:
        shapes = [(layer.out_channels, layer.in_channels, *layer.kernel), (layer.out_channels,)]
    elif type(layer) is Embedding:
        shapes = [(layer.count, layer.features)]
    elif type(layer) is LayerNorm:
        shapes = [tuple(sample)] * 2
    elif type(layer) is BatchNorm:
        shapes = [(layer.features,)] * 4
    else:
        raise ArgumentError(f"PyTorch has no counterpart of {type(layer).__name__}, a layer with weights of your own")
    for parameter, shape, matrix in zip(PARAMETERS[type(layer)], shapes, matrices):
        theirs = "running_var" if parameter == "running_variance" else parameter
        transposed = parameter == "weight" and isinstance(layer, (Linear, Conv2D))
        yield Place(layer, parameter, f"{name}.{theirs}", shape, matrix, transposed)


PARAMETERS: dict[type[Layer], tuple[str, ...]] = {
    Linear: ("weight", "bias"),
    Conv2D: ("weight", "bias"),
    LayerNorm: ("weight", "bias"),
    BatchNorm: ("weight", "bias", "running_mean", "running_variance"),
    Embedding: ("weight",),
}


# --- there ---------------------------------------------------------------------------------------------------------


def state_dict(
    network: Sequential, shape: Shape, weights: Sequence[Mapping[str, Any]], dtype: str
) -> dict[str, Tensor]:
    """The tensors that a twin's ``load_state_dict`` takes, of packed matrices (see ``saving.records``)."""
    from .safetensors import Tensor

    tensors = {}
    for place, packed in zip(places(network, shape), weights):
        doubles = _doubles(packed["doubles"])
        if place.transposed:
            doubles = _transposed(doubles, place.matrix[1])
        if dtype == "F64":
            tensors[place.name] = Tensor(dtype, place.shape, _as_bytes(doubles))
        else:
            tensors[place.name] = _rounded(place, doubles, dtype)
        if place.parameter == "running_variance":
            tensors[_counter(place)] = Tensor.of([0], [], "I64")
    return tensors


def _rounded(place: Place, doubles: array[float], dtype: str) -> Tensor:
    from .safetensors import Tensor

    try:
        return Tensor.of(doubles, place.shape, dtype)
    except ArgumentError as error:
        raise ArgumentError(f"{place.name}: {error}") from None


def _counter(place: Place) -> str:
    return place.name.rpartition(".")[0] + "." + COUNTER


# --- and back ------------------------------------------------------------------------------------------------------


def packed_weights(
    places: Sequence[Place], tensors: Mapping[str, Tensor], missing_bias_is_zero: bool = False
) -> list[dict[str, Any]]:
    """A packed matrix for each place, in our layout. ``ModelFileError`` for tensors that are missing, left over or
    unlike what the place needs, before any is unpacked."""
    optional = {place.name for place in places if missing_bias_is_zero and _has_a_bias_to_add(place)}
    missing = [place.name for place in places if place.name not in tensors and place.name not in optional]
    known = {place.name for place in places}
    counters = {_counter(place) for place in places if place.parameter == "running_variance"}
    more = [name for name in tensors if name not in known and name not in counters]
    if missing or more:
        told = [f"{listed(missing)} missing"] if missing else []
        told += [f"{listed(more)} there, which no layer has"] if more else []
        raise ModelFileError(f"the tensors are not those of the layers: {'; '.join(told)}")
    for place in places:
        if place.name in tensors:
            _check(place, tensors[place.name])
    return [_packed(place, tensors.get(place.name)) for place in places]


def _has_a_bias_to_add(place: Place) -> bool:
    """Whether 0 may stand for it: it is the bias of what can be made with ``bias=False``."""
    return place.parameter == "bias" and isinstance(place.layer, (Linear, Conv2D))


def _check(place: Place, tensor: Tensor) -> None:
    if tensor.dtype not in WEIGHT_DTYPES:
        raise ModelFileError(
            f"{shown(place.name)} is of dtype {tensor.dtype}; weights are to be {', '.join(WEIGHT_DTYPES)}"
        )
    # A LayerNorm may look at an image as at one long row.
    flat = type(place.layer) is LayerNorm and tensor.shape == (width(place.shape),)
    if tensor.shape != place.shape and not flat:
        raise ModelFileError(
            f"{shown(place.name)} has the shape {shape_text(tensor.shape) or '()'}, {place.layer!r} needs "
            f"{shape_text(place.shape)}"
        )


def _packed(place: Place, tensor: Tensor | None) -> dict[str, Any]:
    if tensor is None:
        doubles = array("d", bytes(8 * place.matrix[0] * place.matrix[1]))
    elif tensor.dtype == "F64":
        doubles = _doubles(tensor.data)
    else:
        doubles = array("d", tensor.numbers())
    if place.transposed:
        doubles = _transposed(doubles, place.matrix[0])
    packed = {"shape": [*place.matrix], "doubles": _as_bytes(doubles)}
    try:
        records.finite_doubles(packed)
    except ModelFileError:
        raise ModelFileError(f"{shown(place.name)} has numbers that are not finite") from None
    return packed


def _doubles(data: bytes | memoryview) -> array[float]:
    """Little-endian doubles as numbers of this machine."""
    numbers = array("d")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _as_bytes(numbers: array[float]) -> bytes:
    """The way back; what was handed over is not used again."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _transposed(numbers: array[float], columns: int) -> array[float]:
    """The numbers of a matrix with so many columns, column after column."""
    turned = array("d")
    for column in range(columns):
        turned.extend(numbers[column::columns])
    return turned
