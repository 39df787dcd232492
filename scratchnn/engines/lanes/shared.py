"""Lanes whose heavy loops several processes go through together, each over a share of the rows.

Every process does the whole step of training, with the same weights and the same batch; only the loops that take the
time are divided, and each process tells the others the rows that it has computed. What is decided on the way (units,
bounds, which plan a row follows) is decided in every process, on complete matrices. So nothing depends on how many
there are: a row is the same sum of whole numbers whoever has added it up, and the result the same to the last bit.

A product of a batch is divided by the rows of the batch. The gradient of the first weight is divided by the rows of the
weight, so that each of its rows is complete where it was computed, and travels once: a sum of every process's samples
would have to travel twice. To split the lanes instead (each process a share of every row) would send less where batches
are small; but then no process has whole rows, and every operation would need a form of its own.

Where a loop is so short that telling its result takes longer than computing it, every process computes all of it.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import pack

from .engine import Lanes
from .matrix import Entry, LaneMatrix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from .matrix import Inputs

    class Team(Protocol):
        """Those who compute together. Both numbers may change in ``exchange``, when one of them is lost."""

        @property
        def place(self) -> int:
            """Which of them this process is, from 0."""

        @property
        def size(self) -> int:
            """How many they are."""

        def begin(self, *arguments: Any) -> None:
            """A step begins in this process: let the others take it as well, with these arguments."""

        def end(self) -> None:
            """The step was taken."""

        def exchange(self, part: bytes, missing: Callable[[int], bytes], what: int) -> list[bytes]:
            """Everybody's part, in the order of their places. ``missing(place)`` computes that of one who is lost.
            ``what`` is a number that says what these are parts of: all have to mean the same."""


# What things cost, in the time that one byte of a row takes to be multiplied. Measured on rows of 600 and 2400 bytes:
# to multiply one and add it up 0.65 ns a byte and 60 ns beside, to make bytes of it and a row again of these 4.4 ns.
ROW_COST = 100  # to multiply a row of no length
TOLD_COST = 8  # of a byte of a sum: to tell it or to hear it, where half of the sums are own ones
EXCHANGE_COST = 300_000  # to send a message and wait for the answers: 0.2 ms
NUMBER_BYTES = 4  # of the number of a row


class SharedLanes(Lanes):
    """Computes as ``engine`` does, together with ``team``; on its own outside of ``at_once``."""

    def __init__(self, engine: Lanes, team: Team) -> None:
        vars(self).update(vars(engine))
        self.team = team
        self._loads: dict[int, list[int]] = {}  # by the width of inputs: how many of them stand before each position
        self._cuts: dict[Entry, Any] = {}  # which positions of an entry are this process's share, ...
        self._cut_for = 0, 0  # ... as the place and size of the team were then

    def at_once(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """A step of training: the only time when others compute with this process."""
        self.team.begin(*arguments)
        self.divided = True
        try:
            result = work(*arguments)
        finally:
            self.divided = False
        self.team.end()
        return result

    def as_bytes(self, m: LaneMatrix) -> bytes:
        """A weight, or what an optimizer remembers, as bytes: others for any other matrix."""
        if m.floats is not None:
            return b"".join([pack(f"<{len(row)}d", *row) for row in m.floats])
        rows = self.rows_of(m)
        return repr((rows.scale, rows.bound)).encode() + _told(rows.data, self.layout(m.shape[1]).size)

    # --- the loops ---------------------------------------------------------------------------------------------------

    def _sums(
        self, table: Sequence[int], base: int, multipliers: Sequence[Sequence[int]], offset: int, width: int
    ) -> list[int]:
        compute, count = super()._sums, len(multipliers)
        if not self._pays(count * len(table), count, width):
            return compute(table, base, multipliers, offset, width)
        return self._divided(count, width, lambda own: compute(table, base, multipliers[own], offset, width))

    def _picked_sums(
        self,
        table: Sequence[int],
        base: int,
        entries: Sequence[Entry],
        ints: Sequence[Sequence[int]] | None,
        offset: int,
        width: int,
    ) -> list[int]:
        compute, count = super()._picked_sums, len(entries)
        if not self._pays(sum([len(entry.ints) for entry in entries]), count, width):
            return compute(table, base, entries, ints, offset, width)
        return self._divided(
            count, width, lambda own: compute(table, base, entries[own], ints and ints[own], offset, width)
        )

    def _planned(self, planned: Sequence[tuple[int, list[int], int, int, Any]], often: bool, width: int) -> list[int]:
        compute, count = super()._planned, len(planned)
        products = sum([len(row.ints) if isinstance(row, Entry) else len(row) for *_, row in planned])
        if not self._pays(products, count, width):
            return compute(planned, often, width)
        return self._divided(count, width, lambda own: compute(planned[own], often, width))

    def _add_products(self, x: Inputs, data: list[int], rows: Sequence[int], width: int, finer: int = 0) -> None:
        size, products = self.layout(width).size, sum(map(len, x.ints()))
        if not self._pays(products, min(len(data), products), width):
            super()._add_products(x, data, rows, width, finer)
            return
        team, load = self.team, self._load(x)
        own = team.place
        firsts = [bisect_left(load, _first(load[-1], place, team.size)) for place in range(team.size + 1)]

        def part(place: int) -> bytes:
            """The rows of the data that are this one's to compute, as far as they have changed."""
            first, end = firsts[place], firsts[place + 1]
            before = data[first:end]
            if finer:
                totals = [0] * len(data)
                self._add_share(x, totals, rows, place, first, end)
                self._add_shifted(data, totals, width, finer)
            else:
                self._add_share(x, data, rows, place, first, end)
            changed = [k for k, row in enumerate(before, first) if data[k] is not row]
            numbers = b"".join([k.to_bytes(NUMBER_BYTES, "little") for k in changed])
            return len(changed).to_bytes(NUMBER_BYTES, "little") + numbers + _told([data[k] for k in changed], size)

        for place, told in enumerate(team.exchange(part(own), part, _sort(True, len(data), size))):
            if place != own:
                start = NUMBER_BYTES * (1 + int.from_bytes(told[:NUMBER_BYTES], "little"))
                numbers = [told[i : i + NUMBER_BYTES] for i in range(NUMBER_BYTES, start, NUMBER_BYTES)]
                for number, row in zip(numbers, _heard(told, start, size)):
                    data[int.from_bytes(number, "little")] = row

    # --- shares ------------------------------------------------------------------------------------------------------

    def _pays(self, products: int, sums: int, width: int) -> bool:
        """Whether it is worth dividing so many products of rows of ``width`` lanes, which make so many sums."""
        if not self.divided or self.team.size == 1:
            return False
        size = self.layout(width).size
        return products * (size + ROW_COST) > TOLD_COST * sums * size + EXCHANGE_COST

    def _divided(self, count: int, width: int, compute: Callable[[slice], list[int]]) -> list[int]:
        """All of so many rows of ``width`` lanes, of which this process computes its share."""
        team, size = self.team, self.layout(width).size
        own, everybody = team.place, team.size

        def share(place: int) -> list[int]:
            return compute(slice(_first(count, place, everybody), _first(count, place + 1, everybody)))

        mine, rows = share(own), []
        everyone = team.exchange(_told(mine, size), lambda place: _told(share(place), size), _sort(False, count, size))
        for place, told in enumerate(everyone):
            rows += mine if place == own else _heard(told, 0, size)
        return rows

    def _load(self, x: Inputs) -> list[int]:
        """For each position of a row of inputs how many of these, up to there, are not zero: how much there is to do.
        Of the first batch, which stands for all others."""
        width = x.shape[1]
        load = self._loads.get(width)
        if load is None:
            counts = [0] * width
            for entry in x.entries:
                for k in range(width) if entry.positions is None else entry.positions:
                    counts[k] += 1
            load, total = [], 0
            for count in counts:
                load.append(total)
                total += count + 1  # also where there was nothing to do in the first batch
            load.append(total)
            self._loads[width] = load
        return load

    def _add_share(self, x: Inputs, totals: list[int], rows: Sequence[int], place: int, first: int, end: int) -> None:
        """``add_products`` for the positions from ``first`` to ``end``."""
        everywhere = range(first, end)
        if not x.pixels:
            for entry, numbers, lanes in zip(x.entries, x.ints(), rows):
                if lanes:
                    positions = entry.positions
                    cut = slice(first, end) if positions is None else _cut(positions, first, end)
                    for k, v in zip(everywhere if positions is None else positions[cut], numbers[cut]):
                        totals[k] += v * lanes
            return
        cuts = self._cuts_for(place)
        for entry, lanes in zip(x.entries, rows):
            if lanes:
                _, positions, ints, groups = entry.split()
                known = cuts.get(entry)
                if known is None:
                    own = slice(first, end) if positions is None else _cut(positions, first, end)
                    known = cuts[entry] = own, [_cut(where, first, end) for _, _, where in groups]
                cut, cuts_of_groups = known
                for k, v in zip(everywhere if positions is None else positions[cut], ints[cut]):
                    totals[k] += v * lanes
                for (v, _, where), cut in zip(groups, cuts_of_groups):
                    product = v * lanes
                    for k in where[cut]:
                        totals[k] += product

    def _cuts_for(self, place: int) -> dict[Entry, Any]:
        """For each entry that was met which of its positions, and of those of its groups, are the share of a place:
        kept for this process's own."""
        team = self.team
        if place != team.place:
            return {}
        if self._cut_for != (place, team.size):
            self._cuts, self._cut_for = {}, (place, team.size)
        return self._cuts


def _cut(positions: Sequence[int], first: int, end: int) -> slice:
    """Which of these are from ``first`` to before ``end``."""
    return slice(bisect_left(positions, first), bisect_left(positions, end))


def _first(amount: int, place: int, size: int) -> int:
    """Where the share of this place begins."""
    return amount * place // size


def _sort(changes: bool, rows: int, size: int) -> int:
    """A number for what is exchanged: so many rows of so many bytes, or those of them that have changed."""
    return (changes + 2 * (rows * 65521 + size)) % (1 << 32)


def _told(rows: Sequence[int], size: int) -> bytes:
    """Rows as bytes, ``size`` each."""
    return b"".join([row.to_bytes(size, "little", signed=True) for row in rows])


def _heard(told: bytes, start: int, size: int) -> list[int]:
    """The rows that ``_told`` told, from there on."""
    from_bytes = int.from_bytes
    return [from_bytes(told[i : i + size], "little", signed=True) for i in range(start, len(told), size)]
