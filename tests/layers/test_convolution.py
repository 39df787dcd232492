"""Convolution, pooling and their gradients on the readable engine, and the layers made of them.

Three judges: the textbook's loops in this file (always there), PyTorch (where it is installed), and the numerical
slope of ``gradcheck``.
"""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import linalg
from scratchnn.engines.lists import LISTS
from scratchnn.engines.sliding_window import Window, pair
from scratchnn.gradcheck import check_layer, check_network
from scratchnn.layers import Layer, Linear, ReLU, Sequential, Tanh
from scratchnn.layers.architecture import layer_from_plain, layer_to_plain
from scratchnn.layers.convolution import AvgPool2D, Conv2D, Flatten, MaxPool2D
from scratchnn.losses import CrossEntropyLoss
from scratchnn.model import Model
from tests.images import CONVOLUTIONS, POOLINGS
from tests.rows import Rows, random_rows

TOLERANCE = 1e-10


def assert_close(ours: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    flat, wanted = [list(map(float, row)) for row in ours], [list(map(float, row)) for row in expected]
    assert [len(row) for row in flat] == [len(row) for row in wanted]
    for row, other in zip(flat, wanted):
        assert row == pytest.approx(other, rel=tolerance, abs=tolerance)


# --- the textbook's loops ------------------------------------------------------------------------------------------


def looped_convolution(row: list[float], weight: Rows, bias: list[float], window: Window) -> list[float]:
    """One image, straight from the definition."""
    (height, width), (kernel_height, kernel_width) = window.image, window.kernel
    result = []
    for f, y, x in product(range(len(bias)), range(window.output[0]), range(window.output[1])):
        total = bias[f]
        for c, ky, kx in product(range(window.channels), range(kernel_height), range(kernel_width)):
            i, j = y * window.stride[0] + ky - window.padding[0], x * window.stride[1] + kx - window.padding[1]
            if 0 <= i < height and 0 <= j < width:
                total += row[(c * height + i) * width + j] * weight[(c * kernel_height + ky) * kernel_width + kx][f]
        result.append(total)
    return result


@pytest.mark.parametrize(("image", "filters", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_convolve_against_its_definition(image: Any, filters: int, kernel: Any, stride: Any, padding: Any) -> None:
    window = Window(*image, kernel, stride, padding)
    x, weight = random_rows(3, window.inputs), random_rows(window.channels * window.taps, filters, 1)
    bias = random_rows(1, filters, 2)
    expected = [looped_convolution(row, weight, bias[0], window) for row in x]
    assert_close(LISTS.convolve(x, weight, bias, window), expected)


def test_a_filter_that_looks_for_an_edge() -> None:
    """Small enough to be checked by eye: the right neighbour minus the left one."""
    x = [[0.0, 0.0, 5.0, 5.0, 1.0, 0.0, 5.0, 5.0]]
    window = Window(1, 2, 4, (1, 2))
    result = LISTS.convolve(x, [[-1.0], [1.0]], [[0.5]], window)
    assert result == [[0.5, 5.5, 0.5, -0.5, 5.5, 0.5]]


def test_pooling_by_eye() -> None:
    x = [[1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 0.0]]
    window = Window(1, 2, 4, 2, 2)
    largest, choices = LISTS.max_pool(x, window)
    assert largest == [[4.0, 7.0]]
    assert LISTS.average_pool(x, window) == [[2.5, 4.5]]
    assert LISTS.max_pool_inputs([[1.0, -2.0]], choices, window) == [[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -2.0, 0.0]]
    assert LISTS.average_pool_inputs([[4.0, 8.0]], window) == [[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]]


def test_of_equal_numbers_the_first_is_the_largest() -> None:
    window = Window(1, 2, 4, 2, 2)
    _, choices = LISTS.max_pool([[0.0] * 8], window)
    assert LISTS.max_pool_inputs([[1.0, 1.0]], choices, window) == [[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]


def test_the_padding_is_never_the_largest() -> None:
    window = Window(1, 2, 2, 2, 2, 1)
    assert LISTS.max_pool([[-1.0, -2.0, -3.0, -4.0]], window)[0] == [[-1.0, -2.0, -3.0, -4.0]]
    assert LISTS.average_pool([[-4.0, -8.0, -12.0, -16.0]], window) == [[-1.0, -2.0, -3.0, -4.0]]


LAYERS = [case for case in CONVOLUTIONS if all(p < k for p, k in zip(pair("", case[4], 0), pair("", case[2])))]


# --- against PyTorch -----------------------------------------------------------------------------------------------


def through_torch(function: Any, image: Any, x: Rows, *parameters: Any) -> tuple[Rows, Rows, list[Any]]:
    """(outputs, direction, gradients of input and parameters) for the loss Σ direction·outputs."""
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(x, dtype=torch.float64).reshape(len(x), *image)]
    tensors += [torch.tensor(p, dtype=torch.float64) for p in parameters]
    for tensor in tensors:
        tensor.requires_grad_()
    outputs = function(torch.nn.functional, *tensors).flatten(1)
    direction = random_rows(*outputs.shape, seed=9)
    (outputs * torch.tensor(direction, dtype=torch.float64)).sum().backward()
    return outputs.tolist(), direction, [tensor.grad for tensor in tensors]


@pytest.mark.parametrize(("image", "filters", "kernel", "stride", "padding"), LAYERS)
def test_convolution_agrees_with_pytorch(image: Any, filters: int, kernel: Any, stride: Any, padding: Any) -> None:
    layer = Conv2D(image[0], filters, kernel, stride, padding, rng=Random(3), input_shape=image)
    layer.bias.value = random_rows(1, filters, 4)
    x = random_rows(3, layer.window.inputs)
    # PyTorch's weight is filters x channels x height x width.
    weight = [list(column) for column in zip(*layer.weight.value)]
    shaped = [linalg.reshape(column, image[0] * layer.kernel[0], layer.kernel[1]) for column in weight]
    shaped = [[part[i : i + layer.kernel[0]] for i in range(0, len(part), layer.kernel[0])] for part in shaped]

    def convolve(functional: Any, *tensors: Any) -> Any:
        return functional.conv2d(*tensors, stride=layer.stride, padding=layer.padding)

    outputs, direction, gradients = through_torch(convolve, image, x, shaped, layer.bias.value[0])
    assert_close(layer.forward(x), outputs)
    assert_close(layer.backward(direction), gradients[0].flatten(1).tolist())
    assert_close(zip(*layer.weight.gradient), gradients[1].flatten(1).tolist())
    assert_close(layer.bias.gradient, [gradients[2].tolist()])


@pytest.mark.parametrize("kind", [MaxPool2D, AvgPool2D])
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), POOLINGS)
def test_pooling_agrees_with_pytorch(kind: Any, image: Any, kernel: Any, stride: Any, padding: Any) -> None:
    layer = kind(kernel, stride, padding, input_shape=image)
    # Many ties, so that it shows which of equal numbers gets the gradient.
    x = [[float(round(v)) for v in row] for row in random_rows(3, layer.window.inputs)]

    def pool(functional: Any, images: Any) -> Any:
        function = functional.max_pool2d if kind is MaxPool2D else functional.avg_pool2d
        return function(images, layer.kernel, layer.stride, layer.padding)

    outputs, direction, (gradient,) = through_torch(pool, image, x)
    assert_close(layer.forward(x), outputs)
    assert_close(layer.backward(direction), gradient.flatten(1).tolist())


# --- gradient checks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "filters", "kernel", "stride", "padding"), LAYERS)
def test_gradients_of_convolutions(image: Any, filters: int, kernel: Any, stride: Any, padding: Any) -> None:
    layer = Conv2D(image[0], filters, kernel, stride, padding, rng=Random(3), input_shape=image)
    report = check_layer(layer, random_rows(2, layer.window.inputs))
    assert report.ok, report
    assert report.entries == 2 * layer.window.inputs + (image[0] * layer.window.taps + 1) * filters


@pytest.mark.parametrize("kind", [MaxPool2D, AvgPool2D])
@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), POOLINGS)
def test_gradients_of_poolings(kind: Any, image: Any, kernel: Any, stride: Any, padding: Any) -> None:
    layer = kind(kernel, stride, padding, input_shape=image)
    report = check_layer(layer, random_rows(2, layer.window.inputs))
    assert report.ok, report


def test_gradients_of_a_whole_network() -> None:
    network = Sequential(
        [
            Conv2D(2, 3, (3, 2), padding=1, rng=Random(0)),
            MaxPool2D(2),
            Tanh(),
            Conv2D(3, 2, 2, rng=Random(1)),
            ReLU(),
            AvgPool2D((1, 2), 1),
            Flatten(),
            Linear(4, 3, rng=Random(2)),
        ]
    )
    assert network.output_shape((2, 6, 6)) == (3,)
    network.build((2, 6, 6))
    report = check_network(network, CrossEntropyLoss(), random_rows(3, 72), [0, 2, 1])
    assert report.ok, report


# --- layers --------------------------------------------------------------------------------------------------------


def small_network() -> list[Layer]:
    return [
        Conv2D(1, 4, 3),
        MaxPool2D(2),
        ReLU(),
        Conv2D(4, 6, (3, 2), stride=(1, 2)),
        ReLU(),
        Flatten(),
        Linear(12, 3),
    ]


def test_shapes_are_worked_out_through_the_network_and_shown() -> None:
    model = Model.from_layers(small_network(), input_shape=(1, 9, 10))
    lines = [line.split() for line in model.summary().splitlines()]
    assert [line for line in lines if line and line[0] in ("Conv2D", "MaxPool2D", "Flatten")] == [
        ["Conv2D", "4", "x", "7", "x", "8", "40"],
        ["MaxPool2D", "4", "x", "3", "x", "4", "0"],
        ["Conv2D", "6", "x", "1", "x", "2", "150"],
        ["Flatten", "12", "0"],
    ]
    assert model.parameter_count == 40 + 150 + 39


def test_he_counts_what_a_filter_sees() -> None:
    """Uniform in ±√(6 / inputs), with inputs = channels·kernel height·kernel width (He et al. 2015)."""
    layer = Conv2D(2, 50, (3, 4), rng=Random(0))
    weights = [abs(v) for row in layer.weight.value for v in row]
    assert (len(layer.weight.value), len(layer.weight.value[0])) == (24, 50)
    assert 0.49 < max(weights) < 0.5
    assert layer.bias.value == [[0.0] * 50]


def test_xavier_counts_what_a_filter_sees_and_who_sees_its_answer() -> None:
    """Uniform in ±√(6 / (inputs + outputs)), both times the kernel's size (Glorot and Bengio 2010)."""
    layer = Conv2D(2, 50, (3, 4), init="xavier", rng=Random(0))
    bound = (6 / (2 * 12 + 50 * 12)) ** 0.5
    assert 0.99 * bound < max(abs(v) for row in layer.weight.value for v in row) <= bound


def test_weights_from_a_generator_of_its_own_stay() -> None:
    layer = Conv2D(1, 2, 3, rng=Random(7))
    weights = layer.weight.value
    Model.from_layers([layer, Flatten(), Linear(8, 2)], input_shape=(1, 4, 4), engine="linalg", seed=1)
    assert layer.weight.value == weights


def test_asking_for_a_shape_changes_nothing() -> None:
    network = Sequential([Conv2D(1, 2, 3, padding=1, rng=Random(0)), MaxPool2D(2), Flatten()])
    network.build((1, 4, 4))
    x = random_rows(1, 16)
    before = network.forward(x)
    assert network.output_shape((1, 2, 8)) == (8,)
    with pytest.raises(ValueError, match="does not fit"):
        network.output_shape((1, 1, 1))
    assert network.forward(x) == before


def test_a_layer_takes_images_of_one_size() -> None:
    layer = Conv2D(1, 2, 3)
    with pytest.raises(ValueError, match=r"layer 2: Linear\(9, 2\) expects 9 inputs, got 8"):
        Model.from_layers([layer, Flatten(), Linear(9, 2)], input_shape=(1, 4, 4))
    layer.build((1, 5, 5))  # that left no trace
    layer.build((1, 5, 5))
    with pytest.raises(ValueError, match=r"layer 0: Conv2D.* takes images of 1 x 5 x 5 already and .* 1 x 6 x 6 as"):
        Sequential([layer]).build((1, 6, 6))
    assert layer.window.image == (5, 5)


def test_a_model_that_is_refused_leaves_its_layers_as_they_were() -> None:
    layer = Conv2D(1, 2, 3)
    for wrong in ({"scaling": "x"}, {"seed": -1}, {"engine": "x"}):
        with pytest.raises(ValueError, match=r"unknown|seed"):
            Model.from_layers([layer, Flatten(), Linear(18, 2)], input_shape=(1, 5, 5), **wrong)
    assert Model.from_layers([layer, Flatten(), Linear(32, 2)], input_shape=(1, 6, 6)).output_size == 2


@pytest.mark.parametrize("shape", [{1: 0, 8: 0, 9: 0}, {1, 8, 9}, "189", 1.5])
def test_shapes_have_an_order(shape: Any) -> None:
    with pytest.raises(ValueError, match="input_shape"):
        Conv2D(1, 2, 3, input_shape=shape)
    with pytest.raises(ValueError, match="input_shape"):
        Model.from_layers([Conv2D(1, 2, 3)], input_shape=shape)


def test_sizes_may_be_numpy_s() -> None:
    numpy = pytest.importorskip("numpy")
    layer = Conv2D(numpy.uint8(30), numpy.uint8(2), numpy.array([3, 3]), input_shape=numpy.array([30, 4, 4]))
    assert layer.parameter_shapes() == [(270, 2), (1, 2)]
    assert Model.from_layers([layer, Flatten(), Linear(8, 2)], input_shape=numpy.array([30, 4, 4])).output_size == 2
    assert Model.from_layers([Linear(4, 2)], input_shape=numpy.int64(4)).input_size == 4


@pytest.mark.parametrize("place", range(4))
def test_a_pooling_does_not_pass_over_a_number_that_is_none(place: int) -> None:
    """It is the sign of a network that has run away."""
    row = [1.0, 2.0, -3.0, 0.5]
    row[place] = math.nan
    (((largest,),), choices) = LISTS.max_pool([row], Window(1, 2, 2, 2))
    assert math.isnan(largest)
    assert choices == [[place]]


def test_the_input_gradient_is_left_out_where_nobody_reads_it() -> None:
    layer = Conv2D(1, 2, 3, input_shape=(1, 5, 5), rng=Random(0))
    layer.forward(random_rows(2, 25))
    assert layer.backward(random_rows(2, 18), input_gradient=False) is None
    assert len(layer.weight.gradient) == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Conv2D(3, 8, 3).output_shape((1, 28, 28)),
            r"expects images of 3 channels, got 1 \(shapes are channels, height, width\)$",
        ),
        (lambda: Conv2D(1, 8, 5).output_shape((1, 4, 28)), r"kernel of 5 x 5 does not fit into an image of 4 x 28"),
        (lambda: MaxPool2D(3).output_shape((8, 2, 2)), r"kernel of 3 x 3 does not fit into an image of 2 x 2"),
        (lambda: Conv2D(1, 8, 3).output_shape((784,)), r"images of shape \(channels, height, width\), got \(784,\)"),
        (lambda: Conv2D(1, 8, 3, stride=0), "stride of Conv2D must be a whole number of at least 1, got 0"),
        (lambda: MaxPool2D(2, 0), "stride of MaxPool2D must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(0, 8, 3), "in_channels of Conv2D must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(10**7, 10**7, 3), "Conv2D of 90000000 x 10000000 weights: at most"),
        (lambda: Conv2D(1, 1, 10**200), r"kernel of Conv2D may be at most 16777216, got 10+\.\.\.$"),
        (
            lambda: Conv2D(1, 1, 3, stride=(1, 1 << 25)),
            "width of stride of Conv2D may be at most 16777216, got 33554432",
        ),
        (lambda: Conv2D(1, 1, 3, padding=3), "padding of Conv2D must be smaller than its kernel of 3 x 3, got 3 x 3"),
        (lambda: Conv2D(1, 1, (2, 3), padding=(1, 3)), "smaller than its kernel of 2 x 3, got 1 x 3"),
        (lambda: Conv2D(1, 1, (2, 3), padding=(2, 2)), "smaller than its kernel of 2 x 3, got 2 x 2"),
        (lambda: Conv2D(1 << 25, 1, 1), "in_channels of Conv2D may be at most 16777216, got 33554432"),
        (lambda: Conv2D(1, 1 << 25, 1), "out_channels of Conv2D may be at most 16777216, got 33554432"),
        (
            lambda: AvgPool2D(10_000, padding=5_000, input_shape=(1, 1, 1)),
            "images of 1 x 1 x 1, padded to 10001 x 10001, are too large: at most 16777216 numbers are possible",
        ),
        (lambda: Conv2D(1, 1, {3: 1, 4: 2}), "kernel of Conv2D must be a whole number of at least 1, got {3: 1"),
        (lambda: AvgPool2D(3, padding=2), "padding of AvgPool2D may be at most half its kernel of 3 x 3, got 2 x 2"),
        (lambda: AvgPool2D(3, padding=(2, 1)), "at most half its kernel of 3 x 3, got 2 x 1"),
        (lambda: AvgPool2D(3, padding=(1, 2)), "at most half its kernel of 3 x 3, got 1 x 2"),
        (lambda: Conv2D(1, 8, 3, init="best"), "unknown initialisation 'best'"),
        (lambda: Conv2D(1, 1, 3).forward([[0.0] * 9]), r"does not know the size of its images: give it input_shape="),
        (
            lambda: Conv2D(1, 1, 3, input_shape=(1, 4, 4)).forward([[0.0] * 9]),
            "convolve needs images of 1 x 4 x 4 = 16 numbers, got rows of 9",
        ),
        (
            lambda: Model.from_layers([Conv2D(1, 4, 3), Linear(4, 2)]),
            r"layer 0: Conv2D\(in_channels=1.*needs images of shape",
        ),
        (
            lambda: Model.from_layers([Conv2D(1, 4, 3), ReLU(), Conv2D(1, 4, 3)], input_shape=(1, 8, 8)),
            r"layer 2: Conv2D\(in_channels=1, out_channels=4.*expects images of 1 channel, got 4",
        ),
        (
            lambda: Model.from_layers([Conv2D(1, 4, 3), Linear(10, 2)], input_shape=(1, 8, 8)),
            r"layer 1: Linear\(10, 2\) expects 10 inputs, got 144",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named_with_their_numbers(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_engines_refuse_matrices_that_do_not_fit() -> None:
    window = Window(2, 4, 4, 3)
    x, weight, bias = random_rows(1, 32), random_rows(18, 5), random_rows(1, 5)
    with pytest.raises(ValueError, match="convolve needs a weight of 2 x 3 x 3 = 18 rows, got 17"):
        LISTS.convolve(x, weight[1:], bias, window)
    with pytest.raises(ValueError, match="convolve needs a bias of 1x5, got 1x4"):
        LISTS.convolve(x, weight, random_rows(1, 4), window)
    with pytest.raises(ValueError, match="gradients of 4 x 2 x 2 = 16 numbers, got rows of 19"):
        LISTS.convolve_weights(x, random_rows(1, 19), window)
    with pytest.raises(ValueError, match="as many rows left and right, got 1x32 and 2x20"):
        LISTS.convolve_weights(x, random_rows(2, 20), window)
    with pytest.raises(ValueError, match="gradients of 5 x 2 x 2 = 20 numbers, got rows of 24"):
        LISTS.convolve_inputs(random_rows(1, 24), weight, window)
    with pytest.raises(ValueError, match="rows of 3 channels of one size, got 20 numbers"):
        LISTS.sum_channels(random_rows(1, 20), 3)
    with pytest.raises(ValueError, match="max_pool needs images of 2 x 4 x 4 = 32 numbers, got rows of 31"):
        LISTS.max_pool(random_rows(1, 31), window)


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(2, 3, (2, 3), stride=2, padding=(0, 1), init="xavier"),
        MaxPool2D(2),
        AvgPool2D((3, 2), 1, (1, 0)),
        Flatten(),
    ],
)
def test_a_layer_is_made_again_from_plain_data(layer: Layer) -> None:
    plain = layer_to_plain(layer)
    again = layer_from_plain(plain)
    assert type(again) is type(layer)
    assert layer_to_plain(again) == plain
    assert again.output_shape((2, 6, 8)) == layer.output_shape((2, 6, 8))


@pytest.mark.parametrize("engine", ["linalg", "lanes"])
def test_a_network_for_images_learns_is_saved_and_loaded(engine: str, tmp_path: Path) -> None:
    """Two kinds of stripes, wherever they lie in the image."""
    rng = Random(5)
    X, y = [], []
    for number in range(60):
        image = [[rng.randrange(30) for _ in range(10)] for _ in range(9)]
        place = rng.randrange(1, 6)
        for k in range(9):
            image[k if number % 2 else place][place if number % 2 else k] = 255
        X.append(bytes(v for row in image for v in row))
        y.append("upright" if number % 2 else "level")
    layers = small_network()
    layers[-1] = Linear(12, 2)
    model = Model.from_layers(layers, input_shape=(1, 9, 10), engine=engine, seed=1)
    model.fit(X, y, epochs=12, lr=0.1, batch_size=6)
    assert model.score(X, y) == 1.0
    path = tmp_path / "stripes.pkl"
    model.save(path)
    assert Model.load(path, engine=engine).predict_proba(X) == model.predict_proba(X)
