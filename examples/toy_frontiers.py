"""Gaussians, XOR and a checkerboard, learned with none, one and several hidden layers, and the frontiers drawn.

What it shows: without a hidden layer a network can only draw one straight line, which parts two clouds and fails at
everything else. (At XOR the best it can say is "50:50" everywhere, a loss of ln 2 = 0.693; which points then fall on
the right side of 50 % is chance, and may be 31 of 100.) One hidden layer bends the line; XOR needs no more. A
checkerboard of 16 fields needs many bends that meet in corners: several layers find them where one of the same
training does not.

    python examples/toy_frontiers.py
"""

from __future__ import annotations

from collections.abc import Sequence

import _pictures
from _common import picture, read_arguments, run

from scratchnn import Adam, CosineSchedule, Model
from scratchnn.toys import blobs, checkerboard, xor

HIDDEN = {"no hidden layer": [], "one hidden layer": [32], "three hidden layers": [32, 32, 32]}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    points, new, epochs = (200, 200, 8) if options.quick else (2000, 1000, 150)
    data = {  # name: (training points, new points, epochs)
        "Gaussians": (blobs(200, noise=1.2), blobs(new, noise=1.2, seed=1), 6 if options.quick else 15),
        "XOR": (xor(200), xor(new, seed=1), 8 if options.quick else 60),
        "checkerboard": (checkerboard(points), checkerboard(new, seed=1), epochs),
    }
    result, losses, panels = {}, {}, []
    for name, ((X, y), (X_new, y_new), epochs) in data.items():
        for layers, hidden in HIDDEN.items():
            model = Model(2, hidden, 2, scaling="standard", init="he")
            how = {"optimizer": Adam(0.02), "schedule": CosineSchedule(epochs), "batch_size": 32}
            history = model.fit(X, y, epochs=epochs, **how)
            accuracy = model.score(X_new, y_new)
            print(f"{name:12}  {layers:19}  loss {history.loss[-1]:.3f}, accuracy on new points {accuracy:.1%}")
            result[f"{name}, {layers}"] = accuracy
            losses[f"{name}, {len(hidden)}"] = list(enumerate(history.loss, 1))

            def orange(places: list[list[float]], model: Model = model) -> list[float]:
                return [p for _, p in model.predict_proba(places)]

            panels.append(_pictures.Frontier(f"{name}, {layers}: {accuracy:.1%}", X[:400], y[:400], orange))
    title = "Where a network draws the frontier"
    _pictures.frontiers(picture(options, "toy_frontiers.svg"), title, panels, columns=len(HIDDEN))
    _pictures.curves(
        picture(options, "toy_losses.svg"), "Loss by number of hidden layers", losses, x_label="epoch", y_label="loss",
        log="x",
    )  # fmt: skip
    return result


if __name__ == "__main__":
    run(main)
