"""Files from anywhere, and from anybody: none runs code, none is half believed, none costs more than its size.

Short forms of the ordeals that ``python -m tests.soak`` runs at full size.
"""

from __future__ import annotations

import os
import pickletools
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scratchnn.saving import safe_pickle
from tests import soak
from tests.adversarial import hostile_pickles, misuse, mutations, ordeals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits and kills as POSIX has them")

SHORT: list[tuple[Callable[..., str], dict[str, Any]]] = [
    (ordeals.hostile, {"every": 8}),
    (ordeals.bombs, {"every": 9}),
    (ordeals.truncated, {"step": 7}),
    (ordeals.damaged, {"count": 200}),
    (ordeals.killed_at_every_line, {}),
    (ordeals.killed, {"count": 5}),
    (ordeals.full_disk, {"step": 60}),
    (ordeals.mutated_csv, {"count": 400}),
    (ordeals.csv_in_pieces, {"count": 400}),
    (ordeals.mutated_idx, {"count": 200}),
    (ordeals.absurd_windows, {"count": 60}),
    (mutations.mutated_models, {"count": 200}),
    (mutations.mutated_checkpoints, {"count": 40}),
    (ordeals.odd_commands, {"count": 200}),
    (ordeals.interrupted_at_every_line, {"step": 97}),
    (misuse.every_name, {"every": 29}),
]


LONGER = [
    pytest.param(ordeal, {"count": count}, marks=pytest.mark.slow)
    for ordeal, count in (
        (ordeals.absurd_windows, 120),
        (mutations.mutated_models, 400),
        (mutations.mutated_checkpoints, 250),
        (ordeals.odd_commands, 300),
    )
]


@pytest.mark.parametrize(("ordeal", "sizes"), [*SHORT, *LONGER], ids=lambda value: getattr(value, "__name__", ""))
def test_ordeal(ordeal: Callable[..., str], sizes: dict[str, Any], tmp_path: Path) -> None:
    assert ordeals.run_apart(ordeal, tmp_path, **sizes)


def test_the_hostile_pickles_do_harm_where_pickle_itself_reads_them(tmp_path: Path) -> None:
    assert "have done harm" in ordeals.run_apart(ordeals.live, tmp_path, every=4)


def instructions(data: bytes) -> set[str]:
    """The names of a pickle's instructions, as far as it is well-formed."""
    names = set()
    with suppress(ValueError):
        for opcode, _, _ in pickletools.genops(data):
            names.add(opcode.name)
    return names


def test_there_are_enough_of_them_and_they_use_every_dangerous_instruction() -> None:
    pickles = {data for _, data in hostile_pickles.all_hostile()}
    assert len(pickles) > 700
    used = set().union(*map(instructions, pickles))
    assert set(safe_pickle._DANGEROUS.values()) <= used


def test_every_instruction_of_pickle_is_read_or_refused_and_none_that_is_dangerous_is_read() -> None:
    known = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}
    assert safe_pickle._DANGEROUS.items() <= known.items()
    assert not safe_pickle._DANGEROUS.keys() & safe_pickle._INSTRUCTIONS.keys()
    plain = {"PROTO", "FRAME", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BINFLOAT", "MEMOIZE", "APPEND", "APPENDS"}
    plain |= {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
    plain |= {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
    plain |= {"EMPTY_LIST", "LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
    plain |= {"EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"}
    assert {known[code] for code in safe_pickle._INSTRUCTIONS} == plain


def test_a_public_name_without_a_right_call_would_be_noticed() -> None:
    assert set(misuse.uses()) >= {name for name in sys.modules["scratchnn"].__all__ if not name.startswith("__")}


def test_the_long_tests_say_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(check.ordeal.__name__ in listed and check.what in listed for check in soak.CHECKS)
    assert soak.main(["truncated", "kiled"]) == 2
    assert capsys.readouterr() == ("", f"error: no part is called kiled\n{listed}")
