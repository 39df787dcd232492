"""Finding out how a CSV file is laid out: in time that grows with the file, and with columns put into their order."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.datasets import Dataset, csv_dialect, load_csv
from scratchnn.datasets.csv_dialect import CsvOptions, find_layout, squeeze
from scratchnn.datasets.data_file import DataFile
from scratchnn.errors import DataError


def load(text: str, *arguments: Any, **options: Any) -> Dataset:
    return load_csv(io.BytesIO(text.encode("utf-8")), *arguments, **options)


# --- the work grows with the file --------------------------------------------------------------------------------


class Counter:
    """Counts how often a name is compared or hashed, and how much is looked through for a number."""

    def __init__(self) -> None:
        self.count = 0
        counter = self

        class Name(str):
            def __eq__(self, other: object) -> bool:
                counter.count += 1
                return str.__eq__(self, other)

            def __hash__(self) -> int:
                counter.count += 1
                return str.__hash__(self)

            def strip(self, *characters: Any) -> Any:
                return Name(str.strip(self, *characters))

            def lower(self) -> Any:
                return Name(str.lower(self))

        class Numbers(list):  # type: ignore[type-arg]
            def __contains__(self, number: object) -> bool:
                counter.count += len(self)
                return list.__contains__(self, number)

            def __iter__(self) -> Iterator[Any]:
                counter.count += len(self)
                return list.__iter__(self)

        self.name, self.numbers = Name, Numbers


def operations(monkeypatch: pytest.MonkeyPatch, lines: list[str], **options: Any) -> int:
    """Comparisons, hashes and steps that finding the layout of these lines takes, whether refused or not."""
    counter = Counter()
    head_records, text_columns = csv_dialect.head_records, csv_dialect._text_columns
    with monkeypatch.context() as patch:
        patch.setattr(
            csv_dialect,
            "head_records",
            lambda *known: [(line, [counter.name(f) for f in fields]) for line, fields in head_records(*known)],
        )
        patch.setattr(csv_dialect, "_text_columns", lambda *known: counter.numbers(text_columns(*known)))
        if "feature_names" in options:
            options["feature_names"] = [counter.name(name) for name in options["feature_names"]]
        with DataFile(io.BytesIO(b"")) as file, suppress(DataError):
            find_layout(file, list(enumerate(lines, 1)), CsvOptions(**options).checked())
    assert counter.count > 0
    return counter.count


def genes(count: int) -> list[str]:
    return [f"gene{number}" for number in range(count)]


def two_lines_of_text(n: int) -> dict[str, Any]:
    return {"lines": [",".join(genes(n)), ",".join(genes(n)[::-1])]}


def a_header_for_a_test_file(n: int) -> dict[str, Any]:
    row = ",".join(["1.5"] * n)
    return {"lines": [",".join([*genes(n), "label"]), row + ",x"], "feature_names": genes(n)}


def the_same_in_another_order(n: int) -> dict[str, Any]:
    row = ",".join(["1.5"] * n)
    return {"lines": [",".join(["label", *genes(n)[::-1]]), "x," + row], "feature_names": genes(n)}


def other_names(n: int) -> dict[str, Any]:
    row = ",".join(["1.5"] * n)
    names = [f"other{number}" for number in range(n)]
    return {"lines": [",".join([*names, "label"]), row + ",x"], "feature_names": genes(n)}


def too_many(n: int) -> dict[str, Any]:
    row = ",".join(["1.5"] * (n + 5))
    return {"lines": [",".join(genes(n + 5)), row], "feature_names": genes(n)}


@pytest.mark.parametrize(
    "table", [two_lines_of_text, a_header_for_a_test_file, the_same_in_another_order, other_names, too_many]
)
def test_the_work_grows_as_the_number_of_columns(
    table: Callable[[int], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (operations(monkeypatch, **table(n)) for n in (200, 1600))
    assert large <= 9 * small  # eight times the columns; it was 60 times the work and more
    assert large <= 60 * 1600


# --- columns in another order ------------------------------------------------------------------------------------


@given(st.data())
def test_columns_are_put_into_the_order_of_the_training_data(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.text("abcxyz", min_size=2, max_size=4), min_size=1, max_size=6, unique=True))
    number = data.draw(st.sampled_from([st.integers(0, 255), st.integers(-5, 300), st.floats(-9, 9)]))
    columns = {name: data.draw(st.lists(number, min_size=3, max_size=3)) for name in names}
    columns["label"] = ["u", "v", "u"]

    def written(order: list[str]) -> str:
        rows = zip(*[columns[name] for name in order])
        return "\n".join([",".join(order), *(",".join(map(str, row)) for row in rows)])

    train = load(written([*names, "label"]))
    test = load(written(data.draw(st.permutations([*names, "label"]))), like=train)
    assert [list(row) for row in test.X] == [list(row) for row in train.X]
    assert (test.y, test.feature_names, test.label_name) == (train.y, names, "label")
    without = data.draw(st.permutations(names))
    assert [list(row) for row in load(written(without), like=train, label_required=False).X] == [
        list(row) for row in train.X
    ]


def test_pixels_in_another_order_are_put_right_as_well() -> None:
    names = [f"p{number}" for number in range(20)]
    rows = [[200 + (7 * line + column) % 50 for column in range(20)] for line in range(4)]
    train = load(
        "\n".join(["label," + ",".join(names), *(f"{k % 2}," + ",".join(map(str, r)) for k, r in enumerate(rows))])
    )
    assert [bytes(row) for row in rows] == train.X
    backwards = [",".join(map(str, r[::-1])) + f",{k % 2}" for k, r in enumerate(rows)]
    test = load("\n".join([",".join(names[::-1]) + ",label", *backwards]), like=train)
    assert (test.X, test.y) == (train.X, train.y)


# --- separated by blanks --------------------------------------------------------------------------------------------

ALIGNED = " 1.5   2  x\n10.25 -3  y\n  0    4  x\n"


@pytest.mark.parametrize("options", [{}, {"delimiter": " "}])
@pytest.mark.parametrize("header", ["", "a  bb    label\n"])
def test_fields_may_be_separated_by_blanks(options: dict[str, Any], header: str) -> None:
    data = load(header + ALIGNED, **options)
    assert [list(row) for row in data.X] == [[1.5, 2.0], [10.25, -3.0], [0.0, 4.0]]
    assert data.y == ["x", "y", "x"]
    assert data.feature_names == (["a", "bb"] if header else [])


def test_problems_in_a_file_separated_by_blanks_have_their_place() -> None:
    with pytest.raises(DataError, match=r"line 4: expected 3 fields, as in line 1, got 2$"):
        load(ALIGNED + "1 2\n")
    with pytest.raises(DataError, match=r"line 4, column 2: expected a number, got '2x'"):
        load(ALIGNED + "1   2x z\n")
    with pytest.raises(DataError, match=r"one column only; .* separated by commas, semicolons, tabs or blanks"):
        load("a text of words\nof a column\n")


def test_quotes_hold_blanks_where_they_part_fields() -> None:
    data = load('1 2 "x y"\n3 4 z\n', delimiter=" ")
    assert (data.y, [list(row) for row in data.X]) == (["x y", "z"], [[1.0, 2.0], [3.0, 4.0]])


@given(st.lists(st.text("ab1 \t", max_size=5), min_size=1, max_size=4))
def test_many_blanks_are_one(fields: list[str]) -> None:
    line = " ".join(fields).encode()
    assert squeeze(line + b"\r\n", " ").split(b" ") == (b" ".join(line.split()) + b"\n").split(b" ")
    assert squeeze(line, ",") == line


# --- lines before the header -------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["", "\n \n", "\u00a0\n", '""\n', '\n" "\n'])
def test_what_looks_empty_is_no_header(first: str) -> None:
    data = load(first + "a,label\n1,x\n2,y\n")
    assert (data.feature_names, data.y) == (["a"], ["x", "y"])


# --- long fields -------------------------------------------------------------------------------------------------


def test_a_long_field_without_a_quote_is_not_called_a_quoted_one() -> None:
    long = "x" * 131_073
    with pytest.raises(DataError) as caught:
        load(f"{long},1\n{long},2\n")
    assert "quoted" not in str(caught.value)
    assert load(f"a,label\n1,{long}\n2,y\n").y == [long, "y"]
    with pytest.raises(DataError, match=r"line 2, column 1 \('a'\): expected a number, got 'xxx"):
        load(f"a,label\n{long},1\n2,y\n3,z\n4,z\n")


def test_a_long_field_in_quotes_is_called_that() -> None:
    long = '"' + "x" * 131_073 + '"'
    with pytest.raises(DataError, match=r"line 1: a quoted field .* of more than 131072 characters"):
        load(f"{long},1\n{long},2\n")
    with pytest.raises(DataError, match=r"line 22: a quoted field of more than 131072 characters, or one that"):
        load("a,label\n" + "1,x\n2,y\n" * 10 + f"1,{long}\n")
