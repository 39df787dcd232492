"""A network that reads digits, looked at from five sides: curves, confusions, mistakes, weights, doubts.

What it shows: an accuracy is one number, and pictures say what is behind it. The curves tell how far to train (where
the two losses part, it begins to learn by heart); the matrix, which digits are taken for which; the mistakes, whether
one would have known better oneself; the weights, that a unit is no stroke or loop but a blurred mixture of many; and
the probabilities of the digit about which it is least sure, between which two it wavers.

    python examples/digits_in_pictures.py
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Model, plots

HIDDEN = 30
EPOCHS, QUICK_EPOCHS = 12, 4


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    train, test = load_images(options)
    model = Model(train.width, HIDDEN, 10)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    history = model.fit(train.X, train.y, epochs=epochs, validation_data=(test.X, test.y))
    probabilities = model.predict_proba(test.X)
    predicted = model.predict(test.X)
    wrong = [i for i, digit in enumerate(predicted) if digit != test.y[i]]
    print(f"{train.width}-{HIDDEN}-10: {len(test.y) - len(wrong)} of {len(test.y)} new digits are right")

    curves = plots.learning_curves(history)
    confusions = plots.confusion_matrix(test.y, predicted)
    of_wrong = [test.X[i] for i in wrong], [test.y[i] for i in wrong], [predicted[i] for i in wrong]
    mistakes = plots.images(*of_wrong, columns=6, title="New digits that it gets wrong")
    together = plots.side_by_side([curves, confusions, mistakes], title="A network learns to read digits", columns=2)
    save(together, options, "digits_learned.svg")
    save(plots.weights(model.weights[0], title="What the hidden units look for"), options, "digits_weights.svg")
    doubtful = min(range(len(probabilities)), key=lambda i: max(probabilities[i]))
    image = plots.images([test.X[doubtful]], title="The digit it is least sure of")
    bars = plots.probabilities(probabilities[doubtful], model.classes, y_true=test.y[doubtful], title="What it says")
    save(plots.side_by_side([image, bars]), options, "digits_doubt.svg")
    return {"accuracy": 1.0 - len(wrong) / len(test.y), "wrong": float(len(wrong))}


if __name__ == "__main__":
    run(main)
