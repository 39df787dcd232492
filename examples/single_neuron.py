"""One neuron and its line: a weighted sum of two numbers, squeezed between 0 and 1, parts two clouds of points.

What it shows: a neuron says 50 % where its weighted sum w1 x1 + w2 x2 + b is 0, and that is a straight line: its whole
frontier. Learning turns and shifts the line, step by step, from wherever the weights to start from have put it. The
longer it learns the larger the weights become, and the narrower the band in which the neuron is in doubt.

    python examples/single_neuron.py
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import read_arguments, run, save

from scratchnn import BCELoss, Linear, Model, Sigmoid, plots
from scratchnn.toys import blobs

POINTS = blobs  # or xor, moons, circles: each is a function of scratchnn.toys
NOISE = 1.6
LEARNING_RATE = 0.1
STEPS, QUICK_STEPS = (1, 4, 20, 400), (1, 4, 20)  # after so many the line is drawn
DRAWN = 80  # of the points, so that the picture stays small
START = [[[0.3], [1.0]], [1.0]]  # w1 and w2, and b: a line that lies badly


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    X, y = POINTS(200, noise=NOISE)
    X_new, y_new = POINTS(1000, noise=NOISE, seed=1)

    model = Model.from_layers([Linear(2, 1), Sigmoid()], loss=BCELoss(), scaling="none")
    model.weights = START
    result, figures, done = {}, [], 0
    for steps in QUICK_STEPS if options.quick else STEPS:
        epochs, done = steps - done, steps  # a batch of all points: an epoch is one step
        model.fit(X, y, epochs=epochs, lr=LEARNING_RATE, batch_size=None, momentum=0, schedule=None)
        ((w1,), (w2,)), (b,) = model.weights
        accuracy = model.score(X_new, y_new)
        print(f"step {steps:3}: {accuracy:.1%} of new points, line {w1:.3f} x1 + {w2:.3f} x2 + {b:.3f} = 0")
        title = f"{steps} step{'s' * (steps > 1)}: {accuracy:.1%}"
        figures.append(
            plots.decision_boundary(model, X[:DRAWN], y[:DRAWN], resolution=32, title=title, x_label="x1", y_label="x2")
        )
        result[f"accuracy after {steps}"] = accuracy
    save(plots.side_by_side(figures, title="A neuron turns its line", columns=2), options, "single_neuron.svg")
    return {**result, "w1": w1, "w2": w2, "b": b}


if __name__ == "__main__":
    run(main)
