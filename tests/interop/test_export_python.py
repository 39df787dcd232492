"""A model as one Python file: it answers as the model does, on any Python, and costs little space and time."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnn import Conv2D, Flatten, LayerNorm, Linear, MaxPool2D, Model, ReLU, load_digits
from scratchnn.datasets import load_idx
from scratchnn.errors import ArgumentError, NotFittedError
from scratchnn.interop.description import describe
from scratchnn.interop.making import fitted_model
from scratchnn.interop.python_source import export_model
from scratchnn.layers.base import Layer
from tests.interop.networks import NETWORKS, network

every_network = pytest.mark.parametrize("name", NETWORKS)
TRAIN, TEST = load_digits()


def loaded(source: bytes) -> Any:
    module = types.ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), vars(module))
    return module


@cache
def exported(name: str) -> Any:
    return loaded(export_model(network(name)[0]))


@cache
def digits(hidden: int = 64, engine: str = "lanes") -> Model:
    if engine != "lanes":
        again = [layer.copy() for layer in digits(hidden).network]
        return fitted_model(
            again,
            task="classification",
            loss="cross_entropy",
            input_shape=64,
            classes=digits(hidden).classes,
            scaling=digits(hidden).scaling,
            engine=engine,
        )
    model = Model(64, hidden, 10)
    model.fit(TRAIN.X, TRAIN.y, columns=TRAIN, epochs=5)
    return model


def run(file: Path, given: str | bytes = b"", *options: str, python: str = sys.executable) -> tuple[int, bytes, str]:
    """What the file does as a command, in the emptiest environment there is."""
    given = given.encode("utf-8") if isinstance(given, str) else given
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    result = subprocess.run([python, str(file), *options], input=given, capture_output=True, check=False, env=kept)
    return result.returncode, result.stdout, result.stderr.decode("ascii")


def as_csv(rows: Any) -> str:
    return "".join([",".join(map(repr, row)) + "\n" for row in rows])


# --- answers --------------------------------------------------------------------------------------------------------


@every_network
def test_answers_are_those_of_the_model(name: str) -> None:
    model, rows = network(name)
    module = exported(name)
    predictions = [module.predict(row) for row in rows]
    if model.task == "regression":
        for mine, right in zip(predictions, model.predict(rows)):
            assert mine == pytest.approx(right, rel=1e-5, abs=1e-5)
        assert not hasattr(module, "predict_proba")
        assert not hasattr(module, "CLASSES")
        return
    assert predictions == model.predict(rows)
    assert [*map(type, predictions)] == [*map(type, model.predict(rows))]
    for row, right in zip(rows, model.predict_proba(rows)):
        assert module.predict_proba(row) == pytest.approx(right, abs=1e-5)
    assert model.task == "multilabel" or model.classes == module.CLASSES


@pytest.mark.parametrize("hidden", [64, 100])
def test_all_test_digits_get_the_model_s_labels(hidden: int) -> None:
    model = digits(hidden)
    module = loaded(export_model(model))
    assert [module.predict(row) for row in TEST.X] == model.predict(TEST.X)
    exact = digits(hidden, "linalg").predict_proba(TEST.X)
    worst = max(abs(p - q) for row, right in zip(TEST.X, exact) for p, q in zip(module.predict_proba(row), right))
    assert worst < 1e-5


@pytest.mark.slow
@pytest.mark.shared
def test_all_test_images_of_mnist_get_the_model_s_labels(shared: Path) -> None:
    train = load_idx(shared / "mnist" / "train-images-idx3-ubyte.gz", shared / "mnist" / "train-labels-idx1-ubyte.gz")
    test = load_idx(shared / "mnist" / "t10k-images-idx3-ubyte.gz", shared / "mnist" / "t10k-labels-idx1-ubyte.gz")
    model = Model(784, 100, 10)
    model.fit(train.X[:5000], train.y[:5000], epochs=1)
    source = export_model(model)
    module = loaded(source)
    right, probabilities = model.predict_with_proba(test.X)
    assert [module.predict(row) for row in test.X] == right
    # What lanes round is in it as well: the probabilities of ``linalg`` are nearer, as above.
    worst = max(
        abs(p - q)
        for row, of_model in zip(test.X[:1000], probabilities)
        for p, q in zip(module.predict_proba(row), of_model)
    )
    assert worst < 1e-5
    assert len(source) < 0.6 * 8 * model.parameter_count


@st.composite
def stacks(draw: Any) -> tuple[Model, list[list[float]]]:
    """Networks of any sizes with weights of any size, and rows of any size."""
    rng = Random(draw(st.integers(0, 1 << 32)))
    sizes = [draw(st.sampled_from([1, 2, 3, 17])) for _ in range(draw(st.integers(2, 4)))]
    weight, number = (10.0 ** draw(st.integers(-30, 30)) for _ in range(2))
    layers: list[Layer] = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layer = Linear(inputs, outputs)
        layer.weight.value = [
            [rng.gauss(0, weight) * rng.choice((0, 1, 1)) for _ in range(outputs)] for _ in range(inputs)
        ]
        layer.bias.value = [[rng.gauss(0, weight) for _ in range(outputs)]]
        layers += [layer, ReLU()]
    model = fitted_model(layers[:-1], task="regression", loss="mse", input_shape=sizes[0], engine="linalg")
    return model, [[rng.gauss(0, number) * rng.choice((0, 1, 1)) for _ in range(sizes[0])] for _ in range(3)]


@given(stacks())
@settings(max_examples=50)
def test_no_lane_ever_overflows(found: tuple[Model, list[list[float]]]) -> None:
    model, rows = found
    module = loaded(export_model(model))
    for row in rows:
        right = model.predict([row])[0]
        right = right if isinstance(right, list) else [right]
        mine = module.predict(row)
        # What rounding may come to: with every sign alike, the largest numbers that there are on the way.
        known, x = describe(model), [abs(v) for v in row]
        for step in known.steps:
            if step.kind == "linear":
                columns = zip(*step.settings["weight"])
                largest = max(abs(v) for line in step.settings["weight"] for v in line)
                x = [
                    sum(v * max(abs(w), largest / 16) for v, w in zip(x, column)) + abs(b)
                    for column, b in zip(columns, step.settings["bias"])
                ]
                x = [v + max(x) * 1e-6 for v in x]
        allowed = 1e-4 * max(x) + 1e-190
        assert (mine if isinstance(mine, list) else [mine]) == pytest.approx(right, abs=allowed)


def test_the_largest_sums_fit_their_lanes() -> None:
    layer = Linear(1000, 2)
    layer.weight.value = [[1.0, -1.0]] * 1000
    layer.bias.value = [[0.0, 0.0]]
    module = loaded(export_model(fitted_model([layer], task="regression", loss="mse", input_shape=1000)))
    assert module.predict([1.0] * 1000) == pytest.approx([1000.0, -1000.0], rel=1e-6)
    assert module.predict([-1.0] * 1000) == pytest.approx([-1000.0, 1000.0], rel=1e-6)


# --- the file ---------------------------------------------------------------------------------------------------------


@every_network
def test_the_file_is_plain_and_has_what_its_model_needs_and_no_more(name: str) -> None:
    model, _ = network(name)
    source = export_model(model)
    assert source == export_model(model)
    text = source.decode("ascii")
    tree = ast.parse(text)
    assert describe(model).digest in str(ast.get_docstring(tree))
    defined = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(defined) <= used | {"predict", "predict_proba"}
    assert len(defined) == len(set(defined))
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= {"binascii", "functools", "math", "operator", "struct", "sys"}
    assert imported <= used
    code = [line for line in text.splitlines() if not line.startswith(("'", '"')) and "CLASSES = [" not in line]
    assert max(map(len, code)) <= 400


def test_names_are_never_code() -> None:
    model, _ = network("unusual class names")
    hostile = [*model.classes[:3], "'); import os #", '"""\\']
    names = ['"""', "\n\rimport os", "\\", "{what}{head}", "\ud800\u202e"]
    model = fitted_model(
        [layer.copy() for layer in model.network],
        task="classification",
        loss="cross_entropy",
        input_shape=5,
        classes=hostile,
        feature_names=names,
    )
    module = loaded(export_model(model))
    assert (hostile, names) == (module.CLASSES, module.FEATURES)


@pytest.mark.parametrize("hidden", [64, 100])
def test_the_file_is_smaller_than_the_model_s(hidden: int, tmp_path: Path) -> None:
    model = digits(hidden)
    model.save(tmp_path / "model.pkl")
    assert len(export_model(model)) <= 0.6 * (tmp_path / "model.pkl").stat().st_size


def test_code_takes_as_much_as_a_page_or_two() -> None:
    for name in NETWORKS:
        known = describe(network(name)[0])
        numbers = network(name)[0].parameter_count
        names = sum(map(len, map(ascii, [*known.classes, *known.feature_names])))
        assert len(export_model(network(name)[0])) < 10_000 + 20 * numbers + names + 50 * known.width


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(NotFittedError, match="not been fitted"):
        export_model(Model(2, 3, 2))

    class Mine(Layer):
        def forward(self, x: Any) -> Any:
            return x

        def backward(self, gradient: Any, input_gradient: bool = True) -> Any:
            return gradient

    model = Model.from_layers([Mine(), Linear(2, 2)], engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    with pytest.raises(ArgumentError, match=r"Mine\(\)"):
        export_model(model)


# --- rows that are none -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1.0, 2.0, 3.0], "expected a row of 4 numbers, got 3"),
        ([], "expected a row of 4 numbers, got 0"),
        (b"abc", "expected a row of 4 numbers, got 3"),
        ("1234", "expected a row of 4 numbers, got '1234'"),
        (7, "expected a row of 4 numbers, got 7"),
        (None, "expected a row of 4 numbers, got None"),
        ([1.0, "2", 3.0, 4.0], "number 2 of the row is not a finite number: '2'"),
        ([1.0, 2.0, None, 4.0], "number 3 of the row is not a finite number: None"),
        ([[1.0, 2.0, 3.0, 4.0]] * 4, r"number 1 of the row is not a finite number: \[1.0, 2.0, 3.0, 4.0\]"),
        ([1.0, 2.0, 3.0, float("nan")], "number 4 of the row is not a finite number: nan"),
        ([1.0, 2.0, 3.0, -float("inf")], "number 4 of the row is not a finite number: -inf"),
        ([1.0, 10**400, 3.0, 4.0], "number 2 of the row is not a finite number: 1000"),
        ([1.0, 1e308, -1e308, 4.0], "grow too large"),
        (["x\n" * 1000, 2.0, 3.0, 4.0], "number 1 of the row is not a finite number"),
    ],
)
def test_a_row_that_is_none_is_refused_in_one_line(row: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        exported("binary").predict_proba(row)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 140


def test_an_index_beyond_the_table_is_refused() -> None:
    for odd in (9, -1, 1.5):
        with pytest.raises(ValueError, match="expected whole numbers from 0 to 8, got"):
            exported("embedding").predict([0, 1, 2, odd])


def test_rows_may_be_anything_that_gives_numbers() -> None:
    module, row = exported("binary"), [1.0, 0.0, 3.0, 2.0]
    right = module.predict_proba(row)
    for same in ((1, 0, 3, 2), bytes([1, 0, 3, 2]), iter(row), [True, False, 3, 2], {1: 0, 0: 0, 3: 0, 2: 0}):
        assert module.predict_proba(same) == right
    np = pytest.importorskip("numpy")
    assert module.predict_proba(np.array(row, dtype="float32")) == right


def test_rows_of_zeros_and_tiny_numbers_have_answers() -> None:
    module, (model, _) = exported("regression, nothing scaled"), network("regression, nothing scaled")
    for row in ([0.0] * 4, [5e-324] * 4, [1e-250, 0.0, 0.0, 0.0], [-0.0] * 4):
        assert module.predict(row) == pytest.approx(model.predict([row])[0], rel=1e-6)


def test_no_number_overflows_for_a_row_that_the_model_answers() -> None:
    norm, linear = LayerNorm(2), Linear(2, 2)
    norm.weight.value, norm.bias.value = [[1.0, 2.0]], [[0.0, 0.5]]
    linear.weight.value, linear.bias.value = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.5]]
    for layer, loss in ((norm, "mse"), (linear, "nll")):
        task = "regression" if loss == "mse" else "classification"
        model = fitted_model([layer], task=task, loss=loss, input_shape=2, engine="linalg")
        module = loaded(export_model(model))
        for row in ([1e200, -3e200], [1000.0, 2.0]):
            assert module.predict(row) == pytest.approx(model.predict([row])[0])
            if loss == "nll":
                assert module.predict_proba(row) == pytest.approx(model.predict_proba([row])[0], rel=1e-2)


# --- as a command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    model = Model(2, 5, 3, seed=7, engine="linalg")
    X = [[k % 3 + 0.1 * (k % 7), k % 2 - 0.3] for k in range(40)]
    model.fit(
        X, [("daisy", "rose", "tulip, w\u00fcld")[k % 3] for k in range(40)], columns=["length", "width"], epochs=9
    )
    file = tmp_path / "flowers.py"
    file.write_bytes(export_model(model))
    return file


ROWS = "0.1,0.7\n1.2,-0.3\n2.3,0.7\n"
FOUND = 'daisy\nrose\n"tulip, w\u00fcld"\n'.encode()


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        "\ufeff" + ROWS.replace("\n", "\r\n"),
        "\n" + ROWS.replace("\n", "\n\n"),
        "length,width\n" + ROWS,
        "width,kind,length\n0.7,daisy,0.1\n-0.3,,1.2\n0.7,0,2.3\n",
        ROWS[:-1],
    ],
)
def test_csv_becomes_predictions(given: str, flowers: Path) -> None:
    assert run(flowers, given) == (0, FOUND, "")


def test_probabilities_come_under_a_header_line(flowers: Path) -> None:
    code, out, err = run(flowers, ROWS, "--proba")
    lines = out.decode("utf-8").splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == 'prediction,daisy,rose,"tulip, w\u00fcld"'
    module = loaded(flowers.read_bytes())
    assert lines[1] == "daisy," + ",".join([f"{p:.6g}" for p in module.predict_proba([0.1, 0.7])])


@pytest.mark.parametrize("name", ["multilabel", "regression", "regression of three", "unusual class names"])
def test_every_task_has_its_lines(name: str, tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_bytes(export_model(network(name)[0]))
    rows = network(name)[1][:5]
    code, out, err = run(file, as_csv(rows))
    assert (code, err) == (0, "")
    if name == "unusual class names":
        assert out
        return
    answers = [exported(name).predict(row) for row in rows]
    expected = [answer if isinstance(answer, list) else [answer] for answer in answers]
    assert [list(map(float, line.split(b","))) for line in out.splitlines()] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1,2\n1,2,3\n", "error: line 2: expected 2 columns, got 3"),
        ("1,2\n1,two\n", "error: line 2: could not convert string to float: 'two'"),
        ("1,two\n", "error: line 1: could not convert string to float: 'two'"),
        ("1,nan\n", "error: line 1: number 2 of the row is not a finite number: nan"),
        ("height,width\n1,2\n", "error: line 1: the header line does not name 'length' (commas separate names)\n"),
        ("length,height\n1,2\n", "error: line 1: the header line does not name 'width' (commas separate names)\n"),
        (
            "length;width\n1;2\n",
            "error: line 1: the header line does not name 'length' (commas separate names)\n",
        ),
        (
            "\nlength\twidth\n1\t2\n",
            "error: line 2: the header line does not name 'length' (commas separate names)\n",
        ),
        ("length,width,kind\n1,2\n", "error: line 2: expected 3 columns, got 2"),
        ("1,2\n1,\x1b[2J\n", "error: line 2: could not convert string to float: '\\x1b[2J'"),
        ("1," + "2" * 200_000 + "\n", "error: line 1: field larger than field limit (131072)"),
        (b"1,2\n\xff\xfe,2\n", "error: line 2: not UTF-8\n"),
        (b"\xff\xfe1\0,\x002\0\n\0", "error: line 1: not UTF-8\n"),
        (b"1,2\n" * 5000 + b"1,\xe9\n" + b"1,2\n" * 5000, "error: line 5001: not UTF-8\n"),
        (b"width,kind,length\n1,,2\n1,r\xf6sli,2\n", "error: line 3: not UTF-8\n"),
    ],
)
def test_what_is_no_row_is_refused_in_one_line(given: str | bytes, message: str, flowers: Path) -> None:
    code, _, err = run(flowers, given)
    assert code == 2
    assert err.replace("\\\\", "\\").replace("\\'", "'").startswith(message)
    assert err.count("\n") == 1


def test_columns_may_be_called_by_numbers(tmp_path: Path) -> None:
    model = Model(2, 5, 2, engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]] * 4, ["a", "b"] * 4, columns=["0", "1"], epochs=9)
    file = tmp_path / "model.py"
    file.write_bytes(export_model(model))
    assert run(file, "0,1\n0,1\n1,0\n") == (0, b"a\nb\n", "")  # pandas' header for columns without names


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["pixel0", "pixel1"], 'FEATURES = ["pixel%d" % k for k in range(2)]\n'),
        (["7", "8"], 'FEATURES = ["%d" % k for k in range(7, 9)]\n'),
        (["x_9", "x_10"], 'FEATURES = ["x_%d" % k for k in range(9, 11)]\n'),
        (["x01", "x02"], 'FEATURES = "x01 x02".split()\n'),
        (["x1", "x3"], 'FEATURES = "x1 x3".split()\n'),
        (["x1", "y2"], 'FEATURES = "x1 y2".split()\n'),
        (["%1", "%2"], "FEATURES = ['%1', '%2']\n"),
        (["1" * 5000, "2"], "FEATURES = "),
    ],
)
def test_names_of_columns_that_are_counted_are_not_listed(names: list[str], written: str) -> None:
    model = Model(2, 5, 2, engine="linalg")
    model.fit([[0.0, 1.0], [1.0, 0.0]] * 4, ["a", "b"] * 4, columns=names, epochs=1)
    source = export_model(model)
    assert f"\n{written}" in source.decode("ascii")
    assert names == loaded(source).FEATURES


def test_no_rows_are_no_predictions(flowers: Path) -> None:
    assert run(flowers) == (0, b"", "")
    assert run(flowers, "length,width\n") == (0, b"", "")


def test_options_are_few(flowers: Path) -> None:
    code, out, err = run(flowers, "", "--help")
    assert (code, err) == (0, "")
    assert b"SHA-256" in out
    code, out, err = run(flowers, "", "--probability")
    assert (code, out) == (2, b"")
    assert "[--proba]" in err


@pytest.mark.skipif(os.name != "posix", reason="a pipe of a shell")
def test_a_reader_may_go_early(flowers: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(flowers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"0.1,0.7\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"daisy\n"  # answered at once
        process.stdout.close()
        try:
            process.stdin.write(ROWS.encode() * 10)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--proba"]])
def test_a_full_disk_is_said_in_one_line(options: list[str], flowers: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, str(flowers), *options], input=ROWS.encode(), stdout=full, stderr=subprocess.PIPE
        )
    assert (result.returncode, result.stderr) == (2, b"error: No space left on device\n")


def python_2() -> str | None:
    """A Python 2 of this machine."""
    folders = sorted(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"))
    return str(folders[0]) if folders else shutil.which("python2.7")


def test_python_2_is_told_that_it_is_too_old(flowers: Path) -> None:
    python = python_2()
    if python is None or subprocess.run([python, "--version"], capture_output=True).returncode:
        pytest.skip("no Python 2 on this machine")
    assert run(flowers, ROWS, python=python) == (1, b"", "needs Python 3.6 or later\n")


def interpreters() -> list[str]:
    """Other Pythons of this machine: of pyenv, on the path, and PyPy."""
    folders = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    named = [shutil.which(f"python3.{minor}") for minor in range(6, 16)] + [shutil.which("pypy3")]
    found = {os.path.realpath(path): str(path) for path in [*folders, *filter(None, named)]}
    return [path for path in found.values() if works(path)]


def works(python: str) -> bool:
    """Whether it is a Python that starts (a version manager's stand-in may not)."""
    result = subprocess.run([python, "-c", "import sys, csv; assert sys.version_info >= (3, 6)"], capture_output=True)
    return result.returncode == 0


ASKING = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
with open(sys.argv[1] + "/rows.json") as stream:
    asked = json.load(stream)
for name, rows in asked:
    module = importlib.import_module(name)
    for row in rows:
        y = module.outputs(row)
        print(ascii(module.predict(row)) if hasattr(module, "CLASSES") else "", *["%.9g" % v for v in y])
"""


@pytest.mark.slow
def test_every_python_gives_the_same_answers(tmp_path: Path) -> None:
    others = interpreters()
    if not others:
        pytest.skip("no other Python on this machine")
    asked = {f"model{number}": network(name) for number, name in enumerate(NETWORKS)}
    asked["digits"] = digits(), [*map(list, TEST.X)]
    for name, (model, _) in asked.items():
        (tmp_path / f"{name}.py").write_bytes(export_model(model))
    (tmp_path / "rows.json").write_text(json.dumps([(name, rows) for name, (_, rows) in asked.items()]))
    (tmp_path / "asking.py").write_text(ASKING)
    found = {}
    for python in [sys.executable, *others]:
        command = [python, "-B", "-W", "error", str(tmp_path / "asking.py"), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, ""), python
        found[python] = [line.split(" ") for line in result.stdout.splitlines()]
        for mine, right in zip(found[python], found[sys.executable]):
            for one, other in zip(mine, right):  # exponentials of another library differ in their last bit
                assert one == other or float(one) == pytest.approx(float(other), rel=1e-6, abs=1e-6), python
        piped = as_csv(asked["digits"][1][:20])
        assert run(tmp_path / "digits.py", piped, python=python) == run(tmp_path / "digits.py", piped)
    assert len({*map(len, found.values())}) == 1


# --- time -------------------------------------------------------------------------------------------------------------


def thin_pixels(count: int) -> list[bytes]:
    """Rows as those of MNIST: 19 % of 784 pixels are not 0."""
    rng = Random(1)
    return [bytes(rng.randrange(1, 256) if rng.random() < 0.19 else 0 for _ in range(784)) for _ in range(count)]


Asked = tuple[Model, list[Any]]


def asked_digits() -> Asked:
    return digits(), TEST.X[:100]


def asked_images() -> Asked:
    model, rows = Model(784, 100, 10), thin_pixels(100)
    model.fit(rows, [k % 10 for k in range(100)], epochs=1)
    return model, rows


def asked_columns() -> Asked:
    model, rows = Model(4, 8, 3), [[Random(k).gauss(j, 1.0) for j in range(4)] for k in range(100)]
    model.fit(rows, [k % 3 for k in range(100)], epochs=1)
    return model, rows


def asked_filters() -> Asked:
    layers = [Conv2D(1, 8, 3), ReLU(), MaxPool2D(2), Flatten(), Linear(1352, 10)]
    model, rows = Model.from_layers(layers, input_shape=(1, 28, 28)), thin_pixels(40)
    model.fit(rows, [k % 10 for k in range(40)], epochs=1)
    return model, rows


@pytest.mark.slow
@pytest.mark.parametrize("make", [asked_digits, asked_images, asked_columns, asked_filters])
def test_a_row_takes_at_most_three_times_the_package_s_time(make: Callable[[], Asked]) -> None:
    model, rows = make()
    module = loaded(export_model(model))
    taken: list[list[float]] = [[], []]
    for _ in range(5):
        for row in rows:
            for times, ask in zip(taken, (lambda row: model.predict([row]), module.predict)):
                start = process_time()
                ask(row)
                times.append(process_time() - start)
    package, file = (sorted(times)[len(times) // 10] for times in taken)
    assert file < 3.0 * package
