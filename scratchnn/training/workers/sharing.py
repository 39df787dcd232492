"""A run of ``fit`` that several processes share: asked for, checked, begun and ended."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy
from typing import Any

from ...checks import require_size
from ...engines.lanes.engine import Lanes
from ...engines.lanes.shared import SharedLanes
from ...engines.lists import LISTS
from ...errors import ArgumentError, WorkerError
from ...executors import in_webassembly, require_executor
from ..callbacks import Callback, Run
from ..trainer import Trainer
from .messages import packed_data
from .starting import Processes, Tasks, gathered
from .team import Leader

MOST_WORKERS = 256  # each is told what all others have computed: long before that it does not pay
LEAST_WORK = 3_000_000  # multiply-adds in a batch, from which on two processes were measured to save time


class Sharing(Callback):
    """Has workers train with a trainer, in a ``with`` block around its run. It has to be the first of its callbacks.

    ``workers`` is how many processes are to compute, this one among them; without it, all that the executor has.
    """

    reads_weights = False

    def __init__(self, workers: int | None, executor: Any, ops: Any) -> None:
        if ops.name != "lanes":
            raise ArgumentError(
                f'workers need engine="lanes", whose sums do not depend on their order; this model has {ops.name!r}'
            )
        count = _count(workers, executor)
        self._asked = count > 1
        if not isinstance(ops, Lanes):  # a tiny network, which this process computes with floats
            count = 1
        if count > 1:
            _require_processes()
        self._starter = Processes(count - 1) if executor is None else Tasks(executor, count - 1)
        self.team = Leader([])
        self._trainer: Any = None

    def engine(self, tuned: Lanes) -> Lanes:
        """The engine to train with instead of this one."""
        if not self._starter.count:
            return tuned
        self._ops = SharedLanes(tuned, self.team)
        return self._ops

    def attach(self, trainer: Trainer, usual: Lanes, rows: Sequence[Any], factor: float, shape: Any) -> None:
        """Share this trainer's run. ``usual`` is the engine that has prepared its rows, which these times ``factor``
        are, of samples of that shape."""
        self._trainer, self._usual = trainer, usual
        self._rows = rows
        self._factor = factor
        work = trainer.batch_size * trainer.network.work(shape)
        self._small = work if work < LEAST_WORK else 0
        trainer.callbacks.insert(0, self)

    def __enter__(self) -> Sharing:
        if self._asked and self._small:
            text = f"workers do not pay for so small a network: a batch is about {self._small} multiply-adds"
            warnings.warn(f"{text}, and from about {LEAST_WORK} on it is worth it", RuntimeWarning, stacklevel=5)
        if self._starter.count:
            trainer = self._trainer
            data = packed_data(self._rows, self._factor, trainer.data.targets, trainer.data.weights)
            self.team = self._ops.team = gathered(self._starter, self._job, data)
            self.team.trainer = trainer
        self._rows = ()
        return self

    def __exit__(self, *exception: object) -> None:
        for member in self.team.everybody:
            member.connection.close()
        self._starter.end()

    def _job(self) -> dict[str, Any]:
        """What a worker is to train: nothing of it is also used here."""
        trainer = self._trainer
        network = trainer.network.copy()
        network.use(LISTS)
        optimizer = copy(trainer.optimizer)
        optimizer.ops, optimizer.part = LISTS, None
        optimizer.reset()
        return {
            "network": network,
            "loss": copy(trainer.loss),
            "optimizer": optimizer,
            "width": self._usual.width,
            "forced": self._usual.forced,
            "batch_size": trainer.batch_size,
            "clip_norm": trainer.clip_norm,
        }

    def before_epoch_end(self, subject: Any, run: Run) -> None:
        """Once an epoch: whether all still stand at the same weights."""
        run.cpu_seconds = self.team.check()


def _require_processes() -> None:
    """``WorkerError`` where there can be no process but this one."""
    if in_webassembly():
        raise WorkerError(
            "no other process can be started here (Python runs in WebAssembly): train without workers and executor,"
            " to the same weights"
        )


def _count(workers: Any, executor: Any) -> int:
    """How many processes are to compute."""
    if executor is None:
        return require_size("workers", workers, most=MOST_WORKERS)
    require_executor(executor)
    slots = getattr(executor, "_max_workers", None)  # as all of the standard library's have it, and loky's
    if workers is None:
        if not isinstance(slots, int):
            raise ArgumentError(f"how many workers? {type(executor).__name__} does not tell how many tasks it runs")
        return slots + 1
    count = require_size("workers", workers, most=MOST_WORKERS)
    if isinstance(slots, int) and slots < count - 1:
        raise ArgumentError(
            f"workers={count} are this process and {count - 1} tasks, and the executor runs {slots} at once"
        )
    return count
