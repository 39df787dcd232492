"""Layers, the functions that a network is made of: each has a ``forward`` and a ``backward`` pass.

``forward`` turns a batch (a matrix whose rows are samples) into the next layer's batch and remembers what the
way back needs. (It returns what it has made, not what it remembers: that may be another thread's by then.)
``backward`` takes dLoss/dOutput, leaves dLoss/dParameter in its parameters and returns dLoss/dInput. Every layer is
written against the operations of ``self.ops``, a number engine such as ``linalg``, and never asks which one it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

from . import linalg
from .checks import MOST_NUMBERS, finite_number, require_known, require_number, require_size, shown
from .engines.base import Computing
from .errors import ArgumentError
from .preprocessing.rows import as_rows

Rows = list[list[float]]
Matrix = Any  # a matrix of whichever engine ``ops`` is: for ``linalg`` a list of rows
Shape = tuple[int, ...]  # the shape of one sample: (features,) or (channels, height, width)

MOST_LAYERS = 4096  # in one network, with those inside others
MOST_WEIGHTS = 1 << 40  # in one layer; as floats they would take 8 terabytes
NUMBER_BY_NUMBER = 32  # what a number that goes through Python by itself costs, in multiply-adds of whole rows


class Parameter:
    """A matrix that training changes, and the loss's gradient with respect to it (same shape, None at first)."""

    def __init__(self, name: str, value: Matrix) -> None:
        self.name = name
        self.value = value
        self.gradient: Matrix = None


def width(shape: Shape) -> int:
    """How many numbers a sample of this shape has: its width as a flat row."""
    return math.prod(shape)


def shape_text(shape: Shape) -> str:
    """(1, 28, 28) as 1 x 28 x 28."""
    return " x ".join(map(str, shape))


class Layer(Computing):
    """Base class of all layers. One of your own needs ``forward`` and ``backward`` and nothing else.

    Both are given a matrix of the number engine ``self.ops`` and return one. Engines share their operations, of which
    ``map``, ``hadamard`` and ``scale`` make most layers without weights; any other goes through lists of floats, with
    ``self.ops.to_rows(x)`` and ``self.ops.from_rows(rows)``. A layer with weights has ``parameters``, too, and its
    ``backward`` takes ``input_gradient=True``; one that holds other layers gives them in ``walk`` and passes ``build``
    on to them. A model with a layer of your own can be saved if ``config`` returns the layer's arguments, and is read
    again by ``Model.load(path, layers=[Square])``.

        class Square(Layer):
            def forward(self, x):
                self.x = x
                return self.ops.hadamard(x, x)

            def backward(self, gradient):
                return self.ops.scale(self.ops.hadamard(gradient, self.x), 2.0)
    """

    training = True  # False: predicting, so that Dropout passes everything
    in_model = False  # a ``Model`` has drawn its weights, and no other may
    _trainable = True
    keeps_weights = False  # or its generator, when a model draws

    def forward(self, x: Matrix) -> Matrix:
        """The layer's output for a batch ``x`` (samples x features)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward(x)")

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        """dLoss/dInput from dLoss/dOutput, for the batch last given to ``forward``.

        ``input_gradient=False`` says that nobody will read the result, and the layer may return None. It is only ever
        said to the first layer in a network that learns weights, so others can do without the argument. A layer that
        is not ``trainable`` need not work out its parameters' gradients.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method backward(gradient, input_gradient=True)")

    def __call__(self, rows: Any) -> Rows:
        """What the layer makes of rows of numbers (samples x features), as lists of floats.

        For a look at a network, or for using a part of it: ``encoder, decoder = model.network`` are an autoencoder's
        halves, and ``encoder(rows)`` are codes. Rows are taken as they are, without the scaling that a ``Model`` does,
        and as when predicting: Dropout passes everything. Raises ``DataError`` for rows that cannot be used,
        ``ValueError`` for rows of another length.
        """
        x = self.ops.from_rows(as_rows(rows, "rows"))
        training = [layer for layer in self.walk() if layer.training]
        self.eval()
        try:
            return self.ops.to_rows(self.forward(x))  # type: ignore[no-any-return]
        finally:
            for layer in training:
                layer.training = True

    def copy(self) -> Layer:
        """A layer with the same weights, for another model: that does not draw new ones, but learns on from these."""
        from copy import deepcopy

        layers = list(self.walk())
        shared = {id(layer.ops): layer.ops for layer in layers}
        last_batches = {id(layer.x): None for layer in layers if hasattr(layer, "x")}  # may be all of the training data
        twin = deepcopy(self, {**last_batches, **shared})
        for layer in twin.walk():
            layer.in_model = False
            layer.keeps_weights |= any(isinstance(p, Parameter) and p.value is not None for p in vars(layer).values())
        return twin

    @property
    def trainable(self) -> bool:
        """Whether training changes this layer's parameters. Set to False, it is *frozen*, and all layers inside it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise ArgumentError(f"trainable must be True or False, got {shown(value)}")
        for layer in self.walk():
            layer._trainable = value
            for parameter in vars(layer).values():
                if isinstance(parameter, Parameter):
                    parameter.gradient = None  # of a batch of before: no later one will replace it

    def parameters(self) -> list[Parameter]:
        """The layer's matrices of numbers, in a fixed order. Training changes them, unless the layer is frozen."""
        return []

    def trainable_parameters(self) -> list[Parameter]:
        """Those of ``parameters()`` that training changes: all but those of frozen layers."""
        frozen = {id(p) for layer in self.walk() if not layer.trainable for p in layer.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in frozen]

    def parameter_shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of each of ``parameters()``. A layer with large ones tells without making them."""
        return [self.ops.shape(parameter.value) for parameter in self.parameters()]

    def gradients(self) -> list[Matrix]:
        """dLoss/dParameter for each of ``parameters()``; None before the first ``backward``, or if it is frozen."""
        return [parameter.gradient for parameter in self.parameters()]

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of an output sample for an input sample of ``input_shape``; ``ValueError`` if it does not fit."""
        return input_shape

    def work(self, input_shape: Shape) -> int:
        """About how many multiply-adds a sample of ``input_shape`` takes on its way through."""
        return NUMBER_BY_NUMBER * width(self.output_shape(input_shape))

    def build(self, input_shape: Shape) -> None:
        """Get ready for samples of ``input_shape``, which ``output_shape`` has accepted. Layers for images remember it.

        A ``Model`` does this with its network. ``ValueError`` for a layer that takes other images already.
        """

    def walk(self) -> Iterator[Layer]:
        """This layer and all layers inside it."""
        yield self

    def train(self) -> None:
        """Switch to training: Dropout drops."""
        for layer in self.walk():
            layer.training = True

    def eval(self) -> None:
        """Switch to predicting: Dropout passes everything."""
        for layer in self.walk():
            layer.training = False

    def initialise(self, rng: Random | None) -> None:
        """Draw new starting weights from ``rng``, unless the layer was given a generator of its own.

        None stands for zeros: for weights that are about to be replaced by saved ones.
        """

    def draw_from(self, rng: Random) -> None:
        """Take a generator to draw from while training, unless the layer was given one of its own."""

    def use(self, ops: Any) -> None:
        """Move this layer, its parameters and all layers inside it to another number engine."""
        for layer in self.walk():
            if layer.ops is not ops:
                for parameter in layer.parameters():
                    parameter.value = ops.from_rows(layer.ops.to_rows(parameter.value))
                    parameter.gradient = None
                layer.ops = ops

    def config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as plain data: what a saved model holds."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


def _he(inputs: int, outputs: int) -> float:
    return math.sqrt(6.0 / inputs)


def _xavier(inputs: int, outputs: int) -> float:
    return math.sqrt(6.0 / (inputs + outputs))


# The bound b of the uniform distribution on [-b, b] that starting weights are drawn from.
# he: He et al. 2015, "Delving Deep into Rectifiers", section 2.2 (variance 2/inputs; for ReLU).
# xavier: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward networks", equation 16.
INITIALISATIONS: dict[str, Callable[[int, int], float]] = {"he": _he, "xavier": _xavier}


def uniform_matrix(rows: int, columns: int, bound: float, rng: Random) -> list[list[float]]:
    """A rows x columns list of numbers drawn uniformly from [-bound, bound)."""
    return [[bound * (2.0 * rng.random() - 1.0) for _ in range(columns)] for _ in range(rows)]


def initial_bound(init: str | float, inputs: int, outputs: int) -> float:
    """The bound that ``init`` (the name of a rule, or the bound itself) stands for; ``ValueError`` otherwise."""
    if isinstance(init, str):
        require_known("initialisation", init, INITIALISATIONS, ", or a number")
        return INITIALISATIONS[init](inputs, outputs)
    number = finite_number(init)
    if not number >= 0.0:
        raise ArgumentError(f"init is the name of a rule or a number of at least 0, got {shown(init)}")
    return number


class WeightedLayer(Layer):
    """Base class of layers with a weight and a bias, which are drawn as soon as somebody asks for them."""

    def _make_parameters(
        self, inputs: int, outputs: int, init: str | float, rng: Random | None, fan_out: int | None = None
    ) -> None:
        """``weight`` is inputs x outputs, ``bias`` 1 x outputs. ``fan_out``: how many outputs an input is part of."""
        if inputs * outputs > MOST_WEIGHTS:  # no machine has room for more
            name = type(self).__name__
            raise ArgumentError(f"{name} of {inputs} x {outputs} weights: at most {MOST_WEIGHTS} are possible")
        self._shape = inputs, outputs
        self._bound = initial_bound(init, inputs, fan_out or outputs)
        self.init = init if isinstance(init, str) else self._bound
        self.weight = Parameter("weight", None)
        self.bias = Parameter("bias", None)
        self.x: Matrix = None
        self.keeps_weights = rng is not None
        if rng is not None:
            self._draw(rng)

    def _draw(self, rng: Random | None) -> None:
        inputs, outputs = self._shape
        zeros = [[0.0] * outputs]
        weights = zeros * inputs if rng is None else uniform_matrix(inputs, outputs, self._bound, rng)
        self.weight.value = self.ops.from_rows(weights)
        self.bias.value = self.ops.from_rows(zeros)

    def initialise(self, rng: Random | None) -> None:
        if not self.keeps_weights:
            self._draw(rng)

    def parameters(self) -> list[Parameter]:
        if self.weight.value is None:
            self._draw(Random(0))
        return [self.weight, self.bias]

    def parameter_shapes(self) -> list[tuple[int, int]]:
        return [self._shape, (1, self._shape[1])]


class Linear(WeightedLayer):
    """A fully connected layer: every output is a weighted sum of all inputs plus a bias: y = x·weight + bias.

    ``weight`` is inputs x outputs, ``bias`` 1 x outputs. ``init`` is "he" (the default, for ReLU), "xavier" (for tanh
    and sigmoid) or a number b: weights uniform in ±b. Biases start at 0. ``rng`` draws the weights at once and for
    good; without it they come from a fixed seed until a ``Model`` draws its own.
    """

    def __init__(self, inputs: int, outputs: int, *, init: str | float = "he", rng: Random | None = None) -> None:
        self.inputs = require_size("inputs of Linear", inputs, most=MOST_NUMBERS)
        self.outputs = require_size("outputs of Linear", outputs, most=MOST_NUMBERS)
        self._make_parameters(self.inputs, self.outputs, init, rng)

    def forward(self, x: Matrix) -> Matrix:
        weight, bias = self.parameters()
        self.x = x
        return self.ops.affine(x, weight.value, bias.value)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        learns, ops = self.trainable, self.ops
        self.weight.gradient = ops.matmul_tn(self.x, gradient) if learns else None
        self.bias.gradient = ops.sum_rows(gradient) if learns else None
        return ops.matmul_nt(gradient, self.weight.value) if input_gradient else None

    def output_shape(self, input_shape: Shape) -> Shape:
        if width(input_shape) != self.inputs:
            raise ArgumentError(
                f"Linear({self.inputs}, {self.outputs}) expects {self.inputs} inputs, got {width(input_shape)}"
            )
        return (self.outputs,)

    def work(self, input_shape: Shape) -> int:
        return self.outputs * (self.inputs + NUMBER_BY_NUMBER)

    def config(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "outputs": self.outputs, "init": self.init}


class ReLU(Layer):
    """Rectified linear unit: max(x, 0). Its derivative is 1 where x is positive and 0 elsewhere (0 at 0 itself)."""

    def forward(self, x: Matrix) -> Matrix:
        output, self.mask = self.ops.relu(x)
        return output

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.gate(gradient, self.mask)


class LeakyReLU(Layer):
    """Leaky rectified linear unit: x where x is positive, slope·x elsewhere (Maas et al. 2013)."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = require_number("slope of LeakyReLU", slope, 0.0, 1.0)

    def forward(self, x: Matrix) -> Matrix:
        slope = self.slope
        self.derivative = self.ops.map(lambda v: 1.0 if v > 0.0 else slope, x)
        return self.ops.map(lambda v: v if v > 0.0 else slope * v, x)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.derivative)

    def config(self) -> dict[str, Any]:
        return {"slope": self.slope}


class Tanh(Layer):
    """The hyperbolic tangent; its derivative is 1 - tanh²."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(math.tanh, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.ops.map(lambda y: 1.0 - y * y, self.y))


class Sigmoid(Layer):
    """The logistic function 1 / (1 + e⁻ˣ); its derivative is y·(1 - y) for the output y."""

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = self.ops.map(linalg.sigmoid, x)
        return y

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return self.ops.hadamard(gradient, self.ops.map(lambda y: y * (1.0 - y), self.y))


class Softmax(Layer):
    """Softmax: each row becomes positive numbers that add up to 1, eˣ / Σ eˣ.

    backward is the true Jacobian-vector product y·(g - Σ g·y), right under any loss.
    """

    def forward(self, x: Matrix) -> Matrix:
        self.y = y = [linalg.softmax(row) for row in self.ops.to_rows(x)]
        return self.ops.from_rows(y)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        rows = []
        for y, g in zip(self.y, self.ops.to_rows(gradient)):
            along = linalg.total([v * p for v, p in zip(g, y)])  # rounded once: the same on every Python
            rows.append([p * (v - along) for p, v in zip(y, g)])
        return self.ops.from_rows(rows)


class LogSoftmax(Layer):
    """The logarithm of softmax, row by row, without underflow; backward is g - softmax(x)·Σ g."""

    def forward(self, x: Matrix) -> Matrix:
        pairs = [linalg.softmax_and_log(row) for row in self.ops.to_rows(x)]
        self.probabilities = [softmax for softmax, _ in pairs]
        return self.ops.from_rows([log_softmax for _, log_softmax in pairs])

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        rows = []
        for probabilities, g in zip(self.probabilities, self.ops.to_rows(gradient)):
            total = math.fsum(g)
            rows.append([v - p * total for p, v in zip(probabilities, g)])
        return self.ops.from_rows(rows)


class Dropout(Layer):
    """Dropout: while training, each number is zeroed with probability ``rate`` and the others grow by 1 / (1 - rate).

    So the expected sum stays the same, and predicting needs no change (Srivastava et al. 2014, "inverted" form).
    ``rng`` draws the mask; without it a fixed seed does until a ``Model`` hands in a generator.
    """

    def __init__(self, rate: float = 0.5, *, rng: Random | None = None) -> None:
        self.rate = require_number("rate of Dropout", rate, 0.0, 1.0)
        self.rng = rng or Random(0)
        self.keeps_weights = rng is not None
        self.mask: Matrix = None

    def draw_from(self, rng: Random) -> None:
        if not self.keeps_weights:
            self.rng = rng

    def forward(self, x: Matrix) -> Matrix:
        self.mask = None
        if not self.training or not self.rate:
            return x
        draw, rate, kept = self.rng.random, self.rate, 1.0 / (1.0 - self.rate)
        rows, columns = self.ops.shape(x)
        self.mask = self.ops.from_rows([[0.0 if draw() < rate else kept for _ in range(columns)] for _ in range(rows)])
        return self.ops.hadamard(x, self.mask)

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        return gradient if self.mask is None else self.ops.hadamard(gradient, self.mask)

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate}


def _located(error: OverflowError, position: int, layer: Layer) -> OverflowError:
    """The same error, saying in which layer numbers ran away."""
    return type(error)(f"layer {position}, {type(layer).__name__}: {error}")


class Sequential(Layer):
    """Layers one after another. It is a layer itself, so it can stand inside another Sequential.

    ``network[0]`` is its first layer, ``len(network)`` how many there are, and it can be gone through.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        if not isinstance(layers, Iterable):
            raise ArgumentError(f"Sequential takes a list of layers, got {shown(layers)}")
        self.layers = list(layers)
        for position, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise ArgumentError(f"Sequential takes layers, got {shown(layer)} at position {position}")
        parts = [id(part) for part in self.walk()]
        if len(parts) > MOST_LAYERS:
            raise ArgumentError(f"a network of more than {MOST_LAYERS} layers")
        if len(set(parts)) < len(parts):
            # A layer remembers one batch for its way back: in two places it would give a wrong gradient.
            raise ArgumentError("the same layer object stands in the network twice: make a new one for each place")
        if self.layers and self.layers[0].ops is not self.ops:  # parts of a network that has moved to another engine
            self.ops = self.layers[0].ops

    @property
    def trainable(self) -> bool:
        """Whether any layer inside is; setting it sets it for all of them."""
        return not self.layers or any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        Layer.trainable.fset(self, value)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, position: int) -> Layer:
        return self.layers[position]

    def forward(self, x: Matrix) -> Matrix:
        for position, layer in enumerate(self.layers):
            try:
                x = layer.forward(x)
            except OverflowError as error:
                raise _located(error, position, layer) from None
        return x

    def backward(self, gradient: Matrix, input_gradient: bool = True) -> Matrix:
        # Without a reader for the input's gradient, the way back ends at the first layer that learns.
        first = 0
        if not input_gradient:
            learning = (i for i, layer in enumerate(self.layers) if layer.trainable_parameters())
            first = next(learning, len(self.layers))
        for position in range(len(self.layers) - 1, first - 1, -1):
            layer = self.layers[position]
            try:
                wanted = input_gradient or position > first
                gradient = layer.backward(gradient) if wanted else layer.backward(gradient, False)
            except OverflowError as error:
                raise _located(error, position, layer) from None
        return gradient if input_gradient else None

    def parameters(self) -> list[Parameter]:
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def parameter_shapes(self) -> list[tuple[int, int]]:
        return [shape for layer in self.layers for shape in layer.parameter_shapes()]

    def output_shape(self, input_shape: Shape) -> Shape:
        for position, layer in enumerate(self.layers):
            try:
                input_shape = layer.output_shape(input_shape)
            except ValueError as error:
                raise ArgumentError(f"layer {position}: {error}") from None
        return input_shape

    def work(self, input_shape: Shape) -> int:
        total = 0
        for layer in self.in_line():
            total += layer.work(input_shape)
            input_shape = layer.output_shape(input_shape)
        return total

    def longest_row(self, input_shape: Shape) -> int:
        """The most numbers that a sample of ``input_shape`` has after any of the layers."""
        longest = 0
        for layer in self.in_line():
            input_shape = layer.output_shape(input_shape)
            longest = max(longest, width(input_shape))
        return longest

    def in_line(self) -> Iterator[Layer]:
        """The layers in the order in which samples go through them, those of Sequentials inside instead of these."""
        for layer in self.layers:
            if isinstance(layer, Sequential):
                yield from layer.in_line()
            else:
                yield layer

    def build(self, input_shape: Shape) -> None:
        for position, layer in enumerate(self.layers):
            try:
                layer.build(input_shape)
                input_shape = layer.output_shape(input_shape)
            except ValueError as error:
                raise ArgumentError(f"layer {position}: {error}") from None

    def walk(self) -> Iterator[Layer]:
        yield self
        for layer in self.layers:
            yield from layer.walk()

    def initialise(self, rng: Random | None) -> None:
        for layer in self.layers:
            layer.initialise(rng)

    def use(self, ops: Any) -> None:
        for layer in self.layers:
            layer.use(ops)
        self.ops = ops

    def config(self) -> dict[str, Any]:
        return {"layers": self.layers}

    def __repr__(self) -> str:
        return f"Sequential({self.layers!r})"
