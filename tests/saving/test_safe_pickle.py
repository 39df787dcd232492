"""Plain data in pickle's format: there and back, readable by pickle, the same bytes everywhere, and nothing else."""

from __future__ import annotations

import hashlib
import math
import pickle
import pickletools
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.saving import safe_pickle
from scratchnn.saving.safe_pickle import CutShort, NotPlainData, dumps, loads

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 2000), 1 << 2000), st.floats())
TEXTS = st.one_of(
    st.text(), st.text().map(lambda text: text * 300), st.binary(), st.binary().map(lambda data: data * 300)
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.one_of(NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text(), inner, max_size=5)),
    max_leaves=20,
)


def refusal(data: bytes) -> str:
    """Why these bytes are not read; "" if they are."""
    try:
        loads(data)
    except NotPlainData as error:
        return str(error) or "no reason"
    return ""


@given(PLAIN)
def test_what_is_written_is_read(value: Any) -> None:
    again = loads(dumps(value))
    assert repr(again) == repr(value)  # types and NaN included


@given(PLAIN)
def test_pickle_reads_it_too(value: Any) -> None:
    assert repr(pickle.loads(dumps(value))) == repr(value)
    assert max(opcode.proto for opcode, _, _ in pickletools.genops(dumps(value))) <= 4


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@given(value=PLAIN)
def test_what_pickle_writes_of_plain_data_is_read(value: Any, protocol: int) -> None:
    """Unless a part stands in it twice: pickle writes the second one as a reference to the first."""
    written = pickle.dumps(value, protocol)
    reason = refusal(written)
    assert "used twice" in reason if reason else repr(loads(written)) == repr(value)


@pytest.mark.parametrize("protocol", [1, 2])
def test_older_protocols_are_read_but_for_bytes(protocol: int) -> None:
    value = {"text": ["a", 1, -1, 300, 70_000, 1 << 40, 0.5, None, True, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}]}
    if protocol == 1:
        value["text"][5] = 1 << 30  # a larger one is written as text
    value["text"][8] = None if protocol == 1 else True  # and so is a bool
    assert loads(pickle.dumps(value, protocol)) == value


def test_the_same_data_give_the_same_bytes() -> None:
    """Whatever the identity of its parts and the version of Python: pinned by a checksum."""
    name = "".join(["we", "ights"])
    shared = ["a", 1.5]
    value = {name: [shared, list(shared), b"\0" * 300, "é" * 200, -1, 255, 256, 1 << 31, -(1 << 31), 1 << 70, None]}
    copy = {"weights": [["a", 1.5], ["a", 1.5], *value["weights"][2:]]}
    assert dumps(value) == dumps(copy)
    digest = hashlib.sha256(dumps({**value, "more": (True, False, (), math.inf, -0.0)})).hexdigest()
    assert digest == "3d86d9bdca7f6a12fb76f9cccea4ef88e71192d247cdd5b618486d7488c40ddb"


def test_numbers_and_text_of_derived_types_are_written_as_plain_ones(np: Any) -> None:
    class Colour(IntEnum):
        RED = 7

    value = loads(dumps([np.float64(0.1), Colour.RED, np.str_("a")]))
    assert value == [0.1, 7, "a"]
    assert [type(item) for item in value] == [float, int, str]


class OneOfOnesOwn:
    pass


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (OneOfOnesOwn(), "not an object of type OneOfOnesOwn"),
        ({1, 2}, "not an object of type set"),
        (bytearray(b"a"), "not an object of type bytearray"),
        (1j, "not an object of type complex"),
        (len, "not an object of type builtin_function_or_method"),
        ({1: 2}, "only text can be a key of a dict, not int"),
        ({("a",): 2}, "only text can be a key of a dict, not tuple"),
        (1 << 2040, "a number of 256 bytes"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_is_no_plain_data_is_not_written(value: Any, reason: str) -> None:
    with pytest.raises(NotPlainData, match=reason):
        dumps(value)


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_depth_is_bounded_both_ways(kind: type) -> None:
    value: Any = kind()
    for _ in range(safe_pickle.MAX_DEPTH - 1):
        value = {"a": value} if kind is dict else kind([value])
    assert loads(dumps(value)) == value
    too_deep = {"a": value} if kind is dict else kind([value])
    with pytest.raises(NotPlainData, match="nested more than 32 deep"):
        dumps(too_deep)
    with pytest.raises(NotPlainData, match="nested more than 32 deep"):
        loads(pickle.dumps(too_deep))


def test_a_list_that_holds_itself_is_not_written() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotPlainData, match="nested more than 32 deep"):
        dumps(endless)


def test_reader_and_writer_agree_on_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_pickle, "MAX_INSTRUCTIONS", 1000)
    monkeypatch.setattr(safe_pickle, "MAX_CONTAINERS", 100)
    for fits in ([None] * 995, [[] for _ in range(99)], (1 << 2039) - 1):
        assert loads(dumps(fits)) == fits
    for too_much in ([None] * 996, [[] for _ in range(100)]):
        with pytest.raises(NotPlainData, match=r"more than 1000? "):
            dumps(too_much)
        with pytest.raises(NotPlainData, match=r"more than 1000? "):
            loads(pickle.dumps(too_much, 1))


@given(PLAIN, st.data())
def test_cut_short_anywhere_it_says_so(value: Any, data: st.DataObject) -> None:
    whole = dumps(value)
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CutShort):
        loads(whole[:size])


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert "\n" not in refusal(data)


@given(PLAIN, st.data())
def test_changed_bytes_are_read_or_refused(value: Any, data: st.DataObject) -> None:
    changed = bytearray(dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert "\n" not in refusal(bytes(changed))


def test_a_refusal_names_the_instruction_and_its_place() -> None:
    with pytest.raises(NotPlainData, match="the instruction GLOBAL at byte 3 could run code, and only plain data"):
        loads(b"\x80\x02]cos\nsystem\n.")
    with pytest.raises(NotPlainData, match="the instruction 0x8f at byte 2 builds no plain data"):
        loads(b"\x80\x04\x8f.")


def test_a_short_text_may_be_shared_and_nothing_else() -> None:
    key, long = "k" * 256, "t" * 257
    assert loads(pickle.dumps([{key: 1}, {key: 2}])) == [{key: 1}, {key: 2}]
    for part in ([], {}, (1, 2), long, b"b" * 257):
        with pytest.raises(NotPlainData, match="a part is used twice"):
            loads(pickle.dumps([part, part]))
