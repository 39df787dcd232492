"""Learned by heart: a network too large for its few noisy points, left alone and held back in three ways.

What it shows: the loss on the points it learns from falls as long as one likes, and that on new points falls, too, and
then rises: from there on the network learns the noise, and bends its frontier round single points. Dropout, weight
decay, and stopping in time each keep the frontier smoother. Which is best depends on the data; what they have in common
is that nothing but points *not* learned from can tell.

    python examples/overfitting.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _common import read_arguments, run, save

from scratchnn import Adam, AdamW, EarlyStopping, Model, plots
from scratchnn.toys import moons

POINTS, NOISE = 80, 0.45
HIDDEN = [48, 48]
DROPOUT, WEIGHT_DECAY, PATIENCE = 0.5, 4.0, 20
EPOCHS, QUICK_EPOCHS = 200, 60

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # name: (of the model, of the fit)
    "left alone": ({}, {}),
    "dropout": ({"dropout": DROPOUT}, {}),
    "weight decay": ({}, {"optimizer": AdamW(0.02, weight_decay=WEIGHT_DECAY)}),
    "stopped in time": ({}, {"callbacks": [EarlyStopping(patience=PATIENCE)]}),
}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    X, y = moons(POINTS, noise=NOISE)
    validation, (X_new, y_new) = moons(100, noise=NOISE, seed=1), moons(1000, noise=NOISE, seed=2)
    result, losses, figures = {}, {}, []
    for name, (how_made, how_fitted) in WAYS.items():
        model = Model(2, HIDDEN, 2, scaling="none", **how_made)
        how = {"optimizer": Adam(0.02), "schedule": None, "batch_size": None, "validation_data": validation}
        history = model.fit(X, y, epochs=QUICK_EPOCHS if options.quick else EPOCHS, **{**how, **how_fitted})
        seen, new = model.evaluate(X, y)[0], model.evaluate(X_new, y_new)[0]
        accuracy = model.score(X_new, y_new)
        print(
            f"{name:15}  {len(history):3} epochs, loss {seen:.3f} on its own points and {new:.3f} on new ones, "
            f"of which {accuracy:.1%} are right"
        )
        result[name], result[f"{name}, loss on new"], result[f"{name}, epochs"] = accuracy, new, len(history)
        if name == "left alone":
            losses["left alone, on its own points"] = history.loss
        losses[f"{name}, on new points" if name == "left alone" else name] = history.validation_loss
        sampled = 12 if options.quick else 30
        figures.append(plots.decision_boundary(model, X, y, resolution=sampled, title=f"{name}: {accuracy:.1%}"))
    save(plots.side_by_side(figures, title="Few noisy points", columns=2), options, "overfitting_frontiers.svg")
    title = "The loss on new points tells"
    curves = plots.lines(losses, title=title, x_label="epoch", y_label="loss", log_y=True)
    save(curves, options, "overfitting_losses.svg")
    return result


if __name__ == "__main__":
    run(main)
