"""What the page's worker has Python do: train a little, say how it goes, answer for a drawing, give the model away.

A worker that computes reads no messages. So a run goes on for a few hundredths of a second at a time, batch by batch,
and between two of these the worker looks for drawings, and for whether it is to stop. The run is the one that
``model.fit`` makes of the same arguments, and ends with the same weights to the last bit.
"""

from __future__ import annotations

import json
import time
from typing import Any

from scratchnn import Model, load_digits
from scratchnn.info import weights_digest
from scratchnn.play.images import network_image
from scratchnn.play.learning import digits_model
from scratchnn.training.fitting import Fitting

SIDE = 8  # of the digits
NETWORKS = {"layer": lambda: Model(SIDE * SIDE, 100, 10), "filters": digits_model}


class Learner:
    """One run of one network on the digits that come with scratchnn."""

    def __init__(self, network: str, epochs: int) -> None:
        self.train, self.test = load_digits()
        self.model: Any = NETWORKS[network]()
        self._usual = self.model.network.ops
        self._trainer = trainer_of(self.model, X=self.train.X, y=self.train.y, epochs=epochs)
        self._steps = self._trainer.steps()
        self._seconds = 0.0  # of learning, without looking at other digits and without waiting
        self._seen = (0, 0, 0.0)  # epoch, rows of it that were learned, their mean loss
        self.done = False

    def step(self, seconds: float) -> str:
        """Learn for about so long, or to the end of an epoch; where the run stands then, as JSON."""
        begun = time.perf_counter()
        run = self._trainer.run
        while not self.done:
            if next(self._steps, None) is None:
                self.done = True
            elif run.batch < run.batches and time.perf_counter() - begun < seconds:
                continue
            break
        self._seconds += time.perf_counter() - begun
        if self.done:
            self.model.network.eval()
            self.model.network.use(self._usual)  # what suited the training rows is not kept
            self.model.history = run.history
        return json.dumps(self._standing(run))

    def _standing(self, run: Any) -> dict[str, Any]:
        ended = run.batch == run.batches
        rows = (run.epoch - 1) * run.samples + run.samples_done
        return {
            "epoch": run.epoch,
            "epochs": run.epochs,
            "at": rows / run.samples,  # in epochs
            "lately": self._lately(run),
            "loss": run.loss,
            "accuracy": run.accuracy,
            "test": self._score() if ended and not self.done else None,
            "speed": rows / self._seconds if self._seconds else 0.0,
            "done": self.done,
            "digest": weights_digest(self.model) if self.done else "",
            "parameters": self.model.parameter_count,
        }

    def _lately(self, run: Any) -> float | None:
        """The mean loss of the rows that were learned since the last time: ``run.loss`` is that of the epoch so far."""
        epoch, rows, loss = self._seen
        before = rows * loss if epoch == run.epoch else 0.0
        new = run.samples_done - (rows if epoch == run.epoch else 0)
        self._seen = (run.epoch, run.samples_done, run.loss)
        return (run.samples_done * run.loss - before) / new if new else None

    def _score(self) -> float:
        """The share of the other digits that are read rightly."""
        return self._asked(lambda: self.model.score(self.test.X, self.test.y))

    def _asked(self, question: Any) -> Any:
        """The answer of the model; then it goes on learning."""
        answer = question()
        if not self.done:
            self.model.network.train()
        return answer

    def answer(self, ink: Any, width: int) -> str:
        """For a drawing, a byte a pixel and ``width`` of them a row: the image that the network sees (8 x 8 of 0 to
        255), and the probability of each digit (none if nothing is drawn), as JSON."""
        image = network_image(bytes(ink), width, SIDE)
        known = self._asked(lambda: self.model.predict_proba([image])[0]) if any(image) else None
        return json.dumps({"image": list(image), "probabilities": known})

    def saved(self) -> bytes:
        """The model as a file: ``Model.load`` reads it anywhere."""
        self._asked(lambda: self.model.save("digits.pkl"))
        with open("digits.pkl", "rb") as file:
            return file.read()


def trainer_of(model: Any, **arguments: Any) -> Any:
    """The trainer of the run that ``model.fit(**arguments)`` would make, to be taken in steps."""
    usual = Model.fit.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    fitting = Fitting(model, model, model.schema, {**usual, **arguments})
    model.become(model, fitting.schema, None)
    return fitting.trainer
