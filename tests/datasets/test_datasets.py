"""Reading data: every layout of CSV that is understood, IDX files, splitting, and each broken file with its message."""

from __future__ import annotations

import csv
import gzip
import inspect
import io
import os
import runpy
import sys
from array import array
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import datasets
from scratchnn.datasets import (
    Dataset,
    csv_reader,
    data_file,
    dataset,
    load_csv,
    load_digits,
    load_idx,
    one_hot,
    train_test_split,
)
from scratchnn.datasets.csv_dialect import CsvOptions
from scratchnn.datasets.pixel_text import PixelText
from scratchnn.errors import ArgumentError, DataError
from tests.files import idx
from tests.products import product

REPOSITORY = Path(__file__).resolve().parents[2]
FLOWERS = "long,wide,species\n5.1,3.5,setosa\n6.2,2.9,virginica\n4.7,3.2,setosa\n"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return _write


def picture_row(label: object, *, pixels: int = 16, value: int = 7) -> str:
    return ",".join([str(label), *[str(value)] * pixels])


def lists(rows: list[Any]) -> list[Any]:
    """Rows of floats as lists, to be compared; rows of pixels stay bytes."""
    return [row if isinstance(row, bytes) else list(row) for row in rows]


def message(path: Path, *arguments: Any, **options: Any) -> str:
    """The message of the DataError that reading the file must end in, without the folder; always a single line."""
    with pytest.raises(DataError) as caught:
        load_csv(path, *arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 1000
    return text.replace(str(path.parent) + os.sep, "")


# --- layouts that are understood ---------------------------------------------------------------------------


def test_header_text_label_and_floats(write: Any) -> None:
    data = load_csv(write(FLOWERS))
    X, y = data
    assert lists(X) == [[5.1, 3.5], [6.2, 2.9], [4.7, 3.2]]
    assert y == ["setosa", "virginica", "setosa"]
    assert data.classes == ["setosa", "virginica"]
    assert data.feature_names == ["long", "wide"]
    assert (data.label_name, data.label_position, len(data), data.width) == ("species", 2, 3, 2)
    assert repr(data).startswith("<Dataset: 3 rows, 2 features, 2 classes from ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("zipped", [False, True])
def test_delimiters_line_ends_byte_order_mark_and_gzip_change_nothing(
    write: Any, delimiter: str, end: str, mark: bytes, zipped: bool
) -> None:
    content = mark + FLOWERS.replace(",", delimiter).replace("\n", end).encode()
    # The name says nothing about gzip: the first bytes do.
    data = load_csv(write(gzip.compress(content) if zipped else content))
    assert lists(data.X) == [[5.1, 3.5], [6.2, 2.9], [4.7, 3.2]]
    assert data.y == ["setosa", "virginica", "setosa"]
    assert data.feature_names == ["long", "wide"]


def test_plain_file_that_is_called_gz(write: Any) -> None:
    assert len(load_csv(write(FLOWERS, "flowers.csv.gz"))) == 3


def test_quotes_hold_delimiters_line_ends_and_doubled_quotes(write: Any) -> None:
    text = '"long, in cm","the ""wide"" one",species\n"5.1",3.5,"a,b"\n6.2,"2.9","c\r\nd"\n1,2,"say ""x"""\n'
    data = load_csv(write(text))
    assert data.feature_names == ["long, in cm", 'the "wide" one']
    assert data.y == ["a,b", "c\r\nd", 'say "x"']
    assert lists(data.X) == [[5.1, 3.5], [6.2, 2.9], [1.0, 2.0]]


def test_quoted_labels_among_pixels_are_told_apart(write: Any) -> None:
    rows = ['"a",1,2', '"b",1,2', "a,1,2", '"a",3,4', '"""a""",1,2', '"a",5,6', '"a,b",1,2', '"a",7,8']
    assert load_csv(write("\n".join(rows))).y == ["a", "b", "a", "a", '"a"', "a", "a,b", "a"]


def test_spaces_around_fields_and_blank_lines_are_dropped(write: Any) -> None:
    data = load_csv(write("\n\nlabel , a,b\n\n x, 1 , 2\n   \ny ,3,4\n\n\n"))
    assert lists(data.X) == [[1.0, 2.0], [3.0, 4.0]]
    assert data.y == ["x", "y"]
    assert data.feature_names == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b,c\n1,2,3\n2,3,4\n", True),  # text above numbers
        ("1,2,3\n2,3,4\n", False),
        ("x,1,2\ny,3,4\n", False),  # text above text, numbers above numbers
        ("label,0,1\n5,7,8\n6,8,9\n", True),  # columns may be named by numbers
        ("0,1,species\n5,7,x\n6,8,z\n", True),
        ("y,1,2\nn,3,4\n", False),  # y for yes
        ("y,a,b\n1,3,4\n2,5,6\n", True),
    ],
)
def test_header_is_detected(write: Any, text: str, header: bool) -> None:
    data = load_csv(write(text))
    assert bool(data.feature_names) == header
    assert len(data) == len(text.splitlines()) - header


def test_header_can_be_told(write: Any) -> None:
    assert load_csv(write("0,1,2\n1,2,3\n2,3,4\n"), header=True).feature_names == ["1", "2"]
    assert len(load_csv(write("0,1,2\n1,2,3\n2,3,4\n"), header=False)) == 3
    assert message(write("a,1,2\nb,x,3\na,2,3\n"), header=False) == (
        "data.csv, line 2, column 2: expected a number, got 'x'"
    )


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a,Label,class\n1,2,3\n2,3,4\n", 1),  # by name, the likeliest name first
        ("a,TARGET,b\n1,2,3\n2,3,4\n", 1),
        ("1,red,2\n2,blue,3\n", 1),  # the only text
        ("7,1,2\n8,3,4\n", 0),  # MNIST's place
    ],
)
def test_label_column_is_detected(write: Any, text: str, position: int) -> None:
    assert load_csv(write(text)).label_position == position


@pytest.mark.parametrize("label", ["kind", 1, -2, "1"])
def test_label_column_by_name_and_by_position(write: Any, label: str | int) -> None:
    data = load_csv(write("a,kind,b\n1,2,3\n4,5,6\n"), label)
    assert data.y == [2, 5]
    assert lists(data.X) == [[1.0, 3.0], [4.0, 6.0]]
    assert (data.label_name, data.label_position) == ("kind", 1)


def test_delimiter_can_be_told(write: Any) -> None:
    assert lists(load_csv(write("x|1|2\ny|3|4\n"), delimiter="|").X) == [[1.0, 2.0], [3.0, 4.0]]


def test_labels_are_ints_only_if_all_are(write: Any) -> None:
    assert load_csv(write("label,a\n-3,1\n+7,2\n010,3\n")).y == [-3, 7, 10]
    assert load_csv(write("label,a\n1,1\n2b,2\n01,3\n")).y == ["1", "2b", "01"]
    assert load_csv(write("label,a\n1_0,1\n2,2\n")).y == ["1_0", "2"]
    huge = "9" * 5000
    assert load_csv(write(f"label,a\n{huge},1\n2,2\n")).y == [huge, "2"]
    assert load_csv(write("label,a\nä,1\n日本,2\n")).classes == ["ä", "日本"]


def test_regression_targets_are_floats(write: Any) -> None:
    data = load_csv(write("a,price\n1,10\n2,-2.5e3\n"), "price", regression=True)
    assert data.y == [10.0, -2500.0]
    assert data.classes == []
    assert all(type(value) is float for value in data.y)


def test_pixels_are_bytes(write: Any) -> None:
    data = load_csv(write(picture_row(1, value=0) + "\n" + picture_row(2, value=255)))
    assert lists(data.X) == [bytes(16), b"\xff" * 16]


@pytest.mark.parametrize(
    ("row", "header"),
    [
        (picture_row(2, pixels=15, value=255), False),  # too few for a picture
        (picture_row(2, value=100), False),  # nothing bright
        (picture_row(2, value=256), False),
        (picture_row(2, value=-1), False),
        (picture_row(2, value=200) + ".5", False),
        (picture_row(2, pixels=15, value=255), True),
    ],
)
def test_what_is_no_picture_is_floats(write: Any, row: str, header: bool) -> None:
    first = picture_row(1, pixels=row.count(","), value=0)
    names = "label," + ",".join(f"pixel{i}" for i in range(row.count(","))) + "\n"
    data = load_csv(write((names if header else "") + first + "\n" + row))
    assert all(type(values) is array for values in data.X)
    assert all(type(value) is float for values in data.X for value in values)
    assert list(data.X[1]) == [float(value) for value in row.split(",")[1:]]


def test_dark_pixels_are_bytes_if_the_header_calls_them_so(write: Any) -> None:
    names = "label," + ",".join(f"pixel{i}" for i in range(16))
    assert lists(load_csv(write(f"{names}\n{picture_row(1)}\n{picture_row(2)}")).X) == [bytes([7] * 16)] * 2


@pytest.mark.parametrize("position", [0, 5, 16])
def test_pixels_with_the_label_anywhere(write: Any, position: int) -> None:
    def row(label: str, values: list[int]) -> str:
        fields = list(map(str, values))
        return ",".join([*fields[:position], label, *fields[position:]])

    values = [list(range(i, 256, 16)) for i in range(16)]
    data = load_csv(write("\n".join(row(str(i % 3), values[i]) for i in range(16))), position)
    assert lists(data.X) == [bytes(line) for line in values]
    assert data.y == [i % 3 for i in range(16)]


def test_a_float_far_down_makes_all_rows_floats(write: Any) -> None:
    rows = [picture_row(i % 2, value=200) for i in range(100)] + [picture_row(0, value=3) + ".5"]
    data = load_csv(write("\n".join(rows)))
    assert list(data.X[0]) == [200.0] * 16
    assert list(data.X[100]) == [3.0] * 15 + [3.5]


def test_pixels_written_in_other_ways_are_pixels(write: Any) -> None:
    text = picture_row(1, value=200) + "\n" + ",".join(["2", "007", " 8", "9.0", '"10"', "1e1", *["0"] * 11])
    assert load_csv(write(text)).X[1] == bytes([7, 8, 9, 10, 10, *[0] * 11])


def test_lines_across_the_pieces_a_file_is_read_in(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "label,a,b\r\n" + "".join(f'"c{i % 3}",{i},{i / 4}\r\n' for i in range(50))
    expected = load_csv(write(text))
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr("scratchnn.datasets.data_file.CHUNK_BYTES", size)
        assert load_csv(write(text)).X == expected.X
        assert message(write(text + "c0,x,1\r\n")) == "data.csv, line 52, column 2 ('a'): expected a number, got 'x'"


# --- many lines at once ----------------------------------------------------------------------------------------------

ODD_FIELDS = [
    "",
    " ",
    "nan",
    "-inf",
    "1_0",
    "x",
    '"1.5"',
    '"1',
    '""',
    "1e999",
    "1,5",
    "\u0661",
    "0x1p3",
    "1\r2",
    "1\n2",
]
ODD_LINES = ["", "  ", ",,", "\t", '"', "1"]


def table_of(rng: Random, ends: str) -> tuple[str, int, bool]:
    """(text, the label's position, whether labels are numbers to be predicted) of a table of floats, mostly whole."""
    columns, regression = rng.randint(2, 5), rng.random() < 0.3
    label_at = rng.choice([0, rng.randrange(columns), columns - 1])
    labels = ["1.5", "-2", "7e-3"] if regression else ["a_b", '"c"', " d", "3"]
    rows = []
    for _ in range(rng.randint(2, 40)):
        row = [repr(rng.gauss(0.0, 10.0 ** rng.randint(-3, 9))) for _ in range(columns)]
        row[label_at] = rng.choice(labels)
        rows.append(row)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        rng.choice(rows)[rng.randrange(columns)] = rng.choice(ODD_FIELDS)
    if rng.random() < 0.2:  # one field goes over to the next line: the number of all stays right
        k = rng.randrange(len(rows) - 1)
        rows[k + 1].append(rows[k].pop())
    lines = [",".join(row) for row in rows]
    if rng.random() < 0.2:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))
    if rng.random() < 0.3:
        lines.insert(0, ",".join(f"c{k}" for k in range(columns)))
    return ends.join(lines) + rng.choice(["", ends, ends * 2]), label_at, regression


@product(
    lambda at_once, ends: at_once == "40" or ends == "CRLF",
    at_once={"1": 1, "40": 40, "all": 1 << 15},
    ends={"LF": "\n", "CRLF": "\r\n", "CR": "\r"},
)
def test_lines_read_together_are_those_read_one_by_one(
    ends: str, at_once: int, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    rng = Random(f"{ends} {at_once}")
    read_at_once = csv_reader._Parser._read_at_once
    good = 0
    for _ in range(300):
        text, label, regression = table_of(rng, ends)
        path, found = write(text), []
        for block, reader in ((at_once, read_at_once), (1 << 15, lambda parser, block: 0)):
            monkeypatch.setattr(csv_reader, "BYTES_AT_ONCE", block)
            monkeypatch.setattr(csv_reader._Parser, "_read_at_once", reader)
            try:
                data = load_csv(path, label, regression=regression)
                found.append((lists(data.X), [type(row) for row in data.X], data.y, data.classes, data.feature_names))
            except DataError as error:
                found.append(str(error))
        assert found[0] == found[1]
        good += type(found[0]) is tuple
    assert 50 < good < 290


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=repr)
@pytest.mark.parametrize("label", [0, 2, 3])
def test_lines_of_floats_are_read_together(ends: str, label: int, monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
    closer = []
    look_closer = csv_reader._Parser._look_closer

    def looking(self: Any, number: int, *rest: Any) -> None:
        closer.append(number)
        look_closer(self, number, *rest)

    each = []
    numbers = csv_reader._Parser._numbers

    def counting(fields: list[bytes], line: bytes) -> Any:
        each.append(len(fields))
        return numbers(fields, line)

    monkeypatch.setattr(csv_reader._Parser, "_look_closer", looking)
    monkeypatch.setattr(csv_reader._Parser, "_numbers", staticmethod(counting))
    rows = [["0.5", "-1.25", "3"] for _ in range(10_000)]
    for k, row in enumerate(rows):
        row.insert(label, f'"kind_{k % 2}"')
    data = load_csv(write(ends.join(map(",".join, rows)) + ends), label)
    assert lists(data.X) == [[0.5, -1.25, 3.0]] * 10_000
    assert data.y == ["kind_0", "kind_1"] * 5_000
    assert closer == [1, 2]  # a label each that was not met before
    assert len(each) < 2_000  # the first block line by line, all others as a whole


def test_one_wrong_line_does_not_slow_down_the_others(monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
    tried = []
    read_at_once = csv_reader._Parser._read_at_once

    def trying(self: Any, block: bytes) -> int:
        tried.append(len(block))
        return read_at_once(self, block)

    monkeypatch.setattr(csv_reader._Parser, "_read_at_once", trying)
    text = "".join(f"{'' if k % 50 else chr(10)}{k % 2},{k / 8}\n" for k in range(20_000))  # blank lines everywhere
    data = load_csv(write(text), 0)
    assert [row[0] for row in data.X] == [k / 8 for k in range(20_000)]
    assert sum(tried) <= len(text)  # none is tried twice


# --- where files come from -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_will_do(tmp_path: Path) -> None:
    import threading

    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(FLOWERS,))
    writer.start()
    try:
        assert len(load_csv(path)) == 3
    finally:
        writer.join()


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
            .map(str.strip)
            .filter(lambda text: text.strip("0123456789+-") != ""),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-300, 300),
        ),
        min_size=1,
    ),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    zipped=st.booleans(),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, float, int]],
    delimiter: str,
    end: str,
    quoting: int,
    zipped: bool,
) -> None:
    if any("\r" in name for name, _, _ in rows):  # before 3.13, QUOTE_MINIMAL leaves a lone carriage return bare
        quoting = csv.QUOTE_NONNUMERIC
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["label", "a; b", "c, d"])
    writer.writerows(rows)
    content = text.getvalue().encode("utf-8")
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    path.write_bytes(gzip.compress(content) if zipped else content)
    data = load_csv(path, delimiter=delimiter, classes=[name for name, _, _ in rows])
    assert data.y == [name for name, _, _ in rows]
    assert lists(data.X) == [[float(a), float(b)] for _, a, b in rows]
    assert data.feature_names == ["a; b", "c, d"]


@given(content=st.binary(max_size=300) | st.text('0123456789.,;\t\n\r"ax -e_\0é', max_size=60).map(str.encode))
def test_any_bytes_are_a_dataset_or_a_data_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_bytes(content)
    try:
        data = load_csv(path)
    except DataError as error:
        problem = str(error)
    else:
        assert len(data.X) == len(data.y) > 0
        assert len(set(map(len, data.X))) == 1
        return
    assert problem.startswith(str(path))
    assert len(problem.splitlines()) == 1


@given(
    fields=st.lists(
        st.integers(0, 260).map(str)
        | st.sampled_from(["", "00", "007", " 1", "1 ", "1 2", "-1", "1000", "54321", "x"]),
        min_size=1,
        max_size=6,
    ),
    width=st.integers(1, 6),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_the_quick_way_takes_pixels_and_nothing_else(fields: list[str], width: int, delimiter: str) -> None:
    plain = all(field.isdigit() and len(field) <= 3 and int(field) <= 255 for field in fields)
    expected = bytes(map(int, fields)) if plain and len(fields) == width else None
    assert PixelText(width, delimiter.encode()).read(delimiter.join(fields).encode()) == expected


def test_the_quick_way_knows_every_pixel_and_no_number_above() -> None:
    assert PixelText(256, b",").read(",".join(map(str, range(256))).encode()) == bytes(range(256))
    for number in range(256, 1100):
        assert PixelText(3, b",").read(f"255,{number},255".encode()) is None


# --- files that must fit what was trained on ---------------------------------------------------------------


def test_a_test_file_like_the_training_file(write: Any) -> None:
    train = load_csv(write("a,kind,b\n1,x,3\n4,z,6\n", "train.csv"), "kind")
    for text in ("a,kind,b\n7,x,9\n", "a,Art,b\n7,x,9\n", "7,x,9\n"):
        test = load_csv(write(text), like=train)
        assert (lists(test.X), test.y, test.classes) == ([[7.0, 9.0]], ["x"], ["x", "z"])


class Known:
    """What a file has to be like, with no more than is needed for that."""

    feature_names, classes, label_name, label_position = ("a", "b"), ("x", "z"), "kind", 1


def test_a_file_like_whatever_knows_columns_and_classes(write: Any) -> None:
    test = load_csv(write("b,kind,a\n9,x,7\n"), like=Known())
    assert (lists(test.X), test.y, test.classes) == ([[7.0, 9.0]], ["x"], ["x", "z"])
    assert (test.feature_names, test.label_name, test.label_position) == (["a", "b"], "kind", 1)
    with pytest.raises(DataError, match="the label 'w' is not among the training classes, 'x', 'z'"):
        load_csv(write("7,w,9\n"), like=Known())
    for odd in (object(), [1, 2], "train.csv"):
        with pytest.raises(ArgumentError, match=f"like must be .*, got {type(odd).__name__}"):
            load_csv(write("7,x,9\n"), like=odd)


def test_load_csv_has_the_options_that_its_reader_has_with_the_same_defaults() -> None:
    told = {name: value.default for name, value in inspect.signature(load_csv).parameters.items()}
    assert list(told)[:2] == ["path", "label"]
    known = {name: CsvOptions._field_defaults[name] for name in told if name not in ("path", "like")}
    assert known == {name: told[name] for name in known}
    assert set(CsvOptions._fields) - set(known) == {"label_name", "label_position", "pixels"}  # these come from like


def test_labels_become_the_training_classes(write: Any) -> None:
    path = write("label,a\n1,5\n2,6\n")
    assert load_csv(path, classes=["1", "2", "x"]).y == ["1", "2"]
    assert load_csv(path, classes=[1, 2, 3]).y == [1, 2]
    assert [type(label) for label in load_csv(path, classes=[1.0, 2.0]).y] == [float, float]


def test_dark_rows_like_bright_ones_are_bytes(write: Any) -> None:
    train = load_csv(write(picture_row(1, value=255) + "\n" + picture_row(2), "train.csv"))
    assert lists(load_csv(write(picture_row(1)), like=train).X) == [bytes([7] * 16)]


def test_regression_like_regression(write: Any) -> None:
    train = load_csv(write("a,price\n1,10\n2,20\n", "train.csv"), "price", regression=True)
    assert load_csv(write("a,price\n3,30\n"), like=train).y == [30.0]


def test_rows_without_a_label(write: Any) -> None:
    known: dict[str, Any] = {"feature_names": ["a", "b"], "label_required": False}
    assert load_csv(write("a,b\n1,2\n"), **known).y == []
    assert lists(load_csv(write("1,2\n"), **known).X) == [[1.0, 2.0]]
    assert load_csv(write("kind,a,b\nx,1,2\n"), **known).y == ["x"]
    assert load_csv(write("x,1,2\n"), "kind", **known).y == ["x"]
    assert lists(load_csv(write("1,2,3\n"), width=3, label_required=False).X) == [[1.0, 2.0, 3.0]]
    assert lists(load_csv(write("5\n6\n"), width=1, label_required=False).X) == [[5.0], [6.0]]
    assert load_csv(write(picture_row(200, value=255)), width=17, label_required=False).y == []


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (
            "a,b,label\n1,2,q\n",
            {"classes": ["x", "z"]},
            "data.csv, line 2, column 3 ('label'): the label 'q' is not among the training classes, 'x', 'z'",
        ),
        (
            "a,b,label\n1,2,7\n",
            {"classes": [1, 2]},
            "data.csv, line 2, column 3 ('label'): the label '7' is not among the training classes, '1', '2'",
        ),
        (
            "a,c,label\n1,2,x\n",
            {"feature_names": ["a", "b"]},
            "data.csv, line 1: the columns differ from the training columns; missing: 'b'; not expected: 'c'",
        ),
        (
            "b,a,a,label\n1,2,3,x\n",
            {"feature_names": ["a", "a", "b"]},
            "data.csv, line 1: the columns are not in the order of the training columns, and cannot be put into it as "
            "two are called 'a'",
        ),
        (
            "a,b,c,label\n1,2,3,x\n",
            {"feature_names": ["a", "b"]},
            "data.csv, line 1: expected 2 feature columns and a label, got 4 columns in all; "
            "not among the training columns: 'c', 'label'",
        ),
        (
            "a,label\n1,x\n",
            {"feature_names": ["a", "b"]},
            "data.csv, line 1: expected 2 feature columns and a label, got 2 columns in all; missing: 'b'",
        ),
        (
            "a,b\n1,2\n",
            {"feature_names": ["a", "b"]},
            "data.csv, line 1: expected 2 feature columns and a label, got 2 columns in all; the label is missing",
        ),
        (
            "1,2,3,4\n",
            {"width": 2},
            "data.csv, line 1: expected 2 feature columns and a label, got 4 columns in all",
        ),
        (
            "1,2,3,4\n",
            {"width": 2, "label_required": False},
            "data.csv, line 1: expected 2 feature columns with or without a label, got 4 columns in all",
        ),
        (  # of numbers to be predicted any column could be the one
            "a,b,price\n1,2,3\n",
            {"width": 2, "regression": True},
            "data.csv, line 1: which column holds the label? None is called label, class, target, species or y; give "
            "its name or position, or leave it out",
        ),
    ],
)
def test_a_file_that_does_not_fit_the_training_data(
    write: Any, text: str, options: dict[str, Any], expected: str
) -> None:
    assert message(write(text), **options) == expected


# --- broken files ------------------------------------------------------------------------------------------

NO_LABEL = (
    "data.csv, line 1: which column holds the label? None is called label, class, target, species or y, and the first "
    "holds '1.5', which is no class; give the label column's name or position"
)
ONE_COLUMN = (
    "data.csv, line 1: one column only; expected a label and at least one feature, "
    "separated by commas, semicolons, tabs or blanks"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "data.csv: the file is empty; expected rows of numbers with a label"),
        (" \n\n", "data.csv: the file is empty; expected rows of numbers with a label"),
        ("\ufeff", "data.csv: the file is empty; expected rows of numbers with a label"),
        ("label,a,b\n", "data.csv, line 1: only a header line; expected rows below it"),
        ("label,a,b\n\n\n", "data.csv, line 1: only a header line; expected rows below it"),
        ("label,a\n1,2\n2,3,4\n", "data.csv, line 3: expected 2 fields, as in line 1, got 3"),
        ("label,a\n1,2\n\n2\n", "data.csv, line 4: expected 2 fields, as in line 1, got 1"),
        ("label,a\n1,2\n2,two\n", "data.csv, line 3, column 2 ('a'): expected a number, got 'two'"),
        ("1,2,3\n2,x,4\n3,4,5\n", "data.csv, line 2, column 2: expected a number, got 'x'"),
        (
            "1,x,3,4\n2,3,4,5\n3,4,5,6\n",
            "data.csv, line 1, column 2: expected a number, got 'x'; if this line is a header, say so",
        ),
        ("label,a\n1,2\n2,1_000\n", "data.csv, line 3, column 2 ('a'): expected a number, got '1_000'"),
        ("label,a\n1,2\n2,٣\n", "data.csv, line 3, column 2 ('a'): expected a number, got '٣'"),
        (
            "label;a\n1;2\n2;1,5\n",
            "data.csv, line 3, column 2 ('a'): expected a number, got '1,5'; decimals are written with a point",
        ),
        ("label,a\n1,2\n2,nan\n", "data.csv, line 3, column 2 ('a'): expected a finite number, got 'nan'"),
        ("label,a\n1,2\n2,-Infinity\n", "data.csv, line 3, column 2 ('a'): expected a finite number, got '-Infinity'"),
        ("label,a\n1,2\n2,1e400\n", "data.csv, line 3, column 2 ('a'): expected a finite number, got '1e400'"),
        ("label,a,b\n1,2,\n2,3,4\n", "data.csv, line 2, column 3 ('b'): empty field; expected a number"),
        ("label,a,b\n1,2,5\n ,3,4\n", "data.csv, line 3, column 1 ('label'): empty field; expected a label"),
        (
            'label,a\n"x\ny",1\n"z\nz",two\n',
            "data.csv, line 4, column 2 ('a'): expected a number, got 'two'",
        ),
        (
            "label,a\n1,2\n2," + "x\x1b" * 100 + "\n",
            "data.csv, line 3, column 2 ('a'): expected a number, got '" + r"x\x1b" * 18 + "x...'",
        ),
        (
            "label,a\n1,2\n1,3\n",
            "data.csv, column 1 ('label'): every row has the label '1'; expected at least two classes",
        ),
        ("1.5,2,3\n2.5,3,4\n", NO_LABEL),
        ("1\n2\n", ONE_COLUMN),
        (
            "name,pet,age\nann,cat,3\nbob,dog,4\n",
            "data.csv, line 2: 2 columns hold text, not numbers: column 1 ('name'), column 2 ('pet'); "
            "say which holds the label, and remove the others from the file",
        ),
        (
            ",a,label\n0,5,x\n1,6,z\n",
            "data.csv, line 1, column 1: a column without a name in the header line; "
            "if it only counts the rows, remove it from the file",
        ),
        ('label,a\n1,2\n2,"3\n', "data.csv, line 3: a quoted field that is opened here is never closed"),
        (
            'label,a\n1,2\n2,"3"4\n',
            "data.csv, line 3: text after a closing quote; a quote inside a quoted field is written twice",
        ),
        ('"1,2\n3,4\n', "data.csv, line 1: a quoted field that is opened and never closed, or closed too early"),
        ("label,a\n1,2\n2,\0\n", "data.csv, line 3: a NUL byte: this looks like a binary file, not text"),
        (
            "label,a\nä,1\nb,2\n".encode("latin-1"),
            "data.csv, line 2: not UTF-8 text (byte 0xe4, 0 bytes into the line): "
            "a binary file, or text to be saved again as UTF-8",
        ),
        (
            "l,a\n1,2\n".encode("utf-16"),
            "data.csv, line 1: this is not CSV text; it looks like UTF-16 text; save it as UTF-8",
        ),
        (
            b"PK\x03\x04....",
            "data.csv, line 1: this is not CSV text; it looks like "
            "a zip archive or an Excel workbook; save the table as CSV",
        ),
        (
            b"\0\0\x08\x03\0\0\0\1",
            "data.csv, line 1: this is not CSV text; it looks like "
            "an IDX file, as MNIST comes in; read it with load_idx",
        ),
        (bytes(range(1, 256)) * 9, "data.csv, line 3: not UTF-8 text (byte 0x80, 114 bytes into the line): "),
        (
            gzip.compress(FLOWERS.encode(), mtime=0)[:-12],
            "data.csv: this gzip file is cut short; copy or download it again",
        ),
        (
            gzip.compress(FLOWERS.encode(), mtime=0)[:-8] + b"x" * 8,
            "data.csv: this gzip file is corrupt; copy or download it again",
        ),
        (b"\x1f\x8b" + b"x" * 40, "data.csv: this gzip file is corrupt; copy or download it again"),
        (b"\x1f\x8b", "data.csv: this gzip file is cut short; copy or download it again"),
    ],
)
def test_each_kind_of_broken_file_has_its_message(write: Any, content: str | bytes, expected: str) -> None:
    got = message(write(content))
    assert got == expected or (expected.endswith(": ") and got.startswith(expected))


def test_latin_1_far_down(write: Any) -> None:
    rows = "label,a\n" + "1,2\n2,3\n" * 100
    assert message(write(rows.encode() + b"\xe4,5\n")).startswith("data.csv, line 202: not UTF-8 text (byte 0xe4")
    assert message(write(rows.encode() + b"1,\xe4\n")).startswith("data.csv, line 202: not UTF-8 text (byte 0xe4")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("kind", "data.csv, line 1: no label column 'kind': the columns are 'long', 'wide', 'species'"),
        (3, "data.csv, line 1: no label column at position 3: the file has 3 columns, 0 to 2"),
        (-4, "data.csv, line 1: no label column at position -4: the file has 3 columns, 0 to 2"),
    ],
)
def test_unknown_label_column(write: Any, label: str | int, expected: str) -> None:
    assert message(write(FLOWERS), label) == expected


def test_label_column_by_name_without_a_header(write: Any) -> None:
    assert (
        message(write("1,2\n2,3\n"), "kind") == "data.csv, line 1: no label column 'kind': the file has no header line"
    )


@pytest.mark.parametrize("label", ["label", 0, 2, -4, None])
def test_a_label_column_that_stands_twice_is_refused_told_or_not(write: Any, label: str | int | None) -> None:
    expected = (
        "data.csv, line 1: columns 1 and 3 are both called 'label', the label's name: one of them would be learned "
        "from as a feature that gives the answer away; remove it from the file, or rename it"
    )
    assert message(write("label,a,label,b\n1,2,1,3\n2,3,2,4\n"), label) == expected
    twin_features = load_csv(write("a,a,label\n1,2,3\n2,3,4\n"))
    assert (twin_features.feature_names, twin_features.label_name) == (["a", "a"], "label")


def test_two_columns_that_may_be_the_label_are_asked_about(write: Any) -> None:
    path = write("Label,a,label\n1,2,5\n2,3,6\n")
    assert message(path) == (
        "data.csv, line 1: which column holds the label? It may be 'Label', 'label'; give its name"
    )
    assert load_csv(path, "Label").y == [1, 2]


def test_regression_target_that_is_no_number(write: Any) -> None:
    expected = "data.csv, line 3, column 2 ('price'): expected a number, got 'cheap'"
    assert message(write("a,price\n1,2\n2,cheap\n3,4\n"), "price", regression=True) == expected


def test_a_file_of_labels_alone(write: Any) -> None:
    expected = "data.csv, line 1: no column of features, only one of labels"
    assert message(write("label\nx\nz\n"), label_required=False) == expected


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert message(tmp_path / "nothing.csv") == "nothing.csv: no such file"
    assert message(tmp_path / "nothing" / "x.csv").endswith("x.csv: no such file")
    (tmp_path / "folder").mkdir()
    assert message(tmp_path / "folder") == "folder: this is a directory; a data file was expected"
    with pytest.raises(DataError, match="embedded null byte"):
        load_csv("a\0b")
    with pytest.raises(DataError) as caught:
        load_csv(tmp_path / "two\nlines.csv")
    assert r"two\nlines.csv': no such file" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(write: Any) -> None:
    path = write(FLOWERS)
    path.chmod(0)
    assert message(path) == "data.csv: no permission to read this file"


def test_permission_error_is_named(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(FLOWERS)

    def forbidden(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(DataError, match="no permission to read this file"):
        load_csv(path)


def test_files_and_lines_are_read_up_to_a_limit(write: Any) -> None:
    path = write(gzip.compress(b"1,2\n2,3\n" * 100_000))
    assert message(path, max_bytes=1000) == (
        "data.csv: longer than 1000 bytes when unpacked; pass a larger max_bytes to read it anyway"
    )
    path = write("label,a\n1,2\n2,3" + "0" * 500 + "\n")
    expected = "data.csv, line 3: longer than 100 bytes; this does not look like a row of a table"
    assert message(path, max_line_bytes=100) == expected
    path = write("label,a\n1,2\n" + '2,"3\n' + "4,5\n" * 100)
    expected = "data.csv, line 3: a quoted field that is opened here is never closed"
    assert message(path, max_line_bytes=100) == expected


def test_a_gzipped_file_that_unpacks_to_far_more_than_its_size_is_stopped(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_file, "FREE_BYTES", 10_000)
    rows = b"0,1\n1,2\n" * 10_000
    path = write(gzip.compress(rows))
    assert 100 * path.stat().st_size < len(rows)
    expected = (
        "data.csv: this gzip file unpacks to more than 100 times its size, as files do that are to fill a memory; "
        "if it is an honest one, unpack it first, or pass max_bytes"
    )
    assert message(path) == expected
    assert len(load_csv(path, max_bytes=1_000_000)) == 20_000
    assert len(load_csv(write(gzip.compress(rows[:8000])))) == 2000  # not worth the name of a bomb


def test_a_gzip_bomb_is_seen_early_however_large_it_is(write: Any) -> None:
    """It is judged by what came out of what went in so far, and not at the end by the whole."""
    member = gzip.compress(b"0,1\n1,2\n" * (1 << 17))
    path = write(member * 200)  # 200 MiB in all; a member may hide as well behind an honest beginning
    for start in (b"", gzip.compress(Random(0).randbytes(30_000).hex(",").encode() + b"\n")):
        path.write_bytes(start + path.read_bytes())
        with data_file.DataFile(path) as file, pytest.raises(DataError, match="unpacks to more than 100 times"):
            for _ in file.texts():
                pass
        assert file.bytes_read <= data_file.FREE_BYTES + data_file.CHUNK_BYTES


@given(
    pieces=st.lists(st.binary(max_size=200), max_size=6),
    zeros=st.integers(0, 600),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
)
def test_gzip_is_unpacked_as_the_gzip_module_does(pieces: list[bytes], zeros: int, sizes: list[int]) -> None:
    """Several members, empty ones, zeros after them; whatever sizes are asked for, over any kind of stream."""
    packed = b"".join(gzip.compress(piece) + bytes(zeros) for piece in [b"a", *pieces])
    assert gzip.decompress(packed) == b"a" + b"".join(pieces)
    for stream in (io.BytesIO(packed), io.BufferedReader(io.BytesIO(packed), 16)):  # type: ignore[arg-type]
        with data_file.DataFile(stream) as file:
            got = []
            for size in sizes * 1000:
                got.append(file.read_some(size))
                assert len(got[-1]) <= size
                if not got[-1]:
                    break
        assert b"".join(got) == b"a" + b"".join(pieces)
        assert not stream.closed


def test_a_file_that_is_open_already_is_read_and_left_open(write: Any) -> None:
    with open(write(FLOWERS), "rb") as stream:
        data = load_csv(stream)
        assert (len(data), data.source) == (3, stream.name)
        assert not stream.closed
    with pytest.raises(ValueError, match=r"expected a file opened for reading bytes \(mode 'rb'\)"):
        load_csv(io.StringIO(FLOWERS))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the open file, line 2, column 1"):
        load_csv(io.BytesIO(b"a,label\nx,1\n2,3\n3,4\n"))


def test_a_gzip_bomb_is_stopped_in_time(write: Any) -> None:
    import tracemalloc

    path = write(gzip.compress(b"1" * (64 << 20)))  # a line of 64 MB in 64 kB
    tracemalloc.start()
    try:
        assert message(path, max_line_bytes=1 << 20).startswith("data.csv, line 1: longer than 1048576 bytes")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("delimiter", ["", ",,", "5", '"', "\n", "§"])
def test_a_delimiter_that_is_none(write: Any, delimiter: str) -> None:
    with pytest.raises(ValueError, match="delimiter must be one character"):
        load_csv(write(FLOWERS), delimiter=delimiter)


def test_a_label_that_is_no_column(write: Any) -> None:
    with pytest.raises(ValueError, match=r"label must be a column's name or its position, got 1\.5"):
        load_csv(write(FLOWERS), 1.5)  # type: ignore[arg-type]


# --- IDX ---------------------------------------------------------------------------------------------------


IMAGES, LABELS = idx([3, 2, 2], bytes(range(12))), idx([3], bytes([7, 0, 7]))


@pytest.mark.parametrize("zipped", [False, True])
def test_idx(write: Any, zipped: bool) -> None:
    pack = gzip.compress if zipped else bytes
    data = load_idx(write(pack(IMAGES), "images"), write(pack(LABELS), "labels"))
    assert lists(data.X) == [bytes([0, 1, 2, 3]), bytes([4, 5, 6, 7]), bytes([8, 9, 10, 11])]
    assert data.y == [7, 0, 7]
    assert data.classes == [0, 7]
    assert data.feature_names == []


def test_idx_labels_are_found_beside_the_images(write: Any) -> None:
    images = write(IMAGES, "t10k-images-idx3-ubyte")
    write(gzip.compress(LABELS), "t10k-labels-idx1-ubyte.gz")
    assert load_idx(images).y == [7, 0, 7]
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: no such file"):
        load_idx(write(IMAGES, "train-images-idx3-ubyte"))
    assert load_idx(write(IMAGES, "pictures")).y == []


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (b"", LABELS, "too short for an IDX file: expected at least 4 bytes, got 0"),
        (b"1,2\n3,4\n", LABELS, "not an IDX file: its first four bytes are 31 2c 32 0a"),
        (idx([], b""), LABELS, "not an IDX file"),
        (idx([1] * 9, b"1"), LABELS, "not an IDX file"),
        (idx([3, 2], bytes(48), kind=0x0D), LABELS, "holds values of IDX type 0x0d; only unsigned bytes"),
        (IMAGES[:9], LABELS, "cut short in the header: expected 3 sizes"),
        (IMAGES[:-1], LABELS, "the header says 3 x 2 x 2 bytes, and the file is too short for that|got 2"),
        (
            idx([900, 2, 2], bytes(range(12)) * 10),
            LABELS,
            "the header says 900 x 2 x 2 bytes|expected 900 images, got 30",
        ),
        (IMAGES + b"x", LABELS, "there is more in the file than its header says"),
        (idx([0, 2, 2], b""), LABELS, "an impossible size in the header: 0 x 2 x 2"),
        (idx([1 << 31, 2, 2], bytes(8)), LABELS, "an impossible size in the header: 2147483648 x 2 x 2"),
        (idx([(1 << 31) - 1] * 8, bytes(8)), LABELS, "the file is too short for that"),
        (LABELS, LABELS, "is this the file with the labels"),
        (IMAGES, IMAGES, "is this the file with the images"),
        (IMAGES, idx([2], bytes(2)), "holds 3 images, and .* holds 2 labels"),
        (IMAGES, idx([3], bytes(2)), "too short for that|expected 3 labels, got 2"),
        (IMAGES, LABELS + b"x", "there is more in the file than its header says"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_broken_idx(write: Any, images: bytes, labels: bytes, expected: str, zipped: bool) -> None:
    pack = gzip.compress if zipped else bytes
    with pytest.raises(DataError, match=expected) as caught:
        load_idx(write(pack(images), "images"), write(pack(labels), "labels"))
    assert "\n" not in str(caught.value)


def test_idx_above_the_limit(write: Any) -> None:
    for pack in (bytes, gzip.compress):
        with pytest.raises(DataError, match=r"longer than 100 bytes( when unpacked)?; pass a larger max_bytes to read"):
            load_idx(write(pack(idx([30, 2, 2], bytes(120))), "pictures"), max_bytes=100)


def test_a_gzipped_idx_file_that_ends_early_is_called_cut_short(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_file, "FREE_BYTES", 10_000)
    images = gzip.compress(idx([6000, 28, 28], Random(0).randbytes(50_000)))[:30_000]  # the header says 4.7 MB
    with pytest.raises(DataError, match="pictures: this gzip file is cut short; copy or download it again"):
        load_idx(write(images, "pictures"))
    with pytest.raises(DataError, match="pictures: cut short: the header says 6000 x 28 x 28 bytes"):
        load_idx(write(images[:2000], "pictures"))


def test_an_idx_image_is_read_up_to_the_limit_however_large(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(data_file, "FREE_BYTES", 10_000)
    path = write(gzip.compress(idx([2, 2000, 2000], bytes(7_999_000) + Random(0).randbytes(1000))), "pictures")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="this gzip file unpacks to more than 100 times its size"):
            load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000  # less than one of the two images
    finally:
        tracemalloc.stop()


@given(
    position=st.integers(0, len(IMAGES) - 1),
    value=st.integers(0, 255),
    cut=st.integers(0, len(IMAGES)),
    more=st.binary(max_size=3),
    zipped=st.booleans(),
)
def test_any_idx_is_a_dataset_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int, more: bytes, zipped: bool
) -> None:
    content = bytearray(IMAGES)
    content[position] = value
    content[cut:] = more if cut < len(IMAGES) else b""
    path = tmp_path_factory.getbasetemp() / "anything.idx"
    path.write_bytes(gzip.compress(bytes(content)) if zipped else content)
    try:
        data = load_idx(path)
    except DataError as error:
        problem = str(error)
    else:
        assert sum(map(len, data.X)) == len(content) - 4 - 4 * content[3]
        return
    assert len(problem.splitlines()) == 1


# --- parting rows for a test -------------------------------------------------------------------------------


def test_split_is_stratified_and_loses_nothing() -> None:
    y = ["a"] * 50 + ["b"] * 30 + ["c"] * 7
    X = [[float(i)] for i in range(87)]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_fraction=0.2, seed=3)
    assert sorted(X_train + X_test) == X
    assert all(y[int(row[0])] == label for row, label in zip(X_train + X_test, y_train + y_test))
    assert len(y_test) == 18  # a fifth of 87, rounded up
    counts = Counter(y_test)
    assert (counts["a"], counts["b"]) == (10, 6) or abs(counts["a"] - 10) + abs(counts["b"] - 6) == 1
    assert counts["c"] in (1, 2)


@given(
    y=st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
def test_split_properties(y: list[str], fraction: float, seed: int) -> None:
    X = list(range(len(y)))
    if len(set(y)) == len(y):
        with pytest.raises(DataError, match="every label occurs only once"):
            train_test_split(X, y, test_fraction=fraction, seed=seed)
        return
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_fraction=fraction, seed=seed)
    assert sorted(X_train + X_test) == X
    assert set(y_train) == set(y)  # no class is missing from training
    assert X_test
    assert [y[i] for i in X_train] == y_train
    assert [y[i] for i in X_test] == y_test
    counts, sizes = Counter(y_test), Counter(y)
    if min(sizes.values()) * min(fraction, 1 - fraction) >= 1:
        assert all(abs(counts[label] - sizes[label] * len(y_test) / len(y)) <= 1 for label in sizes)


def test_split_is_the_same_for_the_same_seed_only() -> None:
    X, y = list(range(100)), [i % 3 for i in range(100)]
    assert train_test_split(X, y, seed=1) == train_test_split(X, y, seed=1)
    assert train_test_split(X, y, seed=1) != train_test_split(X, y, seed=2)


def test_split_rounds_up_but_not_for_rounding_errors() -> None:
    assert len(train_test_split(range(100), [0, 1] * 50, test_fraction=0.07)[1]) == 7
    assert len(train_test_split(range(1797), [0] * 1797, test_fraction=0.2)[1]) == 360
    assert len(train_test_split([1, 2], [0.5, 0.7], test_fraction=0.99)[1]) == 1


def test_split_takes_values_and_unstratified_labels() -> None:
    assert len(train_test_split(range(10), [i / 7 for i in range(10)])[1]) == 2
    assert len(train_test_split(range(10), range(10), stratify=False)[1]) == 2
    assert len(train_test_split(range(10), [[0, 1]] * 10, stratify=False)[1]) == 2


@pytest.mark.parametrize(
    ("X", "y", "options", "expected"),
    [
        ([1, 2], [1], {}, "X and y must have the same length, got 2 rows and 1 labels"),
        ([1], [1], {}, "at least two rows are needed for a training and a test part, got 1"),
        ([1, 2], [1, 2], {"test_fraction": 0}, "test_fraction must be between 0 and 1, got 0"),
        ([1, 2], [1, 2], {"test_fraction": 1.0}, "test_fraction must be between 0 and 1, got 1.0"),
        ([1, 2], [1, 2], {"test_fraction": float("nan")}, "test_fraction must be between 0 and 1, got nan"),
        ([1, 2], [{1}, {2}], {}, "labels must be numbers or strings to be stratified"),
        ([1, 2], [{1: 2}, 3], {}, "labels must be numbers or strings to be stratified"),
        ([1, 2], [0, 1], {}, "^none of 2 rows can be held out: every label occurs only once"),
        ([1, 2, 3], ["a", "b", "c"], {}, "^none of 3 rows can be held out: .* only once; or pass stratify=False"),
    ],
)
def test_split_misused(X: Any, y: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        train_test_split(X, y, **options)


def test_split_of_rows_of_one_number_or_one_hot_is_that_of_their_labels() -> None:
    X, y = list(range(60)), [i % 3 for i in range(60)]
    plain = train_test_split(X, y, seed=4)
    for label_rows in ([[k] for k in y], one_hot(y), [tuple(map(int, row)) for row in one_hot(y)]):
        parts = train_test_split(X, label_rows, seed=4)
        assert parts[:2] == plain[:2]
        assert parts[3] == [label_rows[i] for i in parts[1]]
    values = [[i / 7, i / 3] for i in X]
    assert train_test_split(X, values, seed=4) == train_test_split(X, values, seed=4, stratify=False)


def test_split_keeps_arrays_frames_and_sparse_matrices() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    X, y = [[float(i), i % 7] for i in range(40)], [i % 2 for i in range(40)]
    plain = train_test_split(X, y, seed=2)
    frame, series = pd.DataFrame(X, columns=["a", "b"], index=range(100, 140)), pd.Series(y, index=range(50, 90))
    kinds = [
        (np.array(X), np.array(y), np.ndarray, np.ndarray, lambda part: part.tolist()),
        (frame, series, pd.DataFrame, pd.Series, lambda part: part.to_numpy().tolist()),
        (
            frame,
            pd.DataFrame({"label": y}),
            pd.DataFrame,
            pd.DataFrame,
            lambda part: part.to_numpy().squeeze().tolist(),
        ),
    ]
    for rows, labels, row_kind, label_kind, listed in kinds:
        parts = train_test_split(rows, labels, seed=2)
        assert [type(part) for part in parts] == [row_kind, row_kind, label_kind, label_kind]
        assert [listed(part) for part in parts] == list(plain)
    for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array):
        parts = train_test_split(kind(X), y, seed=2)
        assert [part.toarray().tolist() for part in parts[:2]] == list(plain[:2])


def test_dataset_splits_into_datasets(write: Any) -> None:
    data = load_csv(write("label,a\n" + "".join(f"{i % 2},{i}.5\n" for i in range(20))))
    train, test = data.split(0.25, seed=1)
    assert (len(train), len(test)) == (15, 5)
    for part in (train, test):
        assert isinstance(part, Dataset)
        assert part.classes == [0, 1]
        assert part.feature_names == ["a"]
        assert (part.label_name, part.label_position, part.source) == ("label", 0, data.source)
        assert all(label == int(row[0]) % 2 for row, label in zip(part.X, part.y))
    prices = load_csv(write("a,price\n" + "".join(f"{i},{i}\n" for i in range(10))), "price", regression=True)
    assert [len(part) for part in prices.split()] == [8, 2]


# --- the digits that come along, and MNIST -----------------------------------------------------------------


def test_digits() -> None:
    train, test = load_digits()
    assert (len(train), len(test)) == (1437, 360)
    for part in (train, test):
        assert part.classes == list(range(10))
        assert part.feature_names == [f"pixel{i}" for i in range(64)]
        assert all(type(row) is bytes and len(row) == 64 for row in part.X)
    counts, sizes = Counter(test.y), Counter(train.y + test.y)
    assert all(abs(counts[digit] - sizes[digit] / 5) < 1 for digit in range(10))


def test_digits_are_scikit_learns_with_stretched_levels() -> None:
    source = pytest.importorskip("sklearn.datasets").load_digits()
    train, test = load_digits()
    expected = Counter((bytes(round(v * 255 / 16) for v in row), int(y)) for row, y in zip(source.data, source.target))
    assert Counter(zip(train.X + test.X, train.y + test.y)) == expected
    assert len({round(level * 255 / 16) for level in range(17)}) == 17
    assert all(round(round(level * 255 / 16) * 16 / 255) == level for level in range(17))


def test_the_script_writes_the_same_files_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "argv", ["make_digits.py", str(tmp_path)])
    runpy.run_path(str(REPOSITORY / "examples" / "make_digits.py"), run_name="__main__")
    for name in ("digits_train.csv", "digits_test.csv"):
        assert (tmp_path / name).read_bytes() == (REPOSITORY / "data" / name).read_bytes()


def test_digits_are_found_in_an_installed_package_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(datasets.digits_folder(), "digits_test.csv").is_file()
    package = tmp_path / "site" / "scratchnn"
    monkeypatch.setattr(dataset, "__file__", str(package / "datasets" / "dataset.py"))
    with pytest.raises(DataError, match=r"the digits that come with scratchnn are missing: no digits_train\.csv in "):
        datasets.digits_folder()
    for folder in (tmp_path / "site" / "data", package / "data"):
        folder.mkdir(parents=True)
        (folder / "digits_train.csv").touch()
        assert datasets.digits_folder() == str(folder)


def test_mini_mnist(shared: Path) -> None:
    train = load_csv(shared / "mini-mnist" / "train.csv")  # with a header line
    test = load_csv(shared / "mini-mnist" / "test.csv", like=train)  # without
    assert (len(train), len(test), train.width, test.width) == (999, 200, 784, 784)
    assert train.classes == test.classes == list(range(10))
    assert (train.label_name, test.label_name) == ("label", None)
    assert all(type(row) is bytes for row in train.X + test.X)


def test_mnist(shared: Path) -> None:
    import hashlib

    data = load_idx(shared / "mnist" / "t10k-images-idx3-ubyte.gz")
    assert (len(data), data.width, data.classes) == (10_000, 784, list(range(10)))
    header = idx([10_000, 28, 28], b"")
    digest = hashlib.md5(header + b"".join(map(bytes, data.X)))
    assert digest.hexdigest() == "2646ac647ad5339dbf082846283269ea"
