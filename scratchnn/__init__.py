"""scratchnn: neural networks in pure Python, with no dependency at all.

    from scratchnn import Model, load_csv

Names are loaded when they are first used, so that ``import scratchnn`` costs next to nothing and a program
that only predicts never loads what only training needs.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# An older Python can read this file, if no other, and tell its user. The name makes `python -m` show a line, no trace.
if sys.version_info < (3, 9):  # noqa: UP036
    version = ".".join(map(str, sys.version_info[:2]))
    raise ImportError(f"scratchnn needs Python 3.9 or newer, this is {version}", name=__name__)

__version__ = "0.1.0"

# Where each public name lives.
_HOMES = {
    "Model": "model",
    "grid_search": "search",
    "random_search": "search",
    "SearchResult": "search",
    "Layer": "layers.base",
    "Linear": "layers.linear",
    "ReLU": "layers.activations",
    "LeakyReLU": "layers.activations",
    "Tanh": "layers.activations",
    "Sigmoid": "layers.activations",
    "GELU": "layers.activations",
    "SiLU": "layers.activations",
    "ELU": "layers.activations",
    "Softplus": "layers.activations",
    "Softmax": "layers.activations",
    "LogSoftmax": "layers.activations",
    "Dropout": "layers.linear",
    "LayerNorm": "layers.normalisation",
    "BatchNorm": "layers.normalisation",
    "Embedding": "layers.embedding",
    "Sequential": "layers.base",
    "Residual": "layers.residual",
    "Conv2D": "layers.convolution",
    "MaxPool2D": "layers.convolution",
    "AvgPool2D": "layers.convolution",
    "Flatten": "layers.convolution",
    "Loss": "losses",
    "MSELoss": "losses",
    "L1Loss": "losses",
    "HuberLoss": "losses",
    "BCELoss": "losses",
    "BCEWithLogitsLoss": "losses",
    "CrossEntropyLoss": "losses",
    "NLLLoss": "losses",
    "KLDivLoss": "losses",
    "SGD": "optim",
    "Adagrad": "optim",
    "RMSprop": "optim",
    "Adam": "optim",
    "AdamW": "optim",
    "StepSchedule": "optim",
    "CosineSchedule": "optim",
    "ReduceOnPlateau": "optim",
    "WarmUp": "optim",
    "OneCycleSchedule": "optim",
    "Callback": "training.callbacks",
    "EarlyStopping": "training.callbacks",
    "BestWeights": "training.callbacks",
    "History": "training.callbacks",
    "Dataset": "datasets.dataset",
    "load_csv": "datasets.dataset",
    "load_idx": "datasets.dataset",
    "load_digits": "datasets.dataset",
    "train_test_split": "datasets.dataset",
    "one_hot": "preprocessing.labels",
    "trustworthiness": "tsne",
    "ArgumentError": "errors",
    "DataError": "errors",
    "ModelBusyError": "errors",
    "WorkerError": "errors",
    "ModelFileError": "errors",
    "NotFittedError": "errors",
    "TrainingDiverged": "errors",
}

# Modules to be used under their own names, as scratchnn.gradcheck.check_layer.
_MODULES = ("elementary", "gradcheck", "linalg", "metrics", "plots", "search", "toys", "tsne")

__all__ = [*_HOMES, "__version__"]


def lazily(room: str, homes: dict[str, str]) -> "Any":
    """The ``__getattr__`` of a room: it loads each name from its home, as seen from there, when it is asked for."""

    def load(name: str) -> "Any":
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f".{homes[name]}", room), name)

    return load


_load = lazily("scratchnn", _HOMES)


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"scratchnn.{name}")
    if name not in _HOMES:
        layers = import_module("scratchnn.layers")
        if name in layers.ARGUMENTS:
            return getattr(layers, name)
    return _load(name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
