"""Models as JavaScript modules, run by Node: they answer as the model does, and names in them are never code."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scratchnn import ELU, Linear, Model, NotFittedError
from scratchnn.errors import ArgumentError
from scratchnn.interop.description import describe
from scratchnn.interop.javascript import MOST_DOUBLES, export_model, literal
from scratchnn.interop.making import fitted_model

from .digits import digits, mnist
from .networks import NETWORKS, Rows, network

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed: it runs what is exported")

ASK = """\
import { readFileSync } from "node:fs";
import * as model from "./model.mjs";
const rows = JSON.parse(readFileSync("rows.json", "utf8"));
const answers = rows.map((row) => [model.predict(row), model.predictProba ? model.predictProba(row) : null]);
const { classes, features, inputs, task, digest } = model;
const plain = (key, value) => (typeof value === "bigint" ? `${value}n` : value);
console.log(JSON.stringify({ answers, classes, features, inputs, task, digest, names: Object.keys(model) }, plain));
"""


def run(folder: Path, module: bytes, program: str, rows: Any = None) -> str:
    """What a program prints that stands beside the module."""
    (folder / "model.mjs").write_bytes(module)
    (folder / "program.mjs").write_text(program, encoding="utf-8")
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    result = subprocess.run([str(NODE), "program.mjs"], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def asked(folder: Path, model: Model, rows: Any) -> Any:
    return json.loads(run(folder, export_model(model), ASK, rows))


@needs_node
@pytest.mark.parametrize("name", NETWORKS)
def test_a_module_answers_as_the_model_does(name: str, tmp_path: Path) -> None:
    model, X = network(name)
    said = asked(tmp_path, model, X)
    if model.task == "regression":
        for (value, _), expected in zip(said["answers"], model.predict(X)):
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    else:
        assert [label for label, _ in said["answers"]] == model.predict(X)
        for (_, probabilities), right in zip(said["answers"], model.predict_proba(X)):
            assert probabilities == pytest.approx(right, abs=1e-12)
    assert said["classes"] == model.classes
    assert (said["inputs"], said["task"]) == (len(X[0]), model.task)
    assert said["digest"] == describe(model).digest
    assert ("predictProba" in said["names"]) == (model.task != "regression")


def apart(said: Any, probabilities: Rows) -> float:
    """The largest difference between probabilities."""
    rows = [row for _, row in said["answers"]]
    return max(abs(p - q) for row, right in zip(rows, probabilities) for p, q in zip(row, right))


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_all_digits_get_the_same_labels_and_probabilities(kind: str, tmp_path: Path) -> None:
    model, exact, rows = digits(kind)
    assert len(rows) == 360
    said = asked(tmp_path, model, [list(row) for row in rows])
    assert [label for label, _ in said["answers"]] == model.predict(rows) == exact.predict(rows)
    assert apart(said, exact.predict_proba(rows)) < 1e-6  # 1e-5 is asked for


@needs_node
@pytest.mark.slow
@pytest.mark.shared
def test_digits_of_mnist_get_the_same_labels_and_probabilities(shared: Path, tmp_path: Path) -> None:
    model, rows = mnist(shared)
    assert len(rows) == 2000
    said = asked(tmp_path, model, [list(row) for row in rows])
    assert [label for label, _ in said["answers"]] == model.predict(rows)
    assert apart(said, model.predict_proba(rows)) < 1e-5
    assert len(export_model(model)) < 5.4 * (784 * 100 + 1000) + 12_000  # four bytes each, as base64


def of_weights(weight: list[list[float]], **settings: Any) -> Model:
    layer = Linear(len(weight), len(weight[0]))
    layer.weight.value, layer.bias.value = weight, [[0.0] * len(weight[0])]
    known: dict[str, Any] = {"task": "classification", "loss": "cross_entropy", "engine": "linalg", **settings}
    return fitted_model([layer], input_shape=len(weight), **known)


@needs_node
def test_weights_that_float32_cannot_hold_stay_doubles(tmp_path: Path) -> None:
    width = MOST_DOUBLES // 2 + 1
    for size, word in ((1.5, "floats("), (1e39, "doubles("), (1e-40, "doubles(")):
        model = of_weights([[size, 0.0] for _ in range(width)])
        text = export_model(model).decode("ascii")
        assert f"const weight1 = {word}" in text
        row = [1.0 / size / width] * width
        said = asked(tmp_path, model, [row])
        assert said["answers"][0][1] == pytest.approx(model.predict_proba([row])[0], abs=1e-9)


@needs_node
@pytest.mark.parametrize(
    "classes",
    [
        ["`${process.exit(3)}`", "'+process.exit(3)+'"],
        ['"];process.exit(3);["', "\\"],
        ["</script><script>alert(1)</script>", "<!-- \u2028\u2029 -->"],
        ["\ud800", "\udfff\ud800"],
        ["__proto__", "constructor"],
        ["*/ process.exit(3); /*", "\n\r\t\x00\x7f"],
        [2**53 + 2, -(2**60)],
        [True, False],
    ],
    ids=range(8),
)
def test_a_class_or_a_name_is_never_code(classes: list[Any], tmp_path: Path) -> None:
    names = [str(c) for c in classes]
    model = of_weights([[1.0, -1.0], [-1.0, 1.0]], classes=classes, feature_names=names, label_name=names[0])
    module = export_model(model)
    assert b"</script" not in module
    assert b"<!--" not in module
    header = module[: module.index(b"*/")]
    assert header.count(b"\n") > 5
    assert module[len(header) :].startswith(b"*/\n\nexport const task")
    said = asked(tmp_path, model, [[1.0, 0.0], [0.0, 1.0]])
    big = [f"{c}n" if type(c) is int and abs(c) > 2**53 else c for c in classes]
    assert said["classes"] == big
    assert [label for label, _ in said["answers"]] == big
    assert said["features"] == names


def test_what_is_written_is_a_literal_of_javascript() -> None:
    assert literal("</script>\u2028\u2029é") == '"\\u003c/script\\u003e\\u2028\\u2029\\u00e9"'
    assert (literal(2**53), literal(2**53 + 1), literal(True)) == ("9007199254740992", "9007199254740993n", "true")


BAD = """\
import { predict } from "./model.mjs";
const rows = [null, undefined, 5, "12345", {}, [1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, "5"], [1, 2, 3, 4, null],
  [1, 2, 3, 4, NaN], [1, 2, 3, 4, Infinity], [1, 2, , 4, 5], [1, 2, 3, 4, 5n], Array(5).fill(1e308),
  [1, 2, 3, 4, Symbol("x")]];
for (const row of rows) {
  try {
    console.log(`answered ${predict(row)}`);
  } catch (error) {
    console.log(`${error.name}: ${error.message}`);
  }
}
console.log(predict(new Float32Array(5)) === predict([0, 0, 0, 0, 0]));
"""


@needs_node
def test_rows_that_are_none_are_refused(tmp_path: Path) -> None:
    model, _ = network("no hidden layer")
    lines = run(tmp_path, export_model(model), BAD).splitlines()
    assert lines == [
        "TypeError: row must be an array of 5 numbers, got null",
        "TypeError: row must be an array of 5 numbers, got undefined",
        "TypeError: row must be an array of 5 numbers, got number",
        "TypeError: row must be an array of 5 numbers, got string",
        "TypeError: row must be an array of 5 numbers, got object",
        "RangeError: row must have 5 numbers, got 4",
        "RangeError: row must have 5 numbers, got 6",
        "TypeError: row[4] must be a number, got string",
        "TypeError: row[4] must be a number, got object",
        "RangeError: row[4] must be a finite number, got NaN",
        "RangeError: row[4] must be a finite number, got Infinity",
        "TypeError: row[2] must be a number, got undefined",
        "TypeError: row[4] must be a number, got bigint",
        lines[13],
        "TypeError: row[4] must be a number, got symbol",
        "true",
    ]
    assert re.match("RangeError: row has numbers too large|answered [abc]", lines[13])


@needs_node
def test_an_index_that_names_no_row_is_refused(tmp_path: Path) -> None:
    program = """\
import { predict } from "./model.mjs";
for (const index of [9, -1, 0.5]) {
  try { predict([0, 0, index, 0]); } catch (error) { console.log(`${error.name}: ${error.message}`); }
}
"""
    lines = run(tmp_path, export_model(network("embedding")[0]), program).splitlines()
    assert lines == [f"RangeError: row[2] must be a whole number from 0 to 8, got {v}" for v in (9, -1, 0.5)]


@needs_node
@pytest.mark.parametrize("name", ["gelu and silu", "elu and softplus", "two hidden layers", "normalised", "residual"])
def test_large_numbers_are_computed_as_the_model_computes_them(name: str, tmp_path: Path) -> None:
    model, X = network(name)
    rows = [[v * size for v in X[0]] for size in (1e-300, 1e-3, 1e3, 1e6, 1e100)]
    said = asked(tmp_path, model, rows)
    for (_, probabilities), right in zip(said["answers"], model.predict_proba(rows)):
        assert probabilities == pytest.approx(right, abs=1e-9)


@needs_node
def test_the_error_function_is_right_to_the_last_digits(tmp_path: Path) -> None:
    text = export_model(network("gelu and silu")[0]) + b"\nexport { erf };\n"
    points = [k / 37 - 7 for k in range(14 * 37)]
    program = (
        'import { readFileSync } from "node:fs";\nimport { erf } from "./model.mjs";\n'
        'console.log(JSON.stringify(JSON.parse(readFileSync("rows.json", "utf8")).map(erf)));\n'
    )
    for v, found in zip(points, json.loads(run(tmp_path, text, program, points))):
        assert found == pytest.approx(math.erf(v), rel=2e-15, abs=1e-300)


def test_the_same_model_gives_the_same_bytes_and_only_what_it_needs() -> None:
    for name in NETWORKS:
        model, _ = network(name)
        module = export_model(model)
        assert module == export_model(model)
        text = module.decode("ascii")
        defined = re.findall(r"^(?:export )?(?:function|const) (\w+)", text, re.MULTILINE)
        assert len(defined) == len(set(defined))
        code = re.sub(r'"[^"\n]*"|/\*.*?\*/', "", text, flags=re.DOTALL)
        exported = {"task", "classes", "features", "digest", "predict", "predictProba"}
        unused = [word for word in defined if len(re.findall(rf"\b{word}\b", code)) < 2 and word not in exported]
        assert not unused


def test_what_is_no_fitted_model_of_known_layers_is_refused() -> None:
    with pytest.raises(NotFittedError):
        export_model(Model(2, 3, 2))

    class Mine(ELU):
        pass

    model = Model.from_layers([Mine(), Linear(2, 2)], engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    with pytest.raises(ArgumentError, match="Mine"):
        export_model(model)
