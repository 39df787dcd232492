"""784-16-16-10 with sigmoids, full batch, learning rate 0.8: the little network of many first lessons.

What it shows: a sigmoid's slope is at most 1/4, so two layers of them pass back at most a sixteenth of the gradient,
and learning starts with a long plateau. A large learning rate helps it over; ReLU (mnist_full_batch.py) or
mini-batches (mnist_tanh.py) help more.

    python examples/mnist_sigmoid.py --mnist DIR
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Model, plots

IMAGES = 30_000
EPOCHS, QUICK_EPOCHS = 500, 25


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, mnist=True)
    train, test = load_images(options)
    X, y = train.X[:IMAGES], train.y[:IMAGES]
    epochs = QUICK_EPOCHS if options.quick else EPOCHS

    model = Model(train.width, [16, 16], 10, activation="sigmoid")
    history = model.fit(
        X, y, epochs=epochs, lr=0.8, batch_size=None, momentum=0, schedule=None, shuffle=False,
        show_training_info=True, eval=min(10, epochs),
    )  # fmt: skip

    result = {
        "loss at first": history.loss[0],
        "loss at last": history.loss[-1],
        "train accuracy": model.score(X, y),
        "test accuracy": model.score(test.X, test.y),
    }
    print(f"{train.width}-16-16-10 sigmoid, {len(X)} images, {epochs} epochs of full-batch gradient descent, lr 0.8")
    print(f"loss: {result['loss at first']:.4f} at first, {result['loss at last']:.4f} at last")
    print(f"train accuracy: {result['train accuracy']:.2%}\ntest accuracy: {result['test accuracy']:.2%}")
    title = f"{train.width}-16-16-10 with sigmoids, one step an epoch"
    save(plots.learning_curves(history, title=title), options, "mnist_sigmoid.svg")
    return result


if __name__ == "__main__":
    run(main)
