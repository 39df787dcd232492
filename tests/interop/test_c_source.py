"""Models as C files, compiled with all warnings as errors and run under sanitizers: they answer as the model does."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scratchnn import (
    ELU,
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Embedding,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2D,
    Model,
    NotFittedError,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from scratchnn.errors import ArgumentError
from scratchnn.interop.c_runtime import FUNCTIONS
from scratchnn.interop.c_source import export_model
from scratchnn.interop.description import describe
from scratchnn.interop.making import fitted_model
from scratchnn.preprocessing import Scaling

from .digits import digits, mnist
from .networks import NETWORKS, Rows, network

CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler, cc: it compiles what is exported")

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
SANITIZED = [*STRICT, "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
LEAST, MOST = -(2**31), 2**31 - 1
PLAINLY: dict[str, Any] = {"task": "regression", "loss": "mse", "engine": "linalg"}

# Prints what the functions give for rows of whole numbers: the first number of each line is what they return.
DRIVER = """\
#include "model.c"
#include <stdio.h>

int main(void)
{
    static scratchnn_input features[SCRATCHNN_INPUTS];
    static ANSWER answer[SCRATCHNN_OUTPUTS];
    static uint8_t own[SCRATCHNN_OUTPUTS];
    static scratchnn_workspace work;
    int i = 0, k;
    long number;

    (void)own;
    while (scanf("%ld", &number) == 1) {
        features[i] = (scratchnn_input)number;
        if (++i < SCRATCHNN_INPUTS) continue;
        i = 0;
        printf("%d", ASK);
        for (k = 0; k < SCRATCHNN_OUTPUTS; k++) printf(" %lld", (long long)answer[k]);
        printf(" %d", AGAIN);
        for (k = 0; k < SHOWN; k++) printf(" %d", (int)own[k]);
        printf("\\n");
    }
    return 0;
}
"""
PARTS = {  # how each task is asked: the first time in the file's own memory, the second time in the caller's
    "classification": {
        "ANSWER": "int32_t",
        "ASK": "scratchnn_predict_proba(features, answer)",
        "AGAIN": "scratchnn_predict_in(&work, features)",
        "SHOWN": "0",
    },
    "multilabel": {
        "ANSWER": "int32_t",
        "ASK": "scratchnn_predict_proba(features, answer)",
        "AGAIN": "scratchnn_predict_in(&work, features, own)",
        "SHOWN": "SCRATCHNN_OUTPUTS",
    },
    "regression": {
        "ANSWER": "int64_t",
        "ASK": "scratchnn_predict(features, answer)",
        "AGAIN": "scratchnn_predict_in(&work, features, answer)",
        "SHOWN": "0",
    },
}


def compiled(folder: Path, source: bytes, driver: str = "", options: list[str] = SANITIZED) -> Path:
    """The program of a model's file, or of another that includes it."""
    (folder / "model.c").write_bytes(source)
    (folder / "driver.c").write_text(driver, encoding="utf-8")
    file = "driver.c" if driver else "model.c"
    command = [str(CC), *options, "-o", "program", file]
    result = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return folder / "program"


def printed(program: Path, text: str) -> str:
    result = subprocess.run([str(program)], input=text, capture_output=True, encoding="utf-8", check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


QUICK = ("relu", "binary", "multilabel", "regression", "convolution", "embedding")
SOME_AT_ONCE = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NETWORKS]


class Asked:
    """A model's file, and what it answers to rows of whole numbers."""

    def __init__(self, folder: Path, model: Model, options: list[str] = SANITIZED, **settings: Any) -> None:
        self.model = model
        self.text = (source := export_model(model, **settings)).decode("ascii")
        parts = PARTS[model.task]
        driver = re.sub(r"\b(ANSWER|ASK|AGAIN|SHOWN)\b", lambda found: parts[found[0]], DRIVER)
        self.program = compiled(folder, source, driver, options)
        width = describe(model).width
        self.places = self._bits("FRACTION_BITS", "fraction_bits", width)
        self.value_places = self._bits("VALUE_BITS", "value_bits", model.output_size)

    def _bits(self, macro: str, table: str, count: int) -> list[int]:
        found = re.search(rf"#define SCRATCHNN_{macro} \(?(-?\d+)", self.text)
        if found:
            return [int(found[1])] * count
        listed = re.search(rf"const int16_t scratchnn_{table}\[\d+\] = {{([^}}]*)}}", self.text)
        return [int(v) for v in listed[1].split(",")] if listed else [0] * count

    def whole(self, rows: Rows) -> list[list[int]]:
        """Rows as the program takes them."""
        return [
            [min(max(round(math.ldexp(v, places)), LEAST), MOST) for v, places in zip(row, self.places)] for row in rows
        ]

    def numbers(self, whole: list[list[int]]) -> Rows:
        """What those stand for."""
        return [[math.ldexp(v, -places) for v, places in zip(row, self.places)] for row in whole]

    def answers(self, whole: list[list[int]]) -> tuple[list[Any], Rows]:
        """(labels, probabilities or values) of these rows; labels are None for regression."""
        lines = printed(self.program, "\n".join(" ".join(map(str, row)) for row in whole)).splitlines()
        assert len(lines) == len(whole)
        outputs = max(len(self.model.classes), self.model.output_size)
        labels: list[Any] = []
        found = []
        for line in lines:
            first, *rest = map(int, line.split())
            assert rest[outputs] == first  # the caller's memory is as good
            places = self.value_places if self.model.task == "regression" else [30] * outputs
            found.append([math.ldexp(v, -bits) for v, bits in zip(rest[:outputs], places)])
            if self.model.task == "classification":
                labels.append(self.model.classes[first])
            else:
                assert first == 0
                labels.append(rest[outputs + 1 :] if self.model.task == "multilabel" else None)
        return labels, found

    def apart(self, rows: Rows) -> float:
        """The largest difference from what the model says to the same numbers, with labels that are the same."""
        whole = self.whole(rows)
        labels, found = self.answers(whole)
        same = self.numbers(whole)
        if self.model.task == "regression":
            expected = [row if isinstance(row, list) else [row] for row in self.model.predict(same)]
        else:
            expected = self.model.predict_proba(same)
            assert labels == self.model.predict(same)
        return max(abs(p - q) for row, right in zip(found, expected) for p, q in zip(row, right))


@pytest.mark.parametrize("name", SOME_AT_ONCE)
def test_a_program_answers_as_the_model_does(name: str, tmp_path: Path) -> None:
    model, X = network(name)
    scale = describe(model).target_scale or [1.0]
    assert Asked(tmp_path, model).apart(X) < 2e-7 * max(scale)  # of probabilities, 1e-5 is asked for


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_all_digits_get_the_same_labels_and_probabilities(kind: str, tmp_path: Path) -> None:
    model, exact, rows = digits(kind)
    assert len(rows) == 360
    asked = Asked(tmp_path, exact)
    assert asked.apart([list(row) for row in rows]) < 1e-7
    assert asked.answers([list(row) for row in rows])[0] == model.predict(rows)


@pytest.mark.slow
@pytest.mark.shared
def test_digits_of_mnist_get_the_same_labels_and_probabilities(shared: Path, tmp_path: Path) -> None:
    model, rows = mnist(shared)
    assert len(rows) == 2000
    asked = Asked(tmp_path, model, [*STRICT, "-O2"])
    assert asked.apart([list(row) for row in rows]) < 1e-5


# --- whole numbers alone -----------------------------------------------------------------------------------------


def code_of(text: str) -> str:
    """A file without its comments, its texts, and what is only there to try it on a PC."""
    text = text[: text.index("#ifdef SCRATCHNN_MAIN")]
    return re.sub(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', "", text, flags=re.DOTALL)


COVERING = [
    "gelu and silu",
    "elu and softplus",
    "two hidden layers",
    "leaky relu",
    "negative log-likelihood",
    "binary, sigmoid",
    "residual",
    "convolution",
    "embedding",
]


def of_pixels() -> Model:
    """A network whose first layer reads bytes."""
    return of_layers([Linear(16, 3)], 16, (0.0, 0.0), scaling=Scaling("pixels"))


def test_these_networks_need_every_function() -> None:
    texts = [export_model(model).decode("ascii") for model in (of_pixels(), *(network(name)[0] for name in COVERING))]
    missing = [name for name, (_, text) in FUNCTIONS.items() if not any(text in whole for whole in texts)]
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERING)
def test_there_is_no_floating_point_number_in_it(name: str, tmp_path: Path) -> None:
    source = export_model(network(name)[0])
    code = code_of(source.decode("ascii"))
    assert not re.search(r"\b(float|double|malloc|free)\b|math\.h|\d\.\d|\d[eE][-+]?\d", code)
    assert re.findall(r"#include.*", code) == ["#include <stdint.h>"]
    # Functions that a compiler calls for floating-point arithmetic would be missing, and so would any library's.
    options = [*STRICT, "-O2", "-ffreestanding", "-c"]
    compiled(tmp_path, source, options=options)
    if shutil.which("nm"):
        listed = subprocess.run(["nm", "-u", "program"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert {line.split()[-1] for line in listed.stdout.splitlines()} <= {
            "memcpy",
            "memset",
            "_GLOBAL_OFFSET_TABLE_",
        }


@pytest.mark.slow
def test_no_register_for_floating_point_numbers_is_needed(tmp_path: Path) -> None:
    option = "-mgeneral-regs-only"
    (tmp_path / "none.c").write_text("int none;\n")
    known = subprocess.run([str(CC), option, "-c", "none.c"], cwd=tmp_path, capture_output=True, check=False)
    if known.returncode:
        pytest.skip(f"this compiler does not know {option}")
    for name in COVERING:
        compiled(tmp_path, export_model(network(name)[0]), options=[*STRICT, "-O1", option, "-c"])


@pytest.mark.parametrize("name", ["convolution", "gelu and silu", "unusual class names", "regression of three"])
def test_sizes_are_what_the_header_says(name: str, tmp_path: Path) -> None:
    model, _ = network(name)
    source = export_model(model)
    text = " ".join(source.decode("ascii").split())
    tables, memory = re.findall(r"Tables take \* (\d+) bytes, working memory (\d+)\.", text)[0]
    names = re.findall(r"static const \w+(?: \w+)? (\w+)(?:\[\d+\])? =", text)
    sizes = " + ".join(f"sizeof {name}" for name in names)
    driver = f'#include "model.c"\n#include <stdio.h>\nint main(void)\n{{\n    size_t size = {sizes};\n'
    driver += '    printf("%d %d\\n", (int)size, (int)sizeof memory);\n    return 0;\n}\n'
    found = printed(compiled(tmp_path, source, driver, STRICT), "").split()
    in_names = sum(len(str(c).encode()) + 1 for c in model.classes)
    assert [int(found[0]) + in_names, int(found[1])] == [int(tables), int(memory)]


# --- whatever comes ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_overflows_whatever_the_features_are(name: str, tmp_path: Path) -> None:
    model, X = network(name)
    asked, rng, known = Asked(tmp_path, model), Random(5), describe(model)
    if "embedding" in known.kinds:
        rows = [[rng.choice((LEAST, MOST, -1, 9)) for _ in X[0]] for _ in range(20)]
        assert {line.split()[0] for line in printed(asked.program, str(rows).translate(PLAIN)).splitlines()} == {"-1"}
        return
    low, high = (0, 255) if known.factor != 1.0 else (LEAST, MOST)
    edges = [low, high, low + 1, high - 1, 0, 1]
    rows = [[v] * len(X[0]) for v in edges]
    rows += [[rng.choice((*edges, rng.randint(low, high))) for _ in X[0]] for _ in range(40)]
    rows += [[rng.randint(low, high) >> rng.randrange(31) for _ in X[0]] for _ in range(20)]
    _, found = asked.answers(rows)
    numbers = asked.numbers(rows)
    if model.task == "regression":
        right = [row if isinstance(row, list) else [row] for row in model.predict(numbers)]
        sizes = [max(1.0, *map(abs, row)) for row in right]
    else:
        right, sizes = model.predict_proba(numbers), [2.0] * len(rows)
    for row, expected, size in zip(found, right, sizes):
        assert row == pytest.approx(expected, abs=size * 5e-6)


PLAIN = str.maketrans("[],", "   ")


def of_layers(layers: list[Any], width: Any, scales: tuple[float, float], seed: int = 3, **settings: Any) -> Model:
    """A regression with weights of any size."""
    rng = Random(seed)
    inside = Sequential(layers)
    inside.build((width,) if isinstance(width, int) else width)
    for parameter, (rows, columns) in zip(inside.parameters(), inside.parameter_shapes()):
        size = 10.0 ** rng.uniform(*scales)
        draw = rng.random if parameter.name == "running_variance" else lambda: rng.gauss(0.0, 1.0)
        parameter.value = [[size * draw() for _ in range(columns)] for _ in range(rows)]
    return fitted_model(layers, input_shape=width, **{**PLAINLY, **settings})


FUNCTIONS_OF_NUMBERS = [
    *(Tanh(), Sigmoid(), GELU(), SiLU(), Softplus(), LeakyReLU(0.25), ReLU()),
    *(ELU(0.3), ELU(40.0), ELU(0.0), ELU(1e-12)),
]


@pytest.mark.slow
@pytest.mark.parametrize("layer", FUNCTIONS_OF_NUMBERS, ids=repr)
def test_functions_are_right_to_27_bits(layer: Any, tmp_path: Path) -> None:
    before, behind = Linear(1, 1), Linear(1, 1)
    before.weight.value, behind.weight.value = [[1.0]], [[256.0]]  # so that values tell 8 bits more
    before.bias.value = behind.bias.value = [[0.0]]
    layers = [before, layer.copy(), behind]
    asked = Asked(tmp_path, fitted_model(layers, input_shape=1, **PLAINLY), fraction_bits=22)
    whole = asked.whole([[k * step] for k in range(-600, 601) for step in (1e-6, 1e-4, 0.02, 0.8)])
    bar = 2.0**-27 * max(1.0, layer.config().get("alpha", 1.0))
    for (v,), (value,), expected in zip(
        asked.numbers(whole), asked.answers(whole)[1], asked.model.predict(asked.numbers(whole))
    ):
        assert value / 256 == pytest.approx(expected / 256, abs=bar * max(1.0, abs(v)))


WILD: dict[str, Any] = {
    "dense": lambda: ([Linear(6, 9), ReLU(), Linear(9, 7), LeakyReLU(0.1), Linear(7, 2)], 6),
    "long": lambda: ([Linear(400, 5), ReLU(), Linear(5, 2)], 400),
    "deep": lambda: ([layer for _ in range(12) for layer in (Linear(6, 6), ReLU())], 6),
    "layer norm": lambda: ([Linear(6, 9), LayerNorm(9, 1e-9), Linear(9, 3)], 6),
    "batch norm": lambda: ([Linear(6, 9), BatchNorm(9, epsilon=1e-9), Linear(9, 3)], 6),
    "residual": lambda: ([Residual([Linear(6, 6), Residual([ReLU(), Linear(6, 6)])]), Linear(6, 2)], 6),
    "residual without a copy": lambda: ([Residual([ReLU()]), Residual([Residual([LeakyReLU(0.5)])]), Linear(6, 2)], 6),
    "convolution": lambda: (
        [Conv2D(2, 3, (3, 2), (2, 1), (1, 1)), MaxPool2D(2, 1, 1), AvgPool2D((2, 3), (1, 2), (1, 1)), Conv2D(3, 2, 2)],
        (2, 7, 6),
    ),
    "log softmax": lambda: ([Linear(6, 9), LogSoftmax(), Linear(9, 2)], 6),
}


@pytest.mark.slow
@pytest.mark.parametrize("scales", [(0.0, 0.0), (-6.0, -3.0), (3.0, 6.0), (-4.0, 4.0)], ids=str)
@pytest.mark.parametrize("name", WILD)
def test_numbers_of_any_size_keep_their_digits(name: str, scales: tuple[float, float], tmp_path: Path) -> None:
    layers, width = WILD[name]()
    model = of_layers(layers, width, scales)
    asked, rng = Asked(tmp_path, model), Random(2)
    size = asked.numbers([[1]])[0][0]
    rows = [[rng.gauss(0.0, 10.0**power) for _ in range(describe(model).width)] for power in (-3, -1, 0, 1, 3)]
    numbers = asked.numbers(asked.whole(rows))
    outputs = describe(model).output_size
    # The numbers of one row are as exact as the largest of them, but for where they are rounded to their unit.
    unit = math.ldexp(1.0, -asked.value_places[0])
    assert size == 2.0**-20
    for row, expected in zip(asked.answers(asked.whole(rows))[1], model.predict(numbers)):
        expected = expected if isinstance(expected, list) else [expected]
        largest = max(map(abs, expected))
        assert len(row) == outputs
        if largest < math.ldexp(1.0, 62 - asked.value_places[0]):
            assert row == pytest.approx(expected, abs=2e-6 * largest + unit)


def test_features_that_hardly_differ_and_those_that_differ_widely_are_scaled(tmp_path: Path) -> None:
    means, deviations = [1e6, -3.0, 0.0, 1e-9, 5e12], [250.0, 1e-4, 3e9, 1e-12, 7e7]
    layers = [Linear(5, 8), Tanh(), Linear(8, 3)]
    model = of_layers(layers, 5, (0.0, 0.0), scaling=Scaling("standard", means, deviations))
    asked, rng = Asked(tmp_path, model), Random(1)
    assert len(set(asked.places)) == 5
    assert "extern const int16_t scratchnn_fraction_bits[5];" in asked.text
    assert asked.apart([[rng.gauss(m, d) for m, d in zip(means, deviations)] for _ in range(50)]) < 1e-6


def test_a_feature_that_32_bits_cannot_tell_apart_is_refused() -> None:
    scaling = Scaling("standard", [0.0, 1e12], [1.0, 1.0])
    model = of_layers([Linear(2, 2)], 2, (0.0, 0.0), scaling=scaling)
    with pytest.raises(ArgumentError, match=r"feature 1, with a mean of 1e\+12, a deviation of 1: train with"):
        export_model(model)


@pytest.mark.parametrize("layers", [[], [Tanh()], [Residual([Linear(16, 16)])]], ids=len)
def test_pixels_are_read_as_they_are(layers: list[Any], tmp_path: Path) -> None:
    scaling = Scaling("pixels")
    model = of_layers(
        [*layers, Linear(16, 3)],
        16,
        (0.0, 0.0),
        scaling=scaling,
        target_scaling=Scaling("standard", [0.0] * 3, [1e-3] * 3),
    )
    asked, rng = Asked(tmp_path, model), Random(4)
    assert asked.apart([[rng.randrange(256) for _ in range(16)] for _ in range(30)] + [[0] * 16, [255] * 16]) < 1e-8
    assert ("block1" in asked.text) == bool(layers)


def test_values_in_units_far_apart_have_places_of_their_own(tmp_path: Path) -> None:
    scaling = Scaling("standard", [1e9, -2.0, 0.0], [1.0, 1e-9, 1e12])
    model = of_layers([Linear(4, 3)], 4, (0.0, 0.0), target_scaling=scaling)
    asked, rng = Asked(tmp_path, model), Random(1)
    assert len(set(asked.value_places)) == 3
    whole = asked.whole([[rng.gauss(0.0, 1.0) for _ in range(4)] for _ in range(20)])
    for row, right in zip(asked.answers(whole)[1], model.predict(asked.numbers(whole))):
        for value, expected, unit in zip(row, right, scaling.deviations):
            assert value == pytest.approx(expected, rel=1e-15, abs=2e-7 * unit)


def test_an_image_of_one_channel_and_a_window_as_large_as_it(tmp_path: Path) -> None:
    model = of_layers([Conv2D(1, 2, (3, 4), stride=1000), AvgPool2D(1), Softmax()], (1, 3, 4), (-0.5, 0.0))
    assert Asked(tmp_path, model).apart([[k / 7 for k in range(12)], [-k / 3 for k in range(12)]]) < 1e-7


# --- names and options -------------------------------------------------------------------------------------------


HOSTILE = [
    ['"; #error "', "\\"],
    ["*/ #error /*", "a\\\n*/"],
    ["??/", "??)??'"],
    ["%s%n", "\x00behind"],
    ["é\u2028\u202e", "\ud800"],
    ["\x01234", "\x7f9"],
    ["a" * 5000, "b"],
    [-(2**63), 2**63 - 1],
    [True, False],
]


@pytest.mark.parametrize("classes", HOSTILE, ids=range(len(HOSTILE)))
def test_a_class_or_a_name_is_never_code(classes: list[Any], tmp_path: Path) -> None:
    names = [str(c) for c in classes]
    layer = Linear(2, 2)
    layer.weight.value, layer.bias.value = [[1.0, -1.0], [-1.0, 1.0]], [[0.0, 0.0]]
    model = fitted_model(
        [layer],
        task="classification",
        loss="cross_entropy",
        input_shape=2,
        classes=classes,
        feature_names=names,
        label_name=names[0],
        engine="linalg",
    )
    driver = """\
#include "model.c"
#include <stdio.h>
int main(void)
{
    int k, i;
    for (k = -1; k < 3; k++) {
        const char *name = scratchnn_class_name(k);
        for (i = 0; name && i < LENGTH; i++) printf("%02x", (unsigned)(unsigned char)name[i]);
        printf("\\n");
    }
    return 0;
}
"""
    source = export_model(model)
    data = [name.encode("utf-8", "surrogatepass") for name in names]
    length = min(map(len, data))
    found = printed(compiled(tmp_path, source, driver.replace("LENGTH", str(length))), "").splitlines()
    assert found == ["", *(name[:length].hex() for name in data), ""]


def test_it_can_be_tried_on_a_pc(tmp_path: Path) -> None:
    model, X = network("regression of three")
    program = compiled(tmp_path, export_model(model), options=[*SANITIZED, "-DSCRATCHNN_MAIN"])
    table = "\r\n".join(", ".join(map(repr, row)) for row in X) + "\r\n"
    lines = printed(program, table).splitlines()
    assert printed(program, '"a",b 1,c,"d, 4"\r\n' + table).splitlines() == lines  # names of columns come first
    assert (len(lines), printed(program, "")) == (len(X), "")
    for line, expected in zip(lines, model.predict(X)):
        assert [float(v) for v in line.split(",")] == pytest.approx(expected, rel=1e-6)
    model, X = network("binary")
    program = compiled(tmp_path, export_model(model, name="yes_no"), options=[*SANITIZED, "-DSCRATCHNN_MAIN"])
    lines = printed(program, "\n".join(" ".join(map(repr, row)) for row in X)).splitlines()
    assert [line.split(",")[0] for line in lines] == model.predict(X)
    for line, expected in zip(lines, model.predict_proba(X)):
        assert [float(v) for v in line.split(",")[1:]] == pytest.approx(expected, abs=1e-6)


def tried(folder: Path, name: str) -> Path:
    """The program that a model's file is if it is to be tried."""
    return compiled(folder, export_model(network(name)[0]), options=[*SANITIZED, "-DSCRATCHNN_MAIN"])


def asked_in_vain(program: Path, text: str | bytes) -> tuple[int, str]:
    """How many lines were answered before one was refused, and what was said of that."""
    given = text.encode("utf-8") if isinstance(text, str) else text
    result = subprocess.run([str(program)], input=given, capture_output=True, check=False)
    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1
    return result.stdout.count(b"\n"), result.stderr.decode("ascii").rstrip("\n")


WORD = "field {} is no finite number: a row has 4 numbers, without the label's column"


def test_a_line_that_is_no_row_is_refused_and_none_behind_it_is_answered(tmp_path: Path) -> None:
    program, row = tried(tmp_path, "binary"), "1,2,3,4\n"
    for line, message in {
        "1,2,3": "3 numbers, a row has 4",
        "1,2,3,4,5": "5 numbers, a row has 4: leave out the label's column",
        "1,2,3,4,5,6,7,8": "8 numbers, a row has 4",
        "1 2 3": "3 numbers, a row has 4",
        "1,2,three,4": WORD.format(3),
        "1,2,3,4,rose": WORD.format(5),
        "1,nan,3,4": WORD.format(2),
        "-inf,2,3,4": WORD.format(1),
        "1,2,3,1e999": WORD.format(4),
        "0x1,2,3,4": WORD.format(1),
        "1,,3,4": WORD.format(2),
        "1,2,3,4,": WORD.format(5),
        "1,2,3,4 5": "5 numbers, a row has 4: leave out the label's column",
        "1,2,3,4x": WORD.format(4),
        "1,2,3,4\0": WORD.format(4),
        "1,2,3," + "4" * 600: WORD.format(4),
        "1,2,3," + "four" * 100_000: WORD.format(4),
        "1," * 300_000: WORD.format(300_001),
        '"1,2,3,4': WORD.format(1),
    }.items():
        assert asked_in_vain(program, row + "\n" + line + "\n" + row) == (1, f"line 3: {message}")
        assert asked_in_vain(program, row + line) == (1, f"line 2: {message}")
        if line[0] in "01-":
            assert asked_in_vain(program, line + "\n" + row) == (0, f"line 1: {message}")
    assert asked_in_vain(program, "nan,nan,nan,nan\n") == (0, f"line 1: {WORD.format(1)}")
    assert asked_in_vain(program, "a,b,c,4\n") == (0, f"line 1: {WORD.format(1)}")
    assert asked_in_vain(program, "a,b,c,d\na,b,c,d\n") == (0, f"line 2: {WORD.format(1)}")
    assert asked_in_vain(program, b"\xff\xfe1\0,\x002\0\n\0") == (0, f"line 2: {WORD.format(1)}")


def test_lines_may_be_written_in_many_ways(tmp_path: Path) -> None:
    program = tried(tmp_path, "binary")
    expected = printed(program, "1,2,3,4\n5,6,7,-8e-1\n")
    assert expected.count("\n") == 2
    for text in (
        "1,2,3,4\n5,6,7,-.8",
        "\r\n1,2,3,4\r\n\r\n5,6,7,-0.8\r\n \n",
        "\ufeff1, 2 ;3\t4 \n 5 6 7 -0.8 \n",
        '"1","2","3","4"\n"5",6,"7" ,-0.8\n',
        '\ufeffa b,b 2,,"d, 4"\n1,2,3,4\n5,6,7,-0.8\n',
        "\n" + "name," * 100_000 + "\n1,2,3,4\n5,6,7,-0.8\n",
        "1,2,3," + "4." + "0" * 400 + "\n+5,6,7,-0.8\n",
    ):
        assert printed(program, text) == expected
    for text in ("", "\n\n", "\ufeff", "a,b,c,d", "a,b,c,d\n"):
        assert printed(program, text) == ""


def test_names_in_answers_are_csv(tmp_path: Path) -> None:
    linear = Linear(1, 3)
    names = ['says "a, b"', "two\nlines", "plain"]
    linear.weight.value, linear.bias.value = [[1.0, 0.0, -1.0]], [[0.0, 0.5, 0.0]]
    told: dict[str, Any] = {"task": "classification", "loss": "cross_entropy", "engine": "linalg", "classes": names}
    model = fitted_model([linear], input_shape=1, **told)
    program = compiled(tmp_path, export_model(model), options=[*SANITIZED, "-DSCRATCHNN_MAIN"])
    text = printed(program, "9\n0\n-9\n")
    found = [*csv.reader(io.StringIO(text, newline=""))]
    assert [row[0] for row in found] == names
    assert {len(row) for row in found} == {4}
    assert "\nplain," in text


@pytest.mark.slow
def test_features_without_a_meaning_get_no_answer(tmp_path: Path) -> None:
    program = tried(tmp_path, "embedding")
    assert asked_in_vain(program, "1,2,3,4\n1,2,3,99\n") == (1, "line 2: these features mean nothing")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    program = tried(tmp_path, "binary")
    with open("/dev/full", "wb") as full:
        result = subprocess.run([str(program)], input=b"1,2,3,4\n", stdout=full, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (2, b"the answers cannot be written\n")


@pytest.mark.parametrize("name", ["most", "least", "places", "answer", "name", "upper"])
def test_any_name_may_be_asked_for(name: str, tmp_path: Path) -> None:
    model, X = network("regression of three")
    program = compiled(tmp_path, export_model(model, name=name), options=["-DSCRATCHNN_MAIN"])
    answers = [[float(v) for v in line.split(",")] for line in printed(program, ",".join(map(repr, X[0]))).splitlines()]
    assert answers == [pytest.approx(model.predict(X[:1])[0], rel=1e-6)]


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler, c++")
@pytest.mark.slow
def test_it_is_c_plus_plus_as_well(tmp_path: Path) -> None:
    for name in COVERING:
        source = export_model(network(name)[0])
        compiled(tmp_path, source, options=["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c"])


def test_two_models_stand_in_one_program(tmp_path: Path) -> None:
    for name, kind in (("first", "binary"), ("COUNT", "multilabel"), ("NAME", "relu")):
        (tmp_path / f"{name}.c").write_bytes(export_model(network(kind)[0], name=name))
    (tmp_path / "driver.c").write_text("""\
#include <stdint.h>
int first_predict(const int32_t *features);
int COUNT_predict(const int32_t *features, uint8_t *labels);
int main(void)
{
    const int32_t features[4] = { 0, 0, 0, 0 };
    uint8_t labels[3];
    return first_predict(features) < 0 || COUNT_predict(features, labels) < 0;
}
""")
    files = ["driver.c", "first.c", "COUNT.c", "NAME.c"]
    subprocess.run([str(CC), *SANITIZED, "-o", "program", *files], cwd=tmp_path, check=True)
    assert printed(tmp_path / "program", "") == ""


def test_features_have_as_many_binary_places_as_were_asked_for(tmp_path: Path) -> None:
    model, X = network("relu")
    asked = Asked(tmp_path, model, fraction_bits=8)
    assert asked.places == [8] * 5
    assert asked.apart(X) < 2e-7
    model, X = network("regression, nothing scaled")
    assert Asked(tmp_path, model, fraction_bits=0).apart([[v * 100 for v in row] for row in X]) < 1e-4


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("relu", {"name": "a b"}, "name must be one that C can read"),
        ("relu", {"name": "é"}, "name must be one that C can read"),
        ("relu", {"name": 3}, "name must be one that C can read"),
        (
            "relu",
            {"fraction_bits": 30},
            r"32 bits with 30 .* feature 2, .*: fraction_bits has to be from 0 to 29",
        ),
        ("relu", {"fraction_bits": -1}, "fraction_bits"),
        ("embedding", {"fraction_bits": 3}, "no pixels and no indices"),
        ("convolution", {"fraction_bits": 3}, "no pixels and no indices"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        export_model(network(name)[0], **settings)


def test_models_that_c_cannot_say_are_refused() -> None:
    with pytest.raises(NotFittedError):
        export_model(Model(2, 3, 2))
    for size, what in ((1e200, "weights"), (1e-200, "weights")):
        linear = Linear(1, 2)
        linear.weight.value, linear.bias.value = [[size, 0.0]], [[0.0, 0.0]]
        model = fitted_model([linear], input_shape=1, **PLAINLY)
        with pytest.raises(ArgumentError, match=f"linear, 1 -> 2: {what} of at most"):
            export_model(model)


def test_the_same_model_gives_the_same_bytes() -> None:
    for name in NETWORKS:
        assert export_model(network(name)[0]) == export_model(network(name)[0])


def test_an_embedding_comes_first(tmp_path: Path) -> None:
    model = of_layers([Embedding(7, 5)], 3, (0.0, 0.0))
    assert Asked(tmp_path, model).apart([[0, 6, 3], [1, 2, 5]]) < 1e-7
