"""What processes that train together tell each other beside rows of numbers: plain data, as bytes.

A message is a JSON text and behind it numbers in bulk, as the bytes that they have in memory. Nothing in it can be run:
whoever reads it knows what is to be there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from struct import iter_unpack, pack, unpack
from typing import Any

from ...saving.records import sha256
from ..checkpoint import generator_state, set_generator_state
from ..snapshot import generators_of
from ..trainer import Trainer

_LENGTH = "<Q"
_LENGTH_BYTES = 8


def packed(head: Any, bulk: Sequence[bytes] = ()) -> bytes:
    """Plain data and pieces of bytes as one message."""
    text = json.dumps([head, list(map(len, bulk))]).encode()
    return b"".join([pack(_LENGTH, len(text)), text, *bulk])


def unpacked(message: bytes) -> tuple[Any, list[bytes]]:
    """(plain data, pieces of bytes) of a message."""
    (length,) = unpack(_LENGTH, message[:_LENGTH_BYTES])
    start = _LENGTH_BYTES + length
    head, sizes = json.loads(message[_LENGTH_BYTES:start])
    bulk = []
    for size in sizes:
        bulk.append(message[start : start + size])
        start += size
    return head, bulk


# --- rows of data ----------------------------------------------------------------------------------------------------


def packed_data(rows: Sequence[Any], factor: float, targets: Sequence[Any], weights: Sequence[float] | None) -> bytes:
    """Rows to learn from, as they are before they are multiplied by ``factor``, with their targets and weights."""
    pixels = {*map(type, rows)} <= {bytes}
    columns = len(rows[0]) if rows else 0
    listed = isinstance(targets[0], list) if targets else False
    head = {
        "pixels": pixels,
        "columns": columns,
        "factor": factor,
        "targets": len(targets[0]) if listed else 0,
        "whole": not listed and all(isinstance(target, int) for target in targets),
        "weighted": weights is not None,
    }
    in_rows = [target if listed else [target] for target in targets]
    return packed(
        head, [b"".join(rows) if pixels else _doubles(rows), _doubles(in_rows), _doubles([[w] for w in weights or []])]
    )


def unpacked_data(message: bytes) -> tuple[list[Any], float, list[Any], list[float] | None]:
    """(rows, factor, targets, weights)."""
    head, (bulk, of_targets, of_weights) = unpacked(message)
    columns, listed = head["columns"], head["targets"]
    if head["pixels"]:
        rows: list[Any] = [bulk[i : i + columns] for i in range(0, len(bulk), columns)]
    else:
        rows = _rows(bulk, columns)
    targets: list[Any] = _rows(of_targets, listed or 1)
    if not listed:
        targets = [int(v) if head["whole"] else v for (v,) in targets]
    return rows, head["factor"], targets, [w for (w,) in _rows(of_weights, 1)] if head["weighted"] else None


def _doubles(rows: Sequence[Sequence[float]]) -> bytes:
    return b"".join([pack(f"<{len(row)}d", *row) for row in rows])


def _rows(doubles: bytes, columns: int) -> list[list[float]]:
    return list(map(list, iter_unpack(f"<{columns}d", doubles)))


# --- where a trainer stands ------------------------------------------------------------------------------------------


def packed_state(trainer: Trainer) -> bytes:
    """All that the next step depends on, but for its rows and its learning rate."""
    ops, optimizer, network = trainer.ops, trainer.optimizer, trainer.network
    changing = {id(parameter) for parameter in network.changing_parameters()}
    values = [(parameter.value, id(parameter) in changing) for parameter in network.parameters()]
    matrices = [*values, *[(matrix, True) for matrix in optimizer.matrices()]]
    # A frozen parameter is still made of the numbers that the run began with, not of those the engine made of them.
    forms = [ops.form_of(matrix) if changes else {} for matrix, changes in matrices]
    rows = [ops.to_rows(matrix) for matrix, _ in matrices]
    head = {
        "weights": len(values),
        "steps": optimizer.steps,
        "settings": settings_of(optimizer),
        "generators": [generator_state(rng) for rng in _generators(trainer)],
        "forms": forms,
        "columns": [len(m[0]) if m else 0 for m in rows],
    }
    return packed(head, [_doubles(m) for m in rows])


def take_state(trainer: Trainer, message: bytes) -> None:
    """Stand where the trainer that was packed stands."""
    head, bulk = unpacked(message)
    ops, optimizer, network = trainer.ops, trainer.optimizer, trainer.network
    matrices = [
        ops.in_form(_rows(doubles, columns), form)
        for doubles, columns, form in zip(bulk, head["columns"], head["forms"])
    ]
    count = head["weights"]
    for parameter, value in zip(network.parameters(), matrices[:count]):
        parameter.value = value
    optimizer.restore(matrices[count:], head["steps"])
    for name, value in head["settings"].items():
        setattr(optimizer, name, value)
    for rng, state in zip(_generators(trainer), head["generators"]):
        set_generator_state(rng, state)


def settings_of(optimizer: Any) -> dict[str, Any]:
    """What an optimizer was told, in numbers and words, but for its learning rate and how many steps it counts."""
    told = {name: value for name, value in vars(optimizer).items() if type(value) in (bool, int, float, str)}
    return {name: value for name, value in told.items() if name not in ("lr", "steps")}


def digest(trainer: Trainer) -> bytes:
    """A SHA-256 of all that the next step depends on, but for its rows and its learning rate."""
    found, optimizer = sha256(), trainer.optimizer
    generators = [generator_state(rng) for rng in _generators(trainer)]
    found.update(packed([optimizer.steps, settings_of(optimizer), generators]))
    for matrix in (*[parameter.value for parameter in trainer.network.parameters()], *optimizer.matrices()):
        found.update(trainer.ops.as_bytes(matrix))
    return bytes(found.digest())


def _generators(trainer: Trainer) -> list[Random]:
    return generators_of(trainer.network.walk())
