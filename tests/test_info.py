"""``python -m scratchnn.info``: what a model's file and a checkpoint hold, also when a stranger wrote them."""

from __future__ import annotations

import hashlib
import json
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import Conv2D, Dropout, Flatten, HuberLoss, Linear, Model, ModelFileError, ReLU, Sequential, info
from scratchnn.saving import records
from scratchnn.training import checkpoint as checkpoints
from tests.commands import Runner

ROOT = Path(__file__).resolve().parent.parent
X = [[k % 3 + 0.1 * (k % 7), k % 2 - 0.3] for k in range(40)]
Y = [("daisy", "rose", "tulip")[k % 3] for k in range(40)]

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def command(call: Runner) -> Runner:
    return partial(call, info.main)


def flowers(**settings: Any) -> Model:
    model = Model(2, 5, 3, seed=7)
    model.fit(X, Y, epochs=3, **settings)
    model.schema = model.schema._replace(feature_names=["length", "width"], label_name="species", label_position=2)
    return model


def digest(model: Model) -> str:
    """The digest as its docstring describes it, worked out from lists."""
    parts = []
    for value in model.weights:
        rows = value if isinstance(value[0], list) else [value]
        parts.append(f"{len(rows)} x {len(rows[0])}\n".encode())
        parts += [struct.pack("<d", number) for row in rows for number in row]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_model_is_described(command: Runner) -> None:
    model = flowers()
    model.save("model.pkl")
    code, out, err = command("model.pkl")
    assert (code, err) == (0, "")
    size = Path("model.pkl").stat().st_size
    assert out == (
        "model.pkl\n"
        f"  a scratchnn model, {size:,} bytes, format version {records.VERSION}\n"
        "  task: classification, with CrossEntropyLoss\n"
        "  classes: 3: daisy rose tulip\n"
        "  features: 2: length width\n"
        "  label: column 3 ('species')\n"
        "  scaling: standard: each column to mean 0 and deviation 1\n"
        "  seed: 7\n"
        f"  weights: 33 numbers, SHA-256 {digest(model)}\n"
        "\n"
        f"{model.summary()}\n"
    )


def linear(inputs: int, outputs: int, init: str = "he") -> dict[str, Any]:
    arguments = {"kind": "Linear", "inputs": inputs, "outputs": outputs, "init": init}
    return {**arguments, "output_shape": [outputs], "parameters": (inputs + 1) * outputs, "trainable": True}


def test_the_same_in_json(command: Runner) -> None:
    model = flowers()
    model.save("model.pkl")
    _, out, _ = command("model.pkl", "--json")
    assert out.count("\n") == 1
    facts = json.loads(out)
    assert model.scaling is not None
    assert facts.pop("scaling") == model.scaling.to_dict()
    assert facts.pop("target_scaling") in (None, {"kind": "none", "means": [], "deviations": []})
    assert facts == {
        "file": "model.pkl",
        "kind": "model",
        "format_version": records.VERSION,
        "bytes": Path("model.pkl").stat().st_size,
        "task": "classification",
        "loss": "CrossEntropyLoss",
        "loss_arguments": {},
        "input_shape": [2],
        "outputs": 3,
        "layers": [
            linear(2, 5, "xavier"),
            {"kind": "ReLU", "output_shape": [5], "parameters": 0, "trainable": True},
            linear(5, 3),
        ],
        "parameters": 33,
        "weights_sha256": digest(model),
        "fitted": True,
        "classes": ["daisy", "rose", "tulip"],
        "columns": ["length", "width"],
        "label": {"name": "species", "position": 2},
        "seed": 7,
    }


def test_the_digest_tells_weights_apart_and_nothing_else(command: Runner) -> None:
    def digest_of(model: Model) -> str:
        model.save("model.pkl")
        return str(json.loads(command("model.pkl", "--json")[1])["weights_sha256"])

    first, again = flowers(), flowers()
    again.schema = again.schema._replace(feature_names=["a", "b"])
    assert digest_of(first) == digest_of(again) == info.weights_digest(first)
    weights = first.weights
    weights[1][0] += 2.0**-30
    first.weights = weights
    assert digest_of(first) != digest_of(again)


def test_a_loss_with_an_argument(command: Runner) -> None:
    Model.from_layers([Linear(2, 1)], loss=HuberLoss(0.25)).save("model.pkl")
    assert "\n  task: regression, with HuberLoss (delta 0.25)\n" in command("model.pkl")[1]
    facts = json.loads(command("model.pkl", "--json")[1])
    assert (facts["loss"], facts["loss_arguments"]) == ("HuberLoss", {"delta": 0.25})


def test_nested_layers_images_and_frozen_ones(command: Runner) -> None:
    layers = [Sequential([Conv2D(1, 2, 3, padding=1), ReLU()]), Flatten(), Dropout(0.1), Linear(32, 1)]
    model = Model.from_layers(layers, input_shape=(1, 4, 4), loss="mse")
    model.network.layers[3].trainable = False
    model.save("model.pkl")
    _, out, _ = command("model.pkl")
    assert (
        "  task: regression, with MSELoss\n  not fitted yet: it knows no data\n  features: 16, without names\n" in out
    )
    facts = json.loads(command("model.pkl", "--json")[1])
    assert [(layer["kind"], layer["output_shape"], layer["trainable"]) for layer in facts["layers"]] == [
        ("Conv2D", [2, 4, 4], True),
        ("ReLU", [2, 4, 4], True),
        ("Flatten", [32], True),
        ("Dropout", [32], True),
        ("Linear", [1], False),
    ]
    assert facts["fitted"] is False and facts["scaling"] is None and facts["classes"] == []


@pytest.mark.parametrize("version", [1, 2, 3])
def test_older_files_are_described_as_well(version: int, command: Runner) -> None:
    path = ROOT / "tests" / "golden" / f"model_version_{version}.pkl"
    code, out, _ = command(str(path))
    assert code == 0
    assert f"format version {version}\n" in out
    assert ("  seed: not kept\n" in out) == (version < 3)


def test_a_model_of_many_columns_and_classes_stays_short(command: Runner) -> None:
    model = Model(40, [], 30)
    model.fit([[float(i == k) for i in range(40)] for k in range(30)], list(range(30)), epochs=1)
    model.schema = model.schema._replace(feature_names=[f"column {i} " + "x" * 100 for i in range(40)])
    model.save("model.pkl")
    _, out, _ = command("model.pkl")
    assert "  classes: 30: 0 1 2 3 4 5 6 7 8 9 ... 29\n" in out
    assert max(map(len, out.splitlines())) < 600
    assert len(json.loads(command("model.pkl", "--json")[1])["columns"]) == 40


# --- checkpoints ---------------------------------------------------------------------------------------------------


class _Stop:
    """Stops a run after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def on_train_begin(self, model: Any, run: Any) -> None: ...

    def on_batch_end(self, model: Any, run: Any) -> None:
        self.left -= 1
        model.stop_training = self.left == 0

    def on_epoch_end(self, model: Any, run: Any) -> None: ...

    def on_train_end(self, model: Any, run: Any) -> None: ...


@pytest.mark.parametrize(
    ("batches", "where", "numbers"),
    [
        (13, "in epoch 3 of 5, after batch 3", (3, 3, False)),
        (10, "after epoch 2 of 5", (2, 5, True)),
        (0, "after epoch 5 of 5", (5, 5, True)),
    ],
)
def test_a_checkpoint_says_where_the_run_stands(
    batches: int, where: str, numbers: tuple[int, int, bool], command: Runner
) -> None:
    settings = {"lr": 0.25, "momentum": 0.5, "schedule": "step", "clip_norm": None}
    model = Model(2, 5, 3, seed=7)
    model.fit(X, Y, epochs=5, batch_size=8, checkpoint="run.ckpt", callbacks=[_Stop(batches)], **settings)
    code, out, err = command("run.ckpt")
    assert (code, err) == (0, "")
    first, second, third, *rest = out.splitlines()
    size = Path("run.ckpt").stat().st_size
    assert first == "run.ckpt"
    assert second == f"  a scratchnn checkpoint, {size:,} bytes, format version {checkpoints.VERSION}"
    assert third == f"  stands {where}"
    assert "  optimizer: SGD(lr=0.25, momentum=0.5, weight_decay=0.0, nesterov=False)" in rest
    assert "  schedule: StepSchedule(step_size=2, gamma=0.1)" in rest
    assert "  seed: 7" in rest and "  batch size: 8" in rest
    assert not [line for line in rest if "clip" in line]
    facts = json.loads(command("run.ckpt", "--json")[1])
    assert (facts["epoch"], facts["batch"], facts["epoch_is_whole"]) == numbers
    assert facts["kind"] == "checkpoint" and facts["epochs"] == 5


# --- strangers ------------------------------------------------------------------------------------------------------


def test_what_a_stranger_wrote_is_shown_in_printable_characters(command: Runner) -> None:
    nasty = "\x1b[2J\r\u202e"
    model = flowers()
    model.schema = model.schema._replace(classes=[nasty, "a\nseed: 1", "tulip"])
    model.schema = model.schema._replace(feature_names=[nasty, "b\n"], label_name=nasty)
    model.save("model.pkl")
    _, out, _ = command("model.pkl")
    assert all(line.isprintable() for line in out.splitlines())
    assert "\\x1b[2J\\r\\u202e" in out and "a\\nseed: 1" in out
    assert json.loads(command("model.pkl", "--json")[1])["classes"][0] == nasty


def test_a_checkpoint_of_a_stranger_is_shown_in_printable_characters(command: Runner) -> None:
    record = {
        "settings": {"epochs": 3, "\x1b[2J": "\x1b]0;title\x07" * 100, "optimizer": ["\r", {"\n": 10**300}], "x": [[]]},
        "state": {"run": {"epoch": 1, "batch": 2}, "order": b""},
    }
    records.save_record("run.ckpt", checkpoints.FORMAT, checkpoints.VERSION, record)
    code, out, _ = command("run.ckpt")
    assert code in (0, 2)
    assert all(line.isprintable() for line in out.splitlines())
    assert max(map(len, out.splitlines() or [""])) < 1000


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {"settings": {}, "state": {}},
        {"settings": [], "state": {"run": []}},
        {"settings": {"epochs": -1}, "state": {"run": {"epoch": 1, "batch": 2}, "order": b""}},
        {"settings": {"epochs": 1}, "state": {"run": {"epoch": 10**30, "batch": 2}, "order": b""}},
        {"settings": {"epochs": 1}, "state": {"run": {"epoch": True, "batch": 2}, "order": b""}},
        {"settings": {"epochs": 1}, "state": {"run": {"epoch": "1", "batch": 2}, "order": b""}},
    ],
)
def test_a_record_that_is_no_checkpoint_is_refused_in_a_line(record: Any, command: Runner) -> None:
    records.save_record("run.ckpt", checkpoints.FORMAT, checkpoints.VERSION, record)
    code, out, err = command("run.ckpt")
    assert (code, out) == (2, "")
    assert err.startswith("error: run.ckpt: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file: no such file"),
        (b"", "file: not a scratchnn model: the file is empty"),
        (b"label,a\n1,2\n", "file: not a scratchnn model"),
        (b"scratchnn checkpoint", "file: not a scratchnn checkpoint"),
    ],
)
def test_a_file_that_is_neither_is_refused_in_a_line(content: bytes | None, message: str, command: Runner) -> None:
    if content is not None:
        Path("file").write_bytes(content)
    assert command("file") == (2, "", f"error: {message}\n")


def test_a_damaged_model_is_refused(command: Runner) -> None:
    flowers().save("model.pkl")
    data = bytearray(Path("model.pkl").read_bytes())
    data[-40] ^= 1
    Path("model.pkl").write_bytes(data)
    assert command("model.pkl") == (2, "", "error: model.pkl: damaged: the checksum does not match\n")


def test_scaled_targets_are_told(command: Runner) -> None:
    model = Model(2, [], 1, task="regression")
    model.fit(X, [1000.0 * a + b for a, b in X], epochs=1)
    model.save("model.pkl")
    assert "  scaling of targets: standard: each column to mean 0 and deviation 1\n" in command("model.pkl")[1]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.integers(-3, 2**64) | PLAIN


@given(
    epochs=NUMBERS,
    epoch=NUMBERS,
    batch=NUMBERS,
    order=PLAIN,
    more=st.dictionaries(st.text(max_size=8), PLAIN, max_size=4),
)
def test_whatever_a_checkpoint_says_it_is_shown_or_refused(
    epochs: Any, epoch: Any, batch: Any, order: Any, more: dict[str, Any]
) -> None:
    record = {
        "settings": {"epochs": epochs, **more},
        "state": {"run": {"epoch": epoch, "batch": batch}, "order": order},
    }
    records.save_record("run.ckpt", checkpoints.FORMAT, checkpoints.VERSION, record)
    try:
        facts, lines = info.look_at("run.ckpt")
    except ModelFileError:
        return
    assert all(line.isprintable() and len(line) < 2500 for line in lines)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert 0 <= facts["epoch"] < 2**63 and 0 <= facts["epochs"] < 2**63 and 0 <= facts["batch"] < 2**63
