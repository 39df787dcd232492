"""What the arguments of ``Model.fit`` stand for: rows that are set aside, who looks on, where a run is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import defaults
from ..checks import require_number, require_size
from ..errors import ArgumentError, DataError
from ..layers.architecture import frozen_layers
from ..layers.base import Sequential
from ..optim import Schedule, described
from ..preprocessing.labels import as_labels, as_targets
from ..preprocessing.rows import Row
from ..preprocessing.schema import Schema
from ..preprocessing.tables import taken
from .trainer import Trainer, TrainingData

if TYPE_CHECKING:  # they are only loaded where they are asked for
    from .checkpointing import Checkpointing
    from .interruption import Interruption


def clip_norm(given: Any, standardised: bool, network: Any) -> float | None:
    """The largest norm of a gradient. What is recommended depends on whether the loss is the squared error of
    ``standardised`` targets, and on how deep the network is."""
    if given is None:
        return None
    if given != defaults.AUTO:
        return require_number("clip_norm", given, 0.0, above=True)
    leaves = [layer for layer in network.walk() if not isinstance(layer, Sequential)]
    return defaults.clip_norm(standardised, sum(bool(layer.parameters()) for layer in leaves))


def set_aside(
    schema: Schema, rows: Sequence[Row], y: Any, sample_weight: Any, fraction: float, seed: int
) -> tuple[Sequence[Row], Any, Any, tuple[Sequence[Row], Any]]:
    """Rows, labels and weights to learn from, and the rows and labels that are held out to validate with."""
    from ..datasets.dataset import train_test_split

    if not require_number("validation_split", fraction, 0.0, 1.0) > 0.0:
        raise ArgumentError("validation_split must be above 0; leave it out to learn from all rows")
    if schema.task == "classification":
        y = as_labels(y, "y", len(rows), schema.classes)
        groups = [str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in y]
    else:
        y = as_targets(y, schema.output_size, "y", len(rows))
        groups = ["all"] * len(rows)
    if 1 < len(rows) == len(set(groups)):
        raise DataError(f"validation_split: none of {len(rows)} rows can be held out, every label occurs only once")
    learned, held_out, _, _ = train_test_split(
        range(len(rows)), groups, test_fraction=fraction, seed=seed, stratify=True
    )
    if sample_weight is not None:
        sample_weight = as_targets(sample_weight, 1, "sample_weight", len(rows))
        sample_weight = [sample_weight[i][0] for i in learned]
    validation = taken(rows, held_out), [y[i] for i in held_out]
    return taken(rows, learned), [y[i] for i in learned], sample_weight, validation


def progress_shown(wanted: bool, verbose: Any, every: int | None) -> list[Any]:
    """What shows how the run goes, if anything is to."""
    every = None if every is None else require_size("eval", every)
    verbose = require_size("verbose", int(verbose) if isinstance(verbose, bool) else verbose, 0)
    if not wanted and not verbose:
        return []
    from ..progress import TrainingProgress

    return [TrainingProgress(every=every, live=False if verbose == 2 else None)]


def checkpointing(
    path: Any, every: int | None, resume: bool, callbacks: Sequence[Any], schedule: Any, asked_schedule: Any
) -> Checkpointing | None:
    """What keeps the run in a file, if there is a path."""
    if path is None:
        if every is not None or resume:
            raise ArgumentError("checkpoint_every and resume need a checkpoint: the path of its file")
        return None
    from .checkpoint import Checkpoint
    from .checkpointing import Checkpointing

    return Checkpointing(Checkpoint(path, every, resume), callbacks, schedule, asked_schedule)


def interruption(kept: bool, sigterm: bool) -> Interruption | None:
    """Who puts off Ctrl-C, where a run is kept, and SIGTERM, where that is asked for."""
    if not kept and not sigterm:
        return None
    from .interruption import Interruption

    return Interruption(sigterm=sigterm)


def run_settings(
    trainer: Trainer,
    schema: Schema,
    loss: Any,
    seed: int | None,
    held_out: TrainingData | None,
    schedule: Schedule | None,
    batch_size: Any,
) -> dict[str, Any]:
    """All that the result of a run depends on, as plain data: a run may only be resumed with the same."""
    from .checkpoint import fingerprint

    data = trainer.data
    return {
        "training data": fingerprint(data.raw, data.targets, data.weights),
        "validation data": "" if held_out is None else fingerprint(held_out.raw, held_out.targets, None),
        "network": repr(trainer.network),
        "frozen layers": frozen_layers(trainer.network),
        "loss": repr(loss),
        "scaling": schema.scaling_kind,
        "target scaling": schema.target_scaling_kind,
        "seed": seed,
        "engine": f"{trainer.ops.name} {getattr(trainer.ops, 'width', '')}".strip(),
        "epochs": trainer.epochs,
        "batch_size": batch_size,
        "optimizer": described(trainer.optimizer),
        "schedule": described(schedule),
        "clip_norm": trainer.clip_norm,
        "shuffle": bool(trainer.shuffled),
    }


def as_pair(pair: Any, what: str) -> tuple[Any, Any]:
    """``pair`` as (X, y); ``DataError`` if it is not two things."""
    try:
        X, y = pair
    except (TypeError, ValueError):
        raise DataError(f"{what} must be a pair (X, y), got {type(pair).__name__}") from None
    return X, y
