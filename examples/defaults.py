"""The settings nobody asked for, measured: scratchnn's defaults beside scikit-learn's on a dozen tables.

What it shows: what `Model(...).fit(X, y)` reaches when nothing else is said, on tables of 1 to 784 features and of 142
to 4 000 rows to learn from. scikit-learn's MLPClassifier and MLPRegressor get features and targets standardised for
them and as many epochs; scratchnn gets the raw rows. `scratchnn/defaults.py` holds the settings that this table chose.

    python examples/defaults.py                 # needs scikit-learn, for its tables and to compare with
    python examples/defaults.py --mnist DIR     # and MNIST, for a table of 784 features
"""

from __future__ import annotations

import argparse
import math
import os
import warnings
from collections.abc import Callable, Sequence
from random import Random
from statistics import mean
from typing import Any, NamedTuple

from _common import HOW_TO_GET_MNIST, load_images, read_arguments, run

from scratchnn import Model, defaults, load_digits

try:
    from sklearn import datasets
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler
except ImportError:
    datasets = None

SPLITS = 5
TESTED = 0.2  # of the rows of every split
MNIST_ROWS = 5000  # the first ones, of which four fifths are learned from
MARGINS = {"classification": 0.01, "regression": 0.02}  # of accuracy, and of R²
PATIENT_EPOCHS = 200  # scikit-learn's own default
QUICK_ROWS = 150


class Table(NamedTuple):
    """Rows and what is to be learned from them: a class, a number, or several numbers a row."""

    X: Any
    y: Any
    task: str = "classification"


# --- tables that need no download ---------------------------------------------------------------------------


def shipped_digits() -> Table:
    training, test = load_digits()
    return Table([*training.X, *test.X], [*training.y, *test.y])


def generated_classes() -> Table:
    shape = {"n_samples": 1000, "n_features": 20, "n_informative": 8, "n_redundant": 4}
    return Table(*datasets.make_classification(**shape, n_classes=4, class_sep=1.2, random_state=1))


def few_frauds() -> Table:
    """One row in fifty is of the second class."""
    shape = {"n_samples": 4000, "n_features": 10, "n_informative": 5, "n_redundant": 2}
    return Table(*datasets.make_classification(**shape, weights=[0.98], class_sep=1.5, flip_y=0.002, random_state=3))


def noisy_sine(rows: int = 500) -> Table:
    rng = Random(1)
    places = [rng.uniform(-3.0, 3.0) for _ in range(rows)]
    return Table([[x] for x in places], [math.sin(2.0 * x) + rng.gauss(0.0, 0.1) for x in places], "regression")


def houses(rows: int = 4000) -> Table:
    """Prices in dollars that depend on columns as those of the California housing table: skewed, of very different
    size, and capped at 500 001."""
    rng, X, prices = Random(2), [], []
    for _ in range(rows):
        income, age = rng.lognormvariate(1.2, 0.45), rng.randint(1, 52)
        rooms, people = rng.lognormvariate(1.65, 0.3), rng.lognormvariate(7.0, 0.8)
        household, north, inland = rng.lognormvariate(1.05, 0.25), rng.uniform(32.5, 42.0), rng.uniform(0.0, 5.0)
        X.append([income, age, rooms, rooms / 5.0 * rng.lognormvariate(0.0, 0.08), people, household, north])
        X[-1].append(-124.0 + 0.9 * (42.0 - north) + inland)
        worth = 0.17 * income + 0.7 * math.exp(-inland / 1.5) - 0.25 * household + 0.003 * age + 0.3 * math.sin(north)
        prices.append(min(50_000.0 * math.exp(worth + rng.gauss(0.9, 0.22)), 500_001.0))
    return Table(X, prices, "regression")


def exercises(rows: int = 200) -> Table:
    """Three measures of a body from three exercises, of the size of the Linnerud table, which has only 20 rows."""
    rng, X, bodies = Random(4), [], []
    for _ in range(rows):
        a, b, c = (rng.gauss(0.0, 1.0) for _ in range(3))
        X.append([10.0 + 4.0 * a, 145.0 + 60.0 * b, 70.0 + 50.0 * c])
        weight = 178.0 - 12.0 * a + 5.0 * math.tanh(b) + rng.gauss(0.0, 10.0)
        bodies.append([weight, 35.0 - 2.0 * b + rng.gauss(0.0, 1.5), 56.0 + 4.0 * a * c + rng.gauss(0.0, 4.0)])
    return Table(X, bodies, "regression")


def more_columns_than_needed() -> Table:
    shape = {"n_samples": 300, "n_features": 100, "n_informative": 20}
    return Table(*datasets.make_regression(**shape, noise=20.0, random_state=5), "regression")


TABLES: dict[str, Callable[[], Table]] = {
    "iris": lambda: Table(*datasets.load_iris(return_X_y=True)),
    "wine": lambda: Table(*datasets.load_wine(return_X_y=True)),
    "breast cancer": lambda: Table(*datasets.load_breast_cancer(return_X_y=True)),
    "digits (shipped)": shipped_digits,
    "make_classification, 4 classes": generated_classes,
    "2 % of one class": few_frauds,
    "diabetes": lambda: Table(*datasets.load_diabetes(return_X_y=True), "regression"),
    "make_friedman1": lambda: Table(*datasets.make_friedman1(2000, 10, noise=1.0, random_state=2), "regression"),
    "house prices in dollars": houses,
    "sin(2x)": noisy_sine,
    "three numbers a row": exercises,
    "make_regression, 300 rows": more_columns_than_needed,
}


def mnist(folder: str) -> Table:
    training, _ = load_images(argparse.Namespace(mini=None, mnist=folder, quick=False))
    return Table(training.X[:MNIST_ROWS], training.y[:MNIST_ROWS])


# --- the two programs -----------------------------------------------------------------------------------------


def with_scratchnn(table: Table, parts: Sequence[Any], seed: int) -> float:
    """The score on the rows held out; nothing but sizes, task and the seed is said."""
    X, X_test, y, y_test = parts
    if table.task == "classification":
        model = Model(len(X[0]), output_size=len(set(y)), seed=seed)
    else:
        model = Model(len(X[0]), output_size=len(rows_of(y)[0]), task="regression", seed=seed)
    model.fit(X, y)
    return score(table, y_test, model.predict(X_test))


def with_scikit_learn(table: Table, parts: Sequence[Any], epochs: int, seed: int) -> float:
    """The same with scikit-learn's defaults, on features and targets that were standardised."""
    X, X_test, y, y_test = parts
    X, X_test = ([list(row) for row in rows] for rows in (X, X_test))
    features = StandardScaler().fit(X)
    settings = {"max_iter": epochs, "random_state": seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few epochs may not be enough
        if table.task == "classification":
            model = MLPClassifier(**settings).fit(features.transform(X), y)
            return score(table, y_test, model.predict(features.transform(X_test)))
        targets = StandardScaler().fit(rows_of(y))
        standardised = targets.transform(rows_of(y))
        model = MLPRegressor(**settings).fit(features.transform(X), standardised.squeeze())
        found = model.predict(features.transform(X_test)).reshape(-1, standardised.shape[1])
    return score(table, y_test, targets.inverse_transform(found))


def rows_of(y: Any) -> list[Any]:
    """Targets as rows, one number or several in each."""
    return [row if isinstance(row, list) else [row] for row in y]


def score(table: Table, y: Any, found: Any) -> float:
    """Accuracy, or R² (for several numbers a row its mean)."""
    return accuracy_score(y, found) if table.task == "classification" else r2_score(rows_of(y), list(found))


# --- the table ------------------------------------------------------------------------------------------------


def compare(name: str, table: Table, splits: int, quick: bool) -> bool:
    """Print one line of the table; whether scratchnn reached what scikit-learn did, less the margin."""
    X, y = (part.tolist() if hasattr(part, "tolist") else part for part in (table.X, table.y))
    if quick:
        X, y = X[:QUICK_ROWS], y[:QUICK_ROWS]
    ours, theirs, patient = [], [], []
    for seed in range(splits):
        even = y if table.task == "classification" and not quick else None
        parts = train_test_split(X, y, test_size=TESTED, random_state=seed, stratify=even)
        ours.append(with_scratchnn(table, parts, seed))
        theirs.append(with_scikit_learn(table, parts, defaults.EPOCHS, seed))
        patient.append(with_scikit_learn(table, parts, PATIENT_EPOCHS, seed))
    reached = mean(ours) >= mean(theirs) - MARGINS[table.task]
    shown = [f"{mean(scores):.1%}" if table.task == "classification" else f"{mean(scores):.3f}" for scores in
             (ours, theirs, patient)]  # fmt: skip
    size = f"{len(X)} x {len(X[0])}"
    print(f"| {name} | {size} | **{shown[0]}** | {shown[1]} | {'yes' if reached else 'no'} | {shown[2]} |", flush=True)
    return reached


def main(arguments: Sequence[str] | None = None) -> dict[str, bool]:
    options = read_arguments(__doc__, arguments, pictures=False, mnist=True)
    if datasets is None:
        raise SystemExit("this compares with scikit-learn, which is missing: python -m pip install scikit-learn")
    tables, splits = dict(TABLES), 1 if options.quick else SPLITS
    shared = os.path.join(os.environ.get("SCRATCHNN_SHARED", ""), "mnist")
    folder = options.mnist or (shared if os.path.isdir(shared) else None)
    if folder is None:
        print(f"without --mnist DIR there is no table of 784 features; {HOW_TO_GET_MNIST}\n")
    else:
        tables["MNIST"] = lambda: mnist(folder)
    print(f"| table | rows x features | scratchnn | scikit-learn, {defaults.EPOCHS} epochs | reached | "
          f"scikit-learn, {PATIENT_EPOCHS} epochs |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- |")
    result = {name: compare(name, make(), splits, options.quick) for name, make in tables.items()}
    print(f"\nreached on {sum(result.values())} of {len(result)} tables, means over {splits} splits")
    return result


if __name__ == "__main__":
    run(main)
