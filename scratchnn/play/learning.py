"""The model of the page *Draw*: one from a file, or one that first learns the digits that come along."""

from __future__ import annotations

import threading
from typing import Any

from ..datasets import load_digits
from ..errors import DataError
from ..layers.activations import ReLU
from ..layers.architecture import summary
from ..layers.convolution import Conv2D, Flatten, MaxPool2D
from ..layers.linear import Linear
from ..model import Model
from ..training.callbacks import Callback
from .drawing import Recogniser

EPOCHS = 10
FILTERS = 8


def digits_model() -> Model:
    """A network for the digits that come along, not trained yet. With filters it knows drawn ones better than without:
    28 of 30 in the tests, where a layer of 100 units knows 26."""
    layers = [Conv2D(1, FILTERS, 3, padding=1), ReLU(), MaxPool2D(2), Flatten(), Linear(FILTERS * 4 * 4, 10)]
    return Model.from_layers(layers, input_shape=(1, 8, 8))


class Learning:
    """Has a ``recogniser`` as soon as there is a model. Without one, ``start`` trains it in a thread of its own."""

    def __init__(self, model: Model | None = None, epochs: int = EPOCHS) -> None:
        self.recogniser = None if model is None else Recogniser(model)
        self.epochs = epochs
        self.progress = 0.0  # from 0 to 1
        self.accuracy: float | None = None  # of the test digits
        self.error = ""
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to learn, if that is still to do."""
        if self.recogniser is None and self._thread is None:
            self._thread = threading.Thread(target=self._learn, name="scratchnn digits", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Learn no more, and wait for the end of the batch."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def state(self) -> dict[str, Any]:
        """How far it is, and what the model is like, as plain data."""
        recogniser = self.recogniser
        known: dict[str, Any] = {"ready": recogniser is not None, "progress": self.progress, "error": self.error}
        if recogniser is not None:
            model = recogniser.model
            known["side"] = recogniser.side
            known["classes"] = recogniser.classes
            known["accuracy"] = self.accuracy
            known["parameters"] = model.parameter_count
            known["summary"] = summary(model.network, model.input_shape)
        return known

    def _learn(self) -> None:
        try:
            train, test = load_digits()
            model = digits_model()
            model.fit(train.X, train.y, epochs=self.epochs, callbacks=[_Telling(self)])
            if self._stopped.is_set():
                return
            self.accuracy = model.score(test.X, test.y)
            self.progress = 1.0
            self.recogniser = Recogniser(model)
        except (OSError, DataError) as error:  # the digits cannot be read
            self.error = str(error)

    @property
    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped.is_set()


class _Telling(Callback):
    """Says how far the training is, and ends it when nobody waits any more."""

    reads_weights = False

    def __init__(self, learning: Learning) -> None:
        self._learning = learning

    def on_batch_end(self, model: Any, run: Any) -> None:
        self._learning.progress = (run.epoch - 1 + run.batch / run.batches) / run.epochs
        if self._learning.stopped:
            model.stop_training = True
