"""What can look on while a model trains: the history it leaves, and callbacks that may stop it.

A callback is told when training begins and ends, and after every batch and epoch. It reads the state of the run
from ``run`` and stops training by setting ``model.stop_training = True``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from copy import copy
from math import isfinite
from typing import Any

from ..checks import require, require_known, require_number, require_size, shown
from ..errors import ArgumentError
from ..optim import Optimizer, Schedule
from ..saving.atomic import check_writable
from ..saving.records import pack_matrix, unpack_matrix

_SHORT_NAMES: dict[Any, str] = {"val_loss": "validation_loss", "val_accuracy": "validation_accuracy"}


class History:
    """What a run has reached, one entry an epoch in each of its lists.

    ``loss`` and ``accuracy`` are of the rows learned from, ``validation_loss`` and ``validation_accuracy`` of the
    validation data, ``seconds`` how long each epoch took. Accuracies are fractions, and stay empty for regression.
    A list can be had by its name, too: ``history["loss"]``, ``history["val_loss"]``.
    """

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.accuracy: list[float] = []
        self.validation_loss: list[float] = []
        self.validation_accuracy: list[float] = []
        self.seconds: list[float] = []

    def __len__(self) -> int:
        return len(self.loss)

    def __getitem__(self, name: str) -> list[float]:
        """A list by its name; ``val_loss`` and ``val_accuracy`` are known as well."""
        lists: dict[str, list[float]] = vars(self)
        full = _SHORT_NAMES.get(name, name)
        if full not in lists:
            raise KeyError(f"no {name!r} in a history: there are {', '.join(lists)}")
        return lists[full]

    def __contains__(self, name: object) -> bool:
        return _SHORT_NAMES.get(name, name) in vars(self)

    __iter__ = None  # a loop would have to choose between epochs and names

    @property
    def history(self) -> History:
        """Itself: where ``fit`` returns something around a history, people write ``fit(...).history["loss"]``."""
        return self

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 1, with the lowest validation loss; None without validation data."""
        losses = [math.inf if math.isnan(loss) else loss for loss in self.validation_loss]
        return losses.index(min(losses)) + 1 if losses else None

    def to_dict(self) -> dict[str, list[float]]:
        """The lists that have entries, in a dict; all are as long as there were epochs, as a table needs them."""
        return {name: list(values) for name, values in vars(self).items() if values}

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the curves."""
        from ..reports.displays import curves

        return curves(self)

    def __repr__(self) -> str:
        last = f", last loss {self.loss[-1]:.4f}" if self.loss else ""
        return f"History({len(self)} epoch{'s' * (len(self) != 1)}{last})"


class Run:
    """Where a training run stands; what callbacks read."""

    def __init__(
        self, epochs: int, samples: int, batches: int, lr: float, classifies: bool, validates: bool = False
    ) -> None:
        self.epochs = epochs  # how many were asked for
        self.samples = samples  # in an epoch
        self.batches = batches  # in an epoch
        self.lr = self.first_lr = lr
        self.classifies = classifies  # whether there are accuracies
        self.validates = validates  # whether there are validation data
        self.history = History()
        # Of the processor, since the first batch, of each process that trains, where several do; anew after each epoch.
        self.cpu_seconds: list[float] = []
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Set the counters of an epoch to zero; ``epoch`` counts from 1."""
        self.epoch = epoch
        self.batch = 0
        self.samples_done = 0
        self.correct = 0
        self.loss_shares: list[float] = []

    def state(self) -> dict[str, Any]:
        """Counters and history as plain data, for a checkpoint."""
        names = ("epoch", "batch", "samples_done", "correct", "lr")
        shares = [pack_matrix([self.loss_shares])] if self.loss_shares else []
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "loss_shares": shares, "history": {k: list(v) for k, v in vars(self.history).items()}}

    def at(self, state: Any, batch_size: int, *, between_epochs: bool) -> Run:
        """This run where ``state`` says that it stood, in an epoch or between two; ``ValueError`` if it cannot have."""
        counts = ("epoch", "batch", "samples_done", "correct")
        require(type(state) is dict and state.keys() == self.state().keys(), "the run has other parts")
        require(all(type(state[name]) is int for name in counts), f"{' and '.join(counts)} are to be whole numbers")
        require(type(state["lr"]) is float, "the run's learning rate is to be a number")
        there = copy(self)
        there.epoch, there.batch, there.samples_done, there.correct = (state[name] for name in counts)
        there.lr = state["lr"]
        least, most = (
            (0 if there.epoch == 0 else self.batches, self.batches) if between_epochs else (1, self.batches - 1)
        )
        require(0 <= there.epoch <= self.epochs, f"the run stands in epoch {shown(there.epoch)} of {self.epochs}")
        require(there.epoch > 0 or between_epochs, "the run stands in an epoch before the first")
        require(
            least <= there.batch <= (most if there.epoch else 0),
            f"the run stands after batch {shown(there.batch)} of {self.batches}",
        )
        done = min(there.batch * batch_size, self.samples)
        require(there.samples_done == done, f"{shown(there.samples_done)} rows were learned from, expected {done}")
        right = range(done + 1) if self.classifies else range(1)
        require(there.correct in right, f"{shown(there.correct)} rows were right, of {done}")
        there._take_losses(state, there.epoch if between_epochs else there.epoch - 1, between_epochs)
        return there

    def _take_losses(self, state: dict[str, Any], epochs: int, between_epochs: bool) -> None:
        """The losses of this epoch's batches, and the history of so many epochs."""
        shares, history = state["loss_shares"], state["history"]
        require(type(shares) is list and len(shares) == (self.batch > 0), "losses of the batches are to be one row")
        self.loss_shares = unpack_matrix(shares[0])[0] if shares else []
        require(len(self.loss_shares) == self.batch, f"{len(self.loss_shares)} losses of {self.batch} batches")
        self.history = History()
        lists = vars(self.history)
        require(type(history) is dict and history.keys() == lists.keys(), "the history has other lists")
        for name, values in history.items():
            there = not (("accuracy" in name and not self.classifies) or ("validation" in name and not self.validates))
            expected = epochs if there else 0
            require(type(values) is list and len(values) == expected, f"{name} of {expected} epochs was expected")
            finite = all(type(v) is float and (isfinite(v) or name == "validation_loss") for v in values)
            require(finite, f"{name} is to be finite numbers")
            require("accuracy" not in name or all(0.0 <= v <= 1.0 for v in values), f"{name} is to be from 0 to 1")
            lists[name] = list(values)
        if between_epochs and epochs:
            require(self.history.loss[-1] == self.loss, "the last loss is not the mean of its epoch's")
            require(not self.classifies or self.history.accuracy[-1] == self.accuracy, "the last accuracy is another")

    def go_on_from(self, there: Run) -> None:
        """Stand where the other one does, which ``at`` made."""
        for name in ("epoch", "batch", "samples_done", "correct", "lr", "loss_shares"):
            setattr(self, name, getattr(there, name))
        vars(self.history).update(vars(there.history))

    def count(self, loss: float, samples: int, correct: int | None) -> None:
        """Take one trained batch into account."""
        self.batch += 1
        self.samples_done += samples
        self.loss_shares.append(loss * samples)
        self.correct += correct or 0

    @property
    def loss(self) -> float:
        """The mean loss so far in this epoch."""
        return math.fsum(self.loss_shares) / self.samples_done if self.samples_done else math.nan

    @property
    def accuracy(self) -> float | None:
        """The fraction of samples classified rightly so far in this epoch; None for regression."""
        return self.correct / self.samples_done if self.classifies and self.samples_done else None


class Callback:
    """What is told how a run goes; does nothing: override what you need.

    It is told with the model that learns (or with a ``Trainer``, where there is no model), whose ``stop_training`` it
    may set. Callbacks are told in their order. One that is not derived from this class needs all the ``on_`` methods.
    """

    reads_weights = True  # whether it may look at the weights, or save them: they are then looked over before

    def check(self, model: Any, run: Run) -> None:
        """Before anything changes. An error that is raised here refuses the run, and leaves no trace of it."""

    def on_train_begin(self, model: Any, run: Run) -> None:
        """Before the first epoch. An error that is raised here refuses the run, too: the model is put back."""

    def on_batch_end(self, model: Any, run: Run) -> None:
        """After every batch."""

    def before_epoch_end(self, model: Any, run: Run) -> None:
        """After the last batch of an epoch, before ``run.history`` has any entry of it."""

    def on_epoch_end(self, model: Any, run: Run) -> None:
        """After every epoch, when ``run.history`` has its new entries."""

    def on_train_end(self, model: Any, run: Run) -> None:
        """After the last epoch, also when training was stopped or failed."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to know, as plain data: it goes into checkpoints."""
        return {}

    def check_state(self, state: dict[str, Any], model: Any, run: Run) -> None:
        """``ValueError`` unless this callback can have given ``state`` where ``run`` stands: before ``restore``, and
        before anything else of a checkpoint is believed. A file can say anything."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what ``state`` gave, after ``on_train_begin``."""


def checked_callbacks(callbacks: Any) -> list[Any]:
    """Callbacks as a list; ``ArgumentError`` for what does not listen to every event."""
    events = [name for name in vars(Callback) if name.startswith("on_")]
    listed = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for callback in listed:
        if isinstance(callback, type) or not all(hasattr(callback, event) for event in events):
            raise ArgumentError(
                f"callbacks must be Callback objects, with methods {', '.join(events)}; got {shown(callback)}"
            )
    return listed


class Validation(Callback):
    """Measures after every epoch, before other callbacks hear of it; ``measure`` gives (loss, accuracy or None)."""

    reads_weights = False

    def __init__(self, measure: Callable[[], tuple[float, float | None]]) -> None:
        self._measure = measure

    def check(self, subject: Any, run: Run) -> None:
        run.validates = True

    def before_epoch_end(self, subject: Any, run: Run) -> None:
        self._found = self._measure()

    def on_epoch_end(self, subject: Any, run: Run) -> None:
        history, (loss, accuracy) = run.history, self._found
        history.validation_loss.append(loss)
        if accuracy is not None:
            history.validation_accuracy.append(accuracy)


class RateSchedule(Callback):
    """Sets an optimizer's learning rate as a schedule says, by the validation loss where there is one."""

    reads_weights = False

    def __init__(self, schedule: Schedule, optimizer: Optimizer) -> None:
        self._schedule = schedule
        self._optimizer = optimizer

    def on_train_begin(self, subject: Any, run: Run) -> None:
        self._schedule.start(self._optimizer)
        run.lr = self._optimizer.lr

    def on_epoch_end(self, subject: Any, run: Run) -> None:
        history = run.history
        self._schedule.after_epoch(self._optimizer, run.epoch, (history.validation_loss or history.loss)[-1])
        run.lr = self._optimizer.lr


MONITORS = ("loss", "accuracy", "validation_loss", "validation_accuracy")


class _Watching(Callback):
    """Follows one list of the history and knows whether its newest entry is the best so far."""

    def __init__(self, monitor: str, min_delta: float = 0.0) -> None:
        require_known("monitor", monitor, MONITORS)
        self.monitor = monitor
        self.min_delta = require_number("min_delta", min_delta, 0.0)

    def check(self, model: Any, run: Run) -> None:
        missing = "validation data" if self.monitor.startswith("validation") and not run.validates else ""
        missing = "a classification model" if "accuracy" in self.monitor and not run.classifies else missing
        if missing:
            raise ArgumentError(f"{type(self).__name__} watches {self.monitor}, which needs {missing}")

    def on_train_begin(self, model: Any, run: Run) -> None:
        self.best: float | None = None
        self.best_epoch = 0

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def check_state(self, state: dict[str, Any], model: Any, run: Run) -> None:
        name = type(self).__name__
        require(state.keys() == self.state().keys(), f"{name} has other parts")
        best, epoch = state["best"], state["best_epoch"]
        require(type(epoch) is int, f"the best epoch of {name} cannot be {shown(epoch)}")
        values = getattr(run.history, self.monitor)
        if best is None:
            require(epoch == 0, f"{name} has a best epoch, {shown(epoch)}, without its {self.monitor}")
        else:
            fine = type(best) is float and 1 <= epoch <= len(values) and values[epoch - 1] == best
            require(fine, f"{name} has {shown(best)} as best, which is not the {self.monitor} of epoch {shown(epoch)}")

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]

    def improved(self, run: Run) -> bool:
        """Whether this epoch's value beats the best one so far by more than ``min_delta``."""
        value = getattr(run.history, self.monitor)[-1]
        if math.isnan(value):
            return False
        gain = math.inf
        if self.best is not None:
            gain = value - self.best if "accuracy" in self.monitor else self.best - value
        if gain > self.min_delta:
            self.best, self.best_epoch = value, run.epoch
            return True
        return False


class EarlyStopping(_Watching):
    """Stops when the watched value has not improved by more than ``min_delta`` for ``patience`` epochs.

    ``restore_best=True`` puts the weights of the best epoch back at the end.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        super().__init__(monitor, min_delta)
        self.patience = require_size("patience", patience)
        self.restore_best = restore_best

    def on_train_begin(self, model: Any, run: Run) -> None:
        super().on_train_begin(model, run)
        self.best_weights: Any = None
        self.stopped = False

    def on_epoch_end(self, model: Any, run: Run) -> None:
        if self.improved(run):
            if self.restore_best:
                self.best_weights = model.weights
        elif run.epoch - self.best_epoch >= self.patience:
            model.stop_training = self.stopped = True

    def state(self) -> dict[str, Any]:
        best = self.best_weights
        packed = None if best is None else [pack_matrix(v if isinstance(v[0], list) else [v]) for v in best]
        flat = None if best is None else [not isinstance(v[0], list) for v in best]
        return {**super().state(), "stopped": self.stopped, "best_weights": packed, "flat": flat}

    def check_state(self, state: dict[str, Any], model: Any, run: Run) -> None:
        super().check_state(state, model, run)
        packed, flat, stopped = state["best_weights"], state["flat"], state["stopped"]
        require(type(stopped) is bool, f"EarlyStopping stopped: {shown(stopped)} is neither True nor False")
        require(not stopped or len(run.history) - state["best_epoch"] > 0, "EarlyStopping stopped at the best epoch")
        require((packed is None) == (flat is None), "the best weights are there in part")
        wanted = self.restore_best and state["best"] is not None
        require((packed is not None) == wanted, f"the best weights are {'missing' if wanted else 'not asked for'}")
        if packed is not None:
            now = [v if isinstance(v[0], list) else [v] for v in model.weights]
            flatness = [not isinstance(v[0], list) for v in model.weights]
            require(type(packed) is list and len(packed) == len(now), f"{len(now)} best weights were expected")
            require(
                flat == flatness and {*map(type, flat)} <= {bool}, "best weights that are other rows than the model's"
            )
            shapes = [(len(rows), len(rows[0])) for rows in map(unpack_matrix, packed)]
            require(shapes == [(len(rows), len(rows[0])) for rows in now], "best weights of other shapes")

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.stopped = state["stopped"]
        self.best_weights = None
        if state["best_weights"] is not None:
            matrices = map(unpack_matrix, state["best_weights"])
            self.best_weights = [rows[0] if flat else rows for rows, flat in zip(matrices, state["flat"])]

    def on_train_end(self, model: Any, run: Run) -> None:
        if self.best_weights is not None:
            model.weights = self.best_weights


class BestWeights(_Watching):
    """Saves the model to ``path`` after every epoch that is the best so far by the watched value."""

    def __init__(self, path: str | os.PathLike[str], monitor: str = "validation_loss") -> None:
        super().__init__(monitor)
        self.path = path

    def check(self, model: Any, run: Run) -> None:
        super().check(model, run)
        check_writable(self.path)

    def on_epoch_end(self, model: Any, run: Run) -> None:
        if self.improved(run):
            model.save(self.path)
