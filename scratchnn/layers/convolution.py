"""Layers for images: convolution, pooling, and the step from images to plain rows.

A batch is the same matrix as everywhere, one sample a row; an image in it is flat, channel after channel, each row by
row. So these layers have to be told the (channels, height, width) of their input: a ``Model`` with an ``input_shape``
does that, and so does ``build`` of a ``Sequential`` or of the layer itself, or the argument ``input_shape``.
"""

from __future__ import annotations

from ..checks import MOST_NUMBERS, in_order, require_size, shown
from ..engines.sliding_window import Pair, Window, pair
from ..errors import ArgumentError
from .base import NUMBER_BY_NUMBER, Layer, Shape, shape_text, width
from .linear import WeightedLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random
    from typing import Any

    from ..engines.sliding_window import Sizes
    from .base import Matrix


def _short(sizes: Pair) -> int | list[int]:
    """One number for two equal ones: how a user would have written it."""
    return sizes[0] if sizes[0] == sizes[1] else list(sizes)


class WindowLayer(Layer):
    """What layers share that slide a window over images: its sizes, and the images' sizes once they are known."""

    def __init__(self, kernel: Sizes, stride: Sizes, padding: Sizes) -> None:
        name = type(self).__name__
        self.kernel = pair(f"kernel of {name}", kernel)
        self.stride = pair(f"stride of {name}", stride)
        self.padding = pair(f"padding of {name}", padding, 0)
        self._check_padding()
        self._window: Window | None = None

    def _build_at_once(self, input_shape: Iterable[int] | None) -> None:
        """``build`` for what a constructor was told, if it was."""
        if input_shape is None:
            return
        shape = in_order(input_shape)
        if shape is None:
            name = type(self).__name__
            raise ArgumentError(f"input_shape of {name} must be (channels, height, width), got {shown(input_shape)}")
        self.build(tuple(shape))

    def _check_padding(self) -> None:
        """``ValueError`` where the window would see nothing but padding."""
        if self.padding[0] >= self.kernel[0] or self.padding[1] >= self.kernel[1]:
            raise ArgumentError(
                f"padding of {type(self).__name__} must be smaller than its kernel of {self.kernel[0]} x "
                f"{self.kernel[1]}, got {self.padding[0]} x {self.padding[1]}"
            )

    @property
    def window(self) -> Window:
        """The window over images of known size; ``ValueError`` before that size is known."""
        if self._window is None:
            raise ArgumentError(
                f"{self!r} does not know the size of its images: give it input_shape=(channels, height, width), "
                "or call build with it"
            )
        return self._window

    def _channels_out(self, channels: int) -> int:
        """How many channels come out where ``channels`` go in; ``ValueError`` if so many cannot."""
        return channels

    def output_shape(self, input_shape: Shape) -> Shape:
        """(channels, height, width) of an output image for input images of ``input_shape``."""
        window = self._window_over(input_shape)
        return (self._channels_out(window.channels), *window.output)

    def work(self, input_shape: Shape) -> int:
        window = self._window_over(input_shape)
        return window.work(self._filters(window.channels))

    def _filters(self, channels: int) -> int:
        """How many outputs are computed from each number that a window sees."""
        return 1

    def build(self, input_shape: Shape) -> None:
        window, known = self._window_over(input_shape), self._window
        if known is None:
            self._window = window
        elif (known.channels, *known.image) != (window.channels, *window.image):
            # Another network, or this one's model, counts on the images that it has now.
            raise ArgumentError(
                f"{self!r} takes images of {shape_text((known.channels, *known.image))} already and cannot take "
                f"{shape_text((window.channels, *window.image))} as well: make a new layer for those"
            )

    def _window_over(self, input_shape: Shape) -> Window:
        if len(input_shape) != 3:
            raise ArgumentError(
                f"{self!r} needs images of shape (channels, height, width), got {shown(tuple(input_shape))}: name the "
                "shape of the images as input_shape, and put Linear layers behind all layers for images"
            )
        channels, height, width = (require_size("input_shape", number) for number in input_shape)
        self._channels_out(channels)
        try:
            return Window(channels, height, width, self.kernel, self.stride, self.padding)
        except ValueError as error:
            raise ArgumentError(f"{self!r}: {error}") from None

    def config(self) -> dict[str, Any]:
        return {"kernel": _short(self.kernel), "stride": _short(self.stride), "padding": _short(self.padding)}


class Conv2D(WindowLayer, WeightedLayer):
    """Each output channel is a filter: at every position a weighted sum of what a window sees in all input channels.

    ``kernel``, ``stride`` and ``padding`` (zeros on every side) are one number or a pair (height, width). ``weight`` is
    (in_channels·kernel height·kernel width) x out_channels, ``bias`` 1 x out_channels. ``init`` and ``rng`` as in
    ``Linear``, where a filter's inputs are the numbers that its window sees. As in all libraries the kernel is not
    turned round: strictly this is a cross-correlation. LeCun et al. 1998, "Gradient-Based Learning Applied to Document
    Recognition", section II.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        *,
        init: str | float = "he",
        rng: Random | None = None,
        input_shape: Iterable[int] | None = None,
    ) -> None:
        self.in_channels = require_size("in_channels of Conv2D", in_channels, most=MOST_NUMBERS)
        self.out_channels = require_size("out_channels of Conv2D", out_channels, most=MOST_NUMBERS)
        super().__init__(kernel, stride, padding)
        taps = self.kernel[0] * self.kernel[1]
        self._make_parameters(self.in_channels * taps, self.out_channels, init, rng, self.out_channels * taps)
        self._build_at_once(input_shape)

    def forward(self, x: Matrix) -> Matrix:
        weight, bias = self.parameters()
        self.x = x
        return self.ops.convolve(x, weight.value, bias.value, self.window)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        learns, ops = self.trainable, self.ops
        self.weight.gradient = ops.convolve_weights(self.x, gradient, self.window) if learns else None
        self.bias.gradient = ops.sum_channels(gradient, self.out_channels) if learns else None
        return ops.convolve_inputs(gradient, self.weight.value, self.window) if input_gradient else None

    def _filters(self, channels: int) -> int:
        return self.out_channels

    def _channels_out(self, channels: int) -> int:
        if channels != self.in_channels:
            raise ArgumentError(
                f"{self!r} expects images of {self.in_channels} channel{'s' * (self.in_channels != 1)}, got {channels} "
                "(shapes are channels, height, width)"
            )
        return self.out_channels

    def config(self) -> dict[str, Any]:
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            **super().config(),
            "init": self.init,
        }


class PoolingLayer(WindowLayer):
    """What the two poolings share: a window that by default moves on by its own size, in every channel by itself."""

    def __init__(
        self,
        kernel: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        *,
        input_shape: Iterable[int] | None = None,
    ) -> None:
        super().__init__(kernel, kernel if stride is None else stride, padding)
        self._build_at_once(input_shape)

    def _check_padding(self) -> None:
        if 2 * self.padding[0] > self.kernel[0] or 2 * self.padding[1] > self.kernel[1]:
            raise ArgumentError(
                f"padding of {type(self).__name__} may be at most half its kernel of {self.kernel[0]} x "
                f"{self.kernel[1]}, got {self.padding[0]} x {self.padding[1]}"
            )


class MaxPool2D(PoolingLayer):
    """The largest number that a window sees, in each channel. Its gradient goes to that number alone.

    Of equal numbers the first one counts. The padding is never the largest.
    """

    def _filters(self, channels: int) -> int:
        return NUMBER_BY_NUMBER  # they are compared, and for each it is kept whether it was the largest

    def forward(self, x: Matrix) -> Matrix:
        output, self.choices = self.ops.max_pool(x, self.window)
        return output

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.max_pool_inputs(gradient, self.choices, self.window)


class AvgPool2D(PoolingLayer):
    """The mean of what a window sees, in each channel. The padding counts as zeros."""

    def forward(self, x: Matrix) -> Matrix:
        return self.ops.average_pool(x, self.window)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.average_pool_inputs(gradient, self.window)


class Flatten(Layer):
    """From images to plain rows. Images are flat rows already, so this only changes the shape that others see."""

    def forward(self, x: Matrix) -> Matrix:
        return x

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return gradient

    def output_shape(self, input_shape: Shape) -> Shape:
        return (width(input_shape),)
