"""The settings of the page *Play*: what may be chosen, what was chosen, and the Python lines that do the same.

What comes from a page is checked here, number by number: sizes are bounded so that one page cannot keep the machine
busy or fill its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import toys
from ..checks import listed, require_known, require_number, require_size, shown
from ..errors import ArgumentError

Points = tuple[list[list[float]], list[int]]

# Each toy set: its function, what is said to it beside samples, noise and seed, and the noise to begin with.
TOYS: dict[str, tuple[Callable[..., Points], dict[str, Any], float]] = {
    "moons": (toys.moons, {}, 0.1),
    "circles": (toys.circles, {}, 0.1),
    "xor": (toys.xor, {}, 0.3),
    "checkerboard": (toys.checkerboard, {}, 0.0),
    "spirals": (toys.spirals, {}, 0.02),
    "blobs": (toys.blobs, {"centers": 3}, 1.0),
}
ACTIVATIONS = ("tanh", "relu", "leaky_relu", "sigmoid", "gelu", "silu", "elu", "softplus")
OPTIMIZERS = ("adam", "sgd", "adamw", "rmsprop", "adagrad")

MOST_NOISE = 3.0
FEWEST_SAMPLES, MOST_SAMPLES = 20, 1000
MOST_LAYERS, MOST_UNITS = 4, 16
LEAST_RATE, MOST_RATE = 1e-5, 10.0
MOST_SEED = 1 << 32
MOST_EPOCHS = 100_000

DEFAULTS: dict[str, Any] = {
    "data": "spirals",
    "noise": 0.02,
    "samples": 300,
    "layers": [8, 8],
    "activation": "tanh",
    "optimizer": "adam",
    "lr": 0.03,
    "batch_size": 32,
    "seed": 0,
}


class Settings:
    """What a page has chosen; ``ArgumentError`` says which part of it cannot be."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping):
            raise ArgumentError(f"settings must be an object of names and values, got {shown(given)}")
        odd = [name for name in given if name not in DEFAULTS]
        if odd:
            raise ArgumentError(f"unknown settings {listed(odd)}: known are {', '.join(DEFAULTS)}")
        chosen = {**DEFAULTS, **given}
        require_known("data", chosen["data"], TOYS)
        require_known("activation", chosen["activation"], ACTIVATIONS)
        require_known("optimizer", chosen["optimizer"], OPTIMIZERS)
        self.data: str = chosen["data"]
        self.activation: str = chosen["activation"]
        self.optimizer: str = chosen["optimizer"]
        self.samples = _within("samples", chosen["samples"], FEWEST_SAMPLES, MOST_SAMPLES)
        self.batch_size = _within("batch_size", chosen["batch_size"], 1, MOST_SAMPLES)
        self.seed = _within("seed", chosen["seed"], 0, MOST_SEED)
        self.noise = require_number("noise", chosen["noise"], 0.0)
        if self.noise > MOST_NOISE:
            raise ArgumentError(f"noise may be at most {MOST_NOISE:g}, got {shown(self.noise)}")
        self.lr = require_number("lr", chosen["lr"], LEAST_RATE)
        if self.lr > MOST_RATE:
            raise ArgumentError(f"lr may be at most {MOST_RATE:g}, got {shown(self.lr)}")
        self.layers = _layers(chosen["layers"])

    def points(self) -> Points:
        """The rows of the toy set and their classes."""
        function, more, _ = TOYS[self.data]
        return function(self.samples, **more, noise=self.noise, seed=self.seed)

    def model_arguments(self) -> dict[str, Any]:
        """What ``Model`` is made with."""
        return {"input_size": 2, "hidden_size": self.layers, "activation": self.activation, "seed": self.seed}

    def fit_arguments(self) -> dict[str, Any]:
        """What ``fit`` is given beside the points and the epochs."""
        return {"lr": self.lr, "batch_size": self.batch_size, "optimizer": self.optimizer, "schedule": None}

    def code(self, epochs: int) -> str:
        """Python lines that do the same, to the same weights after so many epochs."""
        more = TOYS[self.data][1]
        of_toy = {**more, "noise": self.noise, "seed": self.seed}
        return "\n".join(
            [
                "from scratchnn import Model, toys",
                "",
                f"X, y = toys.{self.data}({self.samples}, {_call(of_toy)})",
                f"model = Model({_call(self.model_arguments())})",
                f"model.fit(X, y, epochs={epochs}, {_call(self.fit_arguments())})",
                'print("accuracy:", model.score(X, y))',
                "",
            ]
        )


def choices() -> dict[str, Any]:
    """What a page may offer, as plain data."""
    return {
        "data": {name: noise for name, (_, _, noise) in TOYS.items()},
        "activation": list(ACTIVATIONS),
        "optimizer": list(OPTIMIZERS),
        "samples": [FEWEST_SAMPLES, MOST_SAMPLES],
        "layers": MOST_LAYERS,
        "units": MOST_UNITS,
        "defaults": DEFAULTS,
    }


def _call(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _within(what: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int):  # a page's 3.0 is no whole number
        raise ArgumentError(f"{what} must be a whole number, got {shown(value)}")
    return require_size(what, value, least, most)


def _layers(given: Any) -> list[int]:
    if not isinstance(given, list) or len(given) > MOST_LAYERS:
        raise ArgumentError(f"layers must be a list of at most {MOST_LAYERS} numbers of units, got {shown(given)}")
    return [_within(f"units of hidden layer {number}", units, 1, MOST_UNITS) for number, units in enumerate(given, 1)]
