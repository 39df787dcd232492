"""A section of the benchmark: several processes that train one network."""

from __future__ import annotations

import argparse
import math
import os
import time
import warnings
from functools import partial
from typing import Any

from _benchmark_data import LR, PLAIN, START, Data, Sizes
from _benchmark_measuring import take_turns
from _benchmark_report import Report, ratio

from scratchnn import Callback, Model


class BatchClock(Callback):
    """Processor time of a batch in the busiest of the processes that train: the lower decile of this one's batches, and
    how much more the busiest had in all."""

    reads_weights = False

    def on_train_begin(self, model: Any, run: Any) -> None:
        self.batches: list[float] = []
        self.last = time.thread_time()

    def on_batch_end(self, model: Any, run: Any) -> None:
        if run.epoch > 1 and run.samples_done < run.samples:  # after the first look at rows; whole batches
            self.batches.append(time.thread_time() - self.last)
        self.last = time.thread_time()

    def on_epoch_end(self, model: Any, run: Any) -> None:
        self.busiest = max(run.cpu_seconds) / run.cpu_seconds[0] if run.cpu_seconds else 1.0

    def seconds(self) -> float:
        return self.busiest * sorted(self.batches)[len(self.batches) // 10] if self.batches else math.inf


def workers(data: Data, sizes: Sizes, report: Report, options: argparse.Namespace) -> None:
    """Processor time of a batch in the busier one of two processes, exchange included, over that of one alone."""
    report.heading(f"Two processes that train together, {sizes.variants} images: time of the busier one over one alone")
    rows, allowed = [], getattr(os, "sched_getaffinity", lambda process: ())(0)
    if allowed:  # on one core, as two that are one in truth would slow each other down
        os.sched_setaffinity(0, {max(allowed)})
    for hidden in sizes.shared:
        cells = []
        for batch in (32, 128, 512):

            def train(count: int, hidden: int = hidden, batch: int = batch) -> float:
                clock = BatchClock()
                model = Model(data.inputs, hidden, len(data.classes), scaling="pixels", **START)
                learned = data.X[: sizes.variants], data.y[: sizes.variants]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of networks for which it does not pay
                    model.fit(*learned, epochs=3, lr=LR, batch_size=batch, callbacks=[clock], workers=count, **PLAIN)
                return clock.seconds()

            seconds = take_turns(sizes.rounds, {f"{count}": partial(train, count) for count in (1, 2)})
            cells.append(ratio(seconds["2"], seconds["1"]))
        rows.append([f"hidden {hidden}", *cells])
    if allowed:
        os.sched_setaffinity(0, allowed)
    report.table(["", "batches of 32", "of 128", "of 512"], rows)
