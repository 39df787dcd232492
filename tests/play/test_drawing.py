"""What the page *Draw* is told: probabilities as the model's own, and pixels that spoke by gradient times input."""

from __future__ import annotations

from random import Random

import pytest

from scratchnn import Conv2D, Flatten, Linear, Model, ReLU, Sigmoid
from scratchnn.errors import ArgumentError
from scratchnn.play.drawing import Recogniser, image_side
from scratchnn.play.images import network_image


def images(count: int, side: int, brightest: float = 255.0) -> tuple[list[list[float]], list[int]]:
    """Upright (1) and lying (0) bars."""
    rng, X, y = Random(1), [], []
    for number in range(count):
        place, label = rng.randrange(1, side - 1), number % 2
        pixels = [brightest * ((k % side if label else k // side) == place) for k in range(side * side)]
        X.append([float(round(p)) if brightest > 1 else p for p in pixels])
        y.append(label)
    return X, y


def fitted(side: int, brightest: float = 255.0, **settings: object) -> Model:
    model = Model(side * side, 8, **settings)  # type: ignore[arg-type]
    model.fit(*images(60, side, brightest), epochs=12, lr=0.05)
    return model


UPRIGHT = bytes(255 * (8 <= k % 20 < 11) for k in range(400))


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_an_answer_is_what_the_model_says_of_the_image(engine: str) -> None:
    model = fitted(9, engine=engine)
    answer = Recogniser(model).answer(UPRIGHT, 20)
    image = network_image(UPRIGHT, 20, 9)
    assert answer["image"] == list(image)
    assert answer["probabilities"] == [round(p, 6) for p in model.predict_proba([image])[0]]
    assert model.classes[answer["winner"]] == model.predict([image])[0] == 1


def test_pixels_speak_by_gradient_times_input() -> None:
    model = fitted(9, engine="linalg")
    image = network_image(UPRIGHT, 20, 9)
    said = Recogniser(model).spoke(image, 1)
    step, slopes = 1e-4, []
    for k, value in enumerate(image):
        more, less = ([v / 255 for v in image] for _ in range(2))
        more[k] += step
        less[k] -= step
        up, down = (model.network([row])[0][1] for row in (more, less))
        slopes.append((up - down) / (2 * step) * value)
    most = max(map(abs, slopes))
    assert said == pytest.approx([slope / most for slope in slopes], abs=1e-5)
    assert max(map(abs, said)) == pytest.approx(1.0)


def test_paper_says_nothing_and_no_drawing_has_no_winner() -> None:
    recogniser = Recogniser(fitted(9))
    image = network_image(UPRIGHT, 20, 9)
    assert all(said == 0.0 for said, value in zip(recogniser.spoke(image, 0), image) if value == 0)
    answer = recogniser.answer(bytes(400), 20)
    assert (answer["winner"], answer["probabilities"], answer["spoke"]) == (None, None, None)


@pytest.mark.parametrize(
    ("brightest", "scaling"), [(255.0, "pixels"), (16.0, "standard"), (1.0, "none"), (1.0, "standard")]
)
def test_drawings_come_in_the_unit_that_the_model_was_trained_in(brightest: float, scaling: str) -> None:
    model = fitted(9, brightest, scaling=scaling)
    answer = Recogniser(model).answer(UPRIGHT, 20)
    assert answer["winner"] == 1
    assert answer["probabilities"][1] > 0.9


def test_one_output_tells_two_classes_apart() -> None:
    model = fitted(9, output_size=1)
    recogniser = Recogniser(model)
    answer = recogniser.answer(UPRIGHT, 20)
    assert answer["winner"] == 1 and sum(answer["probabilities"]) == pytest.approx(1.0)
    image = network_image(UPRIGHT, 20, 9)
    assert recogniser.spoke(image, 0) == pytest.approx([-said for said in recogniser.spoke(image, 1)])


def test_images_with_filters_are_asked_alike() -> None:
    layers = [Conv2D(1, 2, 3, padding=1), ReLU(), Flatten(), Linear(2 * 81, 2)]
    model = Model.from_layers(layers, input_shape=(1, 9, 9))
    model.fit(*images(60, 9), epochs=8)
    answer = Recogniser(model).answer(UPRIGHT, 20)
    assert answer["winner"] == 1 and len(answer["spoke"]) == 81


def test_the_model_itself_is_left_as_it_was() -> None:
    model = fitted(9)
    before = model.weights
    Recogniser(model).answer(UPRIGHT, 20)
    assert model.weights == before
    assert all(layer.trainable for layer in model.network)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: Model(10, 3), "this one takes 10"),
        (lambda: Model(9, 3), "4 x 4 to 64 x 64"),
        (lambda: Model(100 * 100, 1), "this one takes 10000"),
        (lambda: Model.from_layers([Flatten(), Linear(75, 2)], input_shape=(3, 5, 5)), "3 x 5 x 5"),
        (lambda: Model.from_layers([Linear(25, 1), Sigmoid()], loss="mse"), "does regression"),
        (lambda: Model(25, 3), "with 0 classes"),
    ],
)
def test_other_models_are_refused(model: object, reason: str) -> None:
    with pytest.raises(ArgumentError, match=reason):
        image_side(model())  # type: ignore[operator]
