"""``train --from``: going on with a saved model, with the rows held out that it has not seen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import Conv2D, Flatten, Linear, Model, ReLU, Sigmoid, Tanh, load_csv, train
from tests.commands import Runner

Command = Callable[..., "tuple[int, Any, str]"]
KINDS = ("daisy", "rose", "tulip")


def write_flowers(path: Path, *, rows: int = 60, columns: str = "length,width,kind", kinds: Any = KINDS) -> Path:
    """Three kinds of flowers that two numbers tell apart, more or less."""
    rng = Random(5)
    lines = [columns]
    for number in range(rows):
        k = number % len(kinds)
        fields = {"length": f"{rng.gauss(k, 0.6):.3f}", "width": f"{rng.gauss(-k, 0.6):.3f}", "kind": kinds[k]}
        lines.append(",".join(fields[name] for name in columns.split(",")))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_flowers(tmp_path / "flowers.csv")


@pytest.fixture
def command(call: Runner) -> Command:
    """Runs the command: exit code, results, standard error."""

    def run(*arguments: object) -> tuple[int, Any, str]:
        code, out, err = call(train.main, *arguments, "--json")
        return code, json.loads(out) if out else None, err

    return run


@pytest.mark.parametrize(
    ("option", "model"), [("--report", "model.html"), ("--checkpoint", "model.pkl"), ("--report", "./model.html")]
)
def test_nothing_but_the_new_model_takes_the_place_of_the_old(command: Command, option: str, model: str) -> None:
    command("flowers.csv", "--epochs", 1, "--hidden", "4", "--label", "kind", "--save", model)
    before = Path(model).read_bytes()
    code, _, err = command("flowers.csv", "--from", model, "--epochs", 1, "--save", "other.pkl", option, model)
    assert code == 2 and "overwrite what is read" in err
    assert Path(model).read_bytes() == before


def test_it_goes_on_where_the_model_stands(command: Command) -> None:
    _, first, _ = command("flowers.csv", "--epochs", 3, "--hidden", "9", "--seed", 4, "--label", "kind")
    before = Model.load("model.pkl")
    code, second, _ = command("flowers.csv", "--from", "model.pkl", "--epochs", 3, "--schedule", "none")
    assert code == 0
    assert second["history"]["loss"][0] < first["history"]["loss"][0]
    assert second["parameters"] == first["parameters"]
    assert second["seed"] == 4
    assert (second["training_rows"], second["test_rows"]) == (first["training_rows"], first["test_rows"])
    after = Model.load("model.pkl")
    assert after.classes == before.classes == list(KINDS)
    assert after.scaling.to_dict() == before.scaling.to_dict()  # type: ignore[union-attr]
    assert after.weights != before.weights
    assert after.feature_names == ["length", "width"]


def test_the_held_out_rows_are_those_of_before(command: Command, tmp_path: Path) -> None:
    """The seed comes with the model: else half of the test rows would be rows that it has learned from."""
    _, first, _ = command("flowers.csv", "--epochs", 3, "--seed", 4)
    one = command("flowers.csv", "--from", "model.pkl", "--lr", 1e-12, "--momentum", 0, "--save", "b.pkl")[1]
    other = command(
        *("flowers.csv", "--from", "model.pkl", "--lr", 1e-12, "--momentum", 0, "--save", "c.pkl", "--seed", 5)
    )[1]
    assert one["test_loss"] == pytest.approx(first["test_loss"], rel=1e-4)
    assert other["test_loss"] != pytest.approx(first["test_loss"], rel=1e-4)
    assert Model.load("b.pkl").seed == 4
    assert Model.load("c.pkl").seed == 5


def test_a_library_s_fit_goes_on_the_same_way(command: Command) -> None:
    settings = ("--epochs", 2, "--lr", 0.05, "--momentum", 0.5, "--schedule", "none", "--batch-size", 16)
    command("flowers.csv", "--seed", 4, "--epochs", 2, "--dropout", 0.2)
    model = Model.load("model.pkl")
    data = load_csv("flowers.csv")
    learned, _ = data.split(test_fraction=0.2, seed=4, stratify=True)
    model.fit(learned.X, learned.y, epochs=2, lr=0.05, momentum=0.5, schedule=None, batch_size=16)
    assert command("flowers.csv", "--from", "model.pkl", *settings)[0] == 0
    assert Model.load("model.pkl").weights == model.weights


def test_columns_and_label_are_those_that_the_model_knows(command: Command, tmp_path: Path) -> None:
    command("flowers.csv", "--epochs", 3)
    write_flowers(tmp_path / "turned.csv", columns="width,kind,length")
    same = command("flowers.csv", "--from", "model.pkl", "--save", "a.pkl")[1]
    turned = command("turned.csv", "--from", "model.pkl", "--save", "b.pkl")[1]
    assert turned["test_loss"] == same["test_loss"]
    assert Model.load("a.pkl").weights == Model.load("b.pkl").weights
    write_flowers(tmp_path / "new.csv", kinds=("daisy", "rose", "orchid"))
    code, _, err = command("new.csv", "--from", "model.pkl")
    assert code == 2
    assert "orchid" in err
    assert len(err.splitlines()) == 1


def test_regression_is_known_from_the_model(command: Command, tmp_path: Path) -> None:
    rng = Random(1)
    rows = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(60)]
    (tmp_path / "numbers.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{3 * a - b}\n" for a, b in rows))
    command("numbers.csv", "--regression", "--epochs", 3)
    code, second, _ = command("numbers.csv", "--from", "model.pkl", "--epochs", 20)
    assert code == 0
    assert second["test_r2"] > 0.9
    assert command("numbers.csv", "--from", "model.pkl", "--regression")[0] == 0
    code, _, err = command("numbers.csv", "--from", "model.pkl", "--class-weight", "balanced")
    assert code == 2
    assert "class_weight needs classes" in err


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_options_that_agree_with_the_model_are_fine(command: Command, engine: str) -> None:
    network = ("--hidden", "7,5", "--activation", "Tanh", "--dropout", 0.25, "--scaling", "standard")
    command("flowers.csv", *network, "--epochs", 1)
    code, *_ = command("flowers.csv", "--from", "model.pkl", *network, "--engine", engine, "--epochs", 1)
    assert code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--hidden", "8"),
            "--hidden 8: the model in 'model.pkl' has hidden 7,5; leave the option out, or train a new",
        ),
        (("--hidden", "64"), "--hidden 64: the model in 'model.pkl' has hidden 7,5"),  # the default, and said
        (("--hidden", "none"), "--hidden none: the model in 'model.pkl' has hidden 7,5"),
        (("--activation", "relu"), "--activation relu: the model in 'model.pkl' has activation tanh"),
        (("--dropout", "0"), "--dropout 0.0: the model in 'model.pkl' has dropout 0.25"),
        (("--scaling", "none"), "--scaling none: the model in 'model.pkl' has scaling standard"),
        (("--regression",), "--regression: the model in 'model.pkl' tells classes apart"),
    ],
)
def test_options_that_contradict_the_model_are_refused(command: Command, options: Any, message: str) -> None:
    command("flowers.csv", "--hidden", "7,5", "--activation", "tanh", "--dropout", 0.25, "--epochs", 1)
    before = Path("model.pkl").read_bytes()
    code, results, err = command("flowers.csv", "--from", "model.pkl", *options)
    assert (code, results) == (2, None)
    assert err.replace("in model.pkl", "in 'model.pkl'").startswith(f"error: {message}")
    assert len(err.splitlines()) == 1
    assert Path("model.pkl").read_bytes() == before


@pytest.mark.parametrize(
    "layers",
    [
        [Linear(2, 4), Tanh(), Linear(4, 4), ReLU(), Linear(4, 3)],
        [Linear(2, 4), Sigmoid(), Linear(4, 3)],
        [Conv2D(1, 2, 1), Flatten(), Linear(4, 3)],
    ],
)
def test_networks_of_any_layers_can_be_gone_on_with(command: Command, layers: list[Any]) -> None:
    data = load_csv("flowers.csv")
    shape = (1, 1, 2) if isinstance(layers[0], Conv2D) else None
    model = Model.from_layers([layer.copy() for layer in layers], input_shape=shape)
    model.network[0].trainable = False
    model.fit(data.X, data.y, epochs=1)
    model.save("model.pkl")
    assert command("flowers.csv", "--from", "model.pkl", "--epochs", 1)[0] == 0
    assert Model.load("model.pkl").weights[0] == model.weights[0]
    code, _, err = command("flowers.csv", "--from", "model.pkl", "--activation", "relu")
    assert code == 2
    assert "--activation relu: the model in " in err


def test_a_model_that_was_not_fitted_yet_learns_all_from_the_file(command: Command) -> None:
    Model(2, 5, 3, seed=8).save("model.pkl")
    code, results, _ = command("flowers.csv", "--from", "model.pkl", "--epochs", 2)
    assert code == 0
    assert results["seed"] == 8
    assert Model.load("model.pkl").classes == list(KINDS)


def test_a_model_that_is_none_is_one_line(command: Command) -> None:
    Path("x.pkl").write_bytes(b"no model")
    for name in ("x.pkl", "y.pkl"):
        code, _, err = command("flowers.csv", "--from", name)
        assert code == 2
        assert len(err.splitlines()) == 1
        assert name in err


def test_it_can_be_resumed(command: Command) -> None:
    command("flowers.csv", "--epochs", 1, "--save", "start.pkl")
    run = ("flowers.csv", "--from", "start.pkl", "--epochs", 3, "--checkpoint", "run.ckpt")
    assert command(*run)[0] == 0
    whole = Path("model.pkl").read_bytes()
    os.remove("model.pkl")
    assert command(*run, "--resume")[0] == 0
    assert Path("model.pkl").read_bytes() == whole


def test_the_shipped_digits_can_be_gone_on_with(command: Command) -> None:
    assert command("--epochs", 1, "--hidden", "8")[0] == 0
    code, results, _ = command("--from", "model.pkl", "--epochs", 1)
    assert code == 0
    assert results["parameters"] == 64 * 8 + 8 + 8 * 10 + 10
