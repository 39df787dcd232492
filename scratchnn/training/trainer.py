"""The training loop: epochs of shuffled batches, and for each batch forward, loss, backward, step.

A ``Trainer`` has a network, a loss, an optimizer and samples, and knows nothing of models, files or labels. Whatever
else happens in a run (validation, schedules of the learning rate, progress, checkpoints, early stopping) is a
``Callback``, told after every batch and every epoch. ``Trainer.steps`` is the whole of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from ..errors import ArgumentError
from ..optim import Optimizer, clip_gradient_norm
from ..preprocessing.weighting import step_share
from ..shuffle import shuffle
from .callbacks import Callback, History, Run
from .divergence import Divergence, finite_loss

PROBED = 8  # rows of the last batch that are looked at before something may be saved


class TrainingData:
    """Rows as the engine likes to read them, one target a row, and a weight a row or None."""

    def __init__(
        self, prepared: Any, targets: Sequence[Any], weights: Sequence[float] | None = None, raw: Sequence[Any] = ()
    ) -> None:
        self.raw = raw  # the rows as they came, for a fingerprint
        self.prepared = prepared
        self.targets = targets
        self.weights = weights
        self._of: tuple[Any, Any, Any] = None, None, None  # a loss, an engine, and the targets as these read them

    def __len__(self) -> int:
        return len(self.targets)

    def prepare_targets(self, loss: Any, ops: Any, width: int) -> None:
        """Have the loss look at all targets, once for a whole run; ``ValueError`` for those that it cannot be of."""
        self._of = loss, ops, loss.prepare(ops, self.targets, width)

    def measured(self, loss: Any, ops: Any, outputs: Any, indices: Sequence[int]) -> tuple[float, Any]:
        """(mean loss, its gradient) of the outputs for some rows."""
        if self._of[0] is not loss or self._of[1] is not ops:
            self.prepare_targets(loss, ops, ops.shape(outputs)[1])
        weights = None if self.weights is None else [self.weights[i] for i in indices]
        return loss.measure(ops, outputs, self._of[2], indices, weights)  # type: ignore[no-any-return]


class Trainer:
    """Trains ``network`` on ``data``, whose rows the engine ``ops`` has prepared; the network learns on that engine.

    ``lr`` is the first rate (the optimizer's own, if it is None); ``going_on`` says that the optimizer remembers the
    run before. ``callbacks`` are told what happens, in their order, with ``subject`` (the trainer itself, if it is
    None): one that sets its ``stop_training`` ends the run. ``count_correct(outputs, targets)`` says how many rows are
    right, and None where no row can be; it is handed a matrix of the engine that losses are computed on.
    ``interruption`` puts off a Ctrl-C that a callback lets through. Everything is random by ``rng`` alone: the order of
    rows.
    """

    stop_training = False

    def __init__(
        self,
        network: Any,
        loss: Any,
        optimizer: Optimizer,
        data: TrainingData,
        ops: Any,
        *,
        epochs: int,
        batch_size: int,
        rng: Random,
        lr: float | None = None,
        going_on: bool = False,
        clip_norm: float | None = None,
        shuffled: bool = True,
        callbacks: Sequence[Any] = (),
        count_correct: Callable[[Any, Sequence[Any]], int | None] | None = None,
        rows_at_once: int = 256,
        subject: Any = None,
        interruption: Any = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.going_on = going_on
        self.data = data
        self.ops = ops
        self.epochs = epochs
        self.batch_size = min(batch_size, len(data))
        self.clip_norm = clip_norm
        self.shuffled = shuffled
        self.rng = rng
        self.callbacks: list[Callback] = list(callbacks)
        self.count_correct = count_correct
        self.subject = self if subject is None else subject
        self.interruption = interruption
        self.parameters = network.trainable_parameters()
        if not self.parameters and network.parameters():
            raise ArgumentError(
                "every layer with weights is frozen: set trainable = True for some, or there is nothing to learn"
            )
        self.order: list[int] = []  # of the rows, as long as there is something left of the epoch
        self.divergence = Divergence(network, loss, data, ops, network.changing_parameters(), rows_at_once)
        first_lr = optimizer.lr if lr is None else lr
        self.run = Run(epochs, len(data), -(-len(data) // self.batch_size), first_lr, count_correct is not None)
        self._listening: list[Callback] = []  # those that know that the run has begun
        self._begun = self._taken = False
        self._leaves = list(network.in_line())
        self._trainable = [layer.trainable for layer in self._leaves]
        self._step_share = step_share(data.weights, self.batch_size)

    def train(self) -> History:
        """The whole run."""
        for _ in self.steps():
            pass
        return self.run.history

    def steps(self) -> Iterator[Run]:
        """The run, one batch at a time: yields where it stands after each. Who goes no further ends it, and a run
        can be taken up once: ``ArgumentError`` after that."""
        run = self.run
        if self._taken:
            raise ArgumentError("this trainer's run has been taken up already: make another one")
        if not self._begun:
            self.check()
            self.begin()
        self._taken = True
        try:
            while (run.epoch < self.epochs or self.order) and not self.subject.stop_training:
                self._begin_epoch()
                for first in range(run.batch * self.batch_size, len(self.order), self.batch_size):
                    try:
                        self.ops.at_once(self.learn, self.order[first : first + self.batch_size])
                    except OverflowError as error:
                        raise self.divergence.error(run, run.batch + 1, str(error)) from None
                    self._tell("on_batch_end")
                    yield run
                    if self.subject.stop_training and run.batch < run.batches:
                        self.require_usable_weights()
                        break
                else:
                    self._end_epoch()
        except BaseException as reason:
            self._end(reason)
            raise
        self._end()

    def learn(self, indices: Sequence[int]) -> None:
        """Forward, loss, backward, update: one batch; ``OverflowError`` if numbers run away. An update makes new
        matrices, so the old ones are there to go back to."""
        network, ops, reader = self.network, self.ops, self.ops.loss_engine
        outputs = network.forward(ops.take_rows(self.data.prepared, indices))
        if reader is not ops:
            outputs = ops.to_rows(outputs)
        value, gradient = finite_loss(self.loss, self.data, reader, outputs, indices)
        if [layer.trainable for layer in self._leaves] != self._trainable:
            raise ArgumentError("layers were frozen or thawed while the network learned: do it between two fits")
        self.divergence.before_step(indices, value)
        if self._step_share != 1.0:
            gradient = reader.scale(gradient, self._step_share)
        network.backward(gradient if reader is ops else ops.from_rows(gradient), input_gradient=False)
        if self.clip_norm is not None:
            clip_gradient_norm(self.parameters, self.clip_norm, ops)
        self.optimizer.step(self.parameters)
        correct = None
        if self.count_correct is not None:
            correct = self.count_correct(outputs, [*map(self.data.targets.__getitem__, indices)])
        self.run.count(value, len(indices), correct)

    def check(self) -> None:
        """Ask every callback whether it refuses the run, before anything changes; ``steps`` does it otherwise."""
        for callback in self.callbacks:
            getattr(callback, "check", _nothing)(self.subject, self.run)

    def begin(self) -> None:
        """Before the first batch; ``steps`` does it otherwise. A callback that fails here still refuses the run, and
        those that have heard of its beginning will hear of its end."""
        if self._begun:
            raise ArgumentError("this trainer's run has begun already: make another one")
        self._begun = True
        try:
            self.network.use(self.ops)
            self.optimizer.lr = self.run.first_lr
            if self.going_on:
                self.optimizer.begin(self.ops, going_on=True)
            else:  # one of somebody's own may not know the word
                self.optimizer.begin(self.ops)
            self.subject.stop_training = False
            for callback in self.callbacks:
                callback.on_train_begin(self.subject, self.run)
                self._listening.append(callback)
            self.divergence.begin()
        except BaseException as reason:
            self._taken = True
            self._end(reason)
            raise

    def _begin_epoch(self) -> None:
        self._started = time.perf_counter()
        if not self.order:  # a resumed run may stand in the middle of an epoch
            self.run.start_epoch(self.run.epoch + 1)
            self.order = list(range(len(self.data)))
            if self.shuffled:
                shuffle(self.order, rng=self.rng)
        self.divergence.begin_epoch()
        self.network.train()

    def _end_epoch(self) -> None:
        run, history = self.run, self.run.history
        self.order = []
        if run.epoch == self.epochs:
            self.require_usable_weights()
        elif any(getattr(callback, "reads_weights", True) for callback in self.callbacks):
            self.require_usable_weights(PROBED)
        try:
            self._tell("before_epoch_end")
        except OverflowError as error:
            raise self.divergence.error(run, run.batch, f"with the validation data, {error}") from None
        history.loss.append(run.loss)
        if run.accuracy is not None:
            history.accuracy.append(run.accuracy)
        history.seconds.append(time.perf_counter() - self._started)
        self._tell("on_epoch_end")
        if self.subject.stop_training and run.epoch < self.epochs:
            self.require_usable_weights()

    def _end(self, reason: BaseException | None = None) -> None:
        """What a schedule did to the rate ends with the run. Every callback hears of it, also after one that fails;
        what ended the run, if it was an error, is not hidden by what a callback makes of its end."""
        self.optimizer.lr = self.run.first_lr
        first: BaseException | None = None
        for callback in self._listening:
            try:
                self._tell("on_train_end", [callback])
            except BaseException as error:
                first = first or error
        if first is not None and (reason is None or isinstance(reason, GeneratorExit)):
            raise first

    def require_usable_weights(self, rows: int | None = None) -> None:
        """``TrainingDiverged``, and the weights of before the last step, unless what that step made can be used; so
        many rows of its batch are looked at, or all."""
        self.divergence.require_usable_weights(self.run, rows)

    def _tell(self, event: str, callbacks: Sequence[Any] | None = None) -> None:
        for callback in self._listening if callbacks is None else callbacks:
            try:
                getattr(callback, event, _nothing)(self.subject, self.run)
            except KeyboardInterrupt as interrupt:
                if self.interruption is None:
                    raise
                self.interruption.put_off(interrupt)  # so that every callback has been told when the run stops


def _nothing(subject: Any, run: Run) -> None:
    """What a callback does that is not derived from ``Callback`` where it is not told."""
