"""Checks of arguments (sizes, numbers, names), and how values and paths are shown in the messages of errors."""

from __future__ import annotations

import math
import operator
import os
from _collections_abc import Iterable, Mapping, Set

from .errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

MOST_SEEDS = 1 << 128
MOST_NUMBERS = 1 << 24  # in one sample, anywhere in a network
MESSAGE = 299  # characters that a message has at most, whatever it quotes
MOST_OF_A_PATH = 120  # characters of it that a message shows


def shown(value: Any, limit: int = 40) -> str:
    """A value as it may stand in a message, whoever wrote it: on one line, at most about ``limit`` long.

    A text is in quotes; and longer, where it has much that does not print.
    """
    if type(value) is str:
        return shortened(repr(shortened(value, limit)), 3 * limit)
    if type(value) in (list, tuple, dict, bytes) and len(value) > limit // 4:
        return f"a {type(value).__name__} of {len(value)}"
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of more digits than Python writes, lists in lists in lists
        return f"a number of {value.bit_length()} bits" if type(value) is int else f"a {type(value).__name__}"
    return shortened(" ".join(text.split()), limit)


def listed(things: Iterable[Any], room: int = 90) -> str:
    """``'a', 'b', 'c'``: things for a message, the first of them if they need more ``room`` than that."""
    things, names = list(things), []
    for thing in things:
        names.append(shown(thing))
        if len(names) > 1 and len(", ".join(names)) > room:
            return f"{', '.join(names[:-1])}, ... ({len(things)} in all)"
    return ", ".join(names)


def shortened(text: str, limit: int) -> str:
    """The text, if it is not longer than ``limit``, or its beginning."""
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def shown_path(path: Any) -> str:
    """A path as messages name it: as it is, or as its repr where it would not print as it is; of a long one its end."""
    text = os.fsdecode(path)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MOST_OF_A_PATH else "..." + text[3 - MOST_OF_A_PATH :]


def require(fine: bool, otherwise: str) -> None:
    """``ValueError`` with this text, unless it is fine: for what a file says."""
    if not fine:
        raise ValueError(otherwise)


def require_size(what: str, value: Any, least: int | None = 1, most: int | None = None) -> int:
    """``value`` as an int from ``least`` to ``most``, where they are given; ``ValueError`` says which argument was
    wrong and how."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # takes NumPy's integers as well
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f" of at least {least}"
        raise ArgumentError(f"{what} must be a whole number{bound}, got {shown(value)}")
    if most is not None and number > most:
        raise ArgumentError(f"{what} may be at most {most}, got {shown(number)}")
    return number


def chosen(what: str, given: Any, known: Collection[str], others: str = "") -> str:
    """The name in ``known`` that ``given`` means: the name itself, however it is written ("Adam", "LeakyReLU"), or the
    class that a mapping has under it. ``ArgumentError`` as for ``unknown``."""
    if isinstance(given, str):
        found = [name for name in known if _letters(name) == _letters(given)]
    else:
        kinds = known.items() if isinstance(known, Mapping) and isinstance(given, type) else []
        found = [name for name, kind in kinds if kind is given]
    if not found:
        raise unknown(what, given, known, others)
    return found[0]


def require_known(what: str, given: Any, known: Collection[str], others: str = "") -> None:
    """``ArgumentError`` as for ``unknown``, unless ``given`` is one of the names, letter by letter."""
    if not isinstance(given, str) or given not in known:
        raise unknown(what, given, known, others)


def unknown(what: str, given: Any, known: Iterable[str], others: str = "") -> ArgumentError:
    """The error for a choice that there is not. It lists the names, and the ``others`` that could be given."""
    names = list(known)
    return ArgumentError(f"unknown {what} {shown(given)}: known are {', '.join(names)}{others}{meant(given, names)}")


def meant(given: Any, known: Iterable[str]) -> str:
    """``; did you mean 'relu'?``: the end of a message about a name that is much like one of those known, or ""."""
    if not isinstance(given, str):
        return ""
    from difflib import get_close_matches  # which only a mistake needs

    names = {_letters(name): name for name in known if name != given}
    close = get_close_matches(_letters(given[:MESSAGE]), names, 1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def in_order(value: Any) -> list[Any] | None:
    """The items of a list, a tuple, an array or the like; None for one thing, a text, and what has no order."""
    if isinstance(value, (str, bytes, Mapping, Set)) or not isinstance(value, Iterable):
        return None
    return list(value)


def require_number(what: str, value: Any, least: float, below: float = math.inf, *, above: bool = False) -> float:
    """``value`` as a float in [least, below) (or above ``least``); ``ValueError`` says which argument was wrong."""
    number = finite_number(value)
    if not (number > least if above else number >= least) or not number < below:
        lower = f"above {least:g}" if above else f"at least {least:g}"
        upper = f" and below {below:g}" if below != math.inf else " and finite"
        raise ArgumentError(f"{what} must be a number {lower}{upper}, got {shown(value)}")
    return number


def finite_number(value: Any) -> float:
    """``value`` as a float, NaN if it is no finite number. NumPy's numbers are, bools, texts and arrays are not."""
    if type(value) is not float:
        from numbers import Real

        if isinstance(value, bool) or not isinstance(value, Real):
            return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def require_seed(seed: int | None) -> int | None:
    """A seed below 2**128, or None."""
    if seed is not None:
        seed = require_size("seed", seed, 0)
        if seed >= MOST_SEEDS:
            raise ArgumentError(f"seed must be below 2**128, got one of {seed.bit_length()} bits")
    return seed
