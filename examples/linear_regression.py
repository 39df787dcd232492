"""Linear regression: one weight and one bias find the line behind noisy points.

What it shows: a network without a hidden layer *is* linear regression. Gradient descent on the mean squared error
ends where the closed formula of least squares says it should, and the error that is left over is the noise itself.

    python examples/linear_regression.py
"""

from __future__ import annotations

from collections.abc import Sequence

from _common import read_arguments, run, save

from scratchnn import Model, plots
from scratchnn.toys import noisy_line

SLOPE, INTERCEPT, NOISE = 3.0, 4.0, 0.5
EPOCHS, QUICK_EPOCHS = 200, 100


def least_squares(X: Sequence[Sequence[float]], y: Sequence[float]) -> tuple[float, float]:
    """(slope, intercept) by the closed formula."""
    xs = [x for (x,) in X]
    x_mean, y_mean = sum(xs) / len(xs), sum(y) / len(y)
    slope = sum((x - x_mean) * (v - y_mean) for x, v in zip(xs, y)) / sum((x - x_mean) ** 2 for x in xs)
    return slope, y_mean - slope * x_mean


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = read_arguments(__doc__, arguments)
    X, y = noisy_line(200, slope=SLOPE, intercept=INTERCEPT, noise=NOISE)

    model = Model(1, [], 1, task="regression", scaling="none", target_scaling="none")
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    history = model.fit(X, y, epochs=epochs, lr=0.1, batch_size=None, momentum=0, schedule=None)

    ((slope,),), (intercept,) = model.weights
    best_slope, best_intercept = least_squares(X, y)
    print(f"drawn from        y = {SLOPE:.4f} x + {INTERCEPT:.4f}, noise of variance {NOISE**2:g}")
    print(f"gradient descent  y = {slope:.4f} x + {intercept:.4f}, mean squared error {history.loss[-1]:.4f}")
    print(f"least squares     y = {best_slope:.4f} x + {best_intercept:.4f}")
    line = plots.lines(
        {
            "learned": [(x, model.predict([[x]])[0]) for x in (-1.0, 1.0)],
            "drawn from": [(x, SLOPE * x + INTERCEPT) for x in (-1.0, 1.0)],
        },
        cloud=[(x, v) for (x,), v in zip(X, y)],
        title="The line behind the points",
        x_label="x",
        y_label="y",
    )
    save(line, options, "linear_regression_line.svg")
    loss = plots.lines(
        {"loss": history.loss, "noise": [(1, NOISE**2), (len(history), NOISE**2)]},
        title="The loss falls to the noise",
        x_label="epoch",
        y_label="mean squared error",
        log_y=True,
    )
    save(loss, options, "linear_regression_loss.svg")
    return {"slope": slope, "intercept": intercept, "best slope": best_slope, "best intercept": best_intercept}


if __name__ == "__main__":
    run(main)
