"""One network that learns before somebody's eyes: a thread trains it batch by batch, and frames show where it stands.

After every batch the thread publishes what it has, references to matrices that no update changes (an optimizer
makes new ones). Frames are computed from the last of these by a network of their own, in the thread of whoever asks:
so neither waits for the other, but for Python's switch between threads.
"""

from __future__ import annotations

import base64
import math
import threading
import time
from typing import Any, NamedTuple

from ..engines.lanes.engine import Lanes
from ..errors import TrainingDiverged
from ..model import Model
from ..training.fitting import Fitting
from ..training.trainer import Trainer
from .settings import MOST_EPOCHS, Settings

Rows = list["list[float]"]

GRID = 40  # places a side where the frontier is computed
UNIT_GRID = 20  # and where each hidden unit's own is: every other of them
MARGIN = 0.12  # of the points' extent, shown around them
LEVELS = 63  # shades of a place: how sure the network is
WATCHED = 20.0  # seconds for which a session trains on although nobody looks

READY, TRAINING, PAUSED, DONE, FAILED = "ready", "training", "paused", "done", "failed"


class Standing(NamedTuple):
    """Where a run stands, as it was published after a batch."""

    number: int  # counts what was published
    epoch: int
    batch: int
    loss: float | None  # the mean of the epoch so far
    accuracy: float | None
    values: tuple[Any, ...]  # of the network's parameters, as matrices of the engine that learns
    ops: Any


class Session:
    """A toy set, a network, and the thread that trains it when it is told to.

    ``command`` is "train", "pause", "step" (one batch), "epoch" (to the end of one) or "close".
    """

    def __init__(self, settings: Settings, clock: Any = time.monotonic) -> None:
        self.settings = settings
        self.X, self.y = settings.points()
        self.model = Model(**settings.model_arguments(), output_size=len(set(self.y)))
        self.trainer = _trainer(self.model, self.X, self.y, settings)
        self.error = ""
        self.losses: list[float] = []  # one an epoch; it only grows
        self.extent = _extent(self.X)
        self._clock = clock
        self.last_seen = clock()
        self._shower = _Shower(self)
        self._changed = threading.Condition()
        self._wanted = 0.0  # batches to train: math.inf is all
        self._to_epoch_end = False
        self.status = READY
        self._closed = False
        self.standing = self._stand(0)
        self._thread: threading.Thread | None = None

    # --- orders ----------------------------------------------------------------------------------------------

    def command(self, name: str) -> None:
        """Do what a page asks for; nothing, once the run is at its end."""
        self.seen()
        with self._changed:
            if self._closed or (self.status in (DONE, FAILED) and name != "close"):
                return
            if name == "close":
                self._closed = True
                self._wanted = 0.0
            elif name == "pause":
                self._wanted, self._to_epoch_end = 0.0, False
            else:
                self._to_epoch_end = name == "epoch"
                self._wanted = 1.0 if name == "step" else math.inf
                self.status = TRAINING
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="scratchnn play", daemon=True)
                    self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread, and wait for it: no longer than a batch takes."""
        self.command("close")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5.0)

    @property
    def closed(self) -> bool:
        """Whether it has ended for good."""
        return self._closed

    def seen(self) -> None:
        """Somebody is there."""
        self.last_seen = self._clock()

    def wait(self, known: tuple[int, str], seconds: float) -> tuple[int, str]:
        """Wait until something newer than ``known`` was published, or the status is another, or the time is over; what
        then is: (the number of what was published, the status)."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self.standing.number, self.status) != known, seconds)
            return self.standing.number, self.status

    # --- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            steps = self.trainer.steps()
            while self._may_go_on():
                if next(steps, None) is None:
                    self._stop(DONE)
                    break
                self._publish()
        except TrainingDiverged as error:
            self.error = str(error)
            self._stop(FAILED)
        except Exception as error:  # whatever it is, the page must not wait for a thread that is gone
            self.error = f"training ended with {type(error).__name__}: {error}"
            self._stop(FAILED)

    def _may_go_on(self) -> bool:
        """Whether there is a batch to train, after waiting until there is one or the session is closed."""
        with self._changed:
            if self._clock() - self.last_seen > WATCHED:
                self._wanted = 0.0
            while self._wanted <= 0.0 and not self._closed:
                self.status = PAUSED
                self._changed.notify_all()
                self._changed.wait()
            self._wanted -= 1.0
            return not self._closed

    def _publish(self) -> None:
        run = self.trainer.run
        with self._changed:
            if run.batch == run.batches:
                self.losses.append(run.loss)
                if self._to_epoch_end:
                    self._wanted, self._to_epoch_end = 0.0, False
            self.standing = self._stand(self.standing.number + 1)
            if self._wanted <= 0.0:
                self.status = PAUSED
            self._changed.notify_all()

    def _stop(self, status: str) -> None:
        with self._changed:
            self.status = status
            self.standing = self.standing._replace(number=self.standing.number + 1)
            self._changed.notify_all()

    def _stand(self, number: int) -> Standing:
        run = self.trainer.run
        begun = run.samples_done > 0
        network = self.model.network
        return Standing(
            number,
            run.epoch,
            run.batch,
            run.loss if begun else None,
            run.accuracy if begun else None,
            tuple(parameter.value for parameter in network.parameters()),
            network.ops,
        )

    # --- what is shown ---------------------------------------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """What stays as it is, as plain data: points, classes, layers, extent and the code."""
        x, y, width = self.extent
        return {
            "points": [[round(a, 4), round(b, 4)] for a, b in self.X],
            "labels": self.y,
            "classes": len(self.model.classes),
            "layers": [2, *self.settings.layers, self.model.output_size],
            "extent": [x, y, width],
            "grid": GRID,
            "unit_grid": UNIT_GRID,
            "levels": LEVELS,
            "batches": self.trainer.run.batches,
            "code": self.settings.code(1),
        }

    def frame(self, losses_from: int = 0) -> dict[str, Any]:
        """Where it stands now, as plain data; of the loss curve what is new from this epoch on."""
        return self._shower.frame(losses_from)


class _Shower:
    """Computes frames: a network with the same layers goes through all places of the plane at once.

    It is turned on its side, a row a unit and a column a place: rows as long as that are what lanes are good at.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ops = ops = Lanes()
        self._network: Any = session.model.network.copy()
        self._network.eval()
        self._network.use(ops)
        schema = session.model.schema
        rows = schema.require_learned().transform(schema.rows(_places(session.extent)))
        self._places = ops.from_rows([list(column) for column in zip(*rows)])
        self._ones = ops.from_rows([[1.0] * len(rows)])
        self._nothing = ops.from_rows([[0.0] * len(rows)])
        self._turn = threading.Lock()  # for pages that look at one session at once

    def frame(self, losses_from: int) -> dict[str, Any]:
        session = self._session
        standing, status = session.standing, session.status
        losses_from = min(losses_from, len(session.losses))
        new_losses = session.losses[losses_from:]
        values = [standing.ops.to_rows(value) for value in standing.values]
        try:
            with self._turn:
                units, outputs = self._forward(values)
        except OverflowError:  # numbers run away, which training is about to say
            units, outputs = [], []
        return {
            "number": standing.number,
            "status": status,
            "error": session.error,
            "epoch": standing.epoch,
            "batch": standing.batch,
            "loss": standing.loss,
            "accuracy": standing.accuracy,
            "losses_from": losses_from,
            "losses": [round(loss, 5) for loss in new_losses],
            "frontier": _text(map(_shade, zip(*outputs))),
            "units": [[_text(_bytes(_coarse(unit))) for unit in layer] for layer in units],
            "weights": [[[round(weight, 3) for weight in row] for row in value] for value in values[::2]],
            "code": session.settings.code(max(standing.epoch, 1)),
        }

    def _forward(self, values: list[Rows]) -> tuple[list[Rows], Rows]:
        """(of each hidden layer its units' values at all places, the outputs there), a row a unit. ``values`` are the
        weights and the bias of each layer that has them, in their order."""
        hidden, x, ops = [], self._places, self._ops
        pairs = iter(zip(values[::2], values[1::2]))
        for layer in self._network:
            if layer.parameters():
                weight, bias = next(pairs)
                sums = ops.affine(ops.from_rows(_turned(weight)), x, self._nothing)
                x = ops.add_scaled(sums, ops.affine(ops.from_rows(_turned(bias)), self._ones, self._nothing), 1.0)
            else:  # an activation: what the next layer reads
                x = layer.forward(x)
                hidden.append(ops.to_rows(x))
        return hidden, ops.to_rows(x)


def _turned(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows)]


def _trainer(model: Model, X: Any, y: Any, settings: Settings) -> Trainer:
    """The run that ``model.fit`` would make of these settings, to be taken in steps."""
    usual = Model.fit.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    given = {**usual, **settings.fit_arguments(), "X": X, "y": y, "epochs": MOST_EPOCHS}
    fitting = Fitting(model, model, model.schema, given)
    model.become(model, fitting.schema, None)
    return fitting.trainer


def _extent(points: list[list[float]]) -> tuple[float, float, float]:
    """(left, bottom, width) of a square around all points."""
    xs, ys = zip(*points)
    width = max(max(xs) - min(xs), max(ys) - min(ys)) * (1.0 + 2.0 * MARGIN) or 1.0
    return (min(xs) + max(xs) - width) / 2, (min(ys) + max(ys) - width) / 2, width


def _places(extent: tuple[float, float, float]) -> list[list[float]]:
    """The middles of the places, row by row from the top."""
    left, bottom, width = extent
    steps = [(k + 0.5) / GRID * width for k in range(GRID)]
    return [[left + x, bottom + y] for y in reversed(steps) for x in steps]


def _coarse(values: list[float]) -> list[float]:
    """Every other place of the grid, across and down."""
    step = GRID // UNIT_GRID
    return [value for line in range(0, GRID, step) for value in values[line * GRID : (line + 1) * GRID : step]]


def _shade(outputs: tuple[float, ...]) -> int:
    """A byte: the winner's number in its upper bits, and in its lower ones how much more likely than chance it is, by
    softmax."""
    largest = max(outputs)
    probability = 1.0 / sum([math.exp(output - largest) for output in outputs])
    chance = 1.0 / len(outputs)
    return outputs.index(largest) * (LEVELS + 1) + int(LEVELS * (probability - chance) / (1.0 - chance) + 0.5)


def _bytes(values: list[float]) -> list[int]:
    """What a unit gives, as bytes: 128 stands for 0, and from 1 on all is the same."""
    return [255 if v >= 1.0 else 1 if v <= -1.0 else 128 + int(v * 127.0) for v in values]


def _text(numbers: Any) -> str:
    return base64.b64encode(bytes(numbers)).decode("ascii")
