"""Layers: what a network is stacked of, each with forward and backward."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import LeakyReLU as LeakyReLU
    from .activations import LogSoftmax as LogSoftmax
    from .activations import ReLU as ReLU
    from .activations import Sigmoid as Sigmoid
    from .activations import Softmax as Softmax
    from .activations import Tanh as Tanh
    from .base import MOST_LAYERS as MOST_LAYERS
    from .base import MOST_WEIGHTS as MOST_WEIGHTS
    from .base import NUMBER_BY_NUMBER as NUMBER_BY_NUMBER
    from .base import Layer as Layer
    from .base import Matrix as Matrix
    from .base import Parameter as Parameter
    from .base import Rows as Rows
    from .base import Sequential as Sequential
    from .base import Shape as Shape
    from .base import shape_text as shape_text
    from .base import width as width
    from .convolution import AvgPool2D as AvgPool2D
    from .convolution import Conv2D as Conv2D
    from .convolution import Flatten as Flatten
    from .convolution import MaxPool2D as MaxPool2D
    from .linear import INITIALISATIONS as INITIALISATIONS
    from .linear import Dropout as Dropout
    from .linear import Linear as Linear
    from .linear import WeightedLayer as WeightedLayer
    from .linear import initial_bound as initial_bound
    from .linear import uniform_matrix as uniform_matrix

# Where each name lives: it is loaded when it is first asked for.
_HOMES = {
    "Rows": "base",
    "Matrix": "base",
    "Shape": "base",
    "MOST_LAYERS": "base",
    "MOST_WEIGHTS": "base",
    "NUMBER_BY_NUMBER": "base",
    "Parameter": "base",
    "width": "base",
    "shape_text": "base",
    "Layer": "base",
    "INITIALISATIONS": "linear",
    "uniform_matrix": "linear",
    "initial_bound": "linear",
    "WeightedLayer": "linear",
    "Linear": "linear",
    "ReLU": "activations",
    "LeakyReLU": "activations",
    "Tanh": "activations",
    "Sigmoid": "activations",
    "Softmax": "activations",
    "LogSoftmax": "activations",
    "Dropout": "linear",
    "Sequential": "base",
    "Conv2D": "convolution",
    "MaxPool2D": "convolution",
    "AvgPool2D": "convolution",
    "Flatten": "convolution",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
