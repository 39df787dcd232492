"""What users hand in, and what the network gets to see: rows, labels, targets and the scaling of features."""

from __future__ import annotations

import copy
import enum
import math
import pickle
from array import array
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import DataError, Dataset, Model, one_hot
from scratchnn.preprocessing import Scaling, Schema, as_labels, as_rows, as_targets, class_numbers, find_classes

NUMBERS = st.floats(-1e6, 1e6)


class Table:
    """Something whose ``tolist()`` gives rows, as NumPy's arrays do."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def tolist(self) -> list[Any]:
        return self.rows


class Frame:
    """Something whose ``to_numpy()`` gives a table, as pandas' DataFrames do."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def to_numpy(self) -> Table:
        return Table(self.rows)


# --- rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2.5], [3, 4]],
        ((1, 2.5), (3, 4)),
        [array("d", [1, 2.5]), array("f", [3, 4])],
        [memoryview(array("d", [1, 2.5])), [3, 4]],
        [Table([1, 2.5]), Table([3, 4])],
        Table([[1, 2.5], [3, 4]]),
        Frame([[1, 2.5], [3, 4]]),
        [[Fraction(1), Decimal("2.5")], range(3, 5)],
        [[True, 2.5], [3, 4]],
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_may_come_in_many_kinds(rows: Any) -> None:
    assert list(map(list, as_rows(rows))) == [[1.0, 2.5], [3.0, 4.0]]


def test_rows_may_come_one_by_one() -> None:
    assert as_rows(iter([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert as_rows((v for v in row) for row in [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]


def test_numpy_arrays_are_rows(np: Any) -> None:
    rows = [[1.0, 2.5], [3.0, 4.0]]
    for table in (
        np.array(rows),
        np.array(rows, dtype=np.float32),
        [np.array(row) for row in rows],
        [[np.float64(v) for v in row] for row in rows],
    ):
        assert list(map(list, as_rows(table))) == rows
    assert as_rows(np.array([[0, 255]], dtype=np.uint8)) == [bytes([0, 255])]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda row: array("B", row)])
def test_rows_of_bytes_stay_bytes_or_become_the_same_numbers(kind: Callable[[bytes], Any]) -> None:
    (row,) = as_rows([kind(bytes([0, 7, 255]))])
    assert list(row) == [0, 7, 255]
    if kind is not memoryview:
        assert type(row) is bytes


def test_lists_of_floats_are_not_copied() -> None:
    row = [1.0, 2.0]
    assert as_rows([row])[0] is row


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "X is empty: at least one row is needed"),
        ([[], []], "X: rows have no numbers"),
        ([[1, 2], [1, 2], [1]], "X: rows of one length are needed, row 0 has 2 numbers, row 2 has 1"),
        ([[1, 2], [1, "x"]], "X: row 1, column 1 must be a number, got str 'x'"),
        ([[1, 2], [1, "2"]], "X: row 1, column 1 must be a number, got str '2'"),
        ([[1, None]], "X: row 0, column 1 must be a number, got NoneType None"),
        ([[1, [2]]], r"X: row 0, column 1 must be a number, got list \[2\]"),
        ([[1, 2j]], "X: row 0, column 1 must be a number, got complex 2j"),
        ([[1, math.nan]], "X: row 0, column 1 must be a finite number, got nan"),
        ([[1, 2], [math.inf, 2]], "X: row 1, column 0 must be a finite number, got inf"),
        ([[-math.inf, math.inf]], "X: row 0, column 0 must be a finite number, got -inf"),
        ([[10**400, 0]], "X: row 0, column 0 must be a finite number, got 1000"),
        ([[Decimal("NaN"), 0]], "X: row 0, column 0 must be a finite number, got nan"),
        ([1, 2], "X: row 0 must be a sequence of numbers, got int 1"),
        (["12"], "X: row 0 must be a sequence of numbers, got str '12'"),
        ([{1: 2}], "X: row 0 must be a sequence of numbers, got dict"),
        ([{1, 2}], "X: row 0 must be a sequence of numbers, got set"),
        (5, "X must be a sequence of rows, got int 5"),
        (None, "X must be a sequence of rows, got NoneType None"),
        ("rows", "X must be a sequence of rows, got str 'rows'"),
        (b"rows", "X must be a sequence of rows, got bytes b'rows'"),
        ({"a": [1]}, "X must be a sequence of rows, got dict"),
    ],
)
def test_bad_rows_are_named(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        as_rows(rows)


def test_a_wrong_width_is_named_with_the_expected_one() -> None:
    with pytest.raises(DataError, match=r"^X: row 1 has 3 features, expected 2$"):
        as_rows([[1, 2], [1, 2, 3]], "X", width=2)


def test_finite_rows_whose_sum_is_not_are_good() -> None:
    assert as_rows([[1e308, 1e308]]) == [[1e308, 1e308]]


def test_long_values_are_cut_short_in_messages() -> None:
    with pytest.raises(DataError) as caught:
        as_rows([["x" * 1000]])
    assert len(str(caught.value)) < 120


@given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_rows_are_refused_exactly_when_a_number_is_not_finite(rows: list[list[float]]) -> None:
    if all(math.isfinite(v) for row in rows for v in row):
        assert as_rows(rows) == rows
    else:
        with pytest.raises(DataError, match="finite"):
            as_rows(rows)


# --- labels ------------------------------------------------------------------------------------------------


def test_labels_are_plain_values(np: Any) -> None:
    assert as_labels(("a", 1, 2.0, True)) == ["a", 1, 2.0, True]
    for labels in (np.array([3, 1]), [np.int64(3), np.uint8(1)], np.array(["a", "b"]), [np.str_("a")]):
        assert {type(label) for label in as_labels(labels)} <= {int, str}


def test_members_of_an_enum_become_plain_values() -> None:
    class Colour(str, enum.Enum):
        RED = "red"

    class Size(enum.IntEnum):
        SMALL = 1

    labels = as_labels([Colour.RED, Size.SMALL])
    assert labels == ["red", 1]
    assert [type(label) for label in labels] == [str, int]


@pytest.mark.parametrize("labels", [b"\1\2", bytearray([1, 2]), array("B", [1, 2]), range(1, 3), iter([1, 2])])
def test_labels_may_come_in_many_kinds(labels: Any) -> None:
    assert as_labels(labels) == [1, 2]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("abc", "y must be a sequence of labels, got str 'abc'"),
        (7, "y must be a sequence of labels, got int 7"),
        ([0, None], "y: label 1 must be a number or a string, got NoneType None"),
        ([b"a", b"b"], "y: label 0 must be a number or a string, got bytes b'a'"),
        ([b"yes", b"no"], "y: label 0 must be a number or a string, got bytes b'yes'"),
        ([[0, 2], [1, 0]], r"y: label 0 must be a number or a string, or a one-hot row of 2, got list \[0, 2\]"),
        ([0, math.nan], "y: label 1 must be finite, got nan"),
        ([0, 1], "X and y must be of the same length, got 3 rows and 2 labels"),
    ],
)
def test_bad_labels_are_named(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        as_labels(labels, "y", 3 if labels == [0, 1] else None)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([3, 1, 3, -2], [-2, 1, 3]),
        (["b", "a", "b"], ["a", "b"]),
        ([2.0, 1.0, 2], [1, 2]),
        ([True, False], [False, True]),
        (["10", "9"], ["10", "9"]),
    ],
)
def test_classes_are_the_different_labels_in_order(labels: list[Any], classes: list[Any]) -> None:
    found = find_classes(labels)
    assert found == classes
    assert not any(isinstance(label, float) for label in found)


def test_a_mix_of_strings_and_numbers_is_no_set_of_classes() -> None:
    with pytest.raises(DataError, match=r"all strings or all numbers: label 0 is 1, label 2 is 'a'$"):
        find_classes([1, 2.0, "a"])
    with pytest.raises(DataError, match=r"all strings or all numbers: label 0 is 'a', label 1 is 1$"):
        find_classes(["a", 1])


def test_fractions_are_no_classes() -> None:
    with pytest.raises(DataError, match=r"whole number or a string, got 1\.5; for numbers .* use regression"):
        find_classes([1.0, 1.5])


@pytest.mark.parametrize("label", [1 << 63, -(1 << 63) - 1, 10**30, 1e300])
def test_labels_that_no_model_file_holds_are_no_classes(label: Any) -> None:
    with pytest.raises(DataError, match=r"^label 1 is a number of \d+ bits, which no model file holds"):
        find_classes([0, label, 1])
    assert find_classes([(1 << 63) - 1, -(1 << 63)]) == [-(1 << 63), (1 << 63) - 1]
    model = Model(1, 2, 2)
    with pytest.raises(DataError, match="no model file holds"):
        model.fit([[0.0], [1.0]], [0, label])
    assert model.classes == []


def test_labels_become_positions_among_the_classes() -> None:
    assert class_numbers(["b", "a", "b"], ["a", "b"]) == [1, 0, 1]
    assert class_numbers([2.0, 1], [1, 2]) == [1, 0]


def test_an_unknown_label_is_named_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"^y: label 1 is 'c', which is not a class of the training data \('a', 'b'\)$"):
        class_numbers(["a", "c"], ["a", "b"])
    with pytest.raises(DataError, match=r"\(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \.\.\.\)$"):
        class_numbers([99], list(range(50)))


def test_one_hot() -> None:
    assert one_hot(["b", "a"]) == [[0.0, 1.0], [1.0, 0.0]]
    assert one_hot([0, 2], [0, 1, 2]) == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert one_hot(iter([1, 0])) == [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(DataError, match="label 0 is 'z', which is not a class"):
        one_hot(["z"], ["a"])


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_one_hot_rows_have_a_single_one_at_the_class(labels: list[int]) -> None:
    classes = find_classes(labels)
    for label, row in zip(labels, one_hot(labels)):
        assert sorted(row) == [0.0] * (len(classes) - 1) + [1.0]
        assert classes[row.index(1.0)] == label


# --- regression targets ------------------------------------------------------------------------------------


def test_targets_are_rows_of_floats(np: Any) -> None:
    column = [[1.0], [2.0]]
    for targets in (
        [1, 2],
        [[1], [2]],
        iter([1, 2]),
        np.array([1, 2]),
        np.array(column),
        [np.float32(1), np.float32(2)],
    ):
        assert as_targets(targets, 1) == column
    assert as_targets([(1, 2), (3, 4)], 2) == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1, 2, 3], "X and y must be of the same length, got 2 and 3"),
        ([[1, 2], [3, 4]], "y: row 0 has 2 numbers, expected 1, one for each output"),
        ([1, "two"], "y: row 1, column 0 must be a number, got str 'two'"),
        ([1, None], "y: row 1, column 0 must be a number, got NoneType None"),
        ([1, math.nan], "y: row 1, column 0 must be a finite number, got nan"),
    ],
)
def test_bad_targets_are_named(targets: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{message}"):
        as_targets(targets, 1, "y", 2)


RNG = Random(8)
TABLE = [[RNG.uniform(-1.0, 1.0) for _ in range(20)] for _ in range(300)]
# Sixteen pixels that are often lit, and one that is lit in a single picture.
PICTURES = [[*(RNG.choice([0.0, 0.0, 0.5, 1.0]) for _ in range(16)), float(i == 0)] for i in range(300)]


# --- scaling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([bytes([0, 1])], "pixels"),
        ([[0, 255] * 8], "pixels"),
        ([[0.0, 128.0] * 8], "pixels"),
        ([[0, 255] * 7], "standard"),  # too few columns for a picture
        ([[0, 100] * 8], "standard"),  # nowhere near white
        ([[0, 256] * 8], "standard"),
        ([[-1, 255] * 8], "standard"),
        ([[0.5, 255.0] * 8], "standard"),
        ([[0.0, 1.0]], "standard"),
        ([[-1.0, 1.0]], "standard"),
        ([[-1.1, 1.0]], "standard"),
        ([[0, 1], [0, 5]], "standard"),
        (TABLE, "standard"),
        ([[v / 20 for v in row] for row in TABLE], "standard"),
        (PICTURES, "none"),
        ([[2 * v - 1 for v in row] for row in PICTURES], "none"),
        ([[v / 20 for v in row] for row in PICTURES], "standard"),  # pictures would be brighter
        ([[2 * v for v in row] for row in PICTURES], "standard"),  # or not as bright
        ([row[:15] for row in PICTURES], "standard"),  # or larger
        (PICTURES[:1] * 3, "standard"),  # nothing is seldom where nothing changes
    ],
)
def test_auto_chooses_by_what_the_numbers_look_like(rows: Any, kind: str) -> None:
    assert Scaling.fit(rows).kind == kind


def test_columns_are_standardised_by_their_spread_and_not_by_their_range() -> None:
    """A table as scikit-learn's diabetes: all within [-1, 1], with a deviation of 0.05."""
    rng = Random(4)
    X = [[0.05 * rng.gauss(0.0, 1.0) for _ in range(10)] for _ in range(300)]
    y = [math.fsum(row[:5]) - math.fsum(row[5:]) for row in X]
    scores = []
    for scaling in ("auto", "standard", "none"):
        model = Model(10, 20, 1, task="regression", scaling=scaling)
        model.fit(X[:200], y[:200], epochs=12, lr=0.05, momentum=0.5)
        scores.append(model.score(X[200:], y[200:]))
    assert scores[0] == scores[1] > 0.9
    assert scores[2] < scores[0] - 0.2


def test_many_rows_are_judged_by_some_of_them() -> None:
    rng = Random(9)
    seldom = [[*row[:16], float(rng.random() < 0.002)] for row in PICTURES * 20]
    assert Scaling.fit(seldom).kind == "none"


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 3)), min_size=2, max_size=20))
def test_a_weight_of_k_counts_like_k_rows(pairs: list[tuple[float, int]]) -> None:
    repeated = [[v] for v, count in pairs for _ in range(count)]
    if len(repeated) < 2:
        return
    weighted = Scaling.fit([[v] for v, _ in pairs], "standard", [float(count) for _, count in pairs])
    plain = Scaling.fit(repeated, "standard")
    size = max(abs(v) for (v,) in repeated)
    assert weighted.means == [pytest.approx(plain.means[0], rel=1e-9, abs=1e-9 * size)]
    if min(repeated) != max(repeated) and plain.deviations[0] > 1e-6 * size:
        assert weighted.deviations == pytest.approx(plain.deviations, rel=1e-6)


def test_a_model_scales_its_features_by_weighted_rows() -> None:
    model = Model(1, [], 2)
    model.fit([[0.0], [10.0], [70.0]], [0, 1, 1], sample_weight=[1.0, 3.0, 0.0], epochs=1)
    assert model.scaling is not None
    assert (model.scaling.means, model.scaling.deviations) == ([7.5], [pytest.approx(math.sqrt(18.75))])


def test_pixels_become_numbers_from_0_to_1() -> None:
    scaling = Scaling.fit([bytes([0, 255])])
    assert scaling.transform([bytes([0, 51, 255])]) == [[0.0, 51 / 255, 1.0]]


@given(st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_pixels_as_bytes_and_as_lists_are_the_same(pixels: list[int]) -> None:
    scaling = Scaling("pixels")
    assert scaling.transform([bytes(pixels)]) == scaling.transform([[float(v) for v in pixels]])


def test_what_is_no_pixel_is_scaled_like_one_when_predicting() -> None:
    assert Scaling("pixels").transform([[25.5, 510.0]]) == [pytest.approx([0.1, 2.0])]


def test_pixels_can_only_be_learned_from_pixels() -> None:
    for rows in ([[0.5]], [[256]], [[-1]]):
        with pytest.raises(DataError, match="scaling 'pixels' needs whole numbers from 0 to 255 in every column"):
            Scaling.fit(rows, "pixels")


def test_none_leaves_numbers_alone() -> None:
    assert Scaling.fit([[500.0, -3.0]], "none").transform([[500.0, -3.0]]) == [[500.0, -3.0]]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30))
def test_standard_gives_mean_0_and_deviation_1_or_0(rows: list[tuple[float, float]]) -> None:
    matrix = [list(row) for row in rows]
    scaled = Scaling.fit(matrix, "standard").transform(matrix)
    for raw, column in zip(zip(*matrix), zip(*scaled)):
        spread = max(raw) - min(raw)
        if spread > 1e-6 * max(map(abs, raw)) and spread > 1e-100:
            mean = math.fsum(column) / len(column)
            assert mean == pytest.approx(0.0, abs=1e-8)
            assert math.fsum(v * v for v in column) / len(column) == pytest.approx(1.0)


@given(st.floats(-1e100, 1e100), st.integers(1, 40))
def test_a_column_that_never_changes_becomes_0_and_stays_small(constant: float, count: int) -> None:
    scaling = Scaling.fit([[constant]] * count, "standard")
    assert scaling.deviations == [1.0]
    assert scaling.transform([[constant]]) == [[pytest.approx(0.0, abs=4e-16 * abs(constant))]]


def test_a_column_that_only_rounding_changes_counts_as_constant() -> None:
    assert Scaling.fit([[0.1 + 0.2], [0.3]], "standard").deviations == [1.0]


def test_what_was_learned_does_not_depend_on_the_rows_it_is_used_for() -> None:
    scaling = Scaling.fit([[0.0], [10.0]], "standard")
    assert scaling.transform([[5.0], [20.0]]) == [[0.0], [3.0]]
    assert scaling.transform([[20.0]]) == [[3.0]]


def test_numbers_too_large_to_standardise_are_named() -> None:
    for rows in ([[1.0, 1e308], [2.0, -1e308]], [[1.0, 1e308], [2.0, 1e308]]):
        with pytest.raises(DataError, match=r"^X: column 1 has numbers too large to be standardised$"):
            Scaling.fit(rows, "standard")


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^unknown scaling 'minmax': known are auto, pixels, standard, none$"):
        Scaling.fit([[1.0]], "minmax")


@pytest.mark.parametrize("kind", ["pixels", "standard", "none"])
def test_scaling_as_plain_data_and_back(kind: str) -> None:
    rows = [[0.0, 200.0], [3.0, 7.0]]
    scaling = Scaling.fit(rows, kind)
    again = Scaling.from_dict(scaling.to_dict())
    assert again.transform(rows) == scaling.transform(rows)
    assert repr(again) == f"Scaling({kind!r})"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (b"\1\2", r"sequence of rows, got bytes .*; a single row is handed over as \[row\]"),
        ([1.0, 2.0], r"row 0 must be a sequence of numbers, got float 1.0; a single row is handed over as \[row\]"),
        (Dataset([[1.0]], [0]), r"got a Dataset: hand over its \.X"),
    ],
)
def test_common_slips_are_named_with_their_remedy(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_rows(X)


@pytest.mark.parametrize(
    ("y", "width", "message"),
    [
        ([3, 4], 10, r"row 0 has 1 number, expected 10, one for each output; for classes, one_hot\(y\)"),
        ([[1, 2], [3]], 2, r"row 1 has 1 number, expected 2"),
        ([[1.0], [1.0, 2.0]], 1, r"row 1 has 2 numbers, expected 1, one for each output$"),
        (["a"], 1, r"row 0, column 0 must be a number, got str 'a'"),
    ],
)
def test_targets_that_do_not_fit_the_outputs(y: Any, width: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_targets(y, width)


def test_rows_of_pixels_can_be_targets() -> None:
    """An autoencoder's, straight from a data file."""
    assert as_targets([bytes([0, 255]), bytearray([1, 2])], 2) == [[0.0, 255.0], [1.0, 2.0]]
    with pytest.raises(DataError, match="row 1 has 1 number, expected 2"):
        as_targets([b"\0\1", b"\0"], 2)


def test_columns_called_X_and_y_are_no_dataset() -> None:
    numpy = pytest.importorskip("numpy")
    table = numpy.rec.fromrecords([(1.0, 2.0), (3.0, 4.0)], names="X,y")
    assert as_rows(table) == [[1.0, 2.0], [3.0, 4.0]]


# --- schemas ---------------------------------------------------------------------------------------------------------


def test_a_schema_is_what_it_holds_and_never_changes() -> None:
    schema = Schema("classification", (2,), 3, classes=("a", "b", "c"))
    assert schema.scaling_kind == "auto"
    assert schema.label_position is None
    for twin in (copy.deepcopy(schema), pickle.loads(pickle.dumps(schema)), schema._replace(task="classification")):
        assert twin == schema
        assert hash(twin) == hash(schema)
        assert repr(twin) == repr(schema)
    other = schema._replace(output_size=4)
    assert (other.output_size, schema.output_size) == (4, 3)
    assert other != schema
    assert "output_size=4, " in repr(other)
    with pytest.raises(AttributeError, match=r"a Schema never changes: _replace\(task=\.\.\.\) makes another"):
        schema.task = "regression"
    with pytest.raises(AttributeError, match="never changes"):
        del schema.task
    with pytest.raises(TypeError, match="colour"):
        schema._replace(colour="red")
