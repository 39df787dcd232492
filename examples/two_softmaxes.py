"""Softmax and then cross-entropy on its probabilities, against both fused in one: the same on paper, not in programs.

What it shows: on paper the gradient at the logits is (softmax - target) / images either way, and with the very same
weights to start from both do learn alike, to the last digit printed. What parts them in programs:
1. A loss on probabilities is quickly written as the mean over a whole table of images x classes. That divides the
   gradient by the number of classes as well: the network learns ten times slower, and stays far behind.
2. log(0) does not exist, so a floor is put under probabilities. Below it the loss is flat: an image about which the
   network is sure and wrong teaches nothing. Fused log-softmax makes logarithms without making probabilities first.

    python examples/two_softmaxes.py             60 epochs
    python examples/two_softmaxes.py --full      200
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from _common import load_images, read_arguments, run, save

from scratchnn import CrossEntropyLoss, Linear, Model, ReLU, Softmax, plots
from scratchnn.losses import Loss

FLOOR = 1e-7
FULL_EPOCHS, EPOCHS, QUICK_EPOCHS = 200, 60, 8


class CrossEntropyOnProbabilities(Loss):
    """The mean of -log max(p[class], FLOOR) over images, or over images x classes; the gradient is 0 below FLOOR."""

    task = "classification"

    def __init__(self, per_entry: bool) -> None:
        self.per_entry = per_entry

    def forward(self, outputs: Any, targets: Any, weights: Any = None) -> float:
        count = len(outputs) * (len(outputs[0]) if self.per_entry else 1)
        self._gradient = [[0.0] * len(row) for row in outputs]
        for row, target, gradient in zip(outputs, targets, self._gradient):
            if row[target] > FLOOR:
                gradient[target] = -1.0 / (row[target] * count)
        return -sum(math.log(max(row[k], FLOOR)) for row, k in zip(outputs, targets)) / count

    def backward(self) -> Any:
        return self._gradient

    def probabilities(self, outputs: Any) -> Any:
        return outputs


def network(pixels: int, loss: Loss) -> Model:
    """Two hidden layers; the seed is always the same, and so are the weights to start from."""
    layers = [Linear(pixels, 32), ReLU(), Linear(32, 16), ReLU(), Linear(16, 10)]
    return Model.from_layers(layers if isinstance(loss, CrossEntropyLoss) else [*layers, Softmax()], loss=loss)


def gradient_of_an_image(behind: float) -> tuple[float, float]:
    """(on probabilities, fused): the gradient at the right class's logit, ``behind`` the wrong one's by so much."""
    softmax, loss, fused = Softmax(), CrossEntropyOnProbabilities(per_entry=False), CrossEntropyLoss()
    loss.forward(softmax.forward([[behind, 0.0]]), [1])
    fused.forward([[behind, 0.0]], [1])
    return softmax.backward(loss.backward())[0][1], fused.backward()[0][1]


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, full=True)
    train, test = load_images(options)
    epochs = QUICK_EPOCHS if options.quick else FULL_EPOCHS if options.full else EPOCHS
    losses = {
        "on probabilities, mean of entries": CrossEntropyOnProbabilities(per_entry=True),
        "on probabilities, mean of images": CrossEntropyOnProbabilities(per_entry=False),
        "fused": CrossEntropyLoss(),
    }
    result, lines = {}, {}
    print(f"{train.width}-32-16-10 ReLU, {epochs} epochs in batches of 32, lr 0.01: accuracy on new images")
    for name, loss in losses.items():
        model = network(train.width, loss)
        history = model.fit(train.X, train.y, epochs=epochs, lr=0.01, batch_size=32, momentum=0, schedule=None)
        result[name] = model.score(test.X, test.y)
        lines[name] = history.accuracy
        print(f"{name:34} {result[name]:.1%}")
    print("an image about which the network is wrong by so many logits, and its gradient:")
    print(f"{'behind':>8}  {'on probabilities':>16}  {'fused':>8}")
    for behind in (1.0, 10.0, 20.0, 100.0):
        two_steps, fused = gradient_of_an_image(behind)
        result[f"gradient at {behind:g}"] = two_steps
        print(f"{behind:8g}  {two_steps:16.6f}  {fused:8.6f}")
    curves = plots.lines(
        {name if name != "fused" else "fused (lies on the one above)": line for name, line in lines.items()},
        title="Cross-entropy, three ways",
        x_label="epoch",
        y_label="accuracy on the training images",
        y_limits=(0.0, 1.0),
    )
    save(curves, options, "two_softmaxes.svg")
    return result


if __name__ == "__main__":
    run(main)
