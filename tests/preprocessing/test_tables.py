"""Arrays, DataFrames, sparse matrices and nested lists at the door: the same numbers give the same model."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from array import array
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import Conv2D, DataError, Flatten, Linear, Model, ReLU, one_hot
from scratchnn.preprocessing import as_labels, as_rows
from scratchnn.preprocessing.tables import SparseRows, column_names, in_column_order

RNG = Random(6)
ROWS = [[RNG.gauss(0.0, 1.0), RNG.uniform(-1.0, 1.0), float(i % 3)] for i in range(30)]
LABELS = [int(a + b > 0) for a, b, _ in ROWS]
PIXELS = [[RNG.randrange(256) for _ in range(20)] for _ in range(12)]


def fitted(X: Any, y: Any = LABELS, **how: Any) -> Model:
    model = Model(3, 5, 2, seed=2)
    model.fit(X, y, epochs=2, batch_size=8, **how)
    return model


# --- arrays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["f4", "f8", ">f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "O"])
@pytest.mark.parametrize("layout", ["rows", "columns", "every other", "backwards", "one row", "one column"])
def test_rows_of_arrays_are_those_of_their_lists(np: Any, code: str, layout: str) -> None:
    table = np.arange(600 * 7).reshape(600, 7) % 100 if code not in ("?", "i1") else np.arange(4200).reshape(600, 7) % 2
    table = table.astype(code) if code in ("?", "O") or code[-2] != "f" else (table / 4).astype(code)
    table = {
        "rows": table,
        "columns": np.asfortranarray(table),
        "every other": table[1::2, ::3],
        "backwards": table[::-1, ::-1],
        "one row": table[:1],
        "one column": table[:, :1],
    }[layout]
    rows = as_rows(table)
    assert [list(row) for row in rows] == table.tolist()
    assert {type(row) for row in rows} == {bytes} if code == "u1" else bytes not in {type(row) for row in rows}


def test_an_array_without_rows_or_columns_is_refused(np: Any) -> None:
    for shape, message in (((0, 3), "X is empty"), ((3, 0), "X: rows have no numbers")):
        with pytest.raises(DataError, match=message):
            as_rows(np.zeros(shape))


@pytest.mark.parametrize("code", ["f4", "f8"])
def test_numbers_of_an_array_are_finite(np: Any, code: str) -> None:
    table = np.zeros((300, 4), code)
    for odd in (np.nan, np.inf, -np.inf):
        table[280, 2] = odd
        with pytest.raises(DataError, match=r"^X: row 280, column 2 must be a finite number, got -?(nan|inf)$"):
            as_rows(table)


def test_arrays_take_no_more_memory_than_their_numbers(np: Any) -> None:
    """Lists of floats took four times as much, lists of pixels eight times."""
    for code in ("u1", "f4", "f8"):
        table = np.ones((2000, 500), code)
        tracemalloc.start()
        rows = as_rows(table)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(rows) == 2000
        assert peak < 1.25 * table.nbytes + 500_000


def test_an_array_is_not_looked_at_again(np: Any) -> None:
    table = np.array(ROWS)
    rows = as_rows(table)
    table[:] = 0.0
    assert [list(row) for row in rows] == ROWS


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_rows_that_are_arrays_stay_arrays(code: str) -> None:
    row = array(code, [1, 2, 3])
    (kept,) = as_rows([row])
    assert kept is row if code != "B" else kept == bytes([1, 2, 3])


def test_array_rows_give_the_same_model() -> None:
    reference = fitted(ROWS)
    for code in "fd":
        rows = [array(code, row) for row in ROWS]
        lists = [list(row) for row in rows]
        assert fitted(rows).weights == fitted(lists).weights
    assert fitted([array("d", row) for row in ROWS]).weights == reference.weights


# --- DataFrames ------------------------------------------------------------------------------------------


def frame(columns: str = "abc") -> Any:
    return pytest.importorskip("pandas").DataFrame({name: [row["abc".index(name)] for row in ROWS] for name in columns})


def test_a_data_frame_gives_the_same_model_and_keeps_its_names(tmp_path: Path) -> None:
    model = fitted(frame())
    assert model.weights == fitted(ROWS).weights
    assert model.feature_names == ["a", "b", "c"]
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl")
    assert again.predict(frame("cab")) == again.predict(ROWS) == model.predict(frame())


def test_columns_are_put_right_by_their_names() -> None:
    model = fitted(frame(), validation_data=(frame("bca"), LABELS))
    for order in ("abc", "bca", "cba"):
        table = frame(order)
        assert model.predict(table) == model.predict(ROWS)
        assert model.predict_proba(table) == model.predict_proba(ROWS)
        assert model.score(table, LABELS) == model.score(ROWS, LABELS)
        assert model.evaluate(table, LABELS) == model.evaluate(ROWS, LABELS)
    other = fitted(frame())
    other.fit(frame("cab"), LABELS, epochs=1, shuffle=False)
    model.fit(ROWS, LABELS, epochs=1, shuffle=False)
    assert other.weights == model.weights


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("ab", "X has other columns than the model was fitted with: 'c' is missing"),
        ("abd", "X has other columns than the model was fitted with: 'c' is missing, 'd' is not known"),
        ("abcde", "X has other columns than the model was fitted with: 'd', 'e' are not known"),
        ("xyz", "fitted with: 'a', 'b', 'c' are missing, 'x', 'y', 'z' are not known"),
    ],
)
def test_other_columns_are_refused_by_name(names: str, message: str) -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame([[0.0] * len(names)] * 2, columns=list(names))
    with pytest.raises(DataError, match=message):
        fitted(frame()).predict(table)


def test_many_columns_are_put_in_order_in_no_time() -> None:
    pd = pytest.importorskip("pandas")
    names = [f"column {k}" for k in range(20_000)]
    table = pd.DataFrame([[0.0] * len(names)], columns=names[::-1])
    start = time.process_time()
    assert column_names(in_column_order(table, names, "X")) == names
    with pytest.raises(DataError, match=r"'column 7', \.\.\. \(19999 in all\) are missing"):
        in_column_order(table[names[:1]], names, "X")
    with pytest.raises(DataError, match="two columns called 'column 19999'"):
        column_names(pd.DataFrame([[0.0] * 20_001], columns=[*names, names[-1]]))
    assert time.process_time() - start < 2.0  # not the square of their number


def test_columns_without_names_are_taken_in_order() -> None:
    pd = pytest.importorskip("pandas")
    numbered = pd.DataFrame(ROWS)
    model = fitted(numbered)
    assert model.feature_names == []
    assert model.predict(frame()) == model.predict(numbered) == model.predict(ROWS)
    assert fitted(frame()).predict(numbered) == model.predict(ROWS)


def test_a_name_that_stands_twice_is_refused() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"two columns called 'a'"):
        fitted(pd.DataFrame(ROWS, columns=["a", "b", "a"]))


def test_a_refused_fit_forgets_the_names() -> None:
    model = Model(3, 5, 2)
    with pytest.raises(DataError):
        model.fit(frame(), LABELS[1:])
    assert model.feature_names == []


def test_labels_may_be_series_and_frames_of_one_column() -> None:
    pd = pytest.importorskip("pandas")
    names = [("no", "yes")[k] for k in LABELS]
    reference = fitted(ROWS, names)
    for y in (pd.Series(names, index=range(7, 37)), pd.DataFrame({"label": names}), pd.Series(names, dtype="category")):
        model = fitted(frame(), y)
        assert model.weights == reference.weights
        assert model.classes == ["no", "yes"]
        assert model.score(frame(), y) == reference.score(ROWS, names)


def test_targets_may_be_series_and_frames() -> None:
    pd = pytest.importorskip("pandas")
    values = [a - b for a, b, _ in ROWS]
    runs = []
    for y in (values, pd.Series(values), pd.DataFrame({"price": values}), [[v] for v in values]):
        model = Model(3, 5, 1, task="regression")
        model.fit(frame(), y, epochs=1)
        runs.append((model.weights, model.score(frame(), y)))
    assert runs[1:] == [runs[0]] * 3


def test_no_library_is_imported_for_the_sake_of_another() -> None:
    code = "import sys; from scratchnn import Model; m = Model(2, 2, 2); m.fit([[0, 1], [1, 0]], [0, 1], epochs=1); "
    code += "print({'numpy', 'pandas', 'scipy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- labels in rows --------------------------------------------------------------------------------------


def test_one_hot_rows_are_labels(np: Any) -> None:
    y = [i % 3 for i in range(30)]
    runs = []
    for labels in (y, [[k] for k in y], one_hot(y), np.array(one_hot(y)), np.eye(3, dtype=bool)[y], np.array([y]).T):
        model = Model(3, 5, 3, seed=1)
        model.fit(ROWS, labels, epochs=2, validation_data=(ROWS, labels))
        assert model.classes == [0, 1, 2]
        runs.append((model.weights, model.score(ROWS, labels), model.get_accuracy(model.predict(ROWS), labels)))
    assert runs[1:] == [runs[0]] * 5


def test_one_hot_rows_stand_for_the_classes_that_are_known() -> None:
    names = ["ash", "birch", "cedar"]
    y = [names[i % 3] for i in range(30)]
    model = Model(3, 5, 3)
    model.fit(ROWS, y, epochs=3)
    assert model.score(ROWS, one_hot(y)) == model.score(ROWS, y)
    with pytest.raises(DataError, match=r"y: one-hot rows of 2, expected 3, one number for each class"):
        model.score(ROWS, [[0, 1]] * 30)


@pytest.mark.parametrize(
    "rows", [[[0, 1], [1, 1]], [[0, 1], [0, 0]], [[0, 1], [0.5, 0.5]], [[0, 1], [1]], [[0, 1], [2, 0]]]
)
def test_rows_that_are_not_one_hot_are_no_labels(rows: Any) -> None:
    with pytest.raises(DataError, match=r"^y: label 1 must be a number or a string, or a one-hot row of 2, got list"):
        as_labels(rows)


# --- images ----------------------------------------------------------------------------------------------


def picture_model(channels: int = 1) -> Model:
    layers = [Conv2D(channels, 2, 2), ReLU(), Flatten(), Linear(2 * 3 * 2, 2)]
    return Model.from_layers(layers, input_shape=(channels, 4, 3))


def nested(row: list[float], channels: int) -> list[Any]:
    return [[row[12 * c + 3 * i : 12 * c + 3 * i + 3] for i in range(4)] for c in range(channels)]


@pytest.mark.parametrize("channels", [1, 2])
def test_images_may_be_nested(np: Any, channels: int) -> None:
    flat = [[RNG.random() for _ in range(12 * channels)] for _ in range(10)]
    deep = [nested(row, channels) for row in flat]
    kinds = [flat, deep, np.array(deep), [np.array(image) for image in deep], tuple(deep), np.array(flat)]
    if channels == 1:
        kinds += [[image[0] for image in deep], np.array(deep)[:, 0], [tuple(map(tuple, image[0])) for image in deep]]
    runs = []
    for X in kinds:
        model = picture_model(channels)
        model.fit(X, [i % 2 for i in range(10)], epochs=2)
        runs.append((model.weights, model.predict_proba(X)))
    assert runs[1:] == [runs[0]] * (len(kinds) - 1)


def test_images_of_bytes_are_pixels(np: Any) -> None:
    images = np.arange(120, dtype=np.uint8).reshape(10, 4, 3)
    assert as_rows(images, image=(1, 4, 3)) == [bytes(image.ravel().tolist()) for image in images]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10, 3, 4), r"X: row 0 is (1x)?3x4, expected 1x4x3 \(channels, height, width\), or a flat row"),
        ((10, 4, 3, 1), "X: row 0 is 4x3x1, expected 1x4x3"),
        ((10, 2, 4, 3), "X: row 0 is 2x4x3, expected 1x4x3"),
    ],
)
def test_images_of_other_sizes_are_refused(np: Any, shape: tuple[int, ...], message: str) -> None:
    for X in (np.zeros(shape), np.zeros(shape).tolist()):
        with pytest.raises(DataError, match=message):
            picture_model().fit(X, [0, 1] * 5)


def test_ragged_images_are_refused() -> None:
    images = [nested([0.0] * 12, 1) for _ in range(2)]
    images[1][0][2] = [0.0, 1.0]
    with pytest.raises(DataError, match=r"X: row 1 is 1x4x3, expected 1x4x3 .*, with all lines as long as each other"):
        picture_model().fit(images, [0, 1])


def test_images_are_no_rows_of_a_perceptron(np: Any) -> None:
    with pytest.raises(
        DataError, match=r"X: row 0 is 4x3, expected a flat row of numbers; or give the model an input_"
    ):
        Model(12, 3, 2).fit(np.zeros((10, 4, 3)), [0, 1] * 5)


# --- sparse matrices -------------------------------------------------------------------------------------


def sparse_table() -> list[list[float]]:
    rng = Random(1)
    return [[rng.gauss(0.0, 2.0) if rng.random() < 0.1 else 0.0 for _ in range(40)] for _ in range(50)]


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "coo_matrix", "lil_matrix", "dok_matrix", "csr_array"])
@pytest.mark.parametrize("scaling", ["auto", "none"])
def test_sparse_rows_give_the_same_model(kind: str, scaling: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    table, y = sparse_table(), [i % 2 for i in range(50)]
    matrix = getattr(sparse, kind)(table)
    runs = []
    for X in (table, matrix):
        for engine in ("lanes", "linalg"):
            model = Model(40, 5, 2, scaling=scaling, engine=engine)
            model.fit(X, y, epochs=2, validation_split=0.2)
            runs.append((model.weights, model.predict_proba(X), model.score(X, y)))
    assert runs[:2] == runs[2:]


def test_entries_that_come_in_parts_are_added_up() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.csr_matrix(([1.0, 2.0, 5.0], [1, 1, 0], [0, 2, 3]), shape=(2, 3))
    rows = as_rows(matrix)
    assert [list(row) for row in rows] == [[0.0, 3.0, 0.0], [5.0, 0.0, 0.0]]
    assert isinstance(rows, SparseRows)
    assert [list(column) for column in rows.columns()] == [[0.0, 5.0], [3.0, 0.0], [0.0, 0.0]]
    assert [list(row) for row in rows[::-1]] == [[5.0, 0.0, 0.0], [0.0, 3.0, 0.0]]


def test_sparse_rows_are_checked() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    table = sparse_table()
    with pytest.raises(DataError, match=r"^X: row 0 has 40 features, expected 3$"):
        fitted(sparse.csr_matrix(table))
    with pytest.raises(DataError, match=r"^X is empty"):
        as_rows(sparse.csr_matrix((0, 3)))
    table[7][3] = float("nan")
    with pytest.raises(DataError, match=r"^X: row 7, column 3 must be a finite number, got nan$"):
        as_rows(sparse.csr_matrix(table))


def test_sparse_rows_are_not_made_dense_all_at_once() -> None:
    """600 x 5 000 numbers would take 24 MB as floats."""
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.random(600, 5000, density=0.001, format="csr", random_state=1)
    model = Model(5000, 2, 2, scaling="none", engine="linalg")
    tracemalloc.start()
    model.fit(matrix[:64], [0, 1] * 32, epochs=1, batch_size=16, momentum=0)
    rows = as_rows(matrix)
    assert sum(sum(map(bool, row)) for row in rows) == matrix.nnz
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000
