"""The geometry of a window that slides over images: what convolution and pooling share, without any arithmetic.

An image is a flat row of numbers, channel after channel, each row by row from the top. A ``Window`` knows the sizes of
an image, of what slides over it and of what comes out, and which numbers of the row each position of the window sees.

    >>> Window(1, 3, 3, kernel=2).patches
    [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
"""

from __future__ import annotations

from ..checks import MOST_NUMBERS, in_order, require_size, shown
from ..errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from functools import cached_property
    from typing import Any, Union

    Sizes = Union[int, Iterable[int]]  # one number for height and width, or a pair of them
else:

    class cached_property:  # as that of functools, which takes longer to load than all of this file
        def __init__(self, make: Callable[[Any], Any]) -> None:
            self.make = make
            self.__doc__ = make.__doc__

        def __get__(self, owner: Any, kind: Any = None) -> Any:
            value = vars(owner)[self.make.__name__] = self.make(owner)
            return value


Pair = tuple[int, int]

# What things cost, in multiply-adds of the fast engine (about 3 ns): measured, and rounded to powers of two.
_MOVE = 512  # moving all of an image once, however small it is
_LOOKUP = 16  # finding one number in the tables


def pair(what: str, value: Any, least: int = 1) -> Pair:
    """(height, width) from one number for both or from two; ``ValueError`` says which argument was wrong.

    No kernel can be larger than an image, and no step or padding need be.
    """
    numbers = in_order(value)
    if numbers is not None:
        if len(numbers) != 2:
            raise ArgumentError(f"{what} must be a whole number or a pair (height, width), got {shown(value)}")
        height = require_size(f"height of {what}", numbers[0], least, MOST_NUMBERS)
        return height, require_size(f"width of {what}", numbers[1], least, MOST_NUMBERS)
    number = require_size(what, value, least, MOST_NUMBERS)
    return number, number


class Window:
    """A window of ``kernel`` (height, width) that moves over images in steps of ``stride``.

    The images have ``channels`` x ``height`` x ``width`` numbers, and ``padding`` rows of zeros at the top and at the
    bottom, columns of zeros at the left and at the right. Kernel, stride and padding are one number or a pair (height,
    width). Raises ``ValueError`` for sizes that make no sense, with the numbers, and for images of more than
    ``MOST_NUMBERS`` with their padding.
    """

    def __init__(
        self, channels: int, height: int, width: int, kernel: Sizes, stride: Sizes = 1, padding: Sizes = 0
    ) -> None:
        self.channels = require_size("channels", channels)
        self.image = require_size("height", height), require_size("width", width)
        self.kernel = pair("kernel", kernel)
        self.stride = pair("stride", stride)
        self.padding = pair("padding", padding, 0)
        height, width = self.image
        self.padded = height + 2 * self.padding[0], width + 2 * self.padding[1]
        if self.kernel[0] > self.padded[0] or self.kernel[1] > self.padded[1]:
            padded = f" (padded to {self.padded[0]} x {self.padded[1]})" if self.padding != (0, 0) else ""
            raise ArgumentError(
                f"a kernel of {self.kernel[0]} x {self.kernel[1]} does not fit into an image of "
                f"{height} x {width}{padded}"
            )
        if self.channels * self.padded[0] * self.padded[1] > MOST_NUMBERS:
            raise ArgumentError(
                f"images of {self.channels} x {height} x {width}, padded to {self.padded[0]} x {self.padded[1]}, are "
                f"too large: at most {MOST_NUMBERS} numbers are possible"
            )
        # A step that leads out of the image at once is as good as any longer one, and engines lay out all of a step.
        self.stride = self._short_step(0), self._short_step(1)
        self.output = (
            (self.padded[0] - self.kernel[0]) // self.stride[0] + 1,
            (self.padded[1] - self.kernel[1]) // self.stride[1] + 1,
        )
        self.inputs = self.channels * height * width  # numbers in the row of an image
        self.taps = self.kernel[0] * self.kernel[1]  # numbers of one channel that the window sees at once
        self.positions = self.output[0] * self.output[1]  # of the window
        self.plans: dict[Any, Any] = {}  # for an engine: what it has worked out for this window and wants to find again

    def _short_step(self, axis: int) -> int:
        """The stride along an axis, or the shortest at least as long as the kernel that has the same effect."""
        return min(self.stride[axis], max(self.kernel[axis], self.padded[axis] - self.kernel[axis] + 1))

    def work(self, filters: int = 1) -> int:
        """About how many multiply-adds it takes to compute ``filters`` output channels, each from all input channels.

        The fast engine moves whole images, once for each number that the window sees; the readable one looks numbers
        up in tables. Both are counted, so no engine needs more time or memory than this says.
        """
        moves = max(self.taps, self.stride[0] * self.stride[1])
        reach = [(kernel - 1) // stride for kernel, stride in zip(self.kernel, self.stride)]
        moved = (self.output[0] + reach[0]) * (self.output[1] + reach[1])
        return self.channels * (filters * moves * (moved + _MOVE) + _LOOKUP * self.positions * self.taps)

    @cached_property
    def patches(self) -> list[list[int]]:
        """For each position of the window, row by row, where in an image's row the numbers stand that it sees.

        They come channel after channel, each row by row. A number in the padding stands at ``inputs``, just behind the
        row: whoever reads through these tables appends it there.
        """
        rows = [self._seen(y, 0) for y in range(self.output[0])]
        columns = [self._seen(x, 1) for x in range(self.output[1])]
        numbers = self._numbers()
        return [self._patch(ys, xs, numbers) for ys in rows for xs in columns]

    def _seen(self, position: int, axis: int) -> list[int | None]:
        """The rows (axis 0) or columns (axis 1) of the image seen from a position; None for those in the padding."""
        first = position * self.stride[axis] - self.padding[axis]
        return [k if 0 <= k < self.image[axis] else None for k in range(first, first + self.kernel[axis])]

    def _numbers(self) -> Sequence[int]:
        """The numbers 0 to ``inputs``: each one object where the tables have them often, none where they do not."""
        numbers = range(self.inputs + 1)
        return numbers if self.channels * self.positions * self.taps < len(numbers) else list(numbers)

    def _patch(self, ys: list[int | None], xs: list[int | None], numbers: Sequence[int]) -> list[int]:
        height, width = self.image
        return [
            numbers[self.inputs if y is None or x is None else (channel * height + y) * width + x]
            for channel in range(self.channels)
            for y in ys
            for x in xs
        ]

    @cached_property
    def channel_patches(self) -> list[list[int]]:
        """For each channel, and for each position in it, where the numbers stand that are seen in that channel alone.

        The order is that of the numbers in an output row of a pooling. Numbers in the padding are left out.
        """
        height, width = self.image
        rows = [self._inside(y, 0) for y in range(self.output[0])]
        columns = [self._inside(x, 1) for x in range(self.output[1])]
        numbers = self._numbers()
        return [
            [number for y in ys for number in numbers[y * width + xs.start : y * width + xs.stop]]
            for first in range(0, self.channels * height, height)
            for ys in (range(first + seen.start, first + seen.stop) for seen in rows)
            for xs in columns
        ]

    def _inside(self, position: int, axis: int) -> range:
        """The rows (axis 0) or columns (axis 1) of the image seen from a position, without those in the padding."""
        first = position * self.stride[axis] - self.padding[axis]
        start = max(first, 0)
        return range(start, max(start, min(first + self.kernel[axis], self.image[axis])))

    @cached_property
    def one_channel(self) -> Window:
        """The same window over a single channel: pooling treats every channel by itself."""
        return Window(1, *self.image, self.kernel, self.stride, self.padding)

    def require_inputs(self, operation: str, columns: int) -> None:
        """``ValueError`` unless rows have as many numbers as the images."""
        if columns != self.inputs:
            height, width = self.image
            raise ValueError(
                f"{operation} needs images of {self.channels} x {height} x {width} = {self.inputs} numbers, "
                f"got rows of {columns}"
            )

    def require_outputs(self, operation: str, columns: int, channels: int) -> None:
        """``ValueError`` unless rows have as many numbers as outputs of ``channels`` channels."""
        if columns != channels * self.positions:
            height, width = self.output
            raise ValueError(
                f"{operation} needs gradients of {channels} x {height} x {width} = {channels * self.positions} "
                f"numbers, got rows of {columns}"
            )

    def require_choices(self, rows: int, choices: int) -> None:
        """``ValueError`` unless there are as many rows of gradients as a pooling has chosen for."""
        if rows != choices:
            raise ValueError(f"max_pool_inputs needs a row of gradients for each of {choices} images, got {rows}")

    def require_weight(self, operation: str, rows: int) -> None:
        """``ValueError`` unless a weight has as many rows as the window sees numbers."""
        if rows != self.channels * self.taps:
            raise ValueError(
                f"{operation} needs a weight of {self.channels} x {self.kernel[0]} x {self.kernel[1]} = "
                f"{self.channels * self.taps} rows, got {rows}"
            )

    def require_convolution(self, x: Pair, weight: Pair, bias: Pair) -> None:
        """``ValueError`` unless matrices of these shapes can be convolved."""
        self.require_inputs("convolve", x[1])
        self.require_weight("convolve", weight[0])
        if bias != (1, weight[1]):
            raise ValueError(f"convolve needs a bias of 1x{weight[1]}, got {bias[0]}x{bias[1]}")

    def filters_of(self, x: Pair, gradient: Pair) -> int:
        """The number of filters that a gradient of this shape is of; ``ValueError`` unless it is one for images x."""
        self.require_inputs("convolve_weights", x[1])
        filters = gradient[1] // self.positions
        self.require_outputs("convolve_weights", gradient[1], filters)
        if x[0] != gradient[0]:
            raise ValueError(
                f"convolve_weights needs as many rows left and right, got {x[0]}x{x[1]} and {gradient[0]}x{gradient[1]}"
            )
        return filters

    def __repr__(self) -> str:
        return (
            f"Window({self.channels}, {self.image[0]}, {self.image[1]}, kernel={self.kernel}, stride={self.stride}, "
            f"padding={self.padding})"
        )
