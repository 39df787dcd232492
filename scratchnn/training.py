"""The training loop that ``Model.fit`` runs: epochs, shuffled batches, forward, backward, step.

``Training`` holds what one run needs, all of it checked before the first batch; ``Model`` prepares the data and owns
the network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from random import Random
from typing import Any

from . import defaults
from .arguments import chosen, require_number, require_size, shown, shown_path
from .callbacks import BestWeights, Callback, History, Run
from .checkpoint import Checkpoint, generator_state, pack, pack_order, set_generator_state
from .errors import ArgumentError, DataError, ModelFileError, TrainingDiverged
from .optim import (
    OPTIMIZERS,
    CosineSchedule,
    Optimizer,
    Schedule,
    clip_gradient_norm,
    described,
    make_schedule,
)
from .shuffle import shuffle
from .storage import pack_matrix, require_plain
from .weighting import step_share

RUNAWAY = 1e12  # a step that makes the loss of its own batch so many times worse was no step of learning
LARGEST_LOSS = 1e300  # such a loss, times the rows of an epoch, would be infinite
PROBED = 8  # rows of the last batch that are looked at before something may be saved


def make_optimizer(
    optimizer: str | Optimizer | type[Optimizer],
    lr: float | None,
    sgd_settings: Mapping[str, Any],
    weight_decay: float,
) -> Optimizer:
    """The optimizer that ``fit``'s arguments describe; ``ValueError`` names what is wrong.

    Without a rate (None) it gets the recommended one; so does SGD without a ``momentum``.
    """
    if isinstance(optimizer, Optimizer):
        given = [name for name, value in {**sgd_settings, "weight_decay": weight_decay}.items() if value]
        if given:
            raise ArgumentError(f"{' and '.join(given)} must be given to the {type(optimizer).__name__} object itself")
        if lr is not None:
            optimizer.lr = require_number("lr", lr, 0.0, above=True)
        return optimizer
    optimizer = chosen("optimizer", optimizer, OPTIMIZERS, ", or an Optimizer object")
    rate = defaults.LEARNING_RATES[optimizer] if lr is None else lr
    if optimizer == "sgd":
        settings = dict(sgd_settings)
        if settings.get("momentum") is None:
            settings["momentum"] = defaults.MOMENTUM
        return OPTIMIZERS["sgd"](rate, weight_decay=weight_decay, **settings)  # type: ignore[call-arg]
    odd = [name for name, value in sgd_settings.items() if value]
    if odd:
        raise ArgumentError(f"{' and '.join(odd)}: only for the optimizer 'sgd', not for {optimizer!r}")
    return OPTIMIZERS[optimizer](rate, weight_decay=weight_decay)  # type: ignore[call-arg]


def checked_callbacks(callbacks: Any) -> list[Any]:
    """Callbacks as a list; ``ValueError`` for what does not listen to every event."""
    events = [name for name in vars(Callback) if name.startswith("on_")]
    listed = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in listed:
        if isinstance(callback, type) or not all(hasattr(callback, event) for event in events):
            raise ArgumentError(
                f"callbacks must be Callback objects, with methods {', '.join(events)}; got {shown(callback)}"
            )
    return listed


class TrainingData:
    """Rows as the engine likes to read them, one target a row, and a weight a row or None."""

    def __init__(
        self, prepared: Any, targets: Sequence[Any], weights: Sequence[float] | None = None, raw: Sequence[Any] = ()
    ) -> None:
        self.raw = raw  # the rows as they came, for a fingerprint
        self.prepared = prepared
        self.targets = targets
        self.weights = weights

    def __len__(self) -> int:
        return len(self.targets)

    def wanted(self, indices: Sequence[int]) -> tuple[list[Any], list[float] | None]:
        """(targets, weights) of some rows."""
        weights = None if self.weights is None else [self.weights[i] for i in indices]
        return [self.targets[i] for i in indices], weights


class Snapshot:
    """All that a model is made of (and the optimizer and schedule it is given), to be put back if ``fit`` refuses to
    begin: whatever was prepared until then leaves no trace. Use it in a ``with`` block."""

    def __init__(self, model: Any, *others: Any) -> None:
        layers = list(model.network.walk())
        things = [model, *layers, *(other for other in others if isinstance(other, (Optimizer, Schedule)))]
        self._things = [(thing, dict(vars(thing))) for thing in things]
        self._parameters = [(parameter, dict(vars(parameter))) for parameter in model.network.parameters()]
        self._generators = [(rng, rng.getstate()) for rng in (model._order_rng, *_generators(layers))]

    def put_back(self) -> None:
        """Everything as it was when the snapshot was taken."""
        for thing, attributes in [*self._things, *self._parameters]:
            vars(thing).clear()
            vars(thing).update(attributes)
        for rng, state in self._generators:
            rng.setstate(state)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, kind: Any, *error: object) -> None:
        if kind is not None:
            self.put_back()

    def forget(self) -> None:
        """Let go of everything: a run has begun, and what was before it need not be held in memory."""
        self._things, self._parameters, self._generators = [], [], []


def _generators(layers: Iterable[Any]) -> list[Random]:
    """Those that layers draw from while training."""
    found = [getattr(layer, "rng", None) for layer in layers]
    return [rng for rng in found if isinstance(rng, Random)]


class Training:
    """One run over the data. All settings are checked when it is made; ``run`` does the work."""

    def __init__(
        self,
        model: Any,
        optimizer: Optimizer,
        *,
        epochs: int,
        batch_size: int | str | None,
        schedule: str | Schedule | type[Schedule] | None,
        clip_norm: float | None,
        shuffled: bool,
        callbacks: Sequence[Any],
        checkpoint: Checkpoint | None = None,
        interruption: Any = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.epochs = require_size("epochs", epochs)
        self._batch_by_rows = batch_size == defaults.AUTO
        whole = batch_size is None or self._batch_by_rows
        self.batch_size = None if whole else require_size("batch_size", batch_size)
        self.schedule = make_schedule(schedule, self.epochs)
        self._asked_schedule = schedule
        self.clip_norm = None if clip_norm is None else require_number("clip_norm", clip_norm, 0.0, above=True)
        self.shuffled = shuffled
        self.interruption = interruption  # an Interruption, which puts off Ctrl-C until a batch is done, or None
        self.callbacks = [*callbacks, *([] if interruption is None else [interruption])]
        self._listening: list[Any] = []  # those of them that know that the run has begun
        self._remembering = [callback for callback in callbacks if hasattr(callback, "state")]
        self.checkpoint = checkpoint
        if checkpoint is not None:
            checkpoint.keep_apart(callback.path for callback in callbacks if isinstance(callback, BestWeights))
        self.parameters = model.network.trainable_parameters()
        self._leaves = list(model.network.in_line())
        self._trainable = [layer.trainable for layer in self._leaves]
        if not self.parameters and model.network.parameters():
            raise ArgumentError(
                "every layer with weights is frozen: set trainable = True for some, or there is nothing to learn"
            )
        # Weights to go back to: those of the start, of the epoch's start, and the last that gave a finite loss.
        self._first: list[Any] = []
        self._epoch_first: list[Any] = []
        self._good: list[Any] = []
        self._trouble = ""  # why the last checkpoint could not be written
        self.settings: dict[str, Any] = {}  # what a checkpoint must agree with; ``Model.fit`` knows it

    def run(
        self,
        data: TrainingData,
        validate: Callable[[], tuple[float, float | None]] | None,
        rng: Random,
        begin: Callable[[], None] = lambda: None,
    ) -> History:
        """Train; ``validate`` gives (loss, accuracy) on validation data after every epoch.

        ``begin`` is called when nothing can be refused any more, just before the first batch.
        """
        batch_size = self.batch_rows(len(data))
        run = Run(
            self.epochs,
            len(data),
            -(-len(data) // batch_size),
            self.optimizer.lr,
            classifies=self.model.task != "regression",
            validates=validate is not None,
        )
        self.optimizer.begin(self.model.ops)
        self.model.stop_training = False
        self._rng = rng
        self._order: list[int] = []
        self._data = data
        self._step_share = step_share(data.weights, batch_size)
        self._last_batch: Sequence[int] = ()
        self._last_loss = math.nan
        if self.schedule:
            self.schedule.start(self.optimizer)
        with self.interruption or nullcontext(), self.checkpoint or nullcontext():
            try:
                self._tell_beginning(run)
                self._resume(run, batch_size)
                self.model.history = run.history
                begin()
                self._first = self._good = self._values()
                while run.epoch < self.epochs or self._order:
                    if not self._epoch(data, batch_size, run, validate) or self.model.stop_training:
                        break
            finally:
                self.optimizer.lr = run.first_lr  # what a schedule did to it ends with the run
                self._tell("on_train_end", run)
        if self.interruption:
            self.interruption.go_on(f"training was stopped after epoch {run.epoch}, batch {run.batch}{self._kept()}")
        return run.history

    def batch_rows(self, rows: int) -> int:
        """How many of so many rows a step takes."""
        wanted = defaults.batch_size(rows) if self._batch_by_rows else self.batch_size or rows
        return min(wanted, rows)

    def _kept(self) -> str:
        """Where a run that was stopped can go on from, for a message."""
        if self.checkpoint is None or self._trouble:
            return ""
        return f"; resume=True goes on from {shown_path(self.checkpoint.path)}"

    def _tell_beginning(self, run: Run) -> None:
        """Every callback may refuse the run; those that have heard of its beginning will hear of its end."""
        for callback in self.callbacks:
            callback.on_train_begin(self.model, run)
            self._listening.append(callback)

    def _tell(self, event: str, run: Run) -> None:
        for callback in self._listening:
            try:
                getattr(callback, event)(self.model, run)
            except KeyboardInterrupt as interrupt:
                if self.interruption is None:
                    raise
                self.interruption.put_off(interrupt)  # so that every callback has been told when the run stops

    def _epoch(
        self,
        data: TrainingData,
        batch_size: int,
        run: Run,
        validate: Callable[[], tuple[float, float | None]] | None,
    ) -> bool:
        """One pass over the data; False if it was stopped on the way, and then it leaves no trace in the history."""
        start = time.perf_counter()
        if not self._order:  # a resumed run may stand in the middle of an epoch
            run.start_epoch(run.epoch + 1)
            self._order = list(range(len(data)))
            if self.shuffled:
                shuffle(self._order, rng=self._rng)
        order = self._order
        self._epoch_first = self._values()
        self.model.network.train()
        for first in range(run.batch * batch_size, len(order), batch_size):
            self._last_batch = order[first : first + batch_size]
            self._batch(data, self._last_batch, run)
            self._tell("on_batch_end", run)
            if run.batch < run.batches:
                if self.model.stop_training:
                    self._require_usable_weights(run)
                    self._save_checkpoint(run)
                    return False
                if self.checkpoint and self.checkpoint.due(run.batch):
                    self._require_usable_weights(run, PROBED)
                    self._save_checkpoint(run)
        self._order = []
        if run.epoch == self.epochs:
            self._require_usable_weights(run)
        elif self.checkpoint or self.callbacks:
            self._require_usable_weights(run, PROBED)
        history, validated = run.history, self._validated(run, validate) if validate else None
        history.loss.append(run.loss)  # after validation, which Ctrl-C may break off
        if run.accuracy is not None:
            history.accuracy.append(run.accuracy)
        if validated:
            history.validation_loss.append(validated[0])
            if validated[1] is not None:
                history.validation_accuracy.append(validated[1])
        history.seconds.append(time.perf_counter() - start)
        if self.schedule:
            self.schedule.after_epoch(self.optimizer, run.epoch, (history.validation_loss or history.loss)[-1])
            run.lr = self.optimizer.lr
        self._tell("on_epoch_end", run)
        if self.model.stop_training and run.epoch < self.epochs:
            self._require_usable_weights(run)
        self._save_checkpoint(run)
        return True

    def _validated(self, run: Run, validate: Callable[[], tuple[float, float | None]]) -> tuple[float, float | None]:
        try:
            return validate()
        except OverflowError as error:
            raise self._diverged(run, run.batch, f"with the validation data, {error}") from None

    # --- checkpoints -------------------------------------------------------------------------------------------

    def _save_checkpoint(self, run: Run) -> None:
        """Write where the run stands. A disk that is full is no reason to lose the run itself: it is tried again."""
        if not self.checkpoint:
            return
        try:
            state = self._state(run)
        except ModelFileError as error:  # the weights are finite: what the optimizer remembers of gradients is not
            raise self._diverged(run, run.batch, f"in what the optimizer remembers, {error}") from None
        try:
            self.checkpoint.save(self.settings, state)
        except OSError as error:
            before, self._trouble = self._trouble, error.strerror or str(error)
            if self._trouble != before:
                import warnings

                text = f"{shown_path(self.checkpoint.path)}: {self._trouble}; training goes on without this checkpoint"
                warnings.warn(text, RuntimeWarning, stacklevel=6)
        else:
            self._trouble = ""

    def describe(self, rows: int) -> dict[str, Any]:
        """The settings of this run, over so many rows, that its result depends on, as plain data."""
        return {
            "epochs": self.epochs,
            "batch_size": defaults.batch_size(rows) if self._batch_by_rows else self.batch_size,
            "optimizer": described(self.optimizer),
            "schedule": described(self.schedule),
            "clip_norm": self.clip_norm,
            "shuffle": bool(self.shuffled),
            "callbacks": [type(callback).__name__ for callback in self._remembering],
        }

    def _generators(self) -> list[Random]:
        """All generators that the rest of the run will draw from: that of the order, and those of Dropout layers."""
        return [self._rng, *_generators(self.model.network.walk())]

    def _state(self, run: Run) -> dict[str, Any]:
        ops = self.model.ops
        return {
            "run": run.state(),
            "order": pack_order(self._order),
            "weights": [self._packed(parameter) for parameter in self.model.network.parameters()],
            "momentum": [pack(matrix, ops) for matrix in self.optimizer.matrices()],
            "floats": [pack_matrix(rows) for rows in self.optimizer.floats()],
            "steps": self.optimizer.steps,
            "lr": self.optimizer.lr,
            "schedule": dict(vars(self.schedule)) if self.schedule else {},
            "generators": [generator_state(rng) for rng in self._generators()],
            "callbacks": [callback.state() for callback in self._remembering],
        }

    def _packed(self, parameter: Any) -> dict[str, Any]:
        ops = self.model.ops
        if any(parameter is one for one in self.parameters):
            return pack(parameter.value, ops)
        # A frozen one is still made of the numbers that the run began with, not of those the engine made of them.
        return {"form": {}, **pack_matrix(ops.to_rows(parameter.value))}

    def _resume(self, run: Run, batch_size: int) -> None:
        """Go on from where the checkpoint says, if there is one."""
        if self.checkpoint is None:
            return
        from .standing import Standing

        self._require_plain_state()
        then: list[tuple[int, Schedule | None]] = []
        loaded = self.checkpoint.load(lambda epochs: self._settings_then(epochs, then))
        if loaded is None:
            return
        state, number = loaded
        run_then, schedule_then = copy(run), then[number][1]
        run_then.epochs = then[number][0]
        self._require_epochs(state, run_then.epochs)
        try:
            parameters = self.model.network.parameters()
            standing = Standing(state, run_then, batch_size, parameters, self.parameters)
            self._restore(standing, run, schedule_then)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self.checkpoint.misfit(error) from None

    def _require_plain_state(self) -> None:
        """``ArgumentError`` for a schedule or a callback whose memory could not be written."""
        require_plain("the settings of this run", self.settings)
        if self.schedule:
            require_plain(repr(self.schedule), vars(self.schedule))
        for callback in self._remembering:
            require_plain(f"what state() of {type(callback).__name__} returns", callback.state())

    def _settings_then(self, epochs: Any, then: list[tuple[int, Schedule | None]]) -> list[dict[str, Any]]:
        """The settings that this run would have had if it had been asked for so many epochs; ``then`` gets the epochs
        and the schedule of each.

        One that was asked for by its name suits the epochs, and so does a cosine that ends with them.
        """
        if type(epochs) is not int or not 0 < epochs < 1 << 53:
            epochs = self.epochs  # not from a checkpoint of ours
        then.append((epochs, make_schedule(self._asked_schedule, epochs)))
        if isinstance(self.schedule, CosineSchedule) and self.schedule.epochs == self.epochs:
            then.append((epochs, CosineSchedule(epochs, self.schedule.minimum)))
        return [{**self.settings, "epochs": epochs, "schedule": described(schedule)} for _, schedule in then]

    def _require_epochs(self, state: Any, before: int) -> None:
        """``ArgumentError`` for fewer epochs than before, if the run has more behind it already."""
        there = state.get("run") if type(state) is dict else None
        epoch = there.get("epoch") if type(there) is dict else None
        if type(epoch) is int and self.epochs < epoch <= before and self.checkpoint:
            raise ArgumentError(
                f"{shown_path(self.checkpoint.path)}: cannot resume for {self.epochs} epochs in all what stands in "
                f"epoch {epoch}: ask for more, or start anew without resume"
            )

    def _restore(self, standing: Any, run: Run, then: Schedule | None) -> None:
        """First everything is checked, and then everything is set: what matters beyond the run comes last.

        ``then`` is the schedule that the run had before, where that may have been asked for fewer epochs.
        """
        weights, memory = standing.weights(self.model.ops), standing.memory(self.optimizer)
        schedule, lr = standing.schedule(then, self.schedule, run.first_lr)
        generators = standing.generators(self._generators())
        callbacks = standing.callbacks(self._remembering, self.model)
        assert self.checkpoint is not None
        self.checkpoint.require_together()
        self.optimizer.restore(*memory)
        self._restore_callbacks(callbacks)
        self.optimizer.lr = lr
        if self.schedule:
            vars(self.schedule).update(schedule)
        run.go_on_from(standing.run)
        run.lr = lr
        self._order = standing.order
        for rng, saved in zip(self._generators(), generators):
            set_generator_state(rng, saved)
        for parameter, value in zip(self.model.network.parameters(), weights):
            parameter.value = value
        if any(getattr(callback, "stopped", False) for callback in self.callbacks):
            self.model.stop_training, run.epoch = True, self.epochs

    def _restore_callbacks(self, states: Sequence[Any]) -> None:
        """One of somebody's own checks what it is given when it takes it up: then all forget again."""
        begun = [callback.state() for callback in self._remembering]
        for number, (callback, state) in enumerate(zip(self._remembering, states)):
            try:
                callback.restore(state)
            except Exception:
                for other, before in zip(self._remembering[:number], begun):
                    other.restore(before)
                raise

    def _batch(self, data: TrainingData, indices: Sequence[int], run: Run) -> None:
        targets, weights = data.wanted(indices)
        try:
            value, outputs = self._step(self.model.ops.take_rows(data.prepared, indices), targets, weights)
        except OverflowError as error:
            raise self._diverged(run, run.batch + 1, str(error)) from None
        self._last_loss = value
        run.count(value, len(indices), self.model.count_correct(outputs, targets))

    def _step(self, x: Any, targets: Sequence[Any], weights: Sequence[float] | None) -> tuple[float, Any]:
        """Forward, loss, backward, update. An update makes new matrices, so the old ones are there to go back to."""
        network, ops, loss = self.model.network, self.model.ops, self.model.fitted_loss
        outputs = ops.to_rows(network.forward(x))
        value = self._finite_loss(loss, outputs, targets, weights)
        if [layer.trainable for layer in self._leaves] != self._trainable:
            raise ArgumentError("layers were frozen or thawed while the network learned: do it between two fits")
        self._good = self._values()
        gradient, share = loss.backward(), self._step_share
        if share != 1.0:
            gradient = [[share * g for g in row] for row in gradient]
        network.backward(ops.from_rows(gradient), input_gradient=False)
        if self.clip_norm is not None:
            clip_gradient_norm(self.parameters, self.clip_norm, ops)
        self.optimizer.step(self.parameters)
        return value, outputs

    @staticmethod
    def _finite_loss(loss: Any, outputs: Any, targets: Sequence[Any], weights: Sequence[float] | None) -> float:
        """The loss of a batch; ``OverflowError`` if it is infinite, or nearly so, or not a number."""
        try:
            value = loss.forward(outputs, targets, weights)
        except ValueError:
            if all(math.isfinite(v) for row in outputs for v in row):
                raise
            value = math.nan  # the loss refused outputs that are not finite
        if not abs(value) <= LARGEST_LOSS:
            raise OverflowError(f"the loss is {value}")
        return float(value)

    def _diverged(self, run: Run, batch: int, what: str) -> TrainingDiverged:
        """Put the last good weights back, and say what happened and what helps."""
        self._go_back()
        return TrainingDiverged(
            f"training diverged in epoch {run.epoch}, batch {batch}: {what}; try a lower learning rate than "
            f"{run.first_lr:g}, clip_norm, or features and targets scaled to about 1",
            run.epoch,
            batch,
        )

    def _values(self) -> list[Any]:
        return [parameter.value for parameter in self.parameters]

    def _put(self, values: Sequence[Any]) -> None:
        for parameter, value in zip(self.parameters, values):
            parameter.value = value

    def _go_back(self) -> None:
        """Put the last good weights back. A finite loss of one batch can be luck: these fit all rows."""
        self._put(self._first)
        limit = RUNAWAY * max(self._loss_of_all(), 1.0)
        for values in (self._good, self._epoch_first):
            self._put(values)
            loss = self._loss_of_all()
            if math.isfinite(loss) and loss <= limit and self._not_finite() is None:
                return
        self._put(self._first)

    def _not_finite(self) -> int | None:
        """The first parameter with a number in it that is infinite or none, if there is one."""
        for number, parameter in enumerate(self.parameters):
            if not all(map(math.isfinite, map(sum, self.model.ops.to_rows(parameter.value)))):
                return number
        return None

    def _loss_of_all(self) -> float:
        """The mean loss of all rows as when predicting; infinity if that runs away."""
        total, count = 0.0, len(self._data)
        for first in range(0, count, self.model.rows_at_once):
            indices = range(first, min(first + self.model.rows_at_once, count))
            try:
                total += self._loss_of(indices) * len(indices) / count
            except (ArithmeticError, ValueError):
                return math.inf
        return total

    def _require_usable_weights(self, run: Run, rows: int | None = None) -> None:
        """``TrainingDiverged``, and the weights of before the last step, unless what that step made can be used.

        Its finite loss was that of the weights before it. So its batch, or the first ``rows`` of it, goes through the
        network once more: the loss has to be finite, and not beyond all measure worse.
        """
        number = self._not_finite()
        if number is not None:
            what = f"parameter {number}, {self.parameters[number].name}, is no longer finite"
            raise self._diverged(run, run.batch, what)
        indices = self._last_batch[:rows]
        if not indices:
            return  # of a run that was resumed at its end
        try:
            loss = self._loss_of(indices)
            if loss > RUNAWAY * max(self._last_loss, 1.0):
                raise OverflowError(f"the loss rose from {self._last_loss:.3g} to {loss:.3g}")
        except OverflowError as error:
            raise self._diverged(run, run.batch, f"after the step, {error}") from None

    def _loss_of(self, indices: Sequence[int]) -> float:
        """The loss of some rows as when predicting."""
        network, ops, data = self.model.network, self.model.ops, self._data
        network.eval()
        try:
            outputs = ops.to_rows(network.forward(ops.take_rows(data.prepared, indices)))
        finally:
            network.train()
        return self._finite_loss(self.model.fitted_loss, outputs, *data.wanted(indices))


def check_pair(pair: Any, what: str) -> tuple[Any, Any]:
    """``pair`` as (X, y); ``DataError`` if it is not two things."""
    try:
        X, y = pair
    except (TypeError, ValueError):
        raise DataError(f"{what} must be a pair (X, y), got {type(pair).__name__}") from None
    return X, y
