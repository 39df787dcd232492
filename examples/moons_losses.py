"""Two moons, told apart by three heads: sigmoid with BCE, softmax with cross-entropy, log-softmax with NLL.

What it shows: the three are one idea in three spellings. A sigmoid on one output is a softmax over two, of which one
is held at 0; log-softmax with NLL is cross-entropy with the logarithm moved into the network, and takes the very same
steps, so that one of the two curves is dashed: it lies on the other. Any of them, with one hidden layer and enough
steps, parts the moons; where it does not, the loss is not why.

    python examples/moons_losses.py
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import read_arguments, run, save

from scratchnn import BCELoss, CrossEntropyLoss, Linear, LogSoftmax, Model, NLLLoss, Sigmoid, Tanh, plots
from scratchnn.toys import moons

NOISE = 0.15
EPOCHS, QUICK_EPOCHS = 100, 20
DRAWN = 120  # of the points, so that the picture stays small


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    X, y = moons(400, noise=NOISE)
    X_new, y_new = moons(400 if options.quick else 1000, noise=NOISE, seed=1)
    heads = {
        "sigmoid, BCE": ([Linear(16, 1, init="xavier"), Sigmoid()], BCELoss()),
        "softmax, cross-entropy": ([Linear(16, 2, init="xavier")], CrossEntropyLoss()),  # the softmax is in the loss
        "log-softmax, NLL": ([Linear(16, 2, init="xavier"), LogSoftmax()], NLLLoss()),
    }
    result, losses, figures = {}, {}, []
    for name, (head, loss) in heads.items():
        model = Model.from_layers([Linear(2, 16, init="xavier"), Tanh(), *head], loss=loss)
        epochs = QUICK_EPOCHS if options.quick else EPOCHS
        history = model.fit(X, y, epochs=epochs, lr=0.3, momentum=0.9, schedule=None, batch_size=32)
        result[name] = model.score(X_new, y_new)
        losses[name] = history.loss
        print(f"{name:22}  loss {history.loss[-1]:.4f}, accuracy on new points {result[name]:.1%}")
        sampled = 12 if options.quick else 36  # places along each side
        figures.append(
            plots.decision_boundary(
                model, X[:DRAWN], y[:DRAWN], resolution=sampled, title=f"{name}: {result[name]:.1%}"
            )
        )
    title = "Two moons, three heads"
    save(plots.side_by_side(figures, title=title), options, "moons_frontiers.svg")
    curves = plots.lines(losses, title=title, x_label="epoch", y_label="loss", log_y=True)
    save(curves, options, "moons_losses.svg")
    return result


if __name__ == "__main__":
    run(main)
