"""What the page *Draw* asks: a drawing's class, with the probability of each and what every pixel said to it.

A pixel spoke for the winner if more ink there would raise the winner's output, by the gradient that the network's own
``backward`` gives: gradient times input (Shrikumar, Greenside, Shcherbina and Kundaje, "Not just a black box", 2016,
section 3). Paper, whose input is 0, says nothing.
"""

from __future__ import annotations

import math
import threading
from typing import Any

from ..checks import shown
from ..errors import ArgumentError, DataError
from ..layers.base import shape_text
from ..model import Model
from .images import LARGEST_SIDE, SMALLEST_SIDE, network_image

MOST_CLASSES = 100  # bars on the page
# The largest value of a pixel, as data sets have it: pictures scaled to 0-1, scikit-learn's digits, bytes.
_WHITES = (1.0, 16.0, 255.0)


def image_side(model: Model) -> int:
    """The side of the square grey images that the model tells apart; ``ArgumentError`` if it does something else."""
    shape = model.input_shape
    side = math.isqrt(model.input_size)
    square = side * side == model.input_size and (len(shape) == 1 or tuple(shape) == (1, side, side))
    wanted = f"square grey images of {SMALLEST_SIDE} x {SMALLEST_SIDE} to {LARGEST_SIDE} x {LARGEST_SIDE} pixels"
    if not square or not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise ArgumentError(f"the page needs a model of {wanted}, this one takes {shape_text(shape)}")
    if model.task != "classification" or not 2 <= len(model.classes) <= MOST_CLASSES:
        raise ArgumentError(
            f"the page needs a classifier of 2 to {MOST_CLASSES} classes, this model does {model.task}"
            f" with {len(model.classes)} classes"
        )
    return side


class Recogniser:
    """Answers for one model. Any number of threads may ask at once."""

    def __init__(self, model: Model) -> None:
        self.side = image_side(model)
        self.model = model
        self.classes = [str(label) for label in model.classes]
        self._white = _white(model)
        # The way back reads what the way forward has left in the layers: a network of its own, one thread at a time.
        self._network = model.network.copy()
        self._network.eval()
        self._network.trainable = False  # no gradient of weights is needed
        self._turn = threading.Lock()

    def answer(self, ink: bytes, width: int) -> dict[str, Any]:
        """For a drawing of ``width`` pixels a row: the image as the network sees it (side x side of 0 to 255), the
        probability of each class, the winner's number, and for every pixel what it said (see ``spoke``). Without any
        ink there is no winner, and None for all but the image. ``DataError`` for what is no drawing."""
        image = network_image(ink, width, self.side)
        if not any(image):
            return {"image": list(image), "probabilities": None, "winner": None, "spoke": None}
        row = self._row(image)
        probabilities = self.model.predict_proba([row])[0]
        if len(probabilities) == 1:
            probabilities = [1.0 - probabilities[0], probabilities[0]]
        winner = probabilities.index(max(probabilities))
        return {
            "image": list(image),
            "probabilities": [round(p, 6) for p in probabilities],
            "winner": winner,
            "spoke": [round(value, 4) for value in self.spoke(image, winner)],
        }

    def spoke(self, image: bytes, winner: int) -> list[float]:
        """What each pixel said to the class with this number: above 0 for it, below 0 against it, 1 or -1 where the
        most was said."""
        network, model = self._network, self.model
        rows, factor = model.schema.inputs(model.schema.rows([self._row(image)]))
        ops = network.ops
        try:
            with self._turn:
                outputs = network.forward(ops.take_rows(ops.prepare(rows, factor), [0]))
                one = [0.0] * ops.shape(outputs)[1]
                one[winner if len(one) > 1 else 0] = -1.0 if len(one) == 1 and winner == 0 else 1.0
                gradient = ops.to_rows(network.backward(ops.from_rows([one])))[0]
        except OverflowError as error:
            raise DataError(f"the drawing's gradient cannot be computed: {error}") from None
        assert model.scaling is not None  # an unfitted model has no classes
        units = model.scaling.units(model.input_size)
        said = [g * value / unit for g, value, unit in zip(gradient, image, units)]
        most = max(map(abs, said))
        return [value / most for value in said] if most > 0.0 else said

    def _row(self, image: bytes) -> Any:
        """The image in the unit of the rows that the model was trained on."""
        return image if self._white == 255.0 else [value * self._white / 255.0 for value in image]


def _white(model: Model) -> float:
    """The largest value that a pixel had where the model was trained, as far as its scaling tells."""
    scaling = model.scaling
    if scaling is None:
        raise ArgumentError(f"the model was not fitted yet: {shown(model.task)} needs data")
    if scaling.kind == "pixels":
        return 255.0
    if scaling.kind == "none":
        return 1.0
    brightest = max(mean + deviation for mean, deviation in zip(scaling.means, scaling.deviations))
    return next((white for white in _WHITES if brightest <= 2.0 * white), _WHITES[-1])
