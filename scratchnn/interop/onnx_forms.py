"""How the steps of a network are spelled in ONNX's operators: one table, read by the writer and by the reader.

A form is a small expression: operators applied to ``X``, the step's input, to numbers, and to ``Setting``s, which are
the step's parameters by name (a weight, a slope). The writer writes the first form of a step; the reader knows a step
by any of its forms, and takes the settings from where they stand.

Doubles have forms of their own where onnxruntime has no operator for them (Erf, Softplus, Elu, LeakyRelu, Conv and
AveragePool, as of 1.32): the same function from others that it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

FLOAT, DOUBLE = "float32", "float64"

X = "x"  # a step's input
CLOSE = 1e-6  # how near a number in a file has to be to that of a form, as a share: it may have been a float32

COMMUTATIVE = {"Add", "Mul", "Max"}


@dataclass(frozen=True)
class Setting:
    """A parameter of the step, by its name in its settings."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operator with its inputs (``X``, numbers, settings, other operators) and attributes (values, or settings)."""

    operator: str
    inputs: tuple[Any, ...]
    attributes: tuple[tuple[str, Any], ...] = ()


def apply(operator: str, *inputs: Any, **attributes: Any) -> Apply:
    """``Apply`` as a call."""
    return Apply(operator, inputs, tuple(attributes.items()))


def _softplus() -> Apply:
    """max(x, 0) + log(1 + e^-|x|)."""
    return apply("Add", apply("Relu", X), apply("Log", apply("Add", apply("Exp", apply("Neg", apply("Abs", X))), 1.0)))


# log(erfc(z)·e^(z²)·(2 + z)) as a polynomial of s = (2 - z) / (2 + z), which is from -1 to 1 for z from infinity to 0;
# from the constant on. Interpolated at Chebyshev's nodes with 60 digits: the GELU made of it is within 5e-16 of the
# true one for x from -12 to 12.
_ERFC = (
    0.021353096503253163,
    0.6726432239776583,
    0.047343306841863525,
    -0.04689561023132892,
    -0.009872689364099222,
    0.008824938561312326,
    0.0017589335074028032,
    -0.002345812552995894,
    -0.00014624628742128406,
    0.0006736791352568864,
    -9.373894767667295e-05,
    -0.00017430412986925938,
    7.141810433422301e-05,
    3.174693542327236e-05,
    -3.023784054007137e-05,
    1.3989370477611051e-07,
    8.662535397475538e-06,
    -2.963484230959699e-06,
    -1.409445991433531e-06,
    1.283394915356199e-06,
    -4.146853754663641e-08,
    -2.895626567435524e-07,
    7.745572408758512e-08,
    2.980513364515168e-08,
    -1.2776086554968677e-08,
)


def _gelu_of_exponentials() -> Apply:
    """max(x, 0) - |x|·erfc(z)/2 with z = |x|/√2: what x·Φ(x) is on either side of 0."""
    size = apply("Abs", X)
    z = apply("Mul", size, math.sqrt(0.5))
    above = apply("Add", z, 2.0)
    s = apply("Div", apply("Sub", 2.0, z), above)
    polynomial: Any = _ERFC[-1]
    for coefficient in reversed(_ERFC[:-1]):
        polynomial = apply("Add", apply("Mul", polynomial, s), coefficient)
    exponential = apply("Exp", apply("Sub", polynomial, apply("Mul", z, z)))
    half = apply("Mul", apply("Div", exponential, above), 0.5)
    return apply("Sub", apply("Relu", X), apply("Mul", size, half))


def _gelu_forms() -> list[Apply]:
    """x·(1 + erf(x/√2))/2 in the orders of multiplication that are met."""
    forms = []
    for argument in (apply("Mul", X, math.sqrt(0.5)), apply("Div", X, math.sqrt(2.0))):
        one_and = apply("Add", apply("Erf", argument), 1.0)
        forms += [
            apply("Mul", apply("Mul", X, 0.5), one_and),
            apply("Mul", apply("Mul", X, one_and), 0.5),
            apply("Mul", X, apply("Mul", one_and, 0.5)),
        ]
    return forms


def _layer_norm(square: Any) -> Apply:
    """(x - mean) / √(variance + epsilon) · weight + bias."""
    centred = apply("Sub", X, apply("ReduceMean", X, axes=(-1,)))
    variance = apply("ReduceMean", square(centred), axes=(-1,))
    root = apply("Sqrt", apply("Add", variance, Setting("epsilon")))
    return apply("Add", apply("Mul", apply("Div", centred, root), Setting("weight")), Setting("bias"))


def _batch_norm() -> Apply:
    """The same with a mean and a variance that are known."""
    root = apply("Sqrt", apply("Add", Setting("variance"), Setting("epsilon")))
    normal = apply("Div", apply("Sub", X, Setting("mean")), root)
    return apply("Add", apply("Mul", normal, Setting("weight")), Setting("bias"))


def _windows(padded: bool) -> Apply:
    """What a window sees at each of its positions, looked up: samples x positions x numbers that it sees."""
    image = apply("Pad", X, Setting("pads")) if padded else X  # one zero behind the row, for what is padding
    return apply("Gather", image, Setting("table"), axis=1)


def _image_of(positions: Apply) -> Apply:
    """samples x positions x channels as rows of images."""
    return apply("Reshape", apply("Transpose", positions, perm=(0, 2, 1)), Setting("row"))


def _convolution(padded: bool) -> Apply:
    product = apply("MatMul", _windows(padded), Setting("weight"))
    return _image_of(apply("Add", product, Setting("bias")))


def _average_pool(padded: bool) -> Apply:
    return _image_of(apply("ReduceMean", _windows(padded), axes=(3,), keepdims=0))


_OF_THRESHOLD = apply("Where", apply("Greater", X, 20.0), X, apply("Softplus", X))

# What is written: the form of each step for each type of numbers.
WRITTEN: dict[str, dict[str, Apply]] = {
    **{
        kind: {FLOAT: form, DOUBLE: form}
        for kind, form in {
            "relu": apply("Relu", X),
            "tanh": apply("Tanh", X),
            "sigmoid": apply("Sigmoid", X),
            "silu": apply("Mul", X, apply("Sigmoid", X)),
            "softmax": apply("Softmax", X, axis=-1),
            "log_softmax": apply("LogSoftmax", X, axis=-1),
            "layer_norm": _layer_norm(lambda centred: apply("Mul", centred, centred)),
        }.items()
    },
    "gelu": {FLOAT: _gelu_forms()[0], DOUBLE: _gelu_of_exponentials()},
    "softplus": {FLOAT: apply("Softplus", X), DOUBLE: _softplus()},
    "leaky_relu": {
        FLOAT: apply("LeakyRelu", X, alpha=Setting("slope")),
        DOUBLE: apply("Max", X, apply("Mul", X, Setting("slope"))),
    },
    "elu": {
        FLOAT: apply("Elu", X, alpha=Setting("alpha")),
        DOUBLE: apply(
            "Where",
            apply("Greater", X, 0.0),
            X,
            apply("Mul", apply("Sub", apply("Exp", X), 1.0), Setting("alpha")),
        ),
    },
    "batch_norm": {
        FLOAT: apply(
            "BatchNormalization",
            X,
            Setting("weight"),
            Setting("bias"),
            Setting("mean"),
            Setting("variance"),
            epsilon=Setting("epsilon"),
            momentum=Setting("momentum"),
        ),
        DOUBLE: _batch_norm(),
    },
}

# Windows in doubles: with and without padding.
CONVOLUTION = {True: _convolution(True), False: _convolution(False)}
AVERAGE_POOL = {True: _average_pool(True), False: _average_pool(False)}

# What is read, beside operators that stand for a step by themselves: forms by their last operator.
_MET: list[tuple[str, Apply]] = [
    ("silu", WRITTEN["silu"][FLOAT]),
    ("silu", apply("Swish", X)),
    *[("gelu", form) for form in _gelu_forms()],
    ("gelu", WRITTEN["gelu"][DOUBLE]),
    ("softplus", WRITTEN["softplus"][DOUBLE]),
    ("softplus", _OF_THRESHOLD),
    ("leaky_relu", WRITTEN["leaky_relu"][DOUBLE]),
    ("elu", WRITTEN["elu"][DOUBLE]),
    ("layer_norm", WRITTEN["layer_norm"][FLOAT]),
    ("layer_norm", _layer_norm(lambda centred: apply("Pow", centred, 2.0))),
    ("batch_norm", WRITTEN["batch_norm"][DOUBLE]),
    *[("windowed_convolution", form) for form in CONVOLUTION.values()],
    *[("windowed_average", form) for form in AVERAGE_POOL.values()],
]
FORMS: dict[str, list[tuple[str, Apply]]] = {
    operator: [(kind, form) for kind, form in _MET if form.operator == operator]
    for operator in sorted({form.operator for _, form in _MET})
}
