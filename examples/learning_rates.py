"""One network, eight learning rates: too slow, just right, and where it diverges.

What it shows: over two decades of learning rates the loss falls faster the larger the rate. Then it begins to jump,
then it is beyond all bounds after one epoch, and in the end numbers run away altogether: scratchnn says so
(TrainingDiverged) and puts the last good weights back. The units are leaky: plain ReLUs that a step too large has
thrown out of action stay dead, and a dead network has a constant loss instead of a growing one.

    python examples/learning_rates.py
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from _common import load_images, read_arguments, run, save

from scratchnn import Callback, Model, TrainingDiverged, plots

RATES = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
EPOCHS, QUICK_EPOCHS = 20, 6
BATCH = 32
PLAIN = {"momentum": 0, "schedule": None}  # nothing that speeds up, slows down or tames what the rate does
TOP = 1e3  # of the picture: a network that knows nothing has a loss of ln 10 = 2.3


class Losses(Callback):
    """Keeps the loss of the first batch, before any step, and of every epoch, also of a run that will diverge."""

    def __init__(self) -> None:
        self.line: list[tuple[float, float]] = []

    def on_batch_end(self, model: Model, run: object) -> None:
        if not self.line:
            self.line.append((0.0, run.loss))

    def on_epoch_end(self, model: Model, run: object) -> None:
        self.line.append((run.epoch, run.history.loss[-1]))


def within(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The line as far as the first place beyond the top of the picture, drawn at the top."""
    beyond = next((number for number, (_, loss) in enumerate(line) if loss > TOP), len(line))
    return [*line[:beyond], *((epoch, TOP) for epoch, _ in line[beyond : beyond + 1])]


def main(arguments: Sequence[str] | None = None) -> dict[float, float | str]:
    options = read_arguments(__doc__, arguments)
    train, test = load_images(options)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    result, lines = {}, {}
    for rate in RATES:
        model, losses = Model(train.width, 32, 10, activation="leaky_relu", init="he"), Losses()
        try:
            model.fit(train.X, train.y, epochs=epochs, lr=rate, batch_size=BATCH, callbacks=[losses], **PLAIN)
        except TrainingDiverged as error:
            print(f"lr {rate:<7g} {error}")
            result[rate] = comment = "diverged"
            losses.line.append((error.epoch - 1 + error.batch / math.ceil(len(train) / BATCH), math.inf))
        else:
            result[rate] = model.score(test.X, test.y)
            print(f"lr {rate:<7g} loss {losses.line[-1][1]:<9.3g} accuracy on new images {result[rate]:.1%}")
            comment = "" if losses.line[-1][1] <= TOP else "ends far above"
        lines[f"lr {rate:g} {comment}"] = within(losses.line)
    curves = plots.lines(
        lines, title="One network, many learning rates", x_label="epoch", y_label="loss", log_y=True,
        y_limits=(1e-3, TOP),
    )  # fmt: skip
    save(curves, options, "learning_rates.svg")
    return result


if __name__ == "__main__":
    run(main)
