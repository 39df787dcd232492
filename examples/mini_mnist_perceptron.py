"""A three-layer perceptron learns from 999 handwritten digits by plain full-batch gradient descent.

What it shows: every epoch is one step along the gradient of the loss over *all* images, so the curve is smooth and
only ever goes down. On so few images the accuracy on those it has seen runs ahead of that on new ones: the gap
between the two curves is what more data would close.

    python examples/mini_mnist_perceptron.py --mini DIR      train.csv and test.csv: 999 and 200 images of 28 x 28
    python examples/mini_mnist_perceptron.py                 the digits of 8 x 8 that come along
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Model, plots

EPOCHS, QUICK_EPOCHS = 200, 15


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, mini=True)
    train, test = load_images(options)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS

    model = Model(train.width, 100, 10, init="he")
    history = model.fit(
        train.X, train.y, epochs=epochs, lr=0.1, batch_size=None, momentum=0, schedule=None,
        validation_data=(test.X, test.y), show_training_info=True, eval=epochs // 10,
    )  # fmt: skip

    result = {"train accuracy": model.score(train.X, train.y), "test accuracy": model.score(test.X, test.y)}
    print(f"{train.width}-100-10 ReLU, {epochs} epochs of full-batch gradient descent, lr 0.1")
    for name, accuracy in result.items():
        print(f"{name}: {accuracy:.1%}")
    curves = plots.lines(
        {
            "seen": list(enumerate(history.accuracy)),  # measured before the epoch's step
            "new": history.validation_accuracy,
        },
        title=f"{len(train)} images, all of them in every step",
        x_label="epoch",
        y_label="accuracy",
        y_limits=(0.0, 1.0),
    )
    save(curves, options, "mini_mnist_perceptron.svg")
    return result


if __name__ == "__main__":
    run(main)
