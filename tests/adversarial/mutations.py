"""Checkpoints and models that were taken apart and put together otherwise: well-formed files that nobody has saved.

A mutation changes one thing, anywhere in a record: another type, a huge or negative number, a part removed,
added, moved, or swapped with another one. Written with the record's old digest it has to be refused. Written with a
digest made anew (*forged*: whoever writes a file can do that) it may only be taken for what it says where nothing else
in the file could tell, as with the value of a weight; and even then the run ends, and raises nothing unexpected.
"""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from scratchnn import (
    ELU,
    Adam,
    AdamW,
    AvgPool2D,
    BatchNorm,
    Callback,
    Conv2D,
    CosineSchedule,
    CrossEntropyLoss,
    DataError,
    Dropout,
    EarlyStopping,
    Embedding,
    Flatten,
    HuberLoss,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2D,
    Model,
    ModelFileError,
    ReduceOnPlateau,
    ReLU,
    Residual,
    RMSprop,
    Sequential,
    StepSchedule,
    Tanh,
    TrainingDiverged,
    WarmUp,
)
from scratchnn.saving import records
from scratchnn.saving.safe_pickle import NotPlainData, dumps, loads
from scratchnn.training import checkpoint
from tests.adversarial.ordeals import bounded_time

Place = tuple[Any, ...]

ROWS = [[math.sin(3.0 * i + k) + 0.1 * k for k in range(4)] for i in range(24)]
CLASSES = [i * 7 % 3 for i in range(24)]
NUMBERS = [row[0] - 2.0 * row[3] for row in ROWS]
EPOCHS, BATCH = 3, 5


class Stops(Callback):
    """Ends a run after so many batches, and remembers how many there were: never more than there can be."""

    def __init__(self, after: int | None = None) -> None:
        self.after = after
        self.batches = 0

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.batches += 1
        assert self.batches <= EPOCHS * math.ceil(len(ROWS) / BATCH), "a run that goes on beyond its end"
        if self.batches == self.after:
            model.stop_training = True


class Run:
    """A run that can be repeated: ``stop`` is where its checkpoint stands, in batches."""

    def __init__(self, stop: int, model: Callable[[], Model], **fit: Callable[[], Any]) -> None:
        self.stop = stop
        self.make = model
        self.fit_arguments = fit

    def fit(self, model: Model, stops: Stops, **more: Any) -> bytes:
        """All that a run leaves, as bytes."""
        made = {name: make() for name, make in self.fit_arguments.items()}
        callbacks = [stops, *made.pop("callbacks", [])]
        y = CLASSES if model.task == "classification" else NUMBERS
        settings = {"epochs": EPOCHS, "batch_size": BATCH, **made, **more}
        history = model.fit(ROWS, y, callbacks=callbacks, **settings).to_dict()
        history["seconds"] = []
        return dumps([[records.pack_matrix(w if isinstance(w[0], list) else [w]) for w in model.weights], history])


def _network(engine: str, task: str, frozen: bool = False) -> Model:
    layers = [
        Linear(4, 5),
        Tanh(),
        Dropout(0.2),
        Linear(5, 3),
        ReLU(),
        Dropout(0.1),
        Linear(3, 1 if task == "regression" else 3),
    ]
    model = Model.from_layers(layers, loss="mse" if task == "regression" else "cross_entropy", engine=engine, seed=3)
    model.network[3].trainable = not frozen
    return model


def _normalised(engine: str, frozen: bool = False) -> Model:
    block = Residual([Linear(4, 3), BatchNorm(3), ELU(0.5), Linear(3, 4)])
    model = Model.from_layers([BatchNorm(4), block, LayerNorm(4), Linear(4, 3)], engine=engine, seed=4)
    model.network[0].trainable = not frozen
    return model


def _validation() -> Any:
    return ROWS[:9], CLASSES[3:12]


RUNS = [
    Run(
        7,
        lambda: _network("lanes", "classification"),
        momentum=lambda: 0.9,
        schedule=lambda: CosineSchedule(EPOCHS),
        validation_data=_validation,
        callbacks=lambda: [EarlyStopping(patience=2)],
    ),
    Run(
        5,
        lambda: _network("linalg", "classification", frozen=True),
        optimizer=lambda: Adam(0.01),
        schedule=lambda: ReduceOnPlateau(patience=0),
        callbacks=lambda: [EarlyStopping("accuracy", patience=3, restore_best=False)],
    ),
    Run(
        12,
        lambda: _network("lanes", "regression", frozen=True),
        momentum=lambda: 0.5,
        nesterov=lambda: True,
        schedule=lambda: StepSchedule(1, 0.5),
        callbacks=lambda: [EarlyStopping("loss", patience=3)],
    ),
    Run(3, lambda: _network("linalg", "regression"), lr=lambda: 0.05, shuffle=lambda: False),
    Run(6, lambda: _normalised("lanes"), optimizer=lambda: Adam(0.01)),
    Run(8, lambda: _normalised("linalg", frozen=True), momentum=lambda: 0.9),
    Run(9, lambda: _network("lanes", "classification"), clip_norm=lambda: 1.0, batch_size=lambda: BATCH),
    Run(
        11,
        lambda: _network("linalg", "classification"),
        optimizer=lambda: RMSprop(0.001, momentum=0.9),
        schedule=lambda: WarmUp(1, ReduceOnPlateau(patience=0)),
    ),
    Run(6, lambda: _network("lanes", "classification"), optimizer=lambda: AdamW(0.01), schedule=lambda: "onecycle"),
]


# --- mutations -----------------------------------------------------------------------------------------------


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a record; of many numbers in a row only some."""
    if at:
        yield at
    if type(value) is dict:
        for key in value:
            yield from places(value[key], (*at, key))
    elif type(value) is list:
        chosen = range(len(value)) if len(value) < 20 else (0, 1, len(value) // 2, len(value) - 2, len(value) - 1)
        for number in chosen:
            yield from places(value[number], (*at, number))


def found(record: Any, place: Place) -> Any:
    for key in place:
        record = record[key]
    return record


OTHERS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 1 << 31, 1 << 63, 10**15, -(10**15), 10**600, -(10**600)),
    *(0.0, -0.0, 0.5, 1e-300, -1.0, 1e308, math.nan, math.inf, -math.inf),
    *("", "x", "loss", b"", bytes(8), b"\xff" * 8, [], [0], [[]], {}, {"x": 1}, (), [None] * 3),
]


def _numbers_near(value: Any, rng: Random) -> Any:
    if type(value) is int:
        return rng.choice((value + 1, value - 1, -value, 2 * value, value + (1 << 32), value * 10**12, float(value)))
    return rng.choice(
        (
            math.nextafter(value, math.inf) if hasattr(math, "nextafter") else value * 1.0000001,
            -value,
            value * 1e9,
            value + 1.0,
            value / 3,
        )
    )


def _bytes_near(value: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(value) + 1) // 8 * 8
    return rng.choice(
        (
            value[:-1],
            value[8:],
            value + value[:8],
            value + b"x",
            value[:start] + b"\0\0\0\0\0\0\xf8\x7f" + value[start + 8 :],
            value[:start] + b"\xff" * 8 + value[start + 8 :],
            value[:start]
            + bytes(b ^ 128 * (i == 7) for i, b in enumerate(value[start : start + 8]))
            + value[start + 8 :],
            value[::-1],
            value[start:] + value[:start],
            bytes(len(value)),
        )
    )


def _list_near(value: list[Any], rng: Random) -> list[Any]:
    first, second = rng.randrange(len(value) + 1), rng.randrange(len(value) + 1)
    swapped = list(value)
    if max(first, second) < len(value):
        swapped[first], swapped[second] = swapped[second], swapped[first]
    return rng.choice(
        (
            value[:first] + value[first + 1 :],
            value[:first] + value[first : first + 1] * 2 + value[first + 1 :],
            [*value, rng.choice(OTHERS)],
            swapped,
            value[::-1],
            value * 2,
            [value],
        )
    )


def _dict_near(value: dict[str, Any], rng: Random) -> dict[str, Any]:
    keys = list(value)
    key, other = rng.choice(keys), rng.choice(keys)
    less = {name: part for name, part in value.items() if name != key}
    return rng.choice(
        (
            less,
            {**less, key.upper(): value[key]},
            {
                **value,
                rng.choice(("x", "__class__", "epochs", "history", "lanes", "stop_training", "")): rng.choice(OTHERS),
            },
            {**value, key: value[other], other: value[key]},
            {**value, key: value},
        )
    )


def mutated(record: Any, rng: Random) -> tuple[str, Any]:
    """(where it was changed, the record with one thing changed)."""
    everywhere = list(places(record))
    while True:
        # Parts first, then what is in them: the many numbers of a few parts are not all that counts.
        part = rng.choice([place for place in everywhere if len(place) <= 2])
        place = rng.choice([other for other in everywhere if other[: len(part)] == part])
        changed: Any = loads(dumps(record))
        above, key, value = found(changed, place[:-1]), place[-1], found(changed, place)
        near: dict[type, Callable[..., Any]] = {int: _numbers_near, float: _numbers_near, bytes: _bytes_near}
        near.update({list: _list_near, dict: _dict_near})
        kind = rng.randrange(8)
        where = "/".join(map(str, place))
        if kind < 2:
            above[key] = rng.choice(OTHERS)
        elif kind == 2:
            other = rng.choice(everywhere)
            if other[: len(place)] == place or place[: len(other)] == other:
                continue
            found(changed, other[:-1])[other[-1]], above[key] = value, found(changed, other)
            where += " with " + "/".join(map(str, other))
        elif kind == 3:
            above[key] = copy.deepcopy(found(record, rng.choice(everywhere)))
        elif type(value) in near and not (type(value) is dict and not value):
            above[key] = near[type(value)](value, rng)
        else:
            continue
        try:
            if dumps(changed) != dumps(record):
                return where, changed
        except NotPlainData:  # too deep, or too long a number
            continue


# --- the ordeal ------------------------------------------------------------------------------------------------

# What a forger can change without anything else in a file telling: numbers that are the memory of the run.
FORGEABLE = (
    "state/weights",
    "state/momentum",
    "state/order",
    "state/generators",
    "state/callbacks",
    "state/run",
    "state/lr",
    "settings/engine",  # a run may move to another one, which rounds otherwise
)


def _saved(run: Run, path: Path) -> tuple[bytes, dict[str, Any]]:
    """(what the whole run leaves, the record of a run that was stopped)."""
    whole = run.fit(run.make(), Stops())
    path.unlink(missing_ok=True)
    run.fit(run.make(), Stops(run.stop), checkpoint=path, checkpoint_every=1)
    record = records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))
    assert run.fit(run.make(), Stops(), checkpoint=path, resume=True) == whole, "the checkpoint as it was"
    return whole, record


def _resumed(run: Run, path: Path, what: str) -> tuple[str, bytes | Model]:
    """("refused", the model) or ("ended", what the run left); an assertion where something else was raised."""
    model = run.make()
    try:
        with bounded_time():
            return "ended", run.fit(model, Stops(), checkpoint=path, resume=True)
    except TrainingDiverged as error:
        message, outcome, expected = str(error), "diverged", "training diverged in epoch "
    except ModelFileError as error:
        message, outcome, expected = str(error), "refused", f"{path}: "
    except ValueError as error:
        message, outcome, expected = str(error), "refused", f"{path}: cannot resume "
    assert message.isprintable() and message.startswith(expected) and len(message) < 300, f"{what}: {message}"
    return outcome, model


def mutated_checkpoints(folder: Path, count: int = 8_000, seed: int = 0) -> str:
    """Mutated checkpoints, half of them with a digest made anew: refused, or the very result of the untouched one."""
    path = folder / "run.ckpt"
    rng = Random(seed)
    counts = {"refused": 0, "ended": 0, "diverged": 0}
    forged_results = 0
    for number in range(count):
        which = number * len(RUNS) // count
        run = RUNS[which]
        if number == 0 or which != (number - 1) * len(RUNS) // count:
            whole, record = _saved(run, path)
        where, changed = mutated(record, rng)
        forged = number % 2 == 1
        if forged and type(changed) is dict and {"settings", "state"} <= set(changed):
            changed["sha256"] = checkpoint._digest(changed["settings"], changed["state"])
        records.save_record(path, checkpoint.FORMAT, checkpoint.VERSION, changed)
        what = f"run {which}, mutation {number} at {where}, {'forged' if forged else 'as it is'}"
        outcome, left = _resumed(run, path, what)
        counts[outcome] += 1
        if outcome == "refused" and number % 16 < 2:
            assert isinstance(left, Model)
            assert run.fit(left, Stops()) == whole, f"{what}: refused, but it left something behind"
        if outcome == "ended" and left == whole:
            continue
        if outcome != "refused":
            assert forged, f"{what}: another result"
            assert where.startswith(FORGEABLE), f"{what}: another result"
            forged_results += 1
    return (
        f"{counts['refused']} refused, {counts['ended'] - forged_results + counts['diverged']} ended as the untouched "
        f"one, and {forged_results} forged ones as they say"
    )


# --- models ----------------------------------------------------------------------------------------------------


def _fitted_models() -> Iterator[Model]:
    """Models that have, between them, every part that a file can hold."""
    frozen = _network("linalg", "classification", frozen=True)
    frozen.fit(ROWS, CLASSES, epochs=1)
    frozen.schema = frozen.schema._replace(feature_names=list("abcd"), label_name="e", label_position=4)
    yield frozen
    targets = _network("linalg", "regression")  # of which the scaling is kept as well
    targets.fit(ROWS, NUMBERS, epochs=1)
    yield targets
    inside = Sequential([AvgPool2D(1), Flatten(), LeakyReLU(), Linear(12, 2)])
    layers = [Conv2D(1, 2, (2, 1), padding=(1, 0)), MaxPool2D(2, stride=1, padding=(0, 1)), inside]
    images = Model.from_layers(layers, input_shape=(1, 2, 2), engine="linalg", seed=None)
    images.fit(ROWS, [i % 2 for i in range(24)], epochs=1)
    yield images
    normalised = _normalised("linalg", frozen=True)
    normalised.fit(ROWS, CLASSES, epochs=1)
    yield normalised
    named = Model.from_layers([Embedding(5, 2), Linear(8, 3)], engine="linalg")
    named.fit([[(i * k) % 5 for k in range(1, 5)] for i in range(24)], CLASSES, epochs=1)
    yield named
    several = Model(4, [], 4, task="regression", scaling="standard", target_scaling="standard", engine="linalg")
    several.fit(ROWS, [row[::-1] for row in ROWS], epochs=1)
    yield several
    yield Model(4, 3, 2, engine="linalg")  # that has learned nothing yet
    smoothed = Model.from_layers([Linear(4, 3)], loss=CrossEntropyLoss(label_smoothing=0.1), engine="linalg")
    smoothed.fit(ROWS, CLASSES, epochs=1)
    yield smoothed
    huber = Model.from_layers([Linear(4, 1)], loss=HuberLoss(delta=0.5), engine="linalg")
    huber.fit(ROWS, NUMBERS, epochs=1)
    yield huber


def _used(model: Model) -> str:
    """Do with a model what can be done; a ``DataError`` says that its numbers cannot be computed with."""
    some = [[0.0, 4.0, 1.0, 2.0]] if model.network.reads_indices else ROWS[:3]
    rows = [(row * model.input_size)[: model.input_size] for row in some] if model.input_size < 10_000 else []
    model.summary()
    if model.scaling is None or not rows:
        return "read"
    try:
        with bounded_time():
            assert len(model.predict(rows)) == len(rows)
            if model.classes:
                assert [len(row) for row in model.predict_proba(rows)] == [len(model.classes)] * len(rows)
    except DataError as error:
        message = str(error)
    else:
        return "answered"
    assert message.isprintable(), message
    return "runs away"


def mutated_models(folder: Path, count: int = 8_000, seed: int = 0) -> str:
    """Mutated models with digests made anew: refused in a line, or used as any other, and saved and read again."""
    path, again = folder / "model.pkl", folder / "again.pkl"
    rng = Random(seed)
    kept = []
    for model in _fitted_models():
        model.save(path)
        kept.append(records.load(path))
        assert _used(Model.load(path)) in ("answered", "read")
    counts = {"refused": 0, "answered": 0, "read": 0, "runs away": 0}
    for number in range(count):
        where, changed = mutated(kept[number % len(kept)], rng)
        records.save(path, changed)
        what = f"model {number % len(kept)}, mutation {number} at {where}"
        try:
            model = Model.load(path, engine=("lanes", "linalg")[number % 2])
        except ModelFileError as error:
            message = str(error)
        else:
            counts[_used(model)] += 1
            model.save(again)
            _used(Model.load(again))
            continue
        assert message.isprintable() and message.startswith(f"{path}: ") and len(message) < 300, f"{what}: {message}"
        counts["refused"] += 1
    return f"{counts.pop('refused')} refused, {sum(counts.values())} used, of which {counts['runs away']} run away"


if __name__ == "__main__":
    sys.stdout.write(globals()[sys.argv[1]](Path(sys.argv[2]), **json.loads(sys.argv[3])) + "\n")
