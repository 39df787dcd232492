"""Gaussians, XOR and a checkerboard, learned with none, one and several hidden layers, and the frontiers drawn.

What it shows: without a hidden layer a network can only draw one straight line, which parts two clouds and fails at
everything else. (At XOR the best it can say is "50:50" everywhere, a loss of ln 2 = 0.693; which points then fall on
the right side of 50 % is chance, and may be 31 of 100.) One hidden layer bends the line; XOR needs no more. A
checkerboard of 16 fields needs many bends that meet in corners: several layers find them where one of the same
training does not.

    python examples/toy_frontiers.py             the checkerboard from 1000 points
    python examples/toy_frontiers.py --full      from 2000, and two and a half times as long
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import read_arguments, run, save

from scratchnn import Adam, CosineSchedule, Model, plots
from scratchnn.toys import blobs, checkerboard, xor

HIDDEN = {"no hidden layer": [], "one hidden layer": [32], "three hidden layers": [32, 32, 32]}
DRAWN = 100  # of the points, so that the picture stays small


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments, full=True)
    points, new, epochs = (200, 200, 8) if options.quick else (2000, 1000, 150) if options.full else (1000, 1000, 60)
    data = {  # name: (training points, new points, epochs)
        "Gaussians": (blobs(200, noise=1.2), blobs(new, noise=1.2, seed=1), 6 if options.quick else 15),
        "XOR": (xor(200), xor(new, seed=1), 8 if options.quick else 60),
        "checkerboard": (checkerboard(points), checkerboard(new, seed=1), epochs),
    }
    result, losses = {}, {}
    for name, ((X, y), (X_new, y_new), epochs) in data.items():
        figures = []
        for layers, hidden in HIDDEN.items():
            model = Model(2, hidden, 2, scaling="standard", init="he")
            how = {"optimizer": Adam(0.02), "schedule": CosineSchedule(epochs), "batch_size": 32}
            history = model.fit(X, y, epochs=epochs, **how)
            accuracy = model.score(X_new, y_new)
            print(f"{name:12}  {layers:19}  loss {history.loss[-1]:.3f}, accuracy on new points {accuracy:.1%}")
            result[f"{name}, {layers}"] = accuracy
            losses[f"{name}, {len(hidden)}"] = history.loss
            caption, sampled = f"{layers}: {accuracy:.1%}", 12 if options.quick else 30
            figures.append(plots.decision_boundary(model, X[:DRAWN], y[:DRAWN], resolution=sampled, title=caption))
        frontiers = plots.side_by_side(figures, title=f"{name}: where a network draws the frontier")
        save(frontiers, options, f"toy_{name.lower()}.svg")
    title = "Loss by number of hidden layers"
    curves = plots.lines(losses, title=title, x_label="epoch", y_label="loss", log_x=True)
    save(curves, options, "toy_losses.svg")
    return result


if __name__ == "__main__":
    run(main)
