"""Residual connections: layers that only learn what is to be added to their input."""

from __future__ import annotations

from ..errors import ArgumentError
from .base import NUMBER_BY_NUMBER, Layer, Sequential, Shape, shape_text, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import Matrix


class Residual(Sequential):
    """Layers one after another, whose output is added to their input: y = x + f(x).

    So f(x) must have the shape of x; the gradient of x is that of y plus what comes back through the layers. He et al.
    2016, "Deep Residual Learning for Image Recognition", equation 1. Everything else is as with ``Sequential``.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        named = next((layer for layer in self.in_line() if layer.reads_indices), None)
        if named is not None:
            raise ArgumentError(f"{named!r} cannot stand in Residual: there is nothing to add to what names a row")

    def forward(self, x: Matrix) -> Matrix:
        return self.ops.add(x, super().forward(x))

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        inside = super().backward(gradient, input_gradient)
        return self.ops.add(gradient, inside) if input_gradient else None

    def output_shape(self, input_shape: Shape) -> Shape:
        output = super().output_shape(input_shape)
        if output != tuple(input_shape):
            raise ArgumentError(
                f"Residual adds what its layers give to what they are given: {shape_text(output)} does not fit "
                f"{shape_text(input_shape)}"
            )
        return output

    def work(self, input_shape: Shape) -> int:
        return super().work(input_shape) + NUMBER_BY_NUMBER * width(input_shape)
