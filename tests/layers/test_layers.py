"""Layers: what each one computes (against NumPy), and that its backward is the derivative of its forward.

Every layer goes through the numerical gradient check for several shapes, alone, and in chains under every loss;
``test_every_layer_is_checked`` keeps a new layer from being forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Any

import pytest

from scratchnn import layers, linalg
from scratchnn.engines.lists import LISTS
from scratchnn.gradcheck import check_layer, check_model, check_network
from scratchnn.layers import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Parameter,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from scratchnn.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Loss, MSELoss, NLLLoss
from scratchnn.model import Model
from tests.rows import Rows, random_rows

TOLERANCE = 1e-6


def with_random_weights(layer: Layer) -> Layer:
    """A layer whose weights are not all alike."""
    for number, parameter in enumerate(layer.trainable_parameters()):
        parameter.value = random_rows(*linalg.shape(parameter.value), seed=number)
    return layer


# Every layer, made for a given number of features.
LAYERS: dict[str, Callable[[int], Layer]] = {
    "Linear": lambda features: Linear(features, 3, rng=Random(1)),
    "Linear to one output": lambda features: Linear(features, 1, init="xavier", rng=Random(2)),
    "ReLU": lambda features: ReLU(),
    "LeakyReLU": lambda features: LeakyReLU(),
    "LeakyReLU, steep": lambda features: LeakyReLU(0.3),
    "Tanh": lambda features: Tanh(),
    "Sigmoid": lambda features: Sigmoid(),
    "GELU": lambda features: GELU(),
    "SiLU": lambda features: SiLU(),
    "ELU": lambda features: ELU(),
    "ELU, flat": lambda features: ELU(0.3),
    "Softplus": lambda features: Softplus(),
    "Softmax": lambda features: Softmax(),
    "LogSoftmax": lambda features: LogSoftmax(),
    "LayerNorm": lambda features: with_random_weights(LayerNorm(features)),
    "BatchNorm": lambda features: with_random_weights(BatchNorm(features)),
    "Dropout": lambda features: Dropout(0.3, rng=Random(3)),
    "Dropout of nothing": lambda features: Dropout(0.0, rng=Random(3)),
    "Sequential of nothing": lambda features: Sequential([]),
    "Sequential": lambda features: Sequential(
        [Linear(features, 4, rng=Random(4)), Tanh(), Linear(4, 2, rng=Random(5))]
    ),
    "Residual of nothing": lambda features: Residual([]),
    "Residual": lambda features: Residual([Linear(features, 3, rng=Random(9)), GELU(), Linear(3, features)]),
    "Sequential in Sequential": lambda features: Sequential(
        [
            Sequential([Linear(features, 4, rng=Random(6)), Dropout(0.2, rng=Random(7)), LeakyReLU()]),
            Softmax(),
            Sequential([Sequential([Linear(4, 3, rng=Random(8))]), LogSoftmax()]),
        ]
    ),
}
SHAPES = [(1, 1), (1, 5), (4, 1), (3, 4), (6, 2)]


# --- gradients -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples_and_features", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", LAYERS)
def test_backward_is_the_derivative_of_forward(name: str, samples_and_features: tuple[int, int]) -> None:
    samples, features = samples_and_features
    layer = LAYERS[name](features)
    report = check_layer(layer, random_rows(samples, features, seed=samples * 10 + features), tolerance=TOLERANCE)
    assert report.ok, str(report)
    parameters = sum(len(row) for p in layer.trainable_parameters() for row in p.value)
    assert report.entries == samples * features + parameters


@pytest.mark.parametrize(
    "name", ["Tanh", "Sigmoid", "Softmax", "LogSoftmax", "GELU", "SiLU", "ELU", "Softplus", "LayerNorm", "BatchNorm"]
)
def test_gradients_hold_far_out_as_well(name: str) -> None:
    report = check_layer(LAYERS[name](4), random_rows(3, 4, seed=1, spread=12.0), tolerance=TOLERANCE)
    assert report.ok, str(report)


def test_every_layer_is_checked() -> None:
    checked = {type(part) for make in LAYERS.values() for part in make(2).walk()}
    public = [getattr(layers, name) for name in layers.__all__]
    all_layers = {value for value in public if isinstance(value, type) and issubclass(value, Layer)}
    elsewhere = {Conv2D, MaxPool2D, AvgPool2D, Flatten, Embedding}  # whose inputs are no rows of any numbers
    assert checked | elsewhere == all_layers - {Layer, layers.WeightedLayer}


def classifier(*end: Layer) -> Sequential:
    hidden: list[Layer] = [
        Linear(4, 6, rng=Random(1)),
        ReLU(),
        Dropout(0.25, rng=Random(2)),
        Linear(6, 3, rng=Random(3)),
    ]
    return Sequential(hidden + list(end))


def regressor(*end: Layer) -> Sequential:
    hidden: list[Layer] = [Linear(4, 5, init="xavier", rng=Random(4)), Tanh(), Linear(5, 3, rng=Random(5))]
    return Sequential(hidden + list(end))


CLASSES = [0, 2, 1, 1, 0]
ONE_HOT = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
SOFT = [[0.7, 0.1, 0.2], [0.0, 0.5, 0.5], [0.2, 0.6, 0.2], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]
VALUES = random_rows(5, 3, seed=9)

CHAINS: dict[str, tuple[Layer, Loss, Any]] = {
    "cross-entropy on classes": (classifier(), CrossEntropyLoss(), CLASSES),
    "cross-entropy on one-hot rows": (classifier(), CrossEntropyLoss(), ONE_HOT),
    "cross-entropy on soft rows": (classifier(), CrossEntropyLoss(), SOFT),
    "log-softmax and NLL": (classifier(LogSoftmax()), NLLLoss(), CLASSES),
    "log-softmax and NLL on soft rows": (classifier(LogSoftmax()), NLLLoss(), SOFT),
    "regression": (regressor(), MSELoss(), VALUES),
    "softmax under MSE": (regressor(Softmax()), MSELoss(), ONE_HOT),
    "log-softmax under MSE": (regressor(LogSoftmax()), MSELoss(), VALUES),
    "softmax under cross-entropy": (classifier(Softmax()), CrossEntropyLoss(), CLASSES),
    "softmax under BCE": (regressor(Softmax()), BCELoss(), SOFT),
    "sigmoid under BCE": (regressor(Sigmoid()), BCELoss(), SOFT),
    "logits under BCE": (regressor(), BCEWithLogitsLoss(), SOFT),
    "softmax in the middle": (regressor(Softmax(), Linear(3, 3, rng=Random(6)), LeakyReLU()), MSELoss(), VALUES),
}


@pytest.mark.parametrize("name", CHAINS)
def test_whole_chains_have_right_gradients(name: str) -> None:
    network, loss, targets = CHAINS[name]
    report = check_network(network, loss, random_rows(5, 4, seed=3), targets, tolerance=TOLERANCE)
    assert report.ok, str(report)


def test_without_a_reader_the_input_gradient_is_left_out_and_the_parameters_get_theirs() -> None:
    network, x = classifier(), random_rows(5, 4)
    network.eval()
    gradient = random_rows(5, 3, seed=5)
    network.forward(x)
    assert network.backward(gradient) is not None
    full = network.gradients()
    network.forward(x)
    assert network.backward(gradient, input_gradient=False) is None
    assert network.gradients() == full


# --- forward, against NumPy ------------------------------------------------------------------------------------


def numpy_softmax(np: ModuleType, x: Any) -> Any:
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


FORWARDS: dict[str, tuple[Layer, Callable[[ModuleType, Any], Any]]] = {
    "ReLU": (ReLU(), lambda np, x: np.maximum(x, 0.0)),
    "LeakyReLU": (LeakyReLU(0.2), lambda np, x: np.where(x > 0.0, x, 0.2 * x)),
    "Tanh": (Tanh(), lambda np, x: np.tanh(x)),
    "Sigmoid": (Sigmoid(), lambda np, x: 1.0 / (1.0 + np.exp(-x))),
    "GELU": (GELU(), lambda np, x: x * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))) / 2.0),
    "SiLU": (SiLU(), lambda np, x: x / (1.0 + np.exp(-x))),
    "ELU": (ELU(0.4), lambda np, x: np.where(x > 0.0, x, 0.4 * np.expm1(x))),
    "Softplus": (Softplus(), lambda np, x: np.logaddexp(0.0, x)),
    "Softmax": (Softmax(), numpy_softmax),
    "LogSoftmax": (LogSoftmax(), lambda np, x: np.log(numpy_softmax(np, x))),
}


@pytest.mark.parametrize("name", FORWARDS)
@pytest.mark.parametrize("samples_and_features", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_activations_against_numpy(np: ModuleType, name: str, samples_and_features: tuple[int, int]) -> None:
    layer, formula = FORWARDS[name]
    x = random_rows(*samples_and_features, seed=11)
    assert np.allclose(layer.forward(x), formula(np, np.array(x)), rtol=1e-13, atol=1e-15)


def test_linear_against_numpy(np: ModuleType) -> None:
    layer, x, gradient = Linear(4, 3, rng=Random(1)), random_rows(5, 4), random_rows(5, 3, seed=1)
    layer.bias.value = [[0.5, -1.0, 2.0]]
    weight = np.array(layer.weight.value)
    assert weight.shape == (4, 3)
    assert np.allclose(layer.forward(x), np.array(x) @ weight + [0.5, -1.0, 2.0], rtol=1e-13)
    assert np.allclose(layer.backward(gradient), np.array(gradient) @ weight.T, rtol=1e-13)
    assert np.allclose(layer.weight.gradient, np.array(x).T @ np.array(gradient), rtol=1e-13)
    assert np.allclose(layer.bias.gradient, np.array(gradient).sum(axis=0, keepdims=True), rtol=1e-13)


def test_activations_survive_the_largest_inputs() -> None:
    x = [[1e308, -1e308, 0.0]]
    assert Sigmoid().forward(x) == [[1.0, 0.0, 0.5]]
    assert Softmax().forward(x) == [[1.0, 0.0, 0.0]]
    assert all(math.isfinite(v) for v in LogSoftmax().forward(x)[0])
    assert Tanh().forward(x) == [[1.0, -1.0, 0.0]]
    for layer in (GELU(), SiLU()):
        assert layer.forward(x) == [[1e308, 0.0, 0.0]]
        assert layer.backward([[1.0, 1.0, 1.0]]) == [[1.0, 0.0, 0.5]]
    assert ELU(0.5).forward(x) == [[1e308, -0.5, 0.0]]
    assert Softplus().forward(x) == [[1e308, 0.0, math.log(2.0)]]


# --- starting weights --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 300), ("xavier", 2 / (300 + 100)), (0.3, 0.3**2 / 3)])
def test_starting_weights_have_the_variance_of_the_paper(init: Any, variance: float) -> None:
    layer = Linear(300, 100, init=init, rng=Random(0))
    weights = linalg.flatten(layer.weight.value)
    # 30 000 uniform draws: the sample variance is within 5 standard errors (0.9/sqrt(n) each) of the true one
    assert linalg.standard_deviation(weights) ** 2 == pytest.approx(variance, rel=5 * 0.9 / math.sqrt(30_000))
    assert abs(linalg.mean(weights)) < 5 * math.sqrt(variance / 30_000)
    assert layer.bias.value == [[0.0] * 100]


def test_the_same_seed_draws_the_same_weights() -> None:
    first, second, third = (Linear(3, 2, rng=Random(seed)).weight.value for seed in (1, 1, 2))
    assert first == second
    assert first != third


def test_a_model_draws_weights_anew_unless_the_layer_had_its_own_generator() -> None:
    own, shared = Linear(3, 2, rng=Random(1)), Linear(3, 2)
    before_own, before_shared = own.weight.value, shared.weight.value
    Sequential([own, Sequential([shared])]).initialise(Random(99))
    assert own.weight.value == before_own
    assert shared.weight.value != before_shared


# --- dropout -----------------------------------------------------------------------------------------------------


def test_dropout_drops_its_share_and_keeps_the_expected_sum() -> None:
    layer, ones = Dropout(0.3, rng=Random(0)), [[1.0] * 1000 for _ in range(20)]
    dropped = linalg.flatten(layer.forward(ones))
    assert set(dropped) == {0.0, 1.0 / 0.7}
    # 20 000 draws: five standard deviations are 0.0162
    assert dropped.count(0.0) / 20_000 == pytest.approx(0.3, abs=0.0162)
    assert sum(dropped) / 20_000 == pytest.approx(1.0, abs=0.0162 / 0.7)


def test_dropout_draws_another_mask_each_time_and_backward_uses_the_last() -> None:
    layer, ones = Dropout(0.5, rng=Random(0)), [[1.0] * 50]
    first, second = layer.forward(ones), layer.forward(ones)
    assert first != second
    assert layer.backward(ones) == second


def test_dropout_passes_everything_when_predicting() -> None:
    layer, x = Dropout(0.5, rng=Random(0)), random_rows(3, 4)
    layer.forward(x)
    layer.eval()
    assert layer.forward(x) == x
    assert layer.backward(x) == x
    layer.train()
    assert layer.forward(x) != x


def test_train_and_eval_reach_nested_layers() -> None:
    inner = Dropout(0.5)
    network = Sequential([Sequential([inner]), Tanh()])
    network.eval()
    assert not inner.training
    network.train()
    assert inner.training


def test_two_networks_do_not_share_a_mode() -> None:
    first, second = Dropout(0.5), Dropout(0.5)
    first.eval()
    assert second.training


# --- what every layer answers --------------------------------------------------------------------------------------


def test_parameters_and_gradients_come_in_one_order() -> None:
    network = Sequential([Linear(2, 3), ReLU(), Sequential([Linear(3, 1)])])
    assert [p.name for p in network.parameters()] == ["weight", "bias", "weight", "bias"]
    assert [linalg.shape(p.value) for p in network.parameters()] == [(2, 3), (1, 3), (3, 1), (1, 1)]
    assert network.gradients() == [None] * 4
    network.forward([[1.0, 2.0]])
    network.backward([[1.0]])
    assert [linalg.shape(g) for g in network.gradients()] == [(2, 3), (1, 3), (3, 1), (1, 1)]
    assert all(g is p.gradient for g, p in zip(network.gradients(), network.parameters()))
    assert ReLU().parameters() == ReLU().gradients() == []


@pytest.mark.parametrize("name", LAYERS)
def test_output_shape_tells_what_forward_gives(name: str) -> None:
    layer = LAYERS[name](4)
    output = layer.forward(random_rows(3, 4))
    assert linalg.shape(output) == (3, *layer.output_shape((4,)))


def test_an_image_enters_linear_as_a_flat_row() -> None:
    assert Linear(784, 10).output_shape((1, 28, 28)) == (10,)
    assert ReLU().output_shape((8, 14, 14)) == (8, 14, 14)


def test_sequential_is_a_sequence_of_its_layers() -> None:
    first, second = Linear(2, 3), Tanh()
    network = Sequential((first, second))
    assert (len(network), network[0], network[1], list(network)) == (2, first, second, [first, second])
    assert repr(network) == "Sequential([Linear(inputs=2, outputs=3, init='he'), Tanh()])"


def test_config_makes_the_same_layer_again() -> None:
    normalised = LayerNorm(3, 0.1), BatchNorm(3, 0.2, 0.3)
    for layer in (Linear(2, 3, init="xavier"), LeakyReLU(0.2), Dropout(0.4), Tanh(), ELU(0.2), *normalised):
        again = type(layer)(**layer.config())
        assert repr(again) == repr(layer)


def test_a_layer_of_your_own_needs_forward_and_backward_only() -> None:
    class Square(Layer):
        def forward(self, x: Rows) -> Rows:
            self.x = x
            return linalg.hadamard(x, x)

        def backward(self, gradient: Rows, input_gradient: bool = True) -> Rows:
            return linalg.scale(linalg.hadamard(gradient, self.x), 2.0)

    network = Sequential([Linear(3, 2, rng=Random(0)), Square()])
    assert check_layer(network, random_rows(4, 3)).ok
    assert network.output_shape((3,)) == (2,)


def test_moving_to_another_engine_converts_every_parameter() -> None:
    class Doubling:
        """An engine whose matrices are wrapped in a tuple, so that a forgotten conversion shows."""

        @staticmethod
        def from_rows(rows: Rows) -> tuple[str, Rows]:
            return ("wrapped", rows)

        @staticmethod
        def to_rows(m: tuple[str, Rows]) -> Rows:
            return m[1]

    network = Sequential([Linear(2, 3), Sequential([Linear(3, 1), ReLU()])])
    before = [p.value for p in network.parameters()]
    network.use(Doubling)
    assert [p.value for p in network.parameters()] == [("wrapped", value) for value in before]
    assert all(part.ops is Doubling for part in network.walk())
    network.use(LISTS)
    assert [p.value for p in network.parameters()] == before


# --- misuse ------------------------------------------------------------------------------------------------------


def test_an_unknown_initialisation_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'uniform'.*he, xavier"):
        Linear(2, 3, init="uniform")


@pytest.mark.parametrize("init", [-0.1, math.inf, math.nan, True, None])
def test_an_initialisation_that_is_no_bound(init: Any) -> None:
    with pytest.raises(ValueError, match=r"init .*got"):
        Linear(2, 3, init=init)


@pytest.mark.parametrize("size", [0, -3, 2.5, "4", True, None])
def test_sizes_of_linear(size: Any) -> None:
    with pytest.raises(ValueError, match=r"inputs of Linear must be a whole number of at least 1, got"):
        Linear(size, 3)
    with pytest.raises(ValueError, match=r"outputs of Linear must be a whole number of at least 1, got"):
        Linear(3, size)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, math.nan, "half", True])
def test_rate_of_dropout(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"rate of Dropout must be a number at least 0 and below 1, got"):
        Dropout(rate)


@pytest.mark.parametrize("slope", [-0.1, 1.0, math.nan])
def test_slope_of_leaky_relu(slope: float) -> None:
    with pytest.raises(ValueError, match=r"slope of LeakyReLU must be .*, got"):
        LeakyReLU(slope)


@pytest.mark.parametrize("alpha", [-0.1, math.inf, math.nan, "one"])
def test_alpha_of_elu(alpha: Any) -> None:
    with pytest.raises(ValueError, match=r"alpha of ELU must be a number at least 0 and finite, got"):
        ELU(alpha)


def test_a_wrong_width_says_expected_and_got() -> None:
    with pytest.raises(ValueError, match=r"expects 3 inputs, got 4"):
        Linear(3, 2).output_shape((4,))
    with pytest.raises(ValueError, match=r"layer 2: Linear\(5, 1\) expects 5 inputs, got 2"):
        Sequential([Linear(3, 2), ReLU(), Linear(5, 1)]).output_shape((3,))
    with pytest.raises(ValueError, match=r"1x4, 3x2 and 1x2"):
        Linear(3, 2).forward([[1.0, 2.0, 3.0, 4.0]])


def test_sequential_takes_layers() -> None:
    with pytest.raises(ValueError, match=r"'relu' at position 1"):
        Sequential([Linear(2, 3), "relu"])  # type: ignore[list-item]


def test_a_layer_without_its_verbs_says_which_is_missing() -> None:
    class Nothing(Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing needs a method forward"):
        Nothing().forward([[1.0]])
    with pytest.raises(NotImplementedError, match=r"Nothing needs a method backward"):
        Nothing().backward([[1.0]])


def test_a_parameter_has_no_gradient_before_backward() -> None:
    parameter = Parameter("weight", [[1.0]])
    assert (parameter.name, parameter.value, parameter.gradient) == ("weight", [[1.0]], None)


# --- parts of a network ------------------------------------------------------------------------------------------


def autoencoder(engine: str = "lanes") -> Model:
    encoder = Sequential([Linear(4, 3), ReLU(), Linear(3, 2)])
    return Model.from_layers(
        [encoder, Sequential([Linear(2, 4)])], loss="mse", task="regression", scaling="none", engine=engine
    )


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_the_parts_of_a_network_can_be_used_by_themselves(engine: str) -> None:
    rows = [[0.1, 0.9, -0.3, 0.5], [1.0, 0.0, 0.25, -0.5], [0.2, 0.2, 0.2, 0.2]]
    model = autoencoder(engine)
    model.fit(rows, rows, epochs=3)
    encoder, decoder = model.network
    codes = encoder(rows)
    assert [len(code) for code in codes] == [2, 2, 2]
    for ours, whole in zip(decoder(codes), model.predict(rows)):
        assert ours == pytest.approx(whole, abs=1e-4)
    with pytest.raises(ValueError, match="rows: row 1 must be a sequence of numbers, got str 'a'"):
        encoder([rows[0], "a"])
    with pytest.raises(ValueError, match=r"affine needs .* got (1x3 and 3x3|\(1, 3\), \(4, 3\)|1x3, 4x3)"):
        encoder([[1.0, 2.0, 3.0]])


def test_a_layer_belongs_to_one_model() -> None:
    model = autoencoder()
    before = model.weights
    with pytest.raises(ValueError, match=r"layer 0, Sequential, belongs to another model.* its copy\(\)"):
        Model.from_layers([model.network[0]], loss="mse", seed=5)
    assert model.weights == before


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_a_copy_of_a_layer_starts_another_model_with_its_weights(engine: str) -> None:
    rows, labels = [[0.1, 0.9, -0.3, 0.5], [1.0, 0.0, 0.25, -0.5]] * 4, [0, 1] * 4
    model = autoencoder(engine)
    other = Model.from_layers([model.network[0].copy(), Linear(2, 2)], seed=5, engine=engine)
    assert other.weights[:4] == model.weights[:4]
    before = model.weights
    other.fit(rows, labels, epochs=5, lr=0.5)
    assert model.weights == before
    assert other.weights[0] != before[0]


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_some_layers_of_a_network_can_be_wrapped_and_looked_through(engine: str) -> None:
    rows = [[0.1, 0.9, -0.3, 0.5], [1.0, 0.0, 0.25, -0.5]]
    encoder = autoencoder(engine).network[0]
    hidden = Sequential(encoder[:2])
    assert encoder[2](hidden(rows)) == [pytest.approx(code, abs=1e-4) for code in encoder(rows)]
    assert hidden.copy()(rows) == hidden(rows)
    assert check_layer(hidden, rows).ok


def test_a_look_at_a_network_does_not_change_what_it_learns() -> None:
    rows, labels = [[0.1, 0.9], [1.0, 0.0], [0.5, 0.5]], [0, 1, 0]
    weights = []
    for look in (False, True):
        model = Model.from_layers([Linear(2, 8), Dropout(0.5), Linear(8, 2)], seed=1)
        model.network.train()
        if look:
            assert model.network(rows) == model.network(rows)
        model.fit(rows, labels, epochs=3)
        weights.append(model.weights)
    assert weights[0] == weights[1]


def test_a_copy_of_a_layer_without_weights_yet_gets_those_of_its_model() -> None:
    first, second = [Model.from_layers([Linear(3, 2).copy()], seed=seed).weights for seed in (1, 2)]
    assert first != second


def test_a_copy_leaves_the_last_batch_behind_and_shares_the_engine() -> None:
    model = autoencoder()
    model.fit([[0.1, 0.9, -0.3, 0.5]] * 2, [[0.1, 0.9, -0.3, 0.5]] * 2, epochs=1)
    layer = model.network[0][0]
    twin = layer.copy()
    assert layer.x is not None
    assert twin.x is None
    assert twin.ops is layer.ops


class Square(Layer):
    """The layer that ``help(Layer)`` shows: two methods, and ``backward`` takes nothing but the gradient."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return self.ops.hadamard(x, x)

    def backward(self, gradient: Any) -> Any:
        return self.ops.scale(self.ops.hadamard(gradient, self.x), 2.0)


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_a_layer_of_ones_own_is_two_methods(engine: str) -> None:
    """The sum of two numbers is 0 or not: with a square in between, one unit finds out."""
    rows = [[a / 4, b / 4] for a in range(-4, 5) for b in range(-4, 5)]
    labels = [int(abs(a + b) > 0.4) for a, b in rows]
    model = Model.from_layers([Linear(2, 4), Square(), Linear(4, 2)], engine=engine)
    model.fit(rows, labels, epochs=60, lr=0.1, momentum=0.9)
    assert model.score(rows, labels) > 0.95
    assert check_model(model, rows[:5], labels[:5]).ok
