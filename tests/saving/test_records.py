"""Saved models and other records: read as they were written, or refused in one clear line; old versions too."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnn import (
    ELU,
    ArgumentError,
    BatchNorm,
    CrossEntropyLoss,
    Dropout,
    EarlyStopping,
    Embedding,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Loss,
    Model,
    ModelFileError,
    ReLU,
    Residual,
    Sequential,
    Softmax,
    Tanh,
)
from scratchnn import layers as scratchnn_layers
from scratchnn.layers import ARGUMENTS, Parameter
from scratchnn.layers.architecture import layer_from_plain, layer_to_plain
from scratchnn.layers.convolution import AvgPool2D, Conv2D, MaxPool2D
from scratchnn.saving import model_format, records
from scratchnn.saving.safe_pickle import dumps

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DESCRIPTION: dict[str, Any] = {"layers": [1, 2.5, "three", None, True], "weights": {"a": b"\0\1"}}


# --- there and back ----------------------------------------------------------------------------------------


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    for path in (tmp_path / "model.pkl", str(tmp_path / "a name with spaces é.pkl")):
        records.save(path, DESCRIPTION)
        assert records.load(path) == DESCRIPTION


@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1))
def test_matrices_are_kept_to_the_last_bit(rows: list[list[float]]) -> None:
    packed = records.pack_matrix(rows)
    assert packed["shape"] == [len(rows), 3]
    again = records.unpack_matrix(packed)
    assert [[v.hex() for v in row] for row in again] == [[v.hex() for v in row] for row in rows]


def test_doubles_are_little_endian_on_every_machine() -> None:
    doubles = b"\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\x04\xc0"
    assert records.pack_matrix([[1.0, -2.5]])["doubles"] == doubles
    assert records.unpack_matrix({"shape": [1, 2], "doubles": doubles}) == [[1.0, -2.5]]
    assert records.unpack_matrix({"shape": [2, 1], "doubles": doubles}) == [[1.0], [-2.5]]


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        ({"shape": [2, 3], "doubles": b"12345678"}, "a matrix of 2x3 needs 48 bytes, got 8"),
        (
            {"shape": [1, 1], "doubles": b"\0\0\0\0\0\0\xf8\x7f"},
            "row 0 of a matrix of 1x1 has numbers that are not finite",
        ),
        ({"shape": [1, 2], "doubles": bytes(14) + b"\xf0\xff"}, "not finite"),
        ({"shape": [0, 3], "doubles": b""}, "two whole numbers of at least 1"),
        ({"shape": [1 << 40, 1 << 40], "doubles": b""}, "a matrix of 1099511627776x1099511627776 needs"),
        ({"shape": [True, 1], "doubles": bytes(8)}, "two whole numbers"),
        ({"shape": [1, 1.0], "doubles": bytes(8)}, "two whole numbers"),
        ({"shape": [1], "doubles": bytes(8)}, "two whole numbers"),
        ({"shape": "11", "doubles": bytes(8)}, "two whole numbers"),
        ({"shape": [1, 1], "doubles": [0.0]}, "a shape and doubles"),
        ({"shape": [1, 1]}, "a shape and doubles"),
        (None, "a shape and doubles"),
    ],
)
def test_a_matrix_that_is_none_is_refused(packed: Any, reason: str) -> None:
    for read in (records.unpack_matrix, records.finite_doubles):
        with pytest.raises(ModelFileError, match=reason):
            read(packed)


def test_a_matrix_that_could_not_be_read_is_not_packed() -> None:
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(ModelFileError, match="row 1 of a matrix of 2x2 has numbers that are not finite"):
            records.pack_matrix([[0.0, 1.0], [number, 2.0]])


def test_large_finite_numbers_are_no_infinity() -> None:
    packed = records.pack_matrix([[1.7e308, 1.7e308, -1.7e308]])
    assert records.unpack_matrix(packed) == [[1.7e308, 1.7e308, -1.7e308]]
    assert records.finite_doubles(packed) == packed["doubles"]


def test_the_digest_is_the_same_with_and_without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {records.sha256(b"some data").hexdigest()}
    monkeypatch.setitem(sys.modules, "_hashlib", None)  # as in a program that has not loaded it
    found.add(records.sha256(b"some data").hexdigest())
    monkeypatch.setitem(sys.modules, "_hashlib", types.ModuleType("_hashlib"))
    found.add(records.sha256(b"some data").hexdigest())
    assert found == {hashlib.sha256(b"some data").hexdigest()}


def test_the_same_record_gives_the_same_file_whatever_its_parts_share(tmp_path: Path) -> None:
    part = ["shared"]
    records.save_record(tmp_path / "one", "scratchnn test", 3, {"a": part, "b": part})
    records.save_record(tmp_path / "two", "scratchnn test", 3, {"a": ["shared"], "b": ["".join(["sha", "red"])]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


class Unreadable:
    """Of a class of its own: the reader would refuse it."""


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    records.save(path, DESCRIPTION)
    with pytest.raises(ValueError, match=r"model\.pkl: cannot be saved: .*Unreadable"):
        records.save(path, {"thing": Unreadable()})
    assert records.load(path) == DESCRIPTION


# --- what kind of file it is -------------------------------------------------------------------------------


def test_records_are_known_by_name_and_version(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    records.save_record(path, "scratchnn checkpoint", 2, {"epoch": 3})
    assert records.load_record(path, "scratchnn checkpoint", (1, 2)) == {"epoch": 3}
    with pytest.raises(ModelFileError, match=r"checkpoint: not a scratchnn model, but a scratchnn checkpoint"):
        records.load(path)
    with pytest.raises(
        ModelFileError, match=r": from a newer scratchnn: format version 2, this program reads version 1"
    ):
        records.load_record(path, "scratchnn checkpoint", (1,))
    with pytest.raises(ModelFileError, match=r": format version 2, this program reads version 1 and 3"):
        records.load_record(path, "scratchnn checkpoint", (1, 3))


def old_file(payload: bytes, /, **changes: Any) -> bytes:
    """A file as version 1 had it, written by pickle."""
    outer = {
        "format": "scratchnn model",
        "version": 1,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "payload": payload,
    }
    return pickle.dumps({**outer, **changes}, protocol=4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a scratchnn model: the file is empty"),
        (b"label,pixel0\n1,2\n", "not a scratchnn model"),
        (b'"""Teaches scratchnn what it knows."""\nimport os\n', "not a scratchnn model$"),
        (b"install scratchnn first\n", "not a scratchnn model$"),  # "i" imports, in a pickle of protocol 0
        (pickle.dumps({"format": "scratchnn model"}, protocol=1), "not a scratchnn model$"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a scratchnn model"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "not a scratchnn model"),
        (b"\0" * 100, "not a scratchnn model"),
        (pickle.dumps([1, 2, 3]), "not a scratchnn model"),
        (pickle.dumps({"format": "something else"}), "not a scratchnn model"),
        (pickle.dumps({"format": "scratchnn \n" + "x" * 1000}), "not a scratchnn model, but some other pickle"),
        (pickle.dumps(["scratchnn model"]), "not a scratchnn model, but some other pickle"),
        (pickle.dumps("scratchnn model")[:-1] + b"c", "not a scratchnn model, or a damaged one"),
        (b"\x80\x04}(\x8c\x06for", "truncated: only 9 bytes are there"),
        (old_file(b"N."[:0]), "truncated"),
        (
            old_file(b"\x80\x04N.", version=99),
            "from a newer scratchnn: format version 99, this program reads version 1, 2, 3 and 4",
        ),
        (old_file(b"\x80\x04N.", version=0), "format version 0, this program reads version 1, 2, 3 and 4"),
        (old_file(b"\x80\x04N.", version=2), "damaged: the checksum does not match"),
        (old_file(b"\x80\x04N.", version="1"), "damaged: the version or the payload is missing"),
        (old_file(b"\x80\x04N.", payload=None), "damaged: the version or the payload is missing"),
        (old_file(b"\x80\x04N.", payload=b"\x80\x04\x88."), "damaged: the checksum does not match"),
        (old_file(b"\x80\x04N.", sha256=7), "damaged: the checksum does not match"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"model\.pkl: {reason}") as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nothing: no such file"):
        Model.load(tmp_path / "nothing")
    with pytest.raises(ModelFileError, match="a directory, expected a scratchnn model"):
        Model.load(tmp_path)
    with pytest.raises(ModelFileError, match=r"'a\\x00b': cannot be read"):
        Model.load("a\0b")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no endless file here")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ModelFileError, match="/dev/zero: not a scratchnn model"):
        Model.load("/dev/zero")


def test_a_file_larger_than_allowed_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pkl"
    records.save(path, {"a": bytes(1000)})
    monkeypatch.setattr(records, "CHUNK_BYTES", 256)
    versions = (records.VERSION,)
    assert records.load_record(path, "scratchnn model", versions, max_bytes=path.stat().st_size) == {"a": bytes(1000)}
    with pytest.raises(ModelFileError, match="longer than 600 bytes; pass a larger max_bytes to read it anyway"):
        records.load_record(path, "scratchnn model", versions, max_bytes=600)


# --- older versions ----------------------------------------------------------------------------------------


# The newest file holds what the others do: Model.load(GOLDEN / "model_version_2.pkl").save(GOLDEN / "...3.pkl")
NEWEST = GOLDEN / f"model_version_{records.VERSION}.pkl"


@pytest.mark.parametrize("version", records.VERSIONS)
def test_a_model_of_every_version_predicts_what_it_always_did(version: int, tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / "expected.json").read_text())
    model = Model.load(GOLDEN / f"model_version_{version}.pkl", engine="linalg")
    assert model.predict(expected["rows"]) == expected["labels"]
    for row, probabilities in zip(model.predict_proba(expected["rows"]), expected["probabilities"]):
        assert row == pytest.approx(probabilities, abs=1e-14)
    assert (model.classes, model.feature_names) == (expected["classes"], ["wing", "beak", "depth"])
    assert (model.label_name, model.label_position) == ("bird", 3)
    model.save(tmp_path / "again.pkl")
    assert (tmp_path / "again.pkl").read_bytes() == NEWEST.read_bytes()  # on every machine and every Python


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_what_came_with_version_3_is_read_as_it_was_written(engine: str, tmp_path: Path) -> None:
    """A regression with standardised targets, a seed and a frozen layer."""
    expected = json.loads((GOLDEN / "regression_expected.json").read_text())
    path = GOLDEN / "regression_version_3.pkl"
    model = Model.load(path, engine=engine)
    tolerance = {"abs": 1e-9} if engine == "linalg" else {"rel": 1e-3, "abs": 1e-2}
    for row, values in zip(model.predict(expected["rows"]), expected["predictions"]):
        assert row == pytest.approx(values, **tolerance)
    assert model.seed == expected["seed"] == 1 << 70
    assert [layer.trainable for layer in model.network] == [False, *[True] * 6]
    assert model.target_scaling is not None
    assert model.target_scaling.kind == "standard"
    model.save(tmp_path / "again.pkl")
    newest = GOLDEN / f"regression_version_{records.VERSION}.pkl"
    assert (tmp_path / "again.pkl").read_bytes() == newest.read_bytes()


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_what_came_with_version_4_is_read_as_it_was_written(engine: str, tmp_path: Path) -> None:
    """A loss with an argument."""
    path = GOLDEN / "huber_version_4.pkl"
    model = Model.load(path, engine=engine)
    assert repr(model.loss) == "HuberLoss(delta=0.25)"
    model.save(tmp_path / "again.pkl")
    if records.VERSION == 4:
        assert (tmp_path / "again.pkl").read_bytes() == path.read_bytes()


def test_damage_to_an_old_file_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    """A few bytes of version 1, such as the length of a frame, carry nothing: with those the model is whole."""
    path, data = tmp_path / "model.pkl", (GOLDEN / "model_version_1.pkl").read_bytes()
    newest = NEWEST.read_bytes()
    accepted = 0
    for position in range(0, len(data), 3):
        for change in (data[:position], data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]):
            path.write_bytes(change)
            try:
                Model.load(path).save(path)
            except ModelFileError:
                continue
            accepted += 1
            assert path.read_bytes() == newest
    assert accepted <= 4


def test_loading_needs_no_name_outside_plain_data() -> None:
    """So pickle itself may read a model file, and does not have to import anything for it."""

    class Strict(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            raise AssertionError(f"{module}.{name}")

    for version in records.VERSIONS:
        outer = Strict(io.BytesIO((GOLDEN / f"model_version_{version}.pkl").read_bytes())).load()
        assert list(outer) == ["format", "version", "sha256", "payload"]
        assert Strict(io.BytesIO(outer["payload"])).load()["task"] == "classification"


# --- parts that do not fit together ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    loaded: dict[str, Any] = records.load(NEWEST)
    return loaded


def linear(inputs: Any, outputs: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "Linear", "inputs": inputs, "outputs": outputs, "init": "he", **more}


ZERO = bytes(8)
BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no layers": (lambda d: d.pop("layers"), "the part 'layers' is missing"),
    "one part more": (lambda d: d.update(extra=1), "there is an unknown part, 'extra'"),
    "a part with an endless name": (lambda d: d.update({"x" * 10_000: 1}), "there is an unknown part, 'xxx"),
    "layers of another type": (lambda d: d.update(layers={}), "layers is to be of type list, got a dict of 0"),
    "a layer that is none": (lambda d: d.update(layers=[5]), "a layer is to be a dict, got 5"),
    "an unknown layer": (lambda d: d.update(layers=[{"kind": "Model"}]), "unknown layer 'Model': .*known are Linear"),
    "a layer without a kind": (lambda d: d.update(layers=[{}]), "unknown layer None"),
    "a kind that cannot be hashed": (
        lambda d: d.update(layers=[{"kind": []}]),
        "unknown layer a list of 0",
    ),
    "half a layer": (lambda d: d.update(layers=[{"kind": "Linear", "inputs": 2}]), "missing"),
    "a default left out": (lambda d: d.update(layers=[{"kind": "Linear", "inputs": 2, "outputs": 2}]), "missing"),
    "an argument too many": (lambda d: d.update(layers=[{"kind": "ReLU", "slope": 0.1}]), "ReLU has an unknown arg"),
    "no layer at all": (lambda d: d.update(layers=[], weights=[]), "a model needs at least one layer"),
    "a generator": (lambda d: d.update(layers=[linear(3, 2, rng=5)]), "Linear has an unknown argument, 'rng'"),
    "a size that is text": (lambda d: d.update(layers=[linear("3", 2)]), "inputs of Linear cannot be '3'"),
    "a size of a googol": (lambda d: d.update(layers=[linear(3, 10**100)]), "at most"),
    "a rate of 1": (lambda d: d["layers"][2]["layers"][0].update(rate=1.0), "rate of Dropout"),
    "a rate that is no number": (lambda d: d["layers"][2]["layers"][0].update(rate=math.nan), "rate of Dropout"),
    "a slope above 1": (lambda d: d["layers"][3].update(slope=1.5), "slope of LeakyReLU"),
    "an init below 0": (lambda d: d["layers"][4].update(init=-1.0), "init is the name of a rule"),
    "layers that do not fit": (lambda d: d["layers"].insert(0, linear(3, 7)), "expects 3 inputs, got 7"),
    "ten thousand layers": (lambda d: d["layers"].extend([{"kind": "ReLU"}] * 10_000), "more than 4096 layers"),
    "an unknown loss": (lambda d: d.update(loss="hinge"), "unknown loss 'hinge': known are mse"),
    "no arguments of the loss": (lambda d: d.pop("loss_arguments"), "the part 'loss_arguments' is missing"),
    "arguments of another type": (
        lambda d: d.update(loss_arguments=[0.1]),
        "loss_arguments is to be of type dict, got a list of 1",
    ),
    "an argument of another loss": (
        lambda d: d.update(loss_arguments={"delta": 1.0}),
        "CrossEntropyLoss has an unknown argument, 'delta'",
    ),
    "a self of a loss": (lambda d: d.update(loss_arguments={"self": 1.0}), "an unknown argument, 'self'"),
    "an argument with an endless name": (
        lambda d: d.update(loss_arguments={"x\n\x1b" * 10_000: 1.0}),
        r"CrossEntropyLoss has an unknown argument, 'x\\n\\x1b",
    ),
    "a smoothing of 1": (
        lambda d: d.update(loss_arguments={"label_smoothing": 1.0}),
        "label_smoothing must be a number at least 0 and below 1, got 1",
    ),
    "a smoothing that is text": (
        lambda d: d.update(loss_arguments={"label_smoothing": "0.1" * 1000}),
        "label_smoothing must be a number at least 0 and below 1, got '0.1",
    ),
    "a smoothing that is no number": (
        lambda d: d.update(loss_arguments={"label_smoothing": math.nan}),
        "label_smoothing must be a number at least 0 and below 1, got nan",
    ),
    "a smoothing that is none": (
        lambda d: d.update(loss_arguments={"label_smoothing": 0.0}),
        "the arguments of CrossEntropyLoss are not written as save writes them",
    ),
    "an argument left out": (
        lambda d: d.update(loss="huber"),
        "the arguments of HuberLoss are not written as save writes them",
    ),
    "a whole number for a delta": (
        lambda d: d.update(loss="huber", loss_arguments={"delta": 1}),
        "the arguments of HuberLoss are not written as save writes them",
    ),
    "a delta of a googol": (
        lambda d: d.update(loss="huber", loss_arguments={"delta": 10**400}),
        "delta must be a number above 0 and finite, got 1000",
    ),
    "an unknown task": (lambda d: d.update(task="guessing"), "unknown task 'guessing'"),
    "a task that the loss cannot do": (lambda d: d.update(loss="mse"), "does not tell classes apart"),
    "no shape": (lambda d: d.update(input_shape=7), "input_shape is to be of type list, got 7"),
    "an empty shape": (lambda d: d.update(input_shape=[]), "input_shape is to be one to three sizes"),
    "another width": (lambda d: d.update(input_shape=[7]), "expects 3 inputs, got 7"),
    "a shape that is true": (lambda d: d.update(input_shape=[True]), "one to three sizes"),
    "a shape below 1": (lambda d: d.update(input_shape=[0]), "one to three sizes"),
    "a huge shape": (
        lambda d: d.update(layers=[{"kind": "ReLU"}], input_shape=[1 << 12, 1 << 12, 2], weights=[]),
        "input_shape of 33554432 numbers a sample",
    ),
    "a weight too few": (lambda d: d["weights"].pop(), "6 weights expected, got 5"),
    "a weight too many": (lambda d: d["weights"].append(d["weights"][0]), "6 weights expected, got 7"),
    "another shape": (lambda d: d["weights"][0].update(shape=[5, 3]), r"weights\[0\] is 5x3, the layers need 3x5"),
    "no numbers": (lambda d: d["weights"][0].update(doubles=b""), "a matrix of 3x5 needs 120 bytes, got 0"),
    "not a number": (lambda d: d["weights"][1].update(doubles=b"\xff" * 40), "not finite"),
    "sizes without their numbers": (
        lambda d: d.update(layers=[linear(3, 10**6), linear(10**6, 10**6), linear(10**6, 3)]),
        r"weights\[0\] is 3x5, the layers need 3x1000000",
    ),
    "no classes": (lambda d: d.update(classes=None), "classes is to be of type list, got None"),
    "a class too few": (lambda d: d["classes"].pop(), "3 classes expected, got 2"),
    "a class twice": (lambda d: d.update(classes=["a", "a", "b"]), "the same class twice"),
    "numbers and texts": (lambda d: d.update(classes=[1, "a", 2]), "all texts or all whole numbers"),
    "classes that cannot be hashed": (lambda d: d.update(classes=[[], [], []]), "all texts or all whole numbers"),
    "a class of many bits": (lambda d: d.update(classes=[0, 1, 1 << 63]), "more than 64 bits"),
    "scaling of another type": (lambda d: d.update(scaling=[1]), "scaling is to be of type dict or NoneType"),
    "no scaling, but classes": (lambda d: d.update(scaling=None), "0 classes expected, got 3"),
    "half a scaling": (lambda d: d["scaling"].pop("means"), "a scaling is to have a kind, means and deviations"),
    "an unknown scaling": (lambda d: d["scaling"].update(kind="auto"), "unknown scaling 'auto'"),
    "a mean too few": (lambda d: d["scaling"]["means"].pop(), "as many means as deviations"),
    "a column too few": (
        lambda d: (d["scaling"]["means"].pop(), d["scaling"]["deviations"].pop()),
        "scaling of 2 columns, expected 3",
    ),
    "a mean that is text": (lambda d: d["scaling"]["means"].__setitem__(0, "1"), "are to be finite"),
    "a mean of infinity": (lambda d: d["scaling"]["means"].__setitem__(0, math.inf), "are to be finite"),
    "a deviation of 0": (lambda d: d["scaling"]["deviations"].__setitem__(0, 0.0), "deviations above 0"),
    "pixels with means": (lambda d: d["scaling"].update(kind="pixels"), "scaling 'pixels' with 3 means"),
    "another scaling than asked for": (lambda d: d.update(scaling_kind="pixels"), "scaling 'pixels' was asked for"),
    "an unknown kind of scaling": (lambda d: d.update(scaling_kind="x"), "unknown scaling_kind 'x'"),
    "no kind of target scaling": (lambda d: d.pop("target_scaling_kind"), "the part 'target_scaling_kind' is missing"),
    "an unknown kind of target scaling": (
        lambda d: d.update(target_scaling_kind="pixels"),
        "unknown target_scaling_kind 'pixels': known are auto, standard, none",
    ),
    "target scaling of another type": (lambda d: d.update(target_scaling=5), "target_scaling is to be of type dict"),
    "a classifier with target scaling": (
        lambda d: d.update(target_scaling={"kind": "standard", "means": [0.0] * 3, "deviations": [1.0] * 3}),
        "target_scaling 'standard' is for regression with the loss mse",
    ),
    "target scaling that was asked for and is not there": (
        lambda d: d.update(target_scaling_kind="standard"),
        "target_scaling 'standard' was asked for, none is there",
    ),
    "a name too few": (lambda d: d["feature_names"].pop(), "2 feature_names for 3 features"),
    "a name that is none": (lambda d: d.update(feature_names=["a", 1, "b"]), "feature_names are to be texts"),
    "a label's name that is none": (lambda d: d.update(label_name=5), "label_name is to be of type str"),
    "a label far out": (lambda d: d.update(label_position=99), "a label_position of 99"),
    "no seed": (lambda d: d.pop("seed"), "the part 'seed' is missing"),
    "a seed below 0": (lambda d: d.update(seed=-1), "seed is to be from 0 to .*, got -1"),
    "a seed of many digits": (lambda d: d.update(seed=1 << 2000), "seed is to be from 0 to"),
    "a seed that is text": (lambda d: d.update(seed="7"), "seed is to be of type int or NoneType, got '7'"),
    "a seed that is true": (lambda d: d.update(seed=True), "seed is to be of type int or NoneType, got True"),
    "nothing told of frozen layers": (lambda d: d.pop("frozen"), "the part 'frozen' is missing"),
    "frozen layers of another type": (lambda d: d.update(frozen=0), "frozen is to be of type list, got 0"),
    "a frozen layer that is not there": (lambda d: d.update(frozen=[99]), "frozen is to list .* got 99"),
    "a frozen layer before the first": (lambda d: d.update(frozen=[-1]), "frozen is to list .* got -1"),
    "a layer frozen twice": (lambda d: d.update(frozen=[1, 1]), "frozen is to list .* got 1"),
    "frozen layers out of order": (lambda d: d.update(frozen=[2, 1]), "frozen is to list .* got 1"),
    "a frozen Sequential": (lambda d: d.update(frozen=[0]), "frozen is to list .* none of a Sequential: got 0"),
    "a frozen layer at True": (lambda d: d.update(frozen=[True]), "frozen is to list .* got True"),
    "a frozen layer of a googol": (lambda d: d.update(frozen=[10**100]), r"frozen is to list .* got 1000+\.\.\."),
    "a label at True": (lambda d: d.update(label_position=True), "label_position is to be of type int"),
}


@pytest.mark.parametrize(("damage", "reason"), BROKEN.values(), ids=BROKEN)
def test_parts_that_do_not_fit_together_are_refused(
    parts: dict[str, Any], tmp_path: Path, damage: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    path = tmp_path / "model.pkl"
    broken = records.safe_pickle.loads(dumps(parts))  # a copy, to the bottom
    damage(broken)
    records.save(path, broken)
    expected = rf"model\.pkl: the parts of this model do not fit together: .*{reason}"
    with pytest.raises(ModelFileError, match=expected) as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# --- work ---------------------------------------------------------------------------------------------------


def windows_file(path: Path, shape: tuple[int, int, int], *layers: Layer) -> dict[str, Any]:
    """A model of layers for images, as it was saved; what it holds is given back."""
    model = Model.from_layers(layers, loss="mse", input_shape=shape, engine="linalg", scaling="none")
    model.save(path)
    loaded: dict[str, Any] = records.load(path)
    return loaded


ENDLESS: dict[str, tuple[dict[str, Any], str]] = {
    "a pooling of nothing but padding": (
        {"kind": "MaxPool2D", "kernel": 20_000, "stride": 20_000, "padding": 10_000},
        "padded to 20001 x 20001, are too large: at most 16777216 numbers",
    ),
    "a mean of more numbers than a lane holds": (
        {"kind": "AvgPool2D", "kernel": 2 * 10**9, "stride": 2 * 10**9, "padding": 10**9},
        "kernel of AvgPool2D may be at most 16777216, got 2000000000",
    ),
    "padding as large as the kernel": (
        {"kind": "Conv2D", "kernel": 3, "stride": 1, "padding": 2047},
        "padding of Conv2D must be smaller than its kernel of 3 x 3, got 2047 x 2047",
    ),
    "a kernel of no size": (
        {"kind": "Conv2D", "kernel": [1, 10**15], "stride": 1, "padding": 0},
        "width of kernel of Conv2D may be at most 16777216, got 1000000000000000",
    ),
    "a step of no size": (
        {"kind": "Conv2D", "kernel": 1, "stride": 10**200, "padding": 0},
        "stride of Conv2D may be at most 16777216, got 1000",
    ),
    "a pooling of a million numbers": (
        {"kind": "AvgPool2D", "kernel": 1000, "stride": 1000, "padding": 500},
        "a row would take about 529,000,000 multiply-adds, and at most 67,108,864 are accepted",
    ),
}


@pytest.mark.parametrize(("layer", "reason"), ENDLESS.values(), ids=ENDLESS)
def test_a_small_file_cannot_ask_for_endless_work(layer: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    broken = windows_file(path, (1, 1, 1), Conv2D(1, 1, 1))
    weights = {"in_channels": 1, "out_channels": 1, "init": "he"} if layer["kind"] == "Conv2D" else {}
    records.save(path, {**broken, "layers": [{**layer, **weights}], "weights": broken["weights"] if weights else []})
    with pytest.raises(ModelFileError, match=reason) as caught:
        Model.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_a_step_as_long_as_it_likes_costs_nothing(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    layers = [Conv2D(1, 2, 1, stride=1 << 24), MaxPool2D(2, stride=10**7, padding=1), AvgPool2D(1, stride=10**5)]
    model = Model.from_layers(layers, loss="mse", input_shape=(1, 3, 3), engine=engine, scaling="none")
    rows, targets = [[float(i + k) for k in range(9)] for i in range(4)], [[1.0, 2.0]] * 4
    model.fit(rows, targets, epochs=1, lr=1e-3)
    model.save(path)
    near = Model.from_layers(
        [Conv2D(1, 2, 1, stride=3), MaxPool2D(2, padding=1), AvgPool2D(1)],
        loss="mse",
        input_shape=(1, 3, 3),
        engine=engine,
        scaling="none",
    )
    near.fit(rows, targets, epochs=1, lr=1e-3)
    assert Model.load(path, engine=engine).predict(rows) == near.predict(rows)


def test_the_limit_of_work_can_be_raised_and_grows_with_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    windows_file(path, (1, 178, 178), Conv2D(1, 1, 12))
    work = Model.load(path).network.work((1, 178, 178))
    assert 67_108_864 < work < 67_108_864 + 2048 * 8 * 145  # more than a file without weights may ask for
    assert Model.load(path, max_work=work).input_size == 31_684
    with pytest.raises(
        ModelFileError, match=f"about {work:,} multiply-adds, and at most {work - 1:,} are accepted: hand"
    ):
        Model.load(path, max_work=work - 1)
    windows_file(path, (1, 300, 300), Conv2D(1, 1, 12))
    with pytest.raises(ModelFileError, match="hand over a larger max_work to load it all the same"):
        Model.load(path)
    assert Model.load(path, max_work=10**9).input_size == 90_000
    for wrong in (0, -1, 2.5, True, "much"):
        with pytest.raises(ValueError, match="max_work must be a whole number of at least 1, got"):
            Model.load(path, max_work=wrong)  # type: ignore[arg-type]


def test_many_numbers_go_through_a_network_a_few_rows_at_a_time() -> None:
    """Memory is bounded by what a row takes, and no row's result by how many come with it."""
    wide = Model.from_layers([AvgPool2D(300, 1)], loss="mse", input_shape=(1, 320, 320), engine="linalg")
    small = Model(4, 3, 2)
    assert 1 <= wide.inference.rows_at_once < 4
    assert small.inference.rows_at_once == 256
    small.fit([[float(i), 1.0, -float(i), 0.5] for i in range(300)], [i % 2 for i in range(300)], epochs=1)
    rows = [[i / 7, 1.0, -float(i), 0.5] for i in range(20)]
    expected = small.predict_proba(rows)
    small.inference.rows_at_once = 7
    assert small.predict(rows) == [row.index(max(row)) for row in expected]


def test_sizes_are_refused_in_the_same_words_by_layers_and_by_files(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    whole = windows_file(path, (1, 4, 4), Conv2D(1, 1, 2), AvgPool2D(3))
    for position, change in (
        (0, {"kernel": 0}),
        (0, {"kernel": [2, 1 << 25]}),
        (0, {"stride": 0}),
        (0, {"padding": -1}),
        (0, {"padding": 2}),
        (0, {"in_channels": 1 << 25}),
        (0, {"init": "zeros"}),
        (0, {"init": -0.5}),
        (0, {"init": math.inf}),
        (1, {"kernel": 2, "padding": 2}),
        (1, {"stride": [1, 0]}),
    ):
        layers = [dict(layer) for layer in whole["layers"]]
        layers[position].update(change)
        kind: Any = getattr(scratchnn_layers, layers[position]["kind"])
        with pytest.raises(ValueError, match=r"^.") as by_hand:
            kind(**{name: value for name, value in layers[position].items() if name != "kind"})
        records.save(path, {**whole, "layers": layers})
        with pytest.raises(ModelFileError) as by_file:
            Model.load(path)
        assert str(by_file.value) == f"{path}: the parts of this model do not fit together: {by_hand.value}"


def test_a_loss_is_refused_by_a_file_as_it_is_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    Model.from_layers([Linear(2, 3), LogSoftmax()], loss="nll").save(path)
    whole = records.load(path)
    for loss in ("nll", "cross_entropy"):
        with pytest.raises(ValueError, match="the network ends in Softmax, but") as by_hand:
            Model.from_layers([Linear(2, 3), Softmax()], loss=loss)
        records.save(path, {**whole, "layers": [whole["layers"][0], {"kind": "Softmax"}], "loss": loss})
        with pytest.raises(ModelFileError) as by_file:
            Model.load(path)
        assert str(by_file.value).endswith(str(by_hand.value))


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_the_arguments_that_a_file_has_are_those_that_a_layer_tells(kind: str) -> None:
    layer = EXAMPLES[kind][0] if kind in EXAMPLES else getattr(scratchnn_layers, kind)()
    assert set(layer.config()) == set(ARGUMENTS[kind])


@pytest.mark.parametrize(
    "make",
    [
        *(lambda v: Linear(2, 2, init=v), LeakyReLU, Dropout, ELU, lambda v: Conv2D(1, 1, 1, init=v)),
        *(lambda v: LayerNorm(2, v + 1), lambda v: BatchNorm(2, v, v + 1)),
    ],
)
def test_numbers_of_other_libraries_can_be_saved(make: Callable[[Any], Layer], tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    for number in (numpy.float32(0.5), numpy.float64(0.5), 0, numpy.int64(0)):
        layer = make(number)
        first: Layer = MaxPool2D(1) if isinstance(layer, Conv2D) else Linear(2, 2)
        shape = (1, 1, 1) if isinstance(layer, Conv2D) else 2
        model = Model.from_layers([first, layer], loss="mse", input_shape=shape)
        model.save(tmp_path / "model.pkl")
        assert repr(Model.load(tmp_path / "model.pkl").network) == repr(model.network)


def test_a_path_that_would_not_print_is_shown_as_its_repr(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb\nc.pkl"
    whole = windows_file(path, (1, 1, 1), Conv2D(1, 1, 1))
    records.save(path, {**whole, "layers": []})
    for act in (lambda: Model.load(path), lambda: records.load_record(path, "scratchnn model", (1,))):
        with pytest.raises(ModelFileError) as caught:
            act()
        assert str(caught.value).isprintable()
        assert str(caught.value).startswith(repr(str(path)))
    with pytest.raises(ModelFileError) as caught:
        records.save(path, {"thing": Unreadable()})
    assert str(caught.value).isprintable()


def test_messages_are_short_whatever_they_quote(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(5):
        folder /= "x" * 100
    folder.mkdir(parents=True)
    path = folder / "model.pkl"
    whole = windows_file(path, (1, 1, 1), Conv2D(1, 1, 1))
    for change in (
        {"layers": [{"kind": "K" * 10_000}]},
        {"layers": [{**whole["layers"][0], "init": "i" * 10_000}]},
        {"layers": [{**whole["layers"][0], "kernel": 10**500}]},
        {"layers": [{**whole["layers"][0], "x" * 10_000: 1}]},
        {"seed": 10**500},
        {"label_position": -(10**500)},
        {"input_shape": [10**500]},
        {"input_shape": [1, 1 << 24, 1 << 24]},
        {"loss": "l" * 10_000},
    ):
        records.save(path, {**whole, **change})
        with pytest.raises(ModelFileError) as caught:
            Model.load(path)
        assert len(str(caught.value)) < 300, caught.value
        assert "/model.pkl: the parts of this model do not fit together: " in str(caught.value)


# --- anything ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [5, None, [], "text", b"bytes", {}, [{}]])
def test_a_description_that_is_no_description_is_refused(tmp_path: Path, plain: Any) -> None:
    records.save(tmp_path / "model.pkl", plain)
    with pytest.raises(ModelFileError, match="the parts of this model do not fit together"):
        Model.load(tmp_path / "model.pkl")


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 1 << 70), st.floats(), st.text(max_size=5), st.binary(max_size=16)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["kind", "shape", "x"]), inner)
    ),
    max_leaves=5,
)


@given(data=st.data())
def test_anything_in_the_place_of_any_part_is_refused_or_harmless(
    parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Replace something, anywhere, by something else: a model that predicts, or one line."""
    broken = records.safe_pickle.loads(dumps(parts))
    place: Any = broken
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)
    path = tmp_path_factory.getbasetemp() / "anything.pkl"
    records.save(path, broken)
    try:
        model = Model.load(path, engine="linalg")
    except ModelFileError as error:
        message = str(error)
    else:
        message = "read"
        if model.scaling is not None:
            model.predict([[1.0, 2.0, 3.0]])
    assert message and "\n" not in message and len(message) < 300


@pytest.mark.parametrize(
    ("version", "part"),
    [
        *((2, part) for part in ("target_scaling_kind", "target_scaling", "seed", "frozen")),
        *((version, "loss_arguments") for version in (2, 3)),
    ],
)
def test_an_old_file_has_no_part_that_came_later(tmp_path: Path, version: int, part: str) -> None:
    path = tmp_path / "model.pkl"
    described = records.load(GOLDEN / f"model_version_{version}.pkl")
    records.save_record(path, records.FORMAT, version, described)
    Model.load(path)
    records.save_record(path, records.FORMAT, version, {**described, part: records.load(NEWEST)[part]})
    with pytest.raises(ModelFileError, match=f"there is an unknown part, '{part}'"):
        Model.load(path)


BROKEN_TARGETS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "half of it": (lambda d: d["target_scaling"].pop("means"), "a scaling is to have a kind, means and deviations"),
    "a column too few": (
        lambda d: (d["target_scaling"]["means"].pop(), d["target_scaling"]["deviations"].pop()),
        "target_scaling of 1 columns, expected 2",
    ),
    "a deviation of 0": (lambda d: d["target_scaling"]["deviations"].__setitem__(0, 0.0), "deviations above 0"),
    "a mean of infinity": (lambda d: d["target_scaling"]["means"].__setitem__(0, math.inf), "are to be finite"),
    "another than asked for": (
        lambda d: d.update(target_scaling_kind="none"),
        "target_scaling 'none' was asked for, 'standard' is there",
    ),
    "nothing known of features": (lambda d: d.update(scaling=None), "a target_scaling, but no scaling of features"),
    "nothing to do": (
        lambda d: d.update(target_scaling={"kind": "none", "means": [], "deviations": []}),
        "target_scaling 'none' is for regression with the loss mse",
    ),
    "another loss": (lambda d: d.update(loss="bce"), "target_scaling 'standard' is for regression with the loss mse"),
}


@pytest.mark.parametrize("name", BROKEN_TARGETS)
def test_target_scaling_that_does_not_fit_is_refused(name: str, tmp_path: Path) -> None:
    change, reason = BROKEN_TARGETS[name]
    path = tmp_path / "model.pkl"
    model = Model(1, [], 2, task="regression")
    model.fit([[0.0], [1.0]], [[0.0, 5.0], [1.0, 7.0]], epochs=1)
    model.save(path)
    model_format = records.load(path)
    change(model_format)
    records.save(path, model_format)
    with pytest.raises(ModelFileError, match=reason):
        Model.load(path)


# --- what can be saved -------------------------------------------------------------------------------------


class Steep(Layer):
    """Multiplies by a number, and adds rows that it learns to the rows of a batch."""

    def __init__(self, features: int, factor: float = 2.0) -> None:
        if not 0.0 < factor < 10.0 or not isinstance(features, int):
            raise ValueError("a factor between 0 and 10")
        self.features, self.factor = features, factor
        self.shift = Parameter("bias", [[0.0] * features, [0.0] * features])

    def forward(self, x: Any) -> Any:
        first, second = self.ops.to_rows(self.shift.value)
        rows = [[v + a + b for v, a, b in zip(row, first, second)] for row in self.ops.to_rows(x)]
        return self.ops.scale(self.ops.from_rows(rows), self.factor)

    def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
        scaled = self.ops.scale(gradient, self.factor)
        sums = self.ops.to_rows(self.ops.sum_rows(scaled))[0]
        self.shift.gradient = self.ops.from_rows([sums, [2.0 * v for v in sums]])
        return scaled

    def parameters(self) -> list[Parameter]:
        return [self.shift]

    def config(self) -> dict[str, Any]:
        return {"features": self.features, "factor": self.factor}


def own_model(engine: str = "linalg") -> Model:
    layers = [Linear(2, 3), Sequential([Steep(3, 0.5), Tanh()]), Steep(3), Linear(3, 2)]
    return Model.from_layers(layers, engine=engine, seed=3)


OWN_X, OWN_Y = [[i / 7, 1 - i / 5] for i in range(20)], [i % 2 for i in range(20)]


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
def test_layers_of_ones_own_are_read_by_those_who_have_their_class(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = own_model(engine)
    model.network[2].trainable = False
    model.fit(OWN_X, OWN_Y, epochs=3)
    model.save(path)
    again = Model.load(path, engine=engine, layers=[Steep])
    assert again.weights == model.weights
    assert again.predict_proba(OWN_X) == model.predict_proba(OWN_X)
    assert not again.network[2].trainable
    again.save(tmp_path / "again.pkl")
    assert (tmp_path / "again.pkl").read_bytes() == path.read_bytes()
    with pytest.raises(ModelFileError, match=r"unknown layer 'Steep': .* as in Model\.load\(path, layers=\[Mine\]\)"):
        Model.load(path)
    with pytest.raises(ModelFileError, match="unknown layer 'Steep'"):
        Model.load(path, layers=[Mine])


def test_a_matrix_that_is_called_bias_keeps_all_its_rows() -> None:
    model = own_model()
    model.fit(OWN_X, OWN_Y, epochs=1)
    weights = model.weights
    assert [len(weights[2]), len(weights[2][0])] == [2, 3]
    assert weights[2][0] != weights[2][1]
    other = own_model()
    other.weights = weights
    assert other.weights == weights
    best = EarlyStopping("loss", patience=1)
    other.fit(OWN_X, OWN_Y, epochs=2, callbacks=[best])
    assert [len(matrix) for matrix in best.best_weights] == [len(matrix) for matrix in weights]


class Mine(Layer):
    pass


class Forgetful(Steep):
    def config(self) -> dict[str, Any]:
        return {"features": self.features}


class Growing(Steep):
    def config(self) -> dict[str, Any]:
        return {"features": self.features + 1, "factor": self.factor}


class Secretive(Steep):
    def config(self) -> dict[str, Any]:
        return {}


class Holding(Steep):
    def config(self) -> dict[str, Any]:
        return {**super().config(), "function": len}


class Reticent(Mine):
    """The shortest one with an argument: it has no config at all."""

    def __init__(self, factor: float = 3.0) -> None:
        self.factor = factor
        self.calls = 0  # what it counts is no argument


Impostor = type("Linear", (Steep,), {})


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Growing(3), r"Growing cannot be saved: Growing\(\*\*config\(\)\) makes another layer; config must return"),
        (Secretive(3), r"Secretive\(\*\*config\(\)\) fails: .*missing 1 required positional argument"),
        (Holding(3), "Holding cannot be saved: .*function"),
        (Forgetful(3, 0.5), r"Forgetful\(\*\*config\(\)\) makes one with factor 2\.0, not 0\.5; config must return"),
        (Reticent(0.5), r"Reticent\(\*\*config\(\)\) makes one with factor 3\.0, not 0\.5; config must return"),
        (Impostor(3), "a layer of your own cannot be called Linear: scratchnn has one of that name"),
    ],
)
def test_a_layer_that_could_not_be_made_again_is_not_saved(layer: Layer, reason: str, tmp_path: Path) -> None:
    model = Model.from_layers([Linear(2, 3), layer, Linear(3, 2)])
    with pytest.raises(ValueError, match=reason):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "value"), [("classes", [0.5, 1.5]), ("seed", -1), ("label_position", 99)])
def test_what_a_script_has_broken_is_said_when_the_model_is_saved(name: str, value: Any, tmp_path: Path) -> None:
    model = Model(2, 3, 2)
    if name == "seed":
        model.seed = value
    else:
        model.schema = model.schema._replace(**{name: value})
    with pytest.raises(ArgumentError, match=r"^this model cannot be saved: "):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []


def test_an_argument_that_is_left_out_has_its_default() -> None:
    own = {"Forgetful": Forgetful, "Reticent": Reticent}
    assert layer_from_plain(layer_to_plain(Forgetful(3)), own).config() == {"features": 3}
    counting = Reticent()
    counting.calls = 5
    assert layer_to_plain(counting) == {"kind": "Reticent"}


def test_two_classes_of_one_name_are_not_saved(tmp_path: Path) -> None:
    other = type("Steep", (Forgetful,), {})
    model = Model.from_layers([Linear(2, 3), Steep(3), other(3), Linear(3, 2)])
    with pytest.raises(ValueError, match="two classes of layers are called Steep"):
        model.save(tmp_path / "model.pkl")


@pytest.mark.parametrize("wrong", [5, "Steep", [Steep(3)], [int], [Impostor], {"Steep": Steep}, None])
def test_classes_of_layers_are_asked_for(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"classes of layers|cannot be called Linear"):
        Model.load(NEWEST, layers=wrong)


def test_scratchnn_s_own_classes_may_be_handed_over_too() -> None:
    assert Model.load(NEWEST, layers=[Linear, Steep, Steep]).classes


OWN_BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an argument that its constructor refuses": (lambda d: d["layers"][2].update(factor=99.0), "a factor between"),
    "an argument of another type": (lambda d: d["layers"][2].update(factor="x"), "not supported between"),
    "an argument too many": (lambda d: d["layers"][2].update(more=1), "unexpected keyword argument 'more'"),
    "an argument too few": (lambda d: d["layers"][2].pop("features"), "missing 1 required positional argument"),
    "a default left out": (lambda d: d["layers"][2].pop("factor"), "not written as save writes them"),
    "another size": (lambda d: d["layers"][2].update(features=4), r"weights\[3\] is 2x3, the layers need 2x4"),
    "a self": (lambda d: d["layers"][2].update(self=4), "multiple values for argument 'self'"),
}


@pytest.mark.parametrize(("damage", "reason"), OWN_BROKEN.values(), ids=OWN_BROKEN)
def test_arguments_that_a_layer_of_ones_own_does_not_take_are_refused(
    damage: Callable[[dict[str, Any]], Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.pkl"
    own_model().save(path)
    model_format = records.load(path)
    damage(model_format)
    records.save(path, model_format)
    with pytest.raises(ModelFileError, match=rf"model\.pkl: the parts of this model do not fit together: .*{reason}"):
        Model.load(path, layers=[Steep])


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (CrossEntropyLoss(label_smoothing=0.1), "CrossEntropyLoss(label_smoothing=0.1)"),
        (CrossEntropyLoss(), "CrossEntropyLoss()"),
        (HuberLoss(0.3), "HuberLoss(delta=0.3)"),
        (HuberLoss(2), "HuberLoss(delta=2.0)"),
        (L1Loss(), "L1Loss()"),
        (KLDivLoss(), "KLDivLoss()"),
    ],
)
def test_a_loss_is_saved_with_its_arguments(loss: Loss, shown: str, engine: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    last = [LogSoftmax()] if isinstance(loss, KLDivLoss) else []
    model = Model.from_layers([Linear(2, 3), Tanh(), Linear(3, 2), *last], loss=loss, engine=engine)
    y: Any = OWN_Y if model.task == "classification" else [[0.25, 0.75] if k else [1.0, 0.0] for k in OWN_Y]
    model.fit(OWN_X, y, epochs=2)
    model.save(path)
    again = Model.load(path, engine=engine)
    assert repr(again.loss) == repr(loss) == shown
    assert again.evaluate(OWN_X, y) == model.evaluate(OWN_X, y)
    again.save(tmp_path / "again.pkl")
    assert (tmp_path / "again.pkl").read_bytes() == path.read_bytes()
    for one in (model, again):  # and learns on as the other does
        one.reseed(3)
        one.fit(OWN_X, y, epochs=1)
    assert again.weights == model.weights


def test_a_loss_that_a_script_has_broken_is_not_saved(tmp_path: Path) -> None:
    loss = HuberLoss()
    model = Model.from_layers([Linear(2, 2)], loss=loss)
    loss.delta = -1.0
    with pytest.raises(ArgumentError, match=r"this model cannot be saved: delta must be a number above 0"):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []


def test_a_loss_of_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    class MyLoss(CrossEntropyLoss):
        pass

    model = Model.from_layers([Linear(2, 2)], loss=MyLoss())
    with pytest.raises(ValueError, match="only a model with a loss of scratchnn can be saved"):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    model = Model.load(NEWEST, engine="linalg")
    model.schema = model.schema._replace(feature_names=["one", "two"])
    with pytest.raises(ValueError, match="2 feature_names for 3 features"):
        model.save(tmp_path / "model.pkl")
    assert os.listdir(tmp_path) == []


def test_the_seed_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    for seed in (0, 7, (1 << 128) - 1, None):
        Model(2, 3, 2, seed=seed).save(path)
        assert Model.load(path).seed == seed
    for wrong in (1 << 128, 10**5000):
        with pytest.raises(ValueError, match=r"seed must be below 2\*\*128"):
            Model(2, 3, 2, seed=wrong)


def test_frozen_layers_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    inner = Sequential([Linear(2, 3), ReLU(), Dropout(0.5)])
    model = Model.from_layers([inner, Linear(3, 4), Linear(4, 2)])
    for frozen in ([], [0], [1], [0, 2], [0, 1, 2]):
        model.network.trainable = True
        for position in frozen:
            model.network[position].trainable = False
        model.save(path)
        again = Model.load(path)
        assert [i for i, layer in enumerate(again.network) if not layer.trainable] == frozen
        assert [layer.trainable for layer in again.network.walk()] == [
            layer.trainable for layer in model.network.walk()
        ]


def test_a_model_that_was_saved_before_it_learned_learns_as_if_it_had_not_been(tmp_path: Path) -> None:
    """The order of the rows and what each Dropout layer drops follow from the seed alone."""
    rows, labels = [[i / 10, 1 - i / 7, i % 3] for i in range(12)], [i % 2 for i in range(12)]
    model = Model(3, [8, 8], 2, dropout=0.5, seed=5)
    model.save(tmp_path / "model.pkl")
    again = Model.load(tmp_path / "model.pkl")
    for one in (model, again):
        one.fit(rows, labels, epochs=2, batch_size=4)
    assert again.weights == model.weights


def test_every_dropout_layer_draws_for_itself_also_after_load(tmp_path: Path) -> None:
    model = Model.from_layers([Dropout(0.5), Sequential([Dropout(0.5)]), Linear(9, 2), Dropout(0.5)], seed=3)
    model.save(tmp_path / "model.pkl")
    for one in (model, Model.load(tmp_path / "model.pkl")):
        layers = [layer for layer in one.network.walk() if isinstance(layer, Dropout)]
        assert len({tuple(layer.rng.random() for _ in range(4)) for layer in layers}) == 3


EXAMPLES: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "Linear": (Linear(3, 2, init=0.5), (3,)),
    "LeakyReLU": (LeakyReLU(0.2), (3,)),
    "Dropout": (Dropout(0.5), (3,)),
    "ELU": (ELU(0.5), (3,)),
    "LayerNorm": (LayerNorm(3), (3,)),
    "BatchNorm": (BatchNorm(2, momentum=0.5), (2, 6, 6)),
    "Embedding": (Embedding(5, 2), (3,)),
    "Sequential": (Sequential([Linear(3, 2), ReLU()]), (3,)),
    "Residual": (Residual([Linear(3, 2), ReLU(), Linear(2, 3)]), (3,)),
    "Conv2D": (Conv2D(2, 3, kernel=(2, 3), stride=2, padding=(0, 1)), (2, 6, 6)),
    "MaxPool2D": (MaxPool2D((2, 3)), (2, 6, 6)),
    "AvgPool2D": (AvgPool2D(2), (2, 6, 6)),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_every_layer_can_be_saved_and_tells_its_sizes_before_it_has_weights(kind: str) -> None:
    layer, shape = EXAMPLES.get(kind) or (getattr(scratchnn_layers, kind)(), (3,))
    plain = layer_to_plain(layer)
    model_format._check_layers([plain], 0)
    again = layer_from_plain(plain)
    assert layer_to_plain(again) == plain
    sizes = again.parameter_shapes()
    assert all(parameter.value is None for parameter in vars(again).values() if hasattr(parameter, "gradient"))
    layer.build(shape)
    assert sizes == [layer.ops.shape(parameter.value) for parameter in layer.parameters()]
