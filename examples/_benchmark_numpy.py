"""What someone who knows NumPy would write by hand: the peer that everything in the benchmark is measured by.

A perceptron with all that the ways to train ask for, a small convolutional network, and a convolution in plain loops.
Numbers are float64, gradients are worked out on paper, and what can be computed in place is. The tests hold the steps
of the first two to those of scratchnn.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from _benchmark_data import BATCH, HIDDEN, LR, Rows
from _benchmark_measuring import now

Array = Any


# --- update rules: each changes the parameters in place -------------------------------------------------------------


class Rule:
    """Gradient descent, with momentum and weight decay if they are given."""

    def __init__(self, parameters: list[Array], lr: float = LR, momentum: float = 0.0, weight_decay: float = 0.0):
        self.np = importlib.import_module("numpy")
        self.parameters, self.lr, self.momentum, self.decay = parameters, lr, momentum, weight_decay
        self.means = [self.np.zeros_like(p) for p in parameters]  # or velocities
        self.squares = [self.np.zeros_like(p) for p in parameters]
        self.steps = 0

    def step(self, gradients: list[Array]) -> None:
        for w, g, v in zip(self.parameters, gradients, self.means):
            if self.decay:
                g += self.decay * w
            if self.momentum:
                v *= self.momentum
                v += g
            w -= self.lr * (v if self.momentum else g)


class Adam(Rule):
    def step(self, gradients: list[Array]) -> None:
        self.steps += 1
        # What divides out that the means began at 0 is the same for all numbers, and taken out of the loop.
        root = (1 - 0.999**self.steps) ** 0.5
        rate, epsilon = self.lr * root / (1 - 0.9**self.steps), 1e-8 * root
        for w, g, m, s in zip(self.parameters, gradients, self.means, self.squares):
            self.shrink(w, g)
            m *= 0.9
            m += 0.1 * g
            s *= 0.999
            s += 0.001 * g * g
            w -= rate * m / (self.np.sqrt(s) + epsilon)

    def shrink(self, w: Array, g: Array) -> None:
        if self.decay:
            g += self.decay * w


class AdamW(Adam):
    def shrink(self, w: Array, g: Array) -> None:
        w *= 1 - self.lr * self.decay


class RMSprop(Rule):
    def step(self, gradients: list[Array]) -> None:
        for w, g, s in zip(self.parameters, gradients, self.squares):
            s *= 0.99
            s += 0.01 * g * g
            w -= self.lr * g / (self.np.sqrt(s) + 1e-8)


RULES = {"sgd": Rule, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


# --- networks --------------------------------------------------------------------------------------------------------


def activations() -> dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]]:
    """(the function, the gradient of its input from that of its output a) of each."""
    np = importlib.import_module("numpy")
    return {
        "relu": (lambda z: np.maximum(z, 0), lambda g, a: g * (a > 0)),
        "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda g, a: np.where(a > 0, g, 0.01 * g)),
        "tanh": (np.tanh, lambda g, a: g * (1 - a * a)),
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda g, a: g * (a * (1 - a))),
    }


class Network:
    """What both networks share: epochs of shuffled batches, softmax cross-entropy, and a step of the rule."""

    parameters: list[Array]
    rule: Rule

    def __init__(self, x: Array, y: Array, batch: int | None) -> None:
        self.np = importlib.import_module("numpy")
        self.x, self.y, self.images = x, y, len(x)
        self.batch = batch or self.images
        self.rng = self.np.random.default_rng(0)

    def layer(self, inputs: int, outputs: int) -> list[Array]:
        """[weight, bias] to begin with."""
        np = self.np
        return [self.rng.uniform(-1, 1, (inputs, outputs)) * np.sqrt(6 / inputs), np.zeros(outputs)]

    def epoch(self) -> float:
        start, order = now(), self.rng.permutation(self.images)
        for first in range(0, self.images, self.batch):
            i = order[first : first + self.batch]
            self.step(self.x[i], self.y[i])
        return now() - start

    def step(self, x: Array, y: Array) -> None:
        raise NotImplementedError

    def error(self, logits: Array, y: Array) -> Array:
        """The gradient of the mean cross-entropy."""
        np = self.np
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        p /= len(y)
        return p


class NumpyByHand(Network):
    """A perceptron; settings go by the names that scratchnn has for them."""

    def __init__(
        self,
        x: Array,
        y: Array,
        classes: int,
        hidden: int | Sequence[int] = HIDDEN,
        activation: str = "relu",
        batch: int | None = BATCH,
        dropout: float = 0.0,
        optimizer: str = "sgd",
        clip_norm: float | None = None,
        **settings: float,
    ) -> None:
        super().__init__(x, y, batch)
        sizes = [x.shape[1], *([hidden] if isinstance(hidden, int) else hidden), classes]
        self.parameters = [p for pair in zip(sizes, sizes[1:]) for p in self.layer(*pair)]
        self.activation, self.backward = activations()[activation]
        self.dropout, self.clip_norm = dropout, clip_norm
        self.rule = RULES[optimizer](self.parameters, **settings)

    @classmethod
    def on(cls, data: Rows, images: int, **settings: Any) -> NumpyByHand:
        return cls(*data.arrays(images), len(data.classes), **settings)

    def step(self, x: Array, y: Array) -> None:
        np, parameters, drop = self.np, self.parameters, self.dropout
        outputs, inputs, masks = [], [x], []  # of the hidden layers; of all layers
        for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2]):
            a = self.activation(inputs[-1] @ weight + bias)
            outputs.append(a)
            if drop:
                masks.append((self.rng.random(a.shape) >= drop) / (1 - drop))
                a = a * masks[-1]
            inputs.append(a)
        g = self.error(inputs[-1] @ parameters[-2] + parameters[-1], y)
        gradients = [inputs[-1].T @ g, g.sum(0)]
        for k in reversed(range(len(outputs))):
            g = g @ parameters[2 * k + 2].T
            if drop:
                g *= masks[k]
            g = self.backward(g, outputs[k])
            gradients = [inputs[k].T @ g, g.sum(0), *gradients]
        if self.clip_norm:
            norm = np.sqrt(sum(np.vdot(g, g) for g in gradients))
            if norm > self.clip_norm:
                for g in gradients:
                    g *= self.clip_norm / norm
        self.rule.step(gradients)

    def predict(self, x: Array) -> Array:
        """Class numbers."""
        for weight, bias in zip(self.parameters[:-2:2], self.parameters[1:-2:2]):
            x = self.activation(x @ weight + bias)
        return (x @ self.parameters[-2] + self.parameters[-1]).argmax(1)

    def accuracy(self, rows: Rows) -> float:
        x, y = rows.arrays(len(rows.X))
        return float((self.predict(x) == y).mean())


class NumpyConvolution(Network):
    """Eight filters of 3 x 3 as one product with im2col, the largest of each 2 x 2 places, ReLU, and a linear layer."""

    def __init__(self, x: Array, y: Array, classes: int, side: int, filters: int = 8) -> None:
        super().__init__(x.reshape(-1, side, side), y, BATCH)
        half = (side - 2) // 2
        self.parameters = self.layer(9, filters) + self.layer(half * half * filters, classes)
        self.rule = Rule(self.parameters)

    @classmethod
    def on(cls, data: Rows, images: int, side: int) -> NumpyConvolution:
        return cls(*data.arrays(images), len(data.classes), side)

    def step(self, x: Array, y: Array) -> None:
        np, (kernel, bias, weight, last) = self.np, self.parameters
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        count, height, width = windows.shape[:3]
        columns = windows.reshape(-1, 9)
        z = (columns @ kernel + bias).reshape(count, height, width, -1)
        even = z[:, : height // 2 * 2, : width // 2 * 2]
        corners = [even[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        largest = np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:]))
        a = np.maximum(largest, 0).reshape(count, -1)
        error = self.error(a @ weight + last, y)
        g = (error @ weight.T * (a > 0)).reshape(largest.shape)
        dz, open_ = np.zeros_like(z), np.ones(largest.shape, bool)
        for k, corner in enumerate(corners):  # of equal numbers the first has the gradient
            chosen = open_ & (corner == largest)
            open_ &= ~chosen
            np.multiply(g, chosen, out=dz[:, k // 2 : height // 2 * 2 : 2, k % 2 : width // 2 * 2 : 2])
        dz = dz.reshape(-1, dz.shape[-1])
        self.rule.step([columns.T @ dz, dz.sum(0), a.T @ error, error.sum(0)])


class NumpyLoop:
    """A convolution as one writes it first in NumPy: a loop over the output's pixels, and over the filters in it."""

    def __init__(
        self, rows: Sequence[bytes], side: int, weight: list[list[float]], gradient: list[list[float]]
    ) -> None:
        np = importlib.import_module("numpy")
        self.np = np
        self.images = np.array([list(row) for row in rows]).reshape(-1, side, side) / 255.0
        self.weight = np.array(weight).T.reshape(-1, 3, 3)
        self.gradient = np.array(gradient).reshape(len(rows), len(self.weight), side - 2, side - 2)

    def forward(self) -> Array:
        result = self.np.empty_like(self.gradient)
        for image, output in zip(self.images, result):
            for y in range(output.shape[1]):
                for x in range(output.shape[2]):
                    for f, kernel in enumerate(self.weight):
                        output[f, y, x] = (image[y : y + 3, x : x + 3] * kernel).sum()
        return result

    def weights(self) -> Array:
        result = self.np.zeros_like(self.weight)
        for image, gradient in zip(self.images, self.gradient):
            for y in range(gradient.shape[1]):
                for x in range(gradient.shape[2]):
                    for f in range(len(result)):
                        result[f] += gradient[f, y, x] * image[y : y + 3, x : x + 3]
        return result


def train_numpy(images: str, labels: str, epochs: str) -> None:
    """The program whose memory is measured: reads IDX files and trains."""
    import numpy as np

    y = np.fromfile(labels, np.uint8, offset=8).astype(int)
    x = np.fromfile(images, np.uint8, offset=16).reshape(len(y), -1) / 255.0
    program = NumpyByHand(x, y, int(y.max()) + 1)
    for _ in range(int(epochs)):
        program.epoch()
