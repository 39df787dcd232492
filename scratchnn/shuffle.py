"""Fisher-Yates, every order of n things with the same probability 1/n!; and rows by their label, to be drawn from each.

The generator is handed in, so that the same seed gives the same order; the global one is never touched.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, MutableSequence
    from random import Random
    from typing import Any


def shuffle(*sequences: MutableSequence[Any], rng: Random) -> None:
    """Shuffle one sequence in place, or several of the same length in step.

    Durstenfeld's form of the algorithm (Communications of the ACM 7(7), 1964): the last place gets one of the
    things not placed yet, *itself among them*, then the place before it, and so on. Drawing from all n places
    each time, or leaving the place itself out, are the two classic mistakes: both make some orders likelier.

    Raises ``ValueError`` where the lengths differ.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) > 1:
        raise ValueError(f"shuffling in step needs sequences of one length, got lengths {lengths}")
    for last in range((lengths[0] if lengths else 0) - 1, 0, -1):
        # rng.randrange(last + 1), in less than half its time: as many bits as last + 1 has, until they fit
        bits = (last + 1).bit_length()
        chosen = rng.getrandbits(bits)
        while chosen > last:
            chosen = rng.getrandbits(bits)
        for sequence in sequences:
            sequence[last], sequence[chosen] = sequence[chosen], sequence[last]


def rows_by_label(labels: Iterable[Any]) -> dict[Any, list[int]]:
    """The numbers of the rows with each label; labels in the order in which they first occur."""
    rows: dict[Any, list[int]] = {}
    for number, label in enumerate(labels):
        rows.setdefault(label, []).append(number)
    return rows
