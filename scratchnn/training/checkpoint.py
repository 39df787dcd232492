"""Where a training run stands, in a file: enough to go on later as if nothing had happened.

A checkpoint holds the weights, the optimizer's and the callbacks' memory, the states of all random generators, the
position inside the epoch, the history, and what the run was asked to do (its *settings*, and a fingerprint of the
data). A run is only resumed with the same settings and data. Files are written by ``records``, whole or not at all, and
a lock keeps two runs from writing the same one.
"""

from __future__ import annotations

import errno
import os
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from random import Random
from typing import Any

from ..checks import MESSAGE, require_size, shortened, shown, shown_path
from ..errors import ArgumentError, ModelFileError
from ..escapes import printable
from ..saving import records
from ..saving.atomic import Lock, check_writable, same_file
from ..saving.records import pack_matrix, sha256, unpack_matrix

FORMAT = "scratchnn checkpoint"
VERSION = 4


class Checkpoint:
    """The file of one run, held under a lock in a ``with`` block; ``OSError`` there if another run has it."""

    def __init__(self, path: str | os.PathLike[str], every: int | None, resume: bool) -> None:
        self.path = os.fspath(path)
        self.every = None if every is None else require_size("checkpoint_every", every)
        self.resume = resume
        check_writable(path)
        self._lock = Lock(path)
        self._overtaken = False  # another run has written to it
        self._ours: Any = None  # which file this run has read or written last
        self.engine: Any = None  # on which the run went that ``load`` found
        self._together = False  # what ``load`` gave was written as one

    def __enter__(self) -> Checkpoint:
        self._lock.__enter__()
        self._ours = self._which()
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.__exit__()

    def keep_apart(self, others: Iterable[str | os.PathLike[str]]) -> None:
        """``ArgumentError`` if one of these is the same file: the one would be written over the other."""
        for other in others:
            if same_file(self.path, other):
                raise ArgumentError(f"{shown_path(self.path)}: the checkpoint and the model's weights need a file each")

    def due(self, batch: int) -> bool:
        """Whether it is time for a checkpoint after batch ``batch`` (from 1) of an epoch; the last one is always
        due."""
        return self.every is not None and batch % self.every == 0

    def load(self, settings_for: Callable[[Any], list[dict[str, Any]]]) -> tuple[dict[str, Any], int] | None:
        """(state to go on from, number), or None to start anew; ``ValueError`` names what differs from the run that
        wrote it.

        A run may go on for more epochs than were asked for at first. ``settings_for`` is told how many these were, and
        gives the settings that this run would have had then; number says which of them fit.
        """
        if not self.resume or not os.path.exists(self.path):
            return None
        record = records.load_record(self.path, FORMAT, (VERSION,))
        parts = {"settings", "state", "sha256"}
        if type(record) is not dict or set(record) != parts or type(record["settings"]) is not dict:
            raise self.misfit("it has parts missing, or unknown ones")
        before = record["settings"]
        differences = [_difference(before, settings) for settings in settings_for(before.get("epochs"))]
        if all(differences):
            difference = differences[-1]  # the one that took most into account
            start = f"{shown_path(self.path)}: cannot resume what another run wrote: "
            end = "; go back to what it had, or start anew without resume"
            raise ArgumentError(start + shortened(difference, MESSAGE - len(start + end)) + end)
        self.engine = before.get("engine")
        self._together = record["sha256"] == _digest(record["settings"], record["state"])
        return record["state"], differences.index("")

    def require_together(self) -> None:
        """``ValueError`` unless the parts that ``load`` gave were written together. Before this, look for what is wrong
        with one of them: that says more."""
        if not self._together:
            raise ValueError("they were not written together")

    def misfit(self, reason: object) -> ModelFileError:
        """The error for a file that is whole, and still does not say where this run stands."""
        start = f"{shown_path(self.path)}: the parts of this checkpoint do not fit: "
        return ModelFileError(start + shortened(" ".join(str(reason).split()), MESSAGE - len(start)))

    def save(self, settings: dict[str, Any], state: dict[str, Any]) -> None:
        """Replace the file by this state; ``OSError`` if it cannot be written, or if another run has it by now."""
        removed = self._lock.hold()
        self._overtaken = self._overtaken or (removed and self._which() != self._ours)
        if self._overtaken:
            raise OSError(errno.EEXIST, "another run has written to it meanwhile", self.path)
        record = {"settings": settings, "state": state, "sha256": _digest(settings, state)}
        records.save_record(self.path, FORMAT, VERSION, record)
        self._ours = self._which()

    def _which(self) -> Any:
        """What tells this file from one that is put in its place; None if there is none."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _digest(settings: dict[str, Any], state: Any) -> str:
    """A SHA-256 over all that a run is made of: its parts belong together, whoever put them into a file."""
    return records.digest([settings, state])


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first setting in which two runs differ, "" if there is none.

    Causes come before effects: the seed may have parted the rows.
    """
    effects = {
        "training data": "other training rows, labels or weights",
        "validation data": "other validation rows or labels",
    }
    for name in [*(name for name in {**now, **before} if name not in effects), *effects]:
        if before.get(name) != now.get(name) and name != "engine":  # to which a run can move
            return effects.get(name) or _change(name, before.get(name), now.get(name))
    return ""


def _change(name: str, before: Any, now: Any) -> str:
    """A setting that is another now; of a network its first layer, of an optimizer its first number that is."""
    if name == "network":
        pairs = list(zip_longest(_layers(before), _layers(now)))
        number = next((number for number, pair in enumerate(pairs) if pair[0] != pair[1]), None)
        if number is None:
            return "the same layers stand in other Sequentials"
        name, (before, now) = f"layer {number}", pairs[number]
    elif _is_described(before) and _is_described(now) and before[0] == now[0]:
        key = next((key for key in {**now[1], **before[1]} if before[1].get(key) != now[1].get(key)), "class")
        name = key if name == "optimizer" else f"{name}'s {key}"
        before, now = before[1].get(key), now[1].get(key)
        if _is_described(before) and _is_described(now) and before[0] == now[0] and before != now:
            return _change(name, before, now)  # of a schedule that hands over to another one, which differs
    return f"{printable(name[:40])} was {_shown(before)}, is now {_shown(now)}"


def _layers(network: Any) -> list[str]:
    """The layers of a network that is written as Sequential([Linear(...), ReLU(), ...]), also those further inside."""
    import re

    return re.findall(r"\b(?!Sequential\b)\w+\([^()]*\)", str(network))


def _is_described(value: Any) -> bool:
    """Whether it is the class of an optimizer or a schedule, and its arguments."""
    return type(value) is list and len(value) == 2 and type(value[1]) is dict


def _shown(value: Any) -> str:
    """A setting for a message; of an optimizer or a schedule its class."""
    if type(value) is list:
        value = ", ".join(str(part) for part in value if type(part) is not dict)
    return printable(str(value)[:80]) if value not in (None, "") else "none"


def fingerprint(rows: Sequence[Any], targets: Sequence[Any], weights: Sequence[float] | None) -> str:
    """A SHA-256 of training data: any changed, missing, added or moved row gives another."""
    digest = sha256()
    for row in rows:
        digest.update(row if type(row) is bytes else _doubles(row))
    digest.update(f"|{len(rows)}|".encode())
    for target in targets:
        digest.update(_doubles(target) if isinstance(target, list) else f"{target},".encode())
    digest.update(b"|" + _doubles(weights or []))
    return str(digest.hexdigest())


def _doubles(values: Sequence[float]) -> bytes:
    return _little_endian(array("d", values))


def _little_endian(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def pack_order(order: Sequence[int]) -> bytes:
    """Row numbers as bytes, four each."""
    return _little_endian(array("I", order))


def unpack_order(data: Any, count: int) -> list[int]:
    """What ``pack_order`` packed, if that is an order of ``count`` rows, or none; ``ValueError`` otherwise."""
    numbers = array("I")
    if type(data) is not bytes or len(data) not in (0, numbers.itemsize * count):
        raise ValueError(f"the order of {count} rows cannot be {shown(data)}")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    order = numbers.tolist()
    if order and sorted(order) != list(range(count)):
        raise ValueError(f"the order of {count} rows has some twice, or others")
    return order


def pack(matrix: Any, ops: Any) -> dict[str, Any]:
    """An engine's matrix as plain data, with the form it has there (units, for lanes) beside its numbers."""
    form = ops.form_of(matrix)
    return {"form": form, **pack_matrix(ops.to_rows(matrix))}


def unpack(packed: Any, ops: Any, same_engine: bool = True) -> Any:
    """The matrix that ``pack`` packed, the same in every bit, or as near as another engine comes to its numbers;
    ``ValueError`` for anything else."""
    if type(packed) is not dict or set(packed) != {"form", "shape", "doubles"} or type(packed["form"]) is not dict:
        raise ValueError(f"a matrix is to have a form, a shape and doubles, got {shown(packed)}")
    rows = unpack_matrix({"shape": packed["shape"], "doubles": packed["doubles"]})
    return ops.in_form(rows, packed["form"]) if same_engine else ops.from_rows(rows)


def generator_state(rng: Random) -> list[Any]:
    """The state of a generator as plain data."""
    version, internal, gauss = rng.getstate()
    return [version, list(internal), gauss]


def set_generator_state(rng: Random, state: Sequence[Any]) -> None:
    """Put a generator into a state that ``generator_state`` gave."""
    rng.setstate((state[0], tuple(state[1]), state[2]))
