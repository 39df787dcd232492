"""Rows as arrays of floats, as ``load_csv`` gives them: small in memory, and in every result like lists."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import DataError, Model, load_csv, train
from scratchnn.preprocessing import Scaling, as_rows

Rows = list[Any]


def measured(count: int = 60, width: int = 5) -> list[list[float]]:
    rng = Random(3)
    return [[rng.gauss(row % 3, 0.5) * 10.0**column for column in range(width)] for row in range(count)]


def counted(count: int = 60, width: int = 5) -> list[list[float]]:
    rng = Random(4)
    return [[float(rng.randrange(200) + 50 * (row % 3)) for _ in range(width)] for row in range(count)]


def doubles(rows: list[list[float]]) -> Rows:
    return [array("d", row) for row in rows]


def singles(rows: list[list[float]]) -> Rows:
    return [array("f", row) for row in rows]


def mixed(rows: list[list[float]]) -> Rows:
    return [array("df"[number % 2], row) if number % 3 else row for number, row in enumerate(rows)]


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize(("rows", "form"), [(measured(), doubles), (counted(), singles), (counted(), mixed)])
def test_a_model_learns_and_predicts_the_same_from_arrays_as_from_lists(
    rows: list[list[float]], form: Callable[[list[list[float]]], Rows], scaling: str, engine: str
) -> None:
    y = [number % 3 for number in range(len(rows))]
    models = []
    for X in (rows, form(rows)):
        model = Model(5, 4, 3, scaling=scaling, engine=engine, seed=1)
        model.fit(X, y, epochs=2, lr=1e-6 if scaling == "none" else 0.1)
        models.append(model)
    assert models[0].weights == models[1].weights
    assert models[0].predict_proba(rows) == models[1].predict_proba(form(rows))
    assert models[0].evaluate(rows, y) == models[1].evaluate(form(rows), y)


@pytest.mark.parametrize("form", [doubles, singles])
def test_arrays_of_floats_are_handed_on_as_they_are(form: Callable[[list[list[float]]], Rows]) -> None:
    rows = form(counted())
    checked = as_rows(rows)
    assert all(row is same for row, same in zip(checked, rows))
    for kind in ("standard", "none"):
        scaling = Scaling.fit(counted(), kind)
        assert {type(row) for row in scaling.raw(rows)[0]} == {array}
        assert scaling.transform(rows) == scaling.transform(counted())
    assert Scaling.fit(rows).to_dict() == Scaling.fit(counted()).to_dict()


@pytest.mark.parametrize("code", "fd")
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_arrays_are_checked_as_lists_are(code: str, bad: str) -> None:
    rows = [array(code, [1.0, 2.0]), array(code, [1.0, float(bad)])]
    with pytest.raises(DataError) as of_arrays:
        as_rows(rows)
    with pytest.raises(DataError) as of_lists:
        as_rows([list(row) for row in rows])
    assert str(of_arrays.value) == str(of_lists.value) == f"X: row 1, column 1 must be a finite number, got {bad}"
    with pytest.raises(DataError, match="row 0 has 2 numbers, row 1 has 3"):
        as_rows([array(code, [1.0, 2.0]), array(code, [1.0, 2.0, 3.0])])
    assert as_rows([array(code, [1e308 if code == "d" else 3e38] * 2)])  # large, but finite


# --- memory ------------------------------------------------------------------------------------------------------


def write_table(path: Path, rows: int, columns: int) -> int:
    """A table of measurements with six decimals; its size in bytes."""
    rng = Random(1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join([*(f"c{column}" for column in range(columns)), "label"]) + "\n")
        for number in range(rows):
            file.write(
                ",".join(f"{rng.gauss(number % 3, 1.0):.6f}" for _ in range(columns)) + f",{'abc'[number % 3]}\n"
            )
    return path.stat().st_size


def peak_of(job: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        job()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [20, 100])
def test_reading_takes_at_most_three_times_the_file(columns: int, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    size = write_table(path, 400_000 // columns, columns)
    assert peak_of(lambda: load_csv(path)) <= 3 * size


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_training_takes_at_most_three_times_the_file(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    size = write_table(tmp_path / "table.csv", 6000, 100)
    arguments = ["table.csv", "--epochs", "1", "--hidden", "4", "--batch-size", "256", "--quiet", "--engine", engine]
    assert train.main(arguments) == 0  # what is imported and kept for good does not count
    assert peak_of(lambda: train.main(arguments)) <= 3 * size
