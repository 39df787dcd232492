"""The long tests at full size: ``python -m tests.soak`` runs them all, and prints what held and how long it took.

``python -m tests.soak damaged killed`` runs those alone, ``--help`` lists them. The exit code is 1 if anything did not
hold. A new ordeal needs a line in ``CHECKS``; the suite runs the same functions with smaller sizes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.adversarial import company, misuse, mutations, ordeals


class Check:
    """A line of the table: what is done, by which function, at which size."""

    def __init__(self, what: str, ordeal: Callable[..., str], **sizes: Any) -> None:
        self.what = what
        self.ordeal = ordeal
        self.sizes = sizes

    def run(self) -> tuple[bool, str]:
        """(whether it held, what was seen)."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                return True, ordeals.run_apart(self.ordeal, Path(folder), **self.sizes)
            except AssertionError as failure:
                return False, str(failure).strip()[-2000:]


CHECKS = [
    Check("hostile pickles in a model file", ordeals.hostile),
    Check("the same, given to pickle itself", ordeals.live),
    Check("pickles asking for gigabytes or minutes", ordeals.bombs),
    Check("a model file cut at every byte", ordeals.truncated),
    Check("flipped bits, splices, zeroed blocks", ordeals.damaged, count=10_000),
    Check("kill before every line of a save", ordeals.killed_at_every_line),
    Check("kill -9 while saving", ordeals.killed, count=200),
    Check("kill -9 while training, then resume", ordeals.killed_and_resumed, kills=100),
    Check("Ctrl-C before every line of a run", ordeals.interrupted_at_every_line),
    Check("disk full while saving, at every byte", ordeals.full_disk),
    Check("mutated CSV files", ordeals.mutated_csv, count=10_000),
    Check("mutated CSV that arrives in pieces", ordeals.csv_in_pieces, count=10_000),
    Check("mutated IDX files", ordeals.mutated_idx, count=10_000),
    Check("mutated models", mutations.mutated_models, count=8_000),
    Check("mutated checkpoints", mutations.mutated_checkpoints, count=8_000),
    Check("absurd windows in a model file", ordeals.absurd_windows, count=5_000),
    Check("rows alone and in company", company.rows_in_company, count=3_000),
    Check("commands with odd options and files", ordeals.odd_commands, count=10_000),
    Check("misuse of every public name", misuse.every_name),
]


def usage() -> str:
    """The names of all parts, and how long they take."""
    parts = "".join(f"  {check.ordeal.__name__:<21} {check.what}\n" for check in CHECKS)
    return f"python -m tests.soak [PART ...]: all of them take a few minutes, killed_and_resumed most of them.\n{parts}"


def main(names: Sequence[str]) -> int:
    if "-h" in names or "--help" in names:
        sys.stdout.write(usage())
        return 0
    unknown = set(names) - {check.ordeal.__name__ for check in CHECKS}
    if unknown:
        sys.stderr.write(f"error: no part is called {' or '.join(sorted(unknown))}\n{usage()}")
        return 2
    chosen = [check for check in CHECKS if not names or check.ordeal.__name__ in names]
    failed = 0
    for check in chosen:
        start = time.perf_counter()
        held, seen = check.run()
        failed += not held
        line = f"{check.what:<42} {'held' if held else 'FAILED':<7} {time.perf_counter() - start:>7.1f} s  {seen}\n"
        sys.stdout.write(line)
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - failed} of {len(chosen)} held\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
