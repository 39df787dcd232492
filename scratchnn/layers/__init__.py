"""Layers: what a network is stacked of, each with forward and backward."""

from .. import lazily

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
    "GELU": "activations",
    "SiLU": "activations",
    "ELU": "activations",
    "Softplus": "activations",
    "Softmax": "activations",
    "LogSoftmax": "activations",
    "Dropout": "linear",
    "LayerNorm": "normalisation",
    "BatchNorm": "normalisation",
    "Embedding": "embedding",
    "Sequential": "base",
    "Residual": "residual",
    "Conv2D": "convolution",
    "MaxPool2D": "convolution",
    "AvgPool2D": "convolution",
    "Flatten": "convolution",
}

# The kinds of arguments, as a file writes them; the constructors check the values, whoever hands them over.
_SIZE, _SIZES, _NUMBER, _RULE = (int,), (int, list), (int, float), (str, int, float)
_WINDOW: dict[str, tuple[type, ...]] = {"kernel": _SIZES, "stride": _SIZES, "padding": _SIZES}

# The layers that a model file may name, and their arguments: a file has all of them and no others.
ARGUMENTS: dict[str, dict[str, tuple[type, ...]]] = {
    "Linear": {"inputs": _SIZE, "outputs": _SIZE, "init": _RULE},
    "ReLU": {},
    "LeakyReLU": {"slope": _NUMBER},
    "Tanh": {},
    "Sigmoid": {},
    "GELU": {},
    "SiLU": {},
    "ELU": {"alpha": _NUMBER},
    "Softplus": {},
    "Softmax": {},
    "LogSoftmax": {},
    "Dropout": {"rate": _NUMBER},
    "LayerNorm": {"features": _SIZE, "epsilon": _NUMBER},
    "BatchNorm": {"features": _SIZE, "momentum": _NUMBER, "epsilon": _NUMBER},
    "Embedding": {"count": _SIZE, "features": _SIZE},
    "Sequential": {"layers": (list,)},
    "Residual": {"layers": (list,)},
    "Conv2D": {"in_channels": _SIZE, "out_channels": _SIZE, **_WINDOW, "init": _RULE},
    "MaxPool2D": _WINDOW,
    "AvgPool2D": _WINDOW,
    "Flatten": {},
}

__all__ = [*_HOMES]
__getattr__ = lazily(__name__, _HOMES)
