"""One call of ``Model.fit``: what its arguments stand for, a trainer made of them, and the run.

``Fitting`` first reads and checks everything, which changes nothing, so that a call that is refused leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from functools import partial
from operator import eq
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import defaults
from ..checks import require_number, require_size
from ..engines.lists import LISTS
from ..errors import ArgumentError, DataError
from ..inference import Labelled
from ..layers.architecture import frozen_layers
from ..layers.base import Sequential
from ..losses import MSELoss, fitted_loss
from ..optim import Optimizer, Schedule, described, make_optimizer, make_schedule
from ..preprocessing.labels import as_labels, as_targets
from ..preprocessing.rows import Row
from ..preprocessing.schema import Schema
from ..preprocessing.tables import taken
from .callbacks import History, RateSchedule, Validation, checked_callbacks
from .snapshot import Snapshot
from .trainer import Trainer, TrainingData

if TYPE_CHECKING:  # they are only loaded where they are asked for
    from .checkpointing import Checkpointing
    from .interruption import Interruption
    from .workers.sharing import Sharing


class Part:
    """The optimizer that settings describe, with its first rate. ``partial_fit`` keeps it from part to part, as long as
    the settings and the layers that are frozen stay the same."""

    def __init__(self, before: Part | None, settings: Mapping[str, Any], network: Sequential) -> None:
        chosen = {name: settings[name] for name in ("optimizer", "lr", "momentum", "nesterov", "weight_decay")}
        self.described = chosen, frozen_layers(network)
        # An optimizer object may have served another model meanwhile.
        known = before is not None and before.optimizer.part is before
        self.going_on = before is not None and known and before.described == self.described
        self.optimizer: Optimizer
        if before is not None and self.going_on:
            self.optimizer, self.lr = before.optimizer, before.optimizer.lr
        else:  # other settings, or other layers learn
            sgd_settings = {name: chosen[name] for name in ("momentum", "nesterov")}
            self.optimizer, self.lr = make_optimizer(
                chosen["optimizer"], chosen["lr"], sgd_settings, chosen["weight_decay"]
            )


class Fitting:
    """A run of a model, checked and ready: ``run`` is what changes the model.

    ``given`` are the arguments of ``fit`` by their names. ``settled`` is the model itself, or one with as many outputs
    as the labels need, which it is to become; ``schema`` is what is known of the data before. ``part`` is a ``Part``
    where the rows are one part of all.
    """

    def __init__(
        self,
        model: Any,
        settled: Any,
        schema: Schema,
        given: Mapping[str, Any],
        part: Part | None = None,
    ) -> None:
        asked = SimpleNamespace(**given)
        self.model = model
        self.settled = settled
        epochs = require_size("epochs", asked.epochs)
        self.schedule = make_schedule(asked.schedule, epochs)
        largest_norm = clip_norm(asked.clip_norm, settled)
        if asked.batch_size not in (None, defaults.AUTO):
            require_size("batch_size", asked.batch_size)
        self.part = part
        rule = part or Part(None, given, settled.network)
        self.optimizer = rule.optimizer
        looking_on = [
            *progress_shown(asked.show_training_info, asked.verbose, asked.eval),
            *checked_callbacks(asked.callbacks),
        ]
        self.keeping = checkpointing(asked, looking_on, self.schedule)
        self.interruption = interruption(asked.checkpoint is not None, asked.stop_on_sigterm)
        self.sharing = sharing(asked.workers, asked.executor, settled.ops)

        schema = schema.with_columns(asked.X, asked.columns)
        rows, y = schema.rows(asked.X), asked.y
        sample_weight, validation_data = asked.sample_weight, asked.validation_data
        if asked.validation_split is not None:
            if validation_data is not None:
                raise ArgumentError("validation_data and validation_split: only one of them can be given")
            rows, y, sample_weight, validation_data = set_aside(
                schema, rows, y, sample_weight, asked.validation_split, settled.seed or 0
            )
        self.schema, targets, weights = schema.learned(rows, y, settled.standardises, sample_weight, asked.class_weight)
        wanted = defaults.batch_size(len(rows)) if asked.batch_size == defaults.AUTO else asked.batch_size
        size = len(rows) if wanted is None else min(int(wanted), len(rows))
        inference = settled.inference
        inputs, factor = self.schema.inputs(rows)
        data = TrainingData(inference.prepared(inputs, factor), targets, weights, rows)
        held_out = None
        if validation_data is not None:
            held_out = inference.labelled(self.schema, *as_pair(validation_data, "validation_data"), "validation_data")
        engine = settled.ops.tuned_for(data.prepared, size)
        if self.sharing is not None:
            engine = self.sharing.engine(engine)
        reader = engine.loss_engine
        counting = None if self.schema.regression else partial(_count_correct, self.schema, settled.loss, reader)
        self.trainer = Trainer(
            settled.network,
            fitted_loss(settled.loss, self.schema.target_scaling),
            self.optimizer,
            data,
            engine,
            epochs=epochs,
            batch_size=size,
            lr=rule.lr,
            going_on=rule.going_on,
            clip_norm=largest_norm,
            shuffled=asked.shuffle,
            rng=settled.order_rng,
            callbacks=[
                *([] if held_out is None else [Validation(partial(model.measured, held_out))]),
                *([] if self.schedule is None else [RateSchedule(self.schedule, self.optimizer)]),
                *looking_on,
                *([] if self.interruption is None else [self.interruption]),
            ],
            count_correct=counting,
            rows_at_once=inference.rows_at_once,
            subject=model,
            interruption=self.interruption,
        )
        data.prepare_targets(self.trainer.loss, reader, self.schema.output_size)
        if self.keeping is not None:
            self.keeping.attach(self.trainer, self._settings(held_out, wanted))
        if self.sharing is not None:
            self.sharing.attach(self.trainer, inference.engine, inputs, factor, settled.input_shape)

    def run(self) -> History:
        """Learn. What on the way refuses to begin still leaves the model as it was."""
        model, trainer, keeping, interruption = self.model, self.trainer, self.keeping, self.interruption
        # Its own engine, or that of the run whose callback calls this; which also goes on as it was.
        usual, around, stopped = self.settled.ops, model.turns.running, model.stop_training
        told = self._told()
        checkpoint = nullcontext() if keeping is None else keeping.checkpoint
        with interruption or nullcontext(), checkpoint, self.sharing or nullcontext():
            trainer.check()
            with Snapshot(model, self.optimizer, self.schedule) as before:
                try:
                    model.turns.running = True
                    model.become(self.settled, self.schema, self.part)
                    trainer.begin()
                    self.optimizer.part = self.part
                    model.history, model.run_settings = trainer.run.history, told
                    before.forget()
                    trainer.train()
                    model.history = trainer.run.history  # also after a callback has called ``fit``
                finally:
                    model.turns.running = around
                    if around:
                        model.network.train()
                        model.stop_training = stopped
                    else:
                        model.network.eval()
                    # What suited the training rows is not kept: a model predicts the same before and after it is saved.
                    model.network.use(usual)
        if interruption is not None:
            run = trainer.run
            kept = "" if keeping is None else keeping.kept()
            interruption.go_on(f"training was stopped after epoch {run.epoch}, batch {run.batch}{kept}")
        return trainer.run.history

    def _told(self) -> dict[str, Any]:
        """What the run is asked to do, for whoever reports on it: things whose ``str`` says it, as finding words for
        optimizers and schedules may take longer than the run. A rate is the one that it begins with."""
        trainer, rule = self.trainer, copy(self.optimizer)
        rule.reset()  # what earlier steps have left is not kept
        rule.part = None
        validates = any(isinstance(callback, Validation) for callback in trainer.callbacks)
        return {
            "rows to learn from": f"{trainer.run.samples:,}",
            "validation": "measured after every epoch" if validates else "none",
            "epochs": f"{trainer.epochs:,}",
            "batch size": f"{trainer.batch_size:,}",
            "optimizer": rule,
            "learning rate": f"{trainer.run.first_lr:g}",
            "schedule": "none, the rate stays" if self.schedule is None else copy(self.schedule),
            "gradient clipping": "none" if trainer.clip_norm is None else f"to a norm of {trainer.clip_norm:g}",
        }

    def _settings(self, held_out: Labelled | None, batch_size: Any) -> dict[str, Any]:
        """All that the result of a run depends on, as plain data: a run may only be resumed with the same."""
        from .checkpoint import fingerprint

        trainer, data, schema = self.trainer, self.trainer.data, self.schema
        name, arguments = described(trainer.optimizer)
        return {
            "training data": fingerprint(data.raw, data.targets, data.weights),
            "validation data": "" if held_out is None else fingerprint(held_out.rows, held_out.targets, None),
            "network": repr(trainer.network),
            "frozen layers": frozen_layers(trainer.network),
            "loss": repr(self.settled.loss),
            "scaling": schema.scaling_kind,
            "target scaling": schema.target_scaling_kind,
            "seed": self.settled.seed,
            "engine": f"{trainer.ops.name} {getattr(trainer.ops, 'width', getattr(trainer.ops, 'dtype', ''))}".strip(),
            "epochs": trainer.epochs,
            "batch_size": batch_size,
            "optimizer": [name, {**arguments, "lr": trainer.run.first_lr}],
            "schedule": described(self.schedule),
            "clip_norm": trainer.clip_norm,
            "shuffle": bool(trainer.shuffled),
        }


def _count_correct(schema: Schema, loss: Any, ops: Any, outputs: Any, targets: Sequence[Any]) -> int | None:
    """How many rows of outputs are right. (A method would tie the training rows into a circle, and keep them in memory
    after the run.)"""
    if ops is not LISTS and schema.task == "classification" and schema.output_size > 1:
        largest: list[int] = ops.argmax_rows(outputs)
        return int(sum(map(eq, largest, targets)))
    return schema.count_correct(ops.to_rows(outputs), targets, loss)


def clip_norm(given: Any, model: Any) -> float | None:
    """The largest norm of a gradient. What is recommended depends on whether the loss is the squared error of
    standardised targets, and on how deep the network is."""
    if given is None:
        return None
    if given != defaults.AUTO:
        return require_number("clip_norm", given, 0.0, above=True)
    leaves = [layer for layer in model.network.walk() if not isinstance(layer, Sequential)]
    standardised = type(model.loss) is MSELoss and model.schema.target_scaling_kind != "none"
    return defaults.clip_norm(standardised, sum(bool(layer.parameters()) for layer in leaves))


def set_aside(
    schema: Schema, rows: Sequence[Row], y: Any, sample_weight: Any, fraction: float, seed: int
) -> tuple[Sequence[Row], Any, Any, tuple[Sequence[Row], Any]]:
    """Rows, labels and weights to learn from, and the rows and labels that are held out to validate with."""
    from ..datasets.dataset import require_repeated, train_test_split

    if not require_number("validation_split", fraction, 0.0, 1.0) > 0.0:
        raise ArgumentError("validation_split must be above 0; leave it out to learn from all rows")
    if schema.task == "classification":
        y = as_labels(y, "y", len(rows), schema.classes)
        groups = [str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in y]
    else:
        y = as_targets(y, schema.output_size, "y", len(rows))
        groups = ["all"] * len(rows)
    require_repeated(groups, "validation_split: ")
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


def checkpointing(asked: Any, callbacks: Sequence[Any], schedule: Schedule | None) -> Checkpointing | None:
    """What keeps the run in a file, if there is a path."""
    path, every, resume = asked.checkpoint, asked.checkpoint_every, asked.resume
    if path is None:
        if every is not None or resume:
            raise ArgumentError("checkpoint_every and resume need a checkpoint: the path of its file")
        return None
    from .checkpoint import Checkpoint
    from .checkpointing import Checkpointing

    return Checkpointing(Checkpoint(path, every, resume), callbacks, schedule, asked.schedule)


def sharing(workers: Any, executor: Any, ops: Any) -> Sharing | None:
    """Who has other processes train with this one, where that is asked for."""
    if workers is None and executor is None:
        return None
    from .workers.sharing import Sharing

    return Sharing(workers, executor, ops)


def interruption(kept: bool, sigterm: bool) -> Interruption | None:
    """Who puts off Ctrl-C, where a run is kept, and SIGTERM, where that is asked for."""
    if not kept and not sigterm:
        return None
    from .interruption import Interruption

    return Interruption(sigterm=sigterm)


def as_pair(pair: Any, what: str) -> tuple[Any, Any]:
    """``pair`` as (X, y); ``DataError`` if it is not two things."""
    try:
        X, y = pair
    except (TypeError, ValueError):
        raise DataError(f"{what} must be a pair (X, y), got {type(pair).__name__}") from None
    return X, y
