"""A run that is kept in a file: written as it goes on, and taken up where it was.

``Checkpointing`` is the callback that does so; the file is a ``Checkpoint``, and ``standing`` checks what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from random import Random
from typing import Any

from ..checks import shown_path
from ..errors import ArgumentError, ModelFileError
from ..optim import CosineSchedule, OneCycleSchedule, Schedule, described, make_schedule
from ..saving.records import pack_matrix, require_plain
from .callbacks import BestWeights, Callback, Run
from .checkpoint import Checkpoint, generator_state, pack, pack_order, set_generator_state
from .snapshot import generators_of
from .standing import Standing
from .trainer import PROBED, Trainer


class Checkpointing(Callback):
    """Writes where a trainer stands, after every epoch and when it is due or the run is stopped, and resumes from it.

    It has to be the last of the trainer's callbacks, so that what it writes is what all others have left. ``settings``
    are what a run that is resumed must agree in with the one before.
    """

    def __init__(
        self, checkpoint: Checkpoint, callbacks: Sequence[Any], schedule: Schedule | None, asked_schedule: Any
    ) -> None:
        self.checkpoint = checkpoint
        checkpoint.keep_apart(callback.path for callback in callbacks if isinstance(callback, BestWeights))
        self._remembering = [callback for callback in callbacks if hasattr(callback, "state")]
        self._schedule = schedule
        self._asked_schedule = asked_schedule
        self._trouble = ""  # why the last checkpoint could not be written

    def attach(self, trainer: Trainer, settings: dict[str, Any]) -> None:
        """Keep this run from now on, as the last of its callbacks."""
        self._trainer = trainer
        self._settings = {**settings, "callbacks": [type(callback).__name__ for callback in self._remembering]}
        trainer.callbacks.append(self)

    def on_train_begin(self, subject: Any, run: Run) -> None:
        self._resume(subject, run)

    def on_batch_end(self, subject: Any, run: Run) -> None:
        stopped = subject.stop_training
        if run.batch < run.batches and (stopped or self.checkpoint.due(run.batch)):
            self._trainer.require_usable_weights(None if stopped else PROBED)
            self._save(run)

    def on_epoch_end(self, subject: Any, run: Run) -> None:
        if subject.stop_training and run.epoch < run.epochs:
            self._trainer.require_usable_weights()
        self._save(run)

    def kept(self) -> str:
        """Where a run that was stopped can go on from, for a message."""
        return "" if self._trouble else f"; resume=True goes on from {shown_path(self.checkpoint.path)}"

    def _save(self, run: Run) -> None:
        """Write where the run stands. A disk that is full is no reason to lose the run itself: it is tried again."""
        try:
            state = self._state(run)
        except ModelFileError as error:  # the weights are finite: what the optimizer remembers of gradients is not
            what = f"in what the optimizer remembers, {error}"
            raise self._trainer.divergence.error(run, run.batch, what) from None
        try:
            self.checkpoint.save(self._settings, state)
        except OSError as error:
            before, self._trouble = self._trouble, error.strerror or str(error)
            if self._trouble != before:
                import warnings

                text = f"{shown_path(self.checkpoint.path)}: {self._trouble}; training goes on without this checkpoint"
                warnings.warn(text, RuntimeWarning, stacklevel=10)
        else:
            self._trouble = ""

    def _generators(self) -> list[Random]:
        """All generators that the rest of the run will draw from: that of the order, and those of Dropout layers."""
        return [self._trainer.rng, *generators_of(self._trainer.network.walk())]

    def _state(self, run: Run) -> dict[str, Any]:
        trainer, optimizer = self._trainer, self._trainer.optimizer
        return {
            "run": run.state(),
            "order": pack_order(trainer.order),
            "weights": [self._packed(parameter) for parameter in trainer.network.parameters()],
            "momentum": [pack(matrix, trainer.ops) for matrix in optimizer.matrices()],
            "steps": optimizer.steps,
            "lr": optimizer.lr,
            "schedule": self._schedule.state() if self._schedule else {},
            "generators": [generator_state(rng) for rng in self._generators()],
            "callbacks": [callback.state() for callback in self._remembering],
        }

    def _packed(self, parameter: Any) -> dict[str, Any]:
        ops = self._trainer.ops
        if any(parameter is one for one in self._trainer.network.changing_parameters()):
            return pack(parameter.value, ops)
        # A frozen one is still made of the numbers that the run began with, not of those the engine made of them.
        return {"form": {}, **pack_matrix(ops.to_rows(parameter.value))}

    def _resume(self, subject: Any, run: Run) -> None:
        """Go on from where the checkpoint says, if there is one."""
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
            trainer = self._trainer
            same_engine = self.checkpoint.engine == self._settings["engine"]
            standing = Standing(state, run_then, trainer.batch_size, trainer.network, same_engine)
            self._restore(standing, subject, run, schedule_then)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self.checkpoint.misfit(error) from None

    def _require_plain_state(self) -> None:
        """``ArgumentError`` for a schedule or a callback whose memory could not be written."""
        require_plain("the settings of this run", self._settings)
        if self._schedule:
            require_plain(repr(self._schedule), self._schedule.state())
        for callback in self._remembering:
            require_plain(f"what state() of {type(callback).__name__} returns", callback.state())

    def _settings_then(self, epochs: Any, then: list[tuple[int, Schedule | None]]) -> list[dict[str, Any]]:
        """The settings that this run would have had if it had been asked for so many epochs; ``then`` gets the epochs
        and the schedule of each.

        One that was asked for by its name suits the epochs, and so does a cosine, or a cycle, that ends with them.
        """
        if type(epochs) is not int or not 0 < epochs < 1 << 53:
            epochs = self._trainer.epochs  # not from a checkpoint of ours
        then.append((epochs, make_schedule(self._asked_schedule, epochs)))
        schedule = self._schedule
        if isinstance(schedule, (CosineSchedule, OneCycleSchedule)) and schedule.epochs == self._trainer.epochs:
            shorter = copy(schedule)
            shorter.epochs = epochs
            then.append((epochs, shorter))
        return [{**self._settings, "epochs": epochs, "schedule": described(schedule)} for _, schedule in then]

    def _require_epochs(self, state: Any, before: int) -> None:
        """``ArgumentError`` for fewer epochs than before, if the run has more behind it already."""
        there = state.get("run") if type(state) is dict else None
        epoch = there.get("epoch") if type(there) is dict else None
        epochs = self._trainer.epochs
        if type(epoch) is int and epochs < epoch <= before:
            raise ArgumentError(
                f"{shown_path(self.checkpoint.path)}: cannot resume for {epochs} epochs in all what stands in "
                f"epoch {epoch}: ask for more, or start anew without resume"
            )

    def _restore(self, standing: Standing, subject: Any, run: Run, then: Schedule | None) -> None:
        """First everything is checked, and then everything is set: what matters beyond the run comes last.

        ``then`` is the schedule that the run had before, where that may have been asked for fewer epochs.
        """
        trainer, optimizer = self._trainer, self._trainer.optimizer
        weights, memory = standing.weights(trainer.ops), standing.memory(optimizer)
        schedule, lr = standing.schedule(then, self._schedule, run.first_lr)
        generators = standing.generators(self._generators())
        callbacks = standing.callbacks(self._remembering, subject)
        self.checkpoint.require_together()
        optimizer.restore(*memory)
        self._restore_callbacks(callbacks)
        optimizer.lr = lr
        if self._schedule:
            self._schedule.restore(schedule)
        run.go_on_from(standing.run)
        run.lr = lr
        trainer.order = standing.order
        for rng, saved in zip(self._generators(), generators):
            set_generator_state(rng, saved)
        for parameter, value in zip(trainer.network.parameters(), weights):
            parameter.value = value
        if any(getattr(callback, "stopped", False) for callback in trainer.callbacks):
            subject.stop_training, run.epoch = True, trainer.epochs

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
