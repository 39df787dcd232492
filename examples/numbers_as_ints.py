"""How numbers become ints: ten weights stand in one Python int, and one multiplication multiplies all ten.

What it shows: an int can be as long as one likes, so each number of a row gets a *lane* of its own bits in it. That int
times a pixel is ten products, a sum of such ints is ten sums, and CPython does both in C. So a layer reads a digit with
one multiplication for each pixel instead of one for each weight. Weights are fractions and lanes hold whole numbers, so
each weight is first rounded to a unit. The wider the lanes, the smaller the unit may be; in lanes that are too narrow
the sums would run into their neighbours, which a bound on them rules out beforehand.

    python examples/numbers_as_ints.py
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

from _common import load_images, read_arguments, run, save

from scratchnn import Model, linalg, plots
from scratchnn.engines.lanes.layout import Layout

ROW, FACTOR = (3, -5, 2), 7
WIDTHS = (16, 24, 32, 40, 48)  # bits of a lane
EPOCHS, QUICK_EPOCHS = 5, 1

Rows = Sequence[Sequence[float]]


def ones_in(layout: Layout, row: int, above: float) -> list[tuple[int, float]]:
    """(place in its lane, lane) of every bit of an int that is set; the highest bit of a lane has place 1."""
    bits = layout.width * layout.count
    found = [divmod(bit, layout.width) for bit in range(bits) if row >> bit & 1]
    return [(layout.width - place, lane + above) for lane, place in found]


def a_row_in_one_int() -> plots.Figure:
    """Pack a row, multiply it, look at it: in digits, and as a picture of the bits."""
    layout = Layout(16, len(ROW))
    (row,) = layout.pack([ROW])
    product = FACTOR * row  # one multiplication of one int
    print(f"the row {ROW} in lanes of {layout.width} bits is the int {row} = {row:#x}")
    print(f"times {FACTOR} that is {product} = {product:#x}, which reads as {tuple(layout.unpack([product]))}")
    before, after = ones_in(layout, row, 0.1), ones_in(layout, product, -0.1)
    return plots.scatter(
        [*before, *after], [f"{ROW}"] * len(before) + [f"times {FACTOR}"] * len(after),
        title="The bits that are 1 in one int", x_label="place in the lane, the highest bit first",
        y_label="lane, from the lowest", names=False,
    )  # fmt: skip


def logits_in_lanes(weight: Rows, bias: Sequence[float], images: Rows, width: int) -> tuple[list[list[float]], float]:
    """(x·weight + bias for images of whole numbers, the unit): every row of ``weight`` is one int."""
    layout = Layout(width, len(bias))
    most = max(sum(map(abs, column)) for column in zip(*weight))  # for pixels of 1: what no sum can exceed
    brightest = max(map(max, images))
    rounding = (brightest * len(weight) + 1) / 2  # each weight may be off by half a unit
    unit = 2.0 ** math.ceil(math.log2((brightest * most + max(map(abs, bias))) / (layout.limit - rounding)))
    rows = layout.pack_rounded([*weight, bias], [1.0 / unit] * (len(weight) + 1))
    sums = [sum(map(mul, [*image, 1], rows)) for image in images]  # one int each: all the outputs
    return linalg.scale([layout.unpack([row]) for row in sums], unit), unit


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    picture = a_row_in_one_int()

    train, test = load_images(options)
    model = Model(train.width, [], 10)  # a single layer
    model.fit(train.X, train.y, epochs=QUICK_EPOCHS if options.quick else EPOCHS)
    weight, bias = model.weights
    weight = linalg.scale(weight, 1 / 255)  # the model divides pixels by 255; here it is done once, to the weights
    pixels = [list(map(int, row)) for row in test.X]
    exact = linalg.affine(pixels, weight, [bias], linalg.exact_dot)
    right = [linalg.argmax(row) == digit for row, digit in zip(exact, test.y)]
    count = len(weight) * len(bias)
    print(f"floats: {count} multiplications a digit, {sum(right)} of {len(test)} new digits right")
    result, errors = {"floats": sum(right) / len(test)}, []
    for width in WIDTHS:
        outputs, unit = logits_in_lanes(weight, bias, pixels, width)
        error = max(abs(a - b) for row, other in zip(outputs, exact) for a, b in zip(row, other))
        same = sum(linalg.argmax(row) == linalg.argmax(other) for row, other in zip(outputs, exact))
        print(
            f"lanes of {width} bits: {len(weight)} multiplications a digit, a unit of 2**{math.log2(unit):.0f}, "
            f"{same} of {len(test)} answers as with floats, no output further off than {error:.1e}"
        )
        result[f"same in {width}"], result[f"error in {width}"] = same / len(test), error
        errors.append((width, error))
    curve = plots.lines(
        {"largest error of an output": errors},
        title="The wider the lanes, the finer the unit", x_label="bits of a lane", y_label="error", log_y=True,
    )  # fmt: skip
    save(plots.side_by_side([picture, curve], title="How numbers become ints"), options, "numbers_as_ints.svg")
    return result


if __name__ == "__main__":
    run(main)
