"""A network's weights as plain numbers: read, counted, and replaced."""

from __future__ import annotations

import math

from ..errors import ArgumentError
from ..preprocessing.rows import as_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .base import Layer, Parameter


def parameter_count(layer: Layer, parameters: Sequence[Parameter] | None = None) -> int:
    """How many numbers there are in the parameters of a layer, or of a network: in all of them, or in some."""
    chosen = layer.parameters() if parameters is None else parameters
    return sum(math.prod(layer.ops.shape(parameter.value)) for parameter in chosen)


def _is_vector(layer: Layer, parameter: Parameter) -> bool:
    """Whether its numbers are shown as one list. Others may call a whole matrix bias, too."""
    return parameter.name == "bias" and layer.ops.shape(parameter.value)[0] == 1


def weights_of(network: Layer) -> list[Any]:
    """A copy of all parameters in the order of the layers: weights as lists of rows, biases as lists of numbers."""
    values = []
    for parameter in network.parameters():
        rows = [list(row) for row in network.ops.to_rows(parameter.value)]
        values.append(rows[0] if _is_vector(network, parameter) else rows)
    return values


def set_weights(network: Layer, values: Any) -> None:
    """Replace all parameters by what ``weights_of`` gives; ``ValueError`` for other shapes, before any is replaced."""
    parameters, matrices = network.parameters(), []
    if not isinstance(values, (list, tuple)):
        raise ArgumentError(f"weights must be a list of matrices and vectors, got {type(values).__name__}")
    if len(values) != len(parameters):
        raise ArgumentError(f"weights needs {len(parameters)} matrices and vectors, got {len(values)}")
    for number, (parameter, value) in enumerate(zip(parameters, values)):
        rows = as_rows([value] if _is_vector(network, parameter) else value, f"weights[{number}]")
        came, expected = (len(rows), len(rows[0])), network.ops.shape(parameter.value)
        if came != expected:
            raise ArgumentError(f"weights[{number}] must be {expected[0]}x{expected[1]}, got {came[0]}x{came[1]}")
        matrices.append(network.ops.from_rows([[float(v) for v in row] for row in rows]))
    for parameter, matrix in zip(parameters, matrices):
        parameter.value = matrix


def digest(network: Layer) -> str:
    """A SHA-256 of all weights: of each matrix "rows x columns", and its numbers as little-endian doubles.

    Two networks have the same digest if, and only if, their weights are the same to the last bit.
    """
    from ..saving import records

    found = records.sha256()
    for parameter in network.parameters():
        packed = records.pack_matrix(network.ops.to_rows(parameter.value))
        found.update("{} x {}\n".format(*packed["shape"]).encode())
        found.update(packed["doubles"])
    return str(found.hexdigest())
