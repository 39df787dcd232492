"""What counts as a number, a size or a known name, and nothing that merely looks like one."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    ArgumentError,
    DataError,
    EarlyStopping,
    Linear,
    Model,
    gradcheck,
    grid_search,
    load_csv,
    load_idx,
    one_hot,
    train_test_split,
)
from scratchnn.checks import chosen, listed, require_known, require_number, require_size, shown, shown_path, unknown
from scratchnn.datasets import Dataset


@pytest.mark.parametrize("value", [0.5, 1, Fraction(1, 2)])
def test_real_numbers(value: Any) -> None:
    number = require_number("rate", value, 0.0)
    assert (type(number), number) == (float, value)


@pytest.mark.parametrize("value", [True, "1", None, [1.0], 1j, math.nan, math.inf, 10**400])
def test_what_is_no_finite_real_number(value: Any) -> None:
    with pytest.raises(ValueError, match="rate must be a number at least 0 and finite, got"):
        require_number("rate", value, 0.0)


def test_limits() -> None:
    assert require_number("rate", 0, 0.0, 1.0) == 0.0
    for value, above in ((0.0, True), (1.0, False), (-0.5, False)):
        with pytest.raises(ValueError, match=r"rate must be a number (above|at least) 0 and below 1"):
            require_number("rate", value, 0.0, 1.0, above=above)


def test_numpys_numbers() -> None:
    np = pytest.importorskip("numpy")
    assert require_number("rate", np.float32(0.5), 0.0) == 0.5
    assert require_number("rate", np.int64(2), 0.0) == 2.0
    assert require_size("size", np.uint8(3)) == 3
    for value in (np.True_, np.complex128(0.1 + 2j), np.array([1.0]), np.float64("nan")):
        with pytest.raises(ValueError, match="rate must be a number"):
            require_number("rate", value, 0.0)


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match="size must be a whole number of at least 1, got"):
        require_size("size", value)


HUGE = 10**5000  # of more digits than newer Pythons write
ROWS, LABELS = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]


@pytest.mark.parametrize("wrong", [HUGE, -HUGE, [HUGE], "x" * 500], ids=["huge", "negative", "list", "long"])
@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda wrong: Model(1).fit(wrong, LABELS), DataError),
        (lambda wrong: Model(1).fit([[wrong], *ROWS[1:]], LABELS), DataError),
        (lambda wrong: Model(1, 2, task="regression").fit(ROWS, [wrong] * 4), DataError),
        (lambda wrong: one_hot([wrong, 1], classes=[0, 1]), DataError),
        (lambda wrong: Model(1, scaling=wrong), ArgumentError),
        (lambda wrong: Model(1, engine=wrong), ArgumentError),
        (lambda wrong: Model.from_layers([Linear(1, 2)], loss=wrong), ArgumentError),
        (lambda wrong: Model(1).fit(ROWS, LABELS, callbacks=wrong), ArgumentError),
        (lambda wrong: EarlyStopping(monitor=wrong), ArgumentError),
        (lambda wrong: train_test_split(ROWS, LABELS, test_fraction=wrong), ArgumentError),
        (lambda wrong: grid_search(ROWS, LABELS, {"lr": [0.1]}, measure=wrong), ArgumentError),
        (lambda wrong: gradcheck.check_layer(wrong, ROWS), ArgumentError),
        (lambda wrong: setattr(Linear(1, 1), "trainable", wrong), ArgumentError),
        (lambda wrong: load_csv("rows.csv", delimiter=wrong), ArgumentError),
    ],
)
def test_a_message_quotes_what_is_wrong_however_long_it_is(
    use: Callable[[Any], Any], error: type[Exception], wrong: Any
) -> None:
    with pytest.raises(error) as raised:
        use(wrong)
    assert len(str(raised.value)) < 300


def test_values_that_have_no_text_are_shown_all_the_same() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list"
    while deep:  # so that taking it down does not recurse
        deep = deep[0]  # type: ignore[assignment]


# --- what a message shows ------------------------------------------------------------------------------------

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.text(), inner)),
)


@given(ANYTHING, st.integers(5, 60))
def test_whatever_is_shown_is_short_and_prints_on_one_line(value: Any, limit: int) -> None:
    text = shown(value, limit)
    assert text.isprintable()
    assert len(text) <= 3 * limit
    assert len(text) <= max(limit, 30) or type(value) is str


def test_what_is_shown_can_be_recognised() -> None:
    assert shown("a" * 41) == repr("a" * 37 + "...")
    assert shown("a\nb") == r"'a\nb'"
    assert shown((784,)) == "(784,)"
    assert shown([1] * 11) == "a list of 11"
    assert shown(10**100) == "1" + "0" * 36 + "..."
    assert shown(1 << 100_000) == "a number of 100001 bits" or len(shown(1 << 100_000)) == 40  # as old Pythons do


@given(st.lists(st.text(max_size=60), max_size=300))
def test_a_list_of_names_is_as_long_as_its_room(names: list[str]) -> None:
    text = listed(names)
    assert text.isprintable()
    assert len(text) <= max(90 + len(", ... (300 in all)"), 120 + len(", ... (300 in all)"))
    if text != ", ".join(map(shown, names)):
        assert text.endswith(f", ... ({len(names)} in all)")


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=400))
def test_a_path_is_shown_as_it_is_or_as_its_repr(path: str) -> None:
    text = shown_path(path)
    assert text.isprintable()
    assert len(text) <= 120
    whole = path if path.isprintable() else repr(path)
    assert text == whole or (len(whole) > 120 and text == "..." + whole[-117:])


@pytest.mark.parametrize("given", ["relu", "ReLU", "RELU", "re-lu"])
def test_a_name_may_be_written_as_one_likes(given: str) -> None:
    assert chosen("activation", given, ["tanh", "relu"]) == "relu"


def test_a_class_stands_for_the_name_it_is_known_by() -> None:
    assert chosen("number", int, {"float": float, "int": int}) == "int"
    for known in ({"float": float, "zero": 0}, ["int"]):
        for other in (int, 0):
            with pytest.raises(ArgumentError, match=r"unknown number .*: known are"):
                chosen("number", other, known)


def test_an_exact_name_is_taken_letter_by_letter() -> None:
    require_known("task", "regression", ("regression",))
    with pytest.raises(ArgumentError, match=r"^unknown task 'Regression': known are regression; did you mean 'regr"):
        require_known("task", "Regression", ("regression",))


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("rleu", "; did you mean 'relu'?"),
        ("LeakyRelu6", "; did you mean 'leaky_relu'?"),
        ("sigmod" * 100_000, ""),
        ("softmax", ""),
        ("", ""),
        (["relu"], ""),
        (None, ""),
    ],
)
def test_a_name_that_is_nearly_right_is_offered(given: Any, end: str) -> None:
    known = ["relu", "leaky_relu", "sigmoid"]
    message = f"unknown activation {shown(given)}: known are relu, leaky_relu, sigmoid, or a layer{end}"
    assert str(unknown("activation", given, known, ", or a layer")) == message


LONG = "\x1b[2J" + "é\n" * 5_000


def test_no_text_of_a_stranger_makes_a_message_long(tmp_path: Path) -> None:
    """Names and labels of any length and kind, in a folder whose name is no better."""
    folder = tmp_path / "\x1b[31m" / ("x" * 200)
    folder.mkdir(parents=True)
    messages = []

    def said(act: Callable[[], Any]) -> bool:
        try:
            act()
        except ValueError as error:
            messages.append(str(error))
            return True
        return False

    def refused(act: Callable[[], Any]) -> None:
        assert said(act)

    quoted = '"' + LONG + '"'
    tables = {
        "labels": f"a,label\n1,{quoted}\n2,{quoted}\n",
        "names": f"{quoted},label\n1,x\n2,y\nz,y\n",
        "unknown": f"a,b\n1,{quoted}\n2,{quoted}x\n",
        "ragged": f"a,label\n1,{quoted}\n2,3,4\n",
        "columns": ",".join(f"{quoted}{n}".replace('""', '"') for n in ["a", "b"]) + "\n",
        "many": ",".join(f'"{i}{LONG[:200]}"' for i in range(40)) + "\n" + ",".join("1" * 40) + "\n",
    }
    for name, text in tables.items():
        path = folder / f"{name}.csv"
        path.write_text(text, "utf-8")
        for label in (None, "label", LONG, 99, 0, -1):
            for like in (None, Dataset([[1.0]], ["u"], classes=[LONG, "v"], feature_names=[LONG + "w"])):
                said(lambda path=path, label=label, like=like: load_csv(path, label, like=like))
    refused(lambda: load_csv(folder / "no.csv"))
    refused(lambda: load_idx(folder / "no-images"))
    refused(lambda: Model.load(folder / "no.pkl"))
    refused(lambda: Model.load(folder / "labels.csv"))
    model = Model(1, 2, 2)
    refused(lambda: model.fit([[0.0]] * 2, [LONG, LONG], epochs=1))
    model.fit([[0.0], [1.0]] * 2, [LONG, LONG + "!"] * 2, epochs=1)
    refused(lambda: model.score([[0.0]], [LONG + "?"]))
    refused(lambda: model.fit([[0.0]] * 2, [LONG, "?"], epochs=1))
    refused(lambda: model.fit([[0.0]] * 2, [LONG, LONG + "!"], epochs=1, class_weight={LONG + "?": 1.0}))
    refused(lambda: model.fit([[0.0]] * 2, [LONG, LONG + "!"], epochs=1, class_weight={LONG: -1.0}))
    refused(lambda: Model(LONG))  # type: ignore[arg-type]
    refused(lambda: Model(1, activation=LONG))
    refused(lambda: one_hot([LONG], ["a"]))
    assert len(messages) > 40
    for message in messages:
        assert len(message) < 300, message
        assert message.isprintable(), message
