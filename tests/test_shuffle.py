"""Fisher-Yates without the classic bias: every order equally likely, measured with a chi-squared bound.

The same bound is shown to catch the classic mistakes, so a pass means something.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, MutableSequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn.shuffle import shuffle

DRAWS = 24_000  # 1 000 expected for each of the 24 orders of four things
# The 0.999 quantile of chi-squared with 23 degrees of freedom: a fair shuffle exceeds it once in a thousand seeds.
BOUND = 49.73


def shuffled_indices(count: int, rng: random.Random) -> list[int]:
    indices = list(range(count))
    shuffle(indices, rng=rng)
    return indices


def chi_squared(shuffle_in_place: Callable[[MutableSequence[Any], random.Random], None], seed: int) -> float:
    """How far the counts of the orders of four things are from equal."""
    rng = random.Random(seed)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(DRAWS):
        things = [0, 1, 2, 3]
        shuffle_in_place(things, rng)
        counts[tuple(things)] += 1
    expected = DRAWS / 24
    return sum((counts[order] - expected) ** 2 / expected for order in permutations(range(4)))


def draws_from_all_places(things: MutableSequence[Any], rng: random.Random) -> None:
    """Mistake one: each place swaps with any place (4^4 paths cannot fall evenly on 24 orders)."""
    for place in range(len(things)):
        chosen = rng.randrange(len(things))
        things[place], things[chosen] = things[chosen], things[place]


def leaves_the_place_itself_out(things: MutableSequence[Any], rng: random.Random) -> None:
    """Mistake two, off by one: nothing may stay where it is (Sattolo: only the 6 full cycles come out)."""
    for last in range(len(things) - 1, 0, -1):
        chosen = rng.randrange(last)
        things[last], things[chosen] = things[chosen], things[last]


def stops_one_place_early(things: MutableSequence[Any], rng: random.Random) -> None:
    """Mistake three, off by one at the other end: the last swap is left out."""
    for last in range(len(things) - 1, 1, -1):
        chosen = rng.randrange(last + 1)
        things[last], things[chosen] = things[chosen], things[last]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_order_of_four_is_equally_likely(seed: int) -> None:
    assert chi_squared(lambda things, rng: shuffle(things, rng=rng), seed) < BOUND


@pytest.mark.parametrize("mistake", [draws_from_all_places, leaves_the_place_itself_out, stops_one_place_early])
def test_the_bound_catches_the_classic_mistakes(mistake: Callable[..., None]) -> None:
    assert chi_squared(mistake, seed=1) > 10 * BOUND


@given(things=st.lists(st.integers()), seed=st.integers(0, 2**32))
def test_nothing_is_lost_or_doubled(things: list[int], seed: int) -> None:
    shuffled = list(things)
    shuffle(shuffled, rng=random.Random(seed))
    assert Counter(shuffled) == Counter(things)


@given(count=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_several_sequences_move_in_step(count: int, seed: int) -> None:
    numbers, letters, octets = list(range(count)), [f"row {i}" for i in range(count)], bytearray(range(count))
    shuffle(numbers, letters, octets, rng=random.Random(seed))
    assert letters == [f"row {i}" for i in numbers]
    assert list(octets) == numbers


def test_sequences_in_step_take_the_order_one_alone_would_take() -> None:
    alone, first, second = list(range(10)), list(range(10)), list(range(10))
    shuffle(alone, rng=random.Random(5))
    shuffle(first, second, rng=random.Random(5))
    assert alone == first == second


def test_the_same_seed_gives_the_same_order() -> None:
    assert shuffled_indices(30, random.Random(7)) == shuffled_indices(30, random.Random(7))
    assert shuffled_indices(30, random.Random(7)) != shuffled_indices(30, random.Random(8))


def test_the_order_of_a_seed_never_changes() -> None:
    """Written down, so that a model trained today can be trained again tomorrow and on another Python."""
    assert shuffled_indices(8, random.Random(0)) == [4, 1, 5, 2, 0, 3, 7, 6]


@given(count=st.integers(0, 300), seed=st.integers(0, 2**32))
def test_each_place_gets_what_randrange_draws(count: int, seed: int) -> None:
    ours, theirs = random.Random(seed), random.Random(seed)
    things = list(range(count))
    for last in range(count - 1, 0, -1):
        chosen = theirs.randrange(last + 1)
        things[last], things[chosen] = things[chosen], things[last]
    assert shuffled_indices(count, ours) == things
    assert ours.getstate() == theirs.getstate()


def test_the_global_generator_is_left_alone() -> None:
    before = random.getstate()
    shuffle([1, 2, 3, 4, 5], rng=random.Random(0))
    shuffled_indices(5, random.Random(0))
    assert random.getstate() == before


def test_a_generator_has_to_be_handed_in() -> None:
    with pytest.raises(TypeError):
        shuffle([1, 2, 3])  # type: ignore[call-arg]


@pytest.mark.parametrize("things", [[], ["only"]])
def test_nothing_and_one_thing_stay_as_they_are(things: list[str]) -> None:
    copy = list(things)
    shuffle(copy, rng=random.Random(0))
    assert copy == things


def test_lengths_that_differ_are_named_and_nothing_has_moved() -> None:
    first, second = [1, 2, 3], [1, 2]
    with pytest.raises(ValueError, match=r"\[3, 2\]"):
        shuffle(first, second, rng=random.Random(0))
    assert (first, second) == ([1, 2, 3], [1, 2])
