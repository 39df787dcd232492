"""Safetensors files with something changed: bytes, lengths, the text of the header, or what it says.

About a third of them are still right, in some unusual way: other white space, another order, escaped letters, parts
that nobody knows. The same seed gives the same file.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "U8": 8, "BOOL": 8, "F4": 4, "F6_E2M3": 6, "C64": 64}
NAMES = ["0.weight", "0.bias", "a", "", "é", "𝄞", 'q"\\', "__metadata", "\x7f", "\n"]
# What may stand wherever a value stands. Texts that begin with ! are the JSON itself, not a text in it.
ODD: list[Any] = [
    *(
        "!null",
        "!true",
        "!false",
        "!NaN",
        "!Infinity",
        "!-Infinity",
        "!nul",
        "!",
        "!{}",
        "![]",
        "![[]]",
        "!{,}",
        "![,]",
    ),
    *("!-0", "!-1", "!0.0", "!1.0", "!1e0", "!1E+2", "!01", "!00", "!+1", "!1.", "!.5", "!1e", "!1e+", "!0x10", "!1_0"),
    *("!18446744073709551615", "!18446744073709551616", "!9223372036854775808", "!4294967296", "!1e308", "!1e309"),
    *("!1.7976931348623157e308", "!1.7976931348623159e308", "!0e999999999999", "!1e-999999999999", "!1e99999999999"),
    *("!" + "9" * 300, "!" + "9" * 400, "!0." + "0" * 400 + "1", "!" + "1" * 30 + "e290", "!1" + "0" * 310 + "e-300"),
    *(
        '!"\\ud800"',
        '!"\\udc00"',
        '!"\\ud83d\\ude00"',
        '!"\\ud83d\\ud83d\\ude00"',
        '!"\\u00e9"',
        '!"\\u0000"',
        '!"\\x"',
    ),
    *('!"\\u12"', '!"\\uD83D\\uDE00\\uD800"', '!"\t"', '!"\x1f"', '!"\\/\\b\\f\\n\\r\\t"', "!'a'", '!"', '!{"a":1}'),
    *(
        '!{"a":1,"a":2}',
        '!{"a":null}',
        '!{"a":"b"}',
        '!{"U8":null}',
        '!{"F32":null}',
        '!{"F64":{}}',
        '!["F32",[1],[0,4]]',
    ),
    *("", "F32", "F64", "f32", "U8", "F8_E4M3", "F8_E5M2", "I4", "dtype", "text"),
    *("!" + "[" * depth + "]" * depth for depth in (3, 60, 124, 125, 126, 127, 200, 5000)),
    *("!" + '{"a":' * depth + "1" + "}" * depth for depth in (60, 125, 126, 2000)),
    *("!" + '[{"[[[[":' * 62 + "[]" + "}]" * 62, '!["' + "[" * 300 + '"]', '!["\\"' + "{" * 300 + '"]', "!" + "[],"),
]
GLUE = ["", "", "", "", " ", "\n", "\t", "\r\n", "  \n ", "\x0b", "\x0c", "\xa0", "\ufeff", "\0", "//", ",", ":", "x"]


PIECES = [*(bytes([c]) for c in b'00112-.e"\\[]{},: \t'), b"", b"", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3\xa9"]


class Object(list):  # type: ignore[type-arg]
    """Names and values, of which the same name may stand there twice."""


def original(rng: Random) -> tuple[Object, bytes]:
    """What a right header says, and the numbers."""
    header, place = Object(), 0
    for name in rng.sample(NAMES, rng.randrange(5)):
        dtype = rng.choice([*BITS])
        shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
        count = BITS[dtype]
        for size in shape:
            count *= size
        if count % 8:
            shape.append(8)
            count *= 8
        header.append(
            (name, Object([("dtype", dtype), ("shape", shape), ("data_offsets", [place, place + count // 8])]))
        )
        place += count // 8
    if rng.random() < 0.5:
        told = [(rng.choice(["format", "a", "é"]), rng.choice(["pt", "", "x" * 50])) for _ in range(rng.randrange(3))]
        header.insert(rng.randrange(len(header) + 1), ("__metadata__", Object(told)))
    return header, bytes(rng.randrange(256) for _ in range(place))


def places(value: Any) -> list[tuple[Any, int]]:
    """(list, index) of everything in a list or an object."""
    found = []
    for index in range(len(value)):
        found.append((value, index))
        inner = value[index][1] if type(value) is Object else value[index]
        if isinstance(inner, list):
            found += places(inner)
    return found


def put(holder: Any, index: int, value: Any) -> None:
    holder[index] = (holder[index][0], value) if type(holder) is Object else value


def change(header: Object, rng: Random) -> None:
    """One change of what a header says."""
    found = places(header)
    if not found:
        header.append((rng.choice(NAMES), rng.choice(ODD)))
        return
    holder, index = rng.choice(found)
    value = holder[index][1] if type(holder) is Object else holder[index]
    kind = rng.randrange(11)
    tensors = [part for name, part in header if type(part) is Object and name != "__metadata__" and len(part) == 3]
    if kind >= 9 and tensors:
        overgrown(rng.choice(tensors), rng)
    elif kind == 0:
        put(holder, index, rng.choice(ODD))
    elif kind == 1:
        del holder[index]
    elif kind == 2:  # once more, here or elsewhere
        holder.insert(rng.randrange(len(holder) + 1), holder[index])
    elif kind == 3:
        rng.shuffle(holder)
    elif kind == 4 and type(value) is int:
        put(
            holder,
            index,
            max(value + rng.choice([-8, -4, -1, 1, 4, 8]), 0) if rng.random() < 0.8 else 1 << rng.randrange(66),
        )
    elif kind == 5 and type(holder) is Object:
        name = rng.choice(["dtype", "shape", "data_offsets", "__metadata__", "more", "Dtype", *NAMES])
        holder[index] = (name, value)
    elif kind == 6 and type(value) is Object:
        value.insert(rng.randrange(len(value) + 1), (rng.choice(["more", "dtype", "__metadata__"]), rng.choice(ODD)))
    elif kind == 7 and type(value) is Object and len(value) == 3:
        put(holder, index, [part for _, part in value])
    elif kind == 8 and type(value) is list:
        value.insert(rng.randrange(len(value) + 1), rng.choice([0, 1, 1, 2, 8, 1 << 40, (1 << 64) - 1]))


def overgrown(tensor: Object, rng: Random) -> None:
    """A tensor of another dtype, or of sizes that no number of 64 bits holds together, or nearly."""
    for index, (name, value) in enumerate(tensor):
        if name == "dtype" and rng.random() < 0.7:
            tensor[index] = (name, rng.choice([*BITS]))
        elif name == "shape" and rng.random() < 0.8:
            sizes = [0, 0, 1, 2, 3, 8, 1 << 32, (1 << 32) - 1, 1 << 57, 1 << 58, 1 << 61, 1 << 63, (1 << 64) - 1]
            tensor[index] = (name, [rng.choice(sizes) for _ in range(rng.randrange(4))])
        elif name == "data_offsets" and type(value) is list and value and rng.random() < 0.6:
            tensor[index] = (name, [value[0], value[0]])


def text_of(value: Any, rng: Random, glue: float) -> str:
    """The JSON of a value, with white space (and what is none) here and there."""

    def between() -> str:
        return rng.choice(GLUE[:9] if rng.random() < 0.98 else GLUE) if rng.random() < glue else ""

    if type(value) is Object:
        inner = [f"{between()}{quoted(name, rng)}{between()}:{text_of(part, rng, glue)}" for name, part in value]
        text = "{" + (between() + ",").join(inner) + between() + "}"
    elif type(value) is list:
        text = "[" + ",".join(text_of(part, rng, glue) for part in value) + "]"
    elif type(value) is str:
        text = value[1:] if value[:1] == "!" else quoted(value, rng)
    else:
        text = str(value)
    return between() + text + between()


def quoted(text: str, rng: Random) -> str:
    if rng.random() < 0.9:
        return json.dumps(text, ensure_ascii=rng.random() < 0.3)
    return '"' + "".join(f"\\u{ord(c):04X}" if ord(c) < 65536 else json.dumps(c)[1:-1] for c in text) + '"'


def ends_of(info: Any) -> list[int]:
    """Where a tensor ends, if that is said."""
    offsets = dict(info).get("data_offsets") if type(info) is Object else None
    fine = type(offsets) is list and len(offsets) == 2 and type(offsets[1]) is int
    return [offsets[1]] if fine and offsets is not None else []


def file_of(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def mutated(seed: int) -> bytes:
    """A file that may be right or not."""
    rng = Random(seed)
    header, data = original(rng)
    kind = rng.randrange(10)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3]) if kind < 6 else 0):
        change(header, rng)
    text = text_of(header, rng, rng.choice([0.0, 0.0, 0.1, 0.5]) if kind < 7 else 0.0).encode()
    text += b" " * rng.choice([0, 0, -len(text) % 8, 3])
    if kind == 7:  # letters of the header
        letters = bytearray(text)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(letters) + 1)
            letters[at : at + rng.randrange(3)] = rng.choice(PIECES)
        text = bytes(letters)
    whole = bytearray(file_of(text, data))
    if kind == 8:  # bytes of the file
        for _ in range(rng.randrange(1, 4)):
            whole[rng.randrange(len(whole))] = rng.randrange(256 if rng.random() < 0.3 else 128)
    elif kind == 9:
        how = rng.randrange(4)
        if how == 0:
            del whole[rng.randrange(len(whole) + 1) :]
        elif how == 1:
            whole += bytes(rng.randrange(1, 10))
        elif how == 2:
            length = len(text) + rng.choice([-1, 1, 2, 8, 100, 10**8, 1 << 32, 1 << 63])
            whole[:8] = max(length, 0).to_bytes(8, "little")
        else:
            whole[:8] = rng.randrange(1 << rng.randrange(1, 65)).to_bytes(8, "little")
    elif kind < 6 and rng.random() < 0.3:  # numbers for what the header says now
        ends = [end for _, info in header for end in ends_of(info)]
        whole = bytearray(file_of(text, bytes(min(max(ends, default=0), 1000))))
    return bytes(whole)


def from_plain(value: Any) -> Any:
    """Plain data with objects whose names may stand twice."""
    if type(value) is dict:
        return Object([(name, from_plain(part)) for name, part in value.items()])
    return [from_plain(part) for part in value] if type(value) is list else value


def mutated_text(text: str, seed: int) -> str:
    """JSON that somebody has changed in a few places."""
    rng = Random(seed)
    value = Object([("", from_plain(json.loads(text)))])
    for _ in range(rng.randrange(1, 4)):
        change(value[0][1] if value and type(value[0][1]) is Object else value, rng)
    return json_of(value[0][1] if value else None)


def json_of(value: Any) -> str:
    """The JSON of what ``change`` has left, as it is written usually."""
    if type(value) is Object:
        return "{" + ",".join(f"{json.dumps(name)}:{json_of(part)}" for name, part in value) + "}"
    if type(value) is list:
        return "[" + ",".join(map(json_of, value)) + "]"
    return value[1:] if type(value) is str and value[:1] == "!" else json.dumps(value)
