"""Images, kernels and steps that the tests of convolution and pooling go through on both engines."""

from __future__ import annotations

from typing import Any

# (image, filters, kernel, stride, padding): strides that do and do not divide, paddings, odd sizes, rectangles, the
# kernel as large as the image, steps larger than the kernel, and padding wider than the kernel.
CONVOLUTIONS: list[tuple[Any, int, Any, Any, Any]] = [
    ((1, 5, 5), 1, 3, 1, 0),
    ((1, 7, 6), 2, 3, 1, 1),
    ((3, 5, 7), 2, (2, 3), 1, (1, 0)),
    ((2, 6, 9), 3, (3, 2), (2, 3), (1, 2)),
    ((2, 8, 5), 4, 1, 1, 0),
    ((2, 7, 7), 1, 2, 3, 0),
    ((1, 4, 6), 3, (4, 6), 1, 0),
    ((1, 1, 9), 2, (1, 4), (1, 2), 0),
    ((2, 3, 2), 2, 2, (2, 1), (3, 4)),
    ((1, 5, 5), 2, 5, 2, 2),
]

# (image, kernel, stride, padding)
POOLINGS: list[tuple[Any, Any, Any, Any]] = [
    ((1, 4, 4), 2, None, 0),
    ((3, 5, 7), 2, None, 0),
    ((2, 6, 6), 3, 2, 1),
    ((2, 7, 5), (3, 2), (1, 2), (1, 0)),
    ((1, 6, 8), (2, 4), (3, 1), (1, 2)),
    ((2, 5, 5), 1, 2, 0),
    ((1, 3, 4), (3, 4), 1, 0),
]
