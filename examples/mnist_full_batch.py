"""784-16-10 on 36 000 images with plain full-batch gradient descent: what 700 big steps reach, and how steadily.

What it shows: one step an epoch is a very smooth and very slow way to learn. The starting weights, uniform in ±0.5,
are far larger than a network of 784 inputs wants (the usual He rule gives ±0.09 here), so most of the early epochs
go into undoing them, and how far along epoch 70 is depends on the seed. A run of 700 epochs takes the better part of
an hour; mnist_tanh.py passes its accuracy within its first epoch, with mini-batches.

    python examples/mnist_full_batch.py --mnist DIR
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Model, plots

IMAGES = 36_000  # 60 % of MNIST's training images
EPOCHS, QUICK_EPOCHS, STEP = 700, 30, 70
SEED = 24
# What a NumPy program of the same design printed: per cent of the training images, at epochs 70, 140, ... 700.
ORIGINAL = (68.46, 78.11, 82.08, 84.10, 85.57, 86.61, 87.39, 88.03, 88.54, 88.95)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, mnist=True)
    train, test = load_images(options)
    X, y = train.X[:IMAGES], train.y[:IMAGES]
    epochs = QUICK_EPOCHS if options.quick else EPOCHS

    model = Model(train.width, 16, 10, init=0.5, seed=SEED)
    history = model.fit(
        X, y, epochs=epochs, lr=0.1, batch_size=None, momentum=0, schedule=None, shuffle=False,
        show_training_info=True, eval=min(10, epochs),
    )  # fmt: skip

    print(f"{train.width}-16-10 ReLU, weights uniform in ±0.5, {len(X)} images, full batch, lr 0.1")
    if epochs >= STEP:
        print("epoch  train accuracy  original")
    for epoch, original in zip(range(STEP, epochs + 1, STEP), ORIGINAL):
        print(f"{epoch:5}  {history.accuracy[epoch - 1]:14.2%}  {original:7.2f}%")
    result = {"train accuracy": history.accuracy[-1], "test accuracy": model.score(test.X, test.y)}
    print(f"after {epochs} epochs: train {result['train accuracy']:.2%}, test {result['test accuracy']:.2%}")
    curves = plots.lines(
        {
            "here": history.accuracy,
            "original": [(STEP * k, value / 100) for k, value in enumerate(ORIGINAL, 1)],
        },
        title=f"{train.width}-16-10, one step an epoch",
        x_label="epoch",
        y_label="accuracy on the training images",
    )
    save(curves, options, "mnist_full_batch.svg")
    return {**result, **{f"epoch {k}": history.accuracy[k - 1] for k in range(STEP, epochs + 1, STEP)}}


if __name__ == "__main__":
    run(main)
