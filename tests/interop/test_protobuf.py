"""The wire format: what is written is read again, and nothing is believed of what a file says."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import ModelFileError
from scratchnn.interop import protobuf as wire
from scratchnn.interop.protobuf import Allowance, Message, varint


def read(content: bytes) -> Message:
    return Message(memoryview(content), Allowance())


@pytest.mark.parametrize(
    ("number", "written"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ff" * 9 + "01")]
)
def test_varints_are_as_the_format_says(number: int, written: str) -> None:
    assert varint(number).hex() == written


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20), st.integers(1, (1 << 29) - 1))
def test_whole_numbers_come_back_packed_and_one_by_one(numbers: list[int], field: int) -> None:
    assert read(wire.packed(field, numbers)).whole_numbers(field) == numbers
    one_by_one = b"".join(wire.whole_number(field, number) for number in numbers)
    assert read(one_by_one).whole_numbers(field) == numbers
    assert read(one_by_one).whole_number(field, 7) == (numbers or [7])[-1]


@given(st.text(max_size=40), st.binary(max_size=300))
def test_texts_bytes_and_messages_come_back(text: str, content: bytes) -> None:
    inside = wire.text(1, text) + wire.data(2, content)
    message = read(wire.data(3, inside) + wire.single(4, 0.5)).message(3)
    assert message is not None
    assert (message.text(1), [*map(bytes, message.data(2))]) == (text, [content])
    assert read(wire.single(4, 0.5)).number(4) == 0.5
    assert read(b"").message(3) is None


@pytest.mark.parametrize(
    ("content", "ask", "message"),
    [
        ("08", None, "truncated"),
        ("0880", None, "truncated"),
        ("0a05616263", None, "truncated: field 1 of 5 bytes, 3 are there"),
        ("0affffffffffffffff7f", None, "truncated"),
        ("0a" + "ff" * 9 + "01", None, "truncated"),
        ("08" + "ff" * 10, None, "more than 64 bits"),
        ("08" + "ff" * 9 + "02", None, "more than 64 bits"),
        ("0d000000", None, "truncated"),
        ("09" + "00" * 7, None, "truncated"),
        ("0b", None, "wire type 3"),
        ("0f", None, "wire type 7"),
        ("0000", None, "a field of number 0"),
        ("0801", lambda m: m.data(1), "wire type 0"),
        ("0a01ff", lambda m: m.text(1), "not UTF-8"),
        ("0a00", lambda m: m.whole_number(1), "wire type 2"),
        ("0d00000000", lambda m: m.whole_numbers(1), "wire type 5"),
        ("0a03000000", lambda m: m.numbers(1, "f"), "3 bytes of numbers that take 4"),
        ("0a000a00", lambda m: m.message(1), "in 2 parts"),
    ],
)
def test_what_is_no_message_is_refused(content: str, ask: Callable[[Message], Any] | None, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        found = read(bytes.fromhex(content))
        assert ask is not None
        ask(found)


def test_fields_are_counted_and_so_memory_is_bounded() -> None:
    content = bytes([8, 0]) * 20_001
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match="fields"):
            Message(memoryview(content), Allowance(20_000))
        with pytest.raises(ModelFileError, match="fields"):
            Message(memoryview(wire.packed(1, [0] * 20_001)), Allowance(20_000)).whole_numbers(1)
        assert tracemalloc.get_traced_memory()[1] < 100 * len(content)
    finally:
        tracemalloc.stop()
    assert Allowance().fields == wire.MOST_FIELDS
