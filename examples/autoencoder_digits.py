"""An autoencoder squeezes digits of 64 pixels into codes of 10 numbers and makes the digits again from those.

What it shows: a network that is asked for its own input, through a bottleneck, has to find out what digits have in
common. It is a Sequential of two Sequentials, and each half can be used by itself: the encoder as a description of a
digit, the decoder as a machine that draws. No label is used, yet on the t-SNE map of the codes the ten digits lie
apart. A grid search over the size of the code and the learning rate shows what a larger code buys.

    python examples/autoencoder_digits.py             15 epochs, and a map of 180 codes
    python examples/autoencoder_digits.py --full      100, and of all 360
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Adam, BCELoss, CosineSchedule, Linear, Model, ReLU, Sequential, Sigmoid, plots
from scratchnn.search import grid_search
from scratchnn.tsne import trustworthiness, tsne

Rows = list[list[float]]
PIXELS, CODE = 64, 10


def autoencoder(code: int = CODE) -> Model:
    """Encoder and decoder, trained as one network."""
    encoder = Sequential([Linear(PIXELS, 128), ReLU(), Linear(128, code)])
    decoder = Sequential([Linear(code, 128), ReLU(), Linear(128, PIXELS), Sigmoid()])
    return Model.from_layers([encoder, decoder], loss=BCELoss(), task="regression", scaling="none")


def squared_error(rows: Rows, others: Rows) -> float:
    """The mean over all pixels of all images."""
    return sum((a - b) ** 2 for p, q in zip(rows, others) for a, b in zip(p, q)) / (len(rows) * len(rows[0]))


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, full=True)
    train, test = load_images(options)
    seen, new = [[[v / 255 for v in row] for row in dataset.X] for dataset in (train, test)]
    quick, full = options.quick, options.full
    if quick:
        seen = seen[:160]

    found = grid_search(
        seen, seen, {"code": [2, 5] if quick else [2, 5, 10], "lr": [0.001, 0.003] if full else [0.003]},
        build=autoencoder, folds=2, measure="loss",
        fit={"optimizer": "adam", "schedule": None, "batch_size": 32, "epochs": 1 if quick else 10 if full else 2},
    )  # fmt: skip
    print(found)

    model, epochs = autoencoder(), 9 if quick else 100 if full else 15
    history = model.fit(
        seen, seen, epochs=epochs, optimizer=Adam(0.003), schedule=CosineSchedule(epochs), batch_size=32,
        validation_data=(new, new), show_training_info=True, eval=10,
    )  # fmt: skip
    encoder, decoder = model.network
    codes = encoder(new)
    again = decoder(codes)
    result = {"seen": squared_error(seen, model.predict(seen)), "new": squared_error(new, again)}
    print(f"{PIXELS}-128-{CODE}-128-{PIXELS}, {epochs} epochs: mean squared error of a pixel (0 to 1)")
    print(f"seen digits {result['seen']:.5f}, new digits {result['new']:.5f}")
    some = [test.y.index(digit) for digit in range(10)]
    between = decoder([[(a + b) / 2 for a, b in zip(codes[i], codes[j])] for i, j in zip(some, some[1:])])
    rows = {
        "digit": [new[i] for i in some],
        "made again": [again[i] for i in some],
        "half-way to the next": between,
    }
    save(
        plots.images(rows, title=f"New digits, made again from {CODE} numbers each"), options, "autoencoder_digits.svg"
    )
    save(plots.learning_curves(history, title="Loss of the autoencoder"), options, "autoencoder_loss.svg")
    save(plots.search_results(found, title="What a larger code buys"), options, "autoencoder_search.svg")

    count = 100 if quick else len(codes) if full else 180
    places = tsne(codes[:count], perplexity=20, iterations=100 if quick else 1000 if full else 400)
    result["trustworthiness"] = trustworthiness(codes[:count], places)
    print(f"t-SNE map of {count} codes: trustworthiness {result['trustworthiness']:.3f}")
    save(plots.scatter(places, test.y[:count], title="The codes of new digits"), options, "autoencoder_map.svg")
    return result


if __name__ == "__main__":
    run(main)
