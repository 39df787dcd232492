"""JSON that strangers have written: parsed by the standard library, with what that leaves open decided.

Nothing may be nested deeper than 127 lists and objects, and there is no NaN and no Infinity: as RFC 8259 has it, and as
the widespread parser ``serde_json`` does it, which decides what a safetensors file may have in its header.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NESTED = 127
_MOST_DIGITS = 40  # a seed has at most 39; to make numbers of a million digits takes longer than to read them


class NotJSON(ValueError):
    """A text that is no JSON, or JSON of a kind that is not read here."""


def parse(
    text: str,
    pairs: Callable[[list[tuple[str, Any]]], Any],
    whole: Callable[[str], Any],
    fraction: Callable[[str], Any],
) -> Any:
    """The value of a JSON text. An object is what ``pairs`` makes of its (name, value) in their order, numbers without
    and with a point or an exponent are what ``whole`` and ``fraction`` make of their text."""
    if max(text.count("["), text.count("{")) > MOST_NESTED // 2:  # only then can it be too deep
        _check_depth(text)
    try:
        return json.loads(
            text, object_pairs_hook=pairs, parse_int=whole, parse_float=fraction, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise NotJSON(f"no JSON: {error}") from None
    except RecursionError:
        raise NotJSON("nested too deep for what is left of this program's stack") from None


def parse_plain(text: str) -> Any:
    """The value of a JSON text, as dicts, lists, texts, ints, floats, bools and None.

    Refuses what could mean two things, the same name twice in an object, and numbers that are no doubles.
    """
    return parse(text, _unique, _int, _float)


def _no_constant(name: str) -> Any:
    raise NotJSON(f"no JSON: {name} is no number there")


def _check_depth(text: str) -> None:
    """Refuse what is nested too deep before any parser's stack is tried."""
    # Without escaped letters a text ends at the next quotation mark.
    skeleton = re.sub(r'"[^"]*"', "", re.sub(r"(?s)\\.", "", text))
    depth = 0
    for bracket in re.finditer(r"[][{}]", skeleton):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MOST_NESTED:
            raise NotJSON(f"nested more than {MOST_NESTED} deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJSON("an object has the same name twice")
    return found


def _int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise NotJSON(f"a whole number of {len(digits)} digits")
    return int(digits)


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJSON(f"{text[:_MOST_DIGITS]} is too large")
    return number
