"""Layers, the functions that a network is made of: each has a ``forward`` and a ``backward`` pass.

``forward`` turns a batch (a matrix whose rows are samples) into the next layer's batch and remembers what the
way back needs. (It returns what it has made, not what it remembers: that may be another thread's by then.)
``backward`` takes dLoss/dOutput, leaves dLoss/dParameter in its parameters and returns dLoss/dInput. Every layer is
written against the operations of ``self.ops``, a number engine such as ``linalg``, and never asks which one it is.
"""

from __future__ import annotations

import math
from _collections_abc import Iterable
from itertools import islice

from ..checks import shown
from ..engines.finding import Computing
from ..errors import ArgumentError
from ..preprocessing.rows import as_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random
    from typing import Any

    Matrix = Any  # a matrix of whichever engine ``ops`` is: for ``linalg`` a list of rows
else:
    Matrix = object

Rows = list[list[float]]
Shape = tuple[int, ...]  # the shape of one sample: (features,) or (channels, height, width)

MOST_LAYERS = 4096  # in one network, with those inside others
MOST_WEIGHTS = 1 << 40  # in one layer; as floats they would take 8 terabytes
NUMBER_BY_NUMBER = 32  # what a number that goes through Python by itself costs, in multiply-adds of whole rows


class Parameter:
    """A matrix that training changes, and the loss's gradient with respect to it (same shape, None at first).

    One that is not ``trainable`` has no gradient, and no optimizer sees it: the layer itself changes it in ``forward``
    while training, as a running mean. It is saved, copied and moved to other engines like any other.
    """

    trainable = True

    def __init__(self, name: str, value: Matrix, trainable: bool = True) -> None:
        self.name = name
        self.value = value
        self.gradient: Matrix = None
        self.trainable = trainable


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
    ``self.ops.to_rows(x)`` and ``self.ops.from_rows(rows)``. A layer with weights has ``parameters``, too (those that
    it changes itself are made with ``trainable=False``), and its ``backward`` takes ``input_gradient=True``; one that
    holds other layers gives them in ``walk`` and passes ``build`` on to them. A model with a layer of your own
    can be saved if ``config`` returns the layer's arguments, and is read again by
    ``Model.load(path, layers=[Square])``.

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
    reads_indices = False  # its inputs are whole numbers that name things: never scaled, and without a gradient

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
        checked = as_rows(rows, "rows")
        self.check_rows(checked, "rows")
        x = self.ops.from_rows(checked)
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
        # The last batch may be all of the training data. Numbers and the like are shared by others.
        batches = [getattr(layer, "x", None) for layer in layers]
        plain = (int, float, str, bytes, tuple, type(None))
        last_batches = {id(x): None for x in batches if not isinstance(x, plain)}
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

    def changing_parameters(self) -> list[Parameter]:
        """Those of ``parameters()`` that training changes: all but those of frozen layers."""
        frozen = {id(p) for layer in self.walk() if not layer.trainable for p in layer.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in frozen]

    def trainable_parameters(self) -> list[Parameter]:
        """Those of them that an optimizer changes, by their gradients."""
        return [parameter for parameter in self.changing_parameters() if parameter.trainable]

    def parameter_shapes(self) -> list[tuple[int, int]]:
        """(rows, columns) of each of ``parameters()``. A layer with large ones tells without making them."""
        return [self.ops.shape(parameter.value) for parameter in self.parameters()]

    def gradients(self) -> list[Matrix]:
        """dLoss/dParameter for each of ``parameters()``; None before the first ``backward``, or if it is frozen."""
        return [parameter.gradient for parameter in self.parameters()]

    def check_rows(self, rows: Sequence[Sequence[float]], name: str) -> None:
        """``DataError`` for rows, called ``name``, that cannot be this layer's inputs although they are numbers and as
        many as it takes. A model asks its first layer."""

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

        None: saved weights are about to take their place, and what stands there until then does not matter.
        """

    def draw_from(self, rng: Random) -> None:
        """Take a generator to draw from while training, unless the layer was given one of its own."""

    def use(self, ops: Any) -> None:
        """Move this layer, its parameters and all layers inside it to another number engine."""
        layers = [layer for layer in self.walk() if layer.ops is not ops]
        # All that takes time comes first, and what was is only let go of at the end, which takes time as well: Ctrl-C
        # is not to leave layers on two engines.
        moved = [
            (parameter, ops.from_rows(layer.ops.to_rows(parameter.value)), parameter.value, parameter.gradient)
            for layer in layers
            if not isinstance(layer, Sequential)  # its parameters are those of its layers
            for parameter in layer.parameters()
        ]
        for parameter, value, *_before in moved:
            parameter.value, parameter.gradient = value, None
        for layer in layers:
            layer.ops = ops

    def config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as plain data: what a saved model holds."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


def _located(error: OverflowError, position: int, layer: Layer) -> OverflowError:
    """The same error, saying in which layer numbers ran away."""
    return type(error)(f"layer {position}, {type(layer).__name__}: {error}")


class Sequential(Layer):
    """Layers one after another. It is a layer itself, so it can stand inside another Sequential.

    ``network[0]`` is its first layer, ``len(network)`` how many there are, and it can be gone through.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        if not isinstance(layers, Iterable):
            raise ArgumentError(f"{type(self).__name__} takes a list of layers, got {shown(layers)}")
        self.layers = list(layers)
        for position, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise ArgumentError(f"{type(self).__name__} takes layers, got {shown(layer)} at position {position}")
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

    @property
    def reads_indices(self) -> bool:  # type: ignore[override]
        """Whether the first layer does."""
        return any(layer.reads_indices for layer in islice(self.in_line(), 1))

    def check_rows(self, rows: Sequence[Sequence[float]], name: str) -> None:
        for layer in islice(self.in_line(), 1):
            layer.check_rows(rows, name)

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
        for layer in self.layers:
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

    def config(self) -> dict[str, Any]:
        return {"layers": self.layers}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r})"
