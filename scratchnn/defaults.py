"""Default settings: what the library and the command line take where nothing is said.

They were chosen by measurement on tables of 4 to 784 features (`examples/README.md` has them, with the command): one
rate, momentum and a cosine learn much in few epochs and settle at the end. What is said by an argument always wins.
Nothing but numbers and two rules lives here, so that a command line can tell them in its help without the library.
"""

from __future__ import annotations

EPOCHS = 10
HIDDEN_SIZE = 100
LEARNING_RATES = {"sgd": 0.1, "adagrad": 0.1, "rmsprop": 0.01, "adam": 0.001, "adamw": 0.001}
MOMENTUM = 0.9  # of SGD
SCHEDULE = "cosine"

AUTO = "auto"
"""Stands for "what is recommended" where None already means something else."""

BATCH_SIZE = 32
SMALLEST_BATCH = 8
STEPS_AN_EPOCH = 10  # a small table has smaller batches, so that it gets about as many steps

CLIP_NORM = 1.0
SHALLOW = 4  # layers with weights: gradients seldom grow on their way through so few


def batch_size(rows: int) -> int:
    """Rows a step: 32, and on small tables fewer (at least 8), for ten epochs of two or three steps teach little."""
    return max(SMALLEST_BATCH, min(BATCH_SIZE, rows // STEPS_AN_EPOCH))


def clip_norm(squared_errors: bool, weighted_layers: int) -> float | None:
    """The largest norm of a gradient, or None for any.

    ``squared_errors`` of standardised targets need a bound, for one row far from all others may have any error; so do
    deep networks, whose gradients grow from layer to layer. A shallow classifier has gradients that are bounded, and is
    spared the cost of looking at every one; squared errors in a unit of one's own have no usual size.
    """
    return CLIP_NORM if squared_errors or weighted_layers > SHALLOW else None


def initialisation(inputs: int, outputs: int, follows_relu: bool) -> str:
    """The rule for the starting weights of one layer of a perceptron.

    He's doubles the variance because a ReLU before the layer has taken half of its input. The first layer has none
    before it, and in a layer that widens the doubled variance makes gradients large: there Glorot's ("xavier") is
    better, by two points of accuracy on a table of 20 features.
    """
    return "he" if follows_relu and outputs <= inputs else "xavier"
