"""The rules of the house, read off the source: who may import whom, what may happen at import, who may write where.

A new file has to be put on its floor here before it may stand; that is intended.
"""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import scratchnn
from scratchnn import AvgPool2D, Conv2D, Dropout, Flatten, LeakyReLU, Linear, MaxPool2D, ReLU, Sigmoid, Tanh

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scratchnn"

# A file imports from its own floor or a lower one.
FLOORS: dict[int, set[str]] = {
    4: {
        *("__main__", "train", "predict", "info", "export", "convert", "datasets.__main__"),
        "play.__main__",
        *("play.server", "play.sessions", "play.session", "play.settings", "play.learning", "play.drawing"),
    },
    3: {"model", "search"},
    2: {
        *("layers.base", "layers.linear", "layers.activations", "layers.convolution", "layers.architecture"),
        *("layers.normalisation", "layers.embedding", "layers.residual"),
        *("losses", "optim", "gradcheck", "inference", "layers.weights", "saving.model_format"),
        *("training.trainer", "training.divergence", "training.callbacks", "training.fitting", "training.snapshot"),
        *("training.checkpoint", "training.checkpointing", "training.standing"),
        *("training.workers.messages", "training.workers.team", "training.workers.worker"),
        *("training.workers.starting", "training.workers.sharing"),
        "reports.report",
    },
    1: {
        *("preprocessing.rows", "preprocessing.tables", "preprocessing.labels", "preprocessing.scaling"),
        *("preprocessing.schema", "preprocessing.weighting"),
        *("datasets.dataset", "datasets.csv_reader", "datasets.csv_dialect", "datasets.pixel_text"),
        *("datasets.idx_reader", "datasets.data_file", "datasets.download", "datasets.patient_http"),
        *("toys", "tsne", "progress", "cli", "saving.records", "play.images"),
        *("metrics.inputs", "metrics.classification", "metrics.probabilities", "metrics.regression"),
        *("metrics.report", "metrics.summary"),
        *("plots.lettering", "plots.colours", "plots.scales", "plots.marks", "plots.axes", "plots.figure"),
        *("plots.given", "plots.pixels", "plots.tiles", "plots.curves", "plots.matrices", "plots.pictures"),
        *("plots.scatters", "plots.boundaries", "plots.regression", "plots.bars"),
        *("reports.markup", "reports.naming", "reports.style", "reports.rows", "reports.mistakes", "reports.sections"),
        *("reports.displays", "terminal", "drawings", "notebook"),
    },
    0: {
        *("linalg", "elementary", "shuffle", "checks", "errors", "escapes", "defaults", "turns", "executors"),
        "lending",
        *("engines.base", "engines.finding", "engines.lists", "engines.arrays", "engines.sliding_window"),
        *("engines.lanes.engine", "engines.lanes.matrix", "engines.lanes.layout", "engines.lanes.shared"),
        *("engines.lanes.formulas", "engines.lanes.reading", "engines.short_rows"),
        *("engines.lanes.convolution", "engines.lanes.pooling", "engines.lanes.images", "engines.lanes.pooled"),
        *("saving.atomic", "saving.safe_pickle", "training.interruption"),
    },
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}

COMMANDS = {
    "__main__",
    "train",
    "predict",
    "info",
    "export",
    "convert",
    "cli",
    "datasets.__main__",
    "play.__main__",
}  # each has a main(), or serves those that have one
DOORS_OF_THE_WING = {"export", "convert"}  # the commands that lead to it
READERS_OF_DATA = {
    f"datasets.{name}" for name in ("dataset", "csv_dialect", "csv_reader", "data_file", "idx_reader", "pixel_text")
}

CORE = sorted(path for path in PACKAGE.rglob("*.py") if "interop" not in path.relative_to(PACKAGE).parts)


def name_of(path: Path) -> str:
    """A file as it is called here: its room, if it is in one, and its name."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = [name_of(path) for path in CORE if path.stem != "__init__"]

every_file = pytest.mark.parametrize("path", CORE, ids=name_of)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree_of(path)))


@cache
def imports(path: Path) -> list[str]:
    """Every module a file imports, inside functions and ``try`` as well; the package's own as "scratchnn.name"."""
    names: list[str] = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            rooms = ["scratchnn", *path.relative_to(PACKAGE).parts[:-1]]
            rooms = rooms[: len(rooms) - node.level + 1] if node.level else []
            origin = ".".join([*rooms, *[node.module] * bool(node.module)])
            for alias in node.names:
                whole = f"{origin}.{alias.name}".replace("scratchnn.", "", 1)
                names.append(f"scratchnn.{whole}" if whole in MODULES else origin)
    return names


def imported_by(name: str) -> set[str]:
    """The modules of the package that the module ``name`` imports."""
    path = PACKAGE / f"{name.replace('.', '/')}.py"
    return {module.replace("scratchnn.", "", 1) for module in imports(path)} & set(MODULES)


def run(code: str) -> str:
    """What ``code`` prints in a fresh interpreter that sees the standard library and this package, nothing else."""
    setup = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", setup + code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


# --- floors ------------------------------------------------------------------------------------------------------


def test_every_module_has_one_floor() -> None:
    assert set(MODULES) <= set(FLOOR_OF), "put the new file on its floor"
    assert sum(len(names) for names in FLOORS.values()) == len(FLOOR_OF)


@pytest.mark.parametrize("name", MODULES)
def test_nobody_imports_upwards(name: str) -> None:
    upwards = {other for other in imported_by(name) if FLOOR_OF[other] > FLOOR_OF[name]}
    assert not upwards, f"{name} is on floor {FLOOR_OF[name]}"


def test_imports_go_round_in_no_circle() -> None:
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " imports ".join([*path, name])
        if name not in finished:
            for other in sorted(imported_by(name)):
                visit(other, (*path, name))
            finished.add(name)

    for name in MODULES:
        visit(name, ())


# --- nothing but the standard library ----------------------------------------------------------------------------


@every_file
def test_the_core_imports_the_standard_library_and_itself_alone(path: Path) -> None:
    if sys.version_info < (3, 10):
        pytest.skip("Python 3.9 has no list of its standard library's modules")
    # hashlib's own SHA-256 goes by a name of its own in each version.
    known = {*sys.stdlib_module_names, "_sha2", "_sha256", "scratchnn"}
    foreign = {name for name in imports(path) if name.split(".")[0] not in known}
    assert not foreign


@every_file
def test_the_core_does_not_know_the_wing_for_other_projects(path: Path) -> None:
    if name_of(path) in DOORS_OF_THE_WING:
        return
    assert not [name for name in imports(path) if name.startswith("scratchnn.interop")]


@every_file
def test_no_module_is_imported_by_a_name_in_a_string(path: Path) -> None:
    """That would go past the checks above. The package itself does it, for its own names, to be lazy."""
    calls = {ast.unparse(node.func) for node in nodes_of(path) if isinstance(node, ast.Call)}
    dynamic = {call for call in calls if call.split(".")[-1] in ("import_module", "__import__")}
    by_name = path.stem == "__init__" or name_of(path) == "engines.arrays"  # a library of arrays that is asked for
    assert dynamic <= ({"import_module"} if by_name else set())


# --- what happens at import --------------------------------------------------------------------------------------


def test_every_module_imports_in_silence_and_draws_no_random_number() -> None:
    code = f"""
import random
state = random.getstate()
from importlib import import_module
for name in {MODULES!r}:
    import_module("scratchnn." + name)
assert random.getstate() == state
"""
    assert run(code) == ""


HEAVY = {
    *("argparse", "asyncio", "csv", "ctypes", "dataclasses", "email", "gzip", "http", "inspect", "json", "logging"),
    *("multiprocessing", "pathlib", "pickle", "ssl", "subprocess", "tempfile", "unittest", "urllib", "zipfile"),
}


def loaded_by(statement: str) -> set[str]:
    code = f"before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    return set(run(code).split())


def test_importing_the_package_costs_next_to_nothing() -> None:
    loaded = loaded_by("import scratchnn")
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("scratchnn")} == {"scratchnn"}


def test_a_network_loads_nothing_that_reads_files_or_command_lines() -> None:
    loaded = loaded_by("from scratchnn import CrossEntropyLoss, Linear, ReLU, SGD, Sequential")
    assert not loaded & HEAVY
    assert not loaded & {
        f"scratchnn.{name}" for name in COMMANDS | READERS_OF_DATA | {"model", "saving.records", "progress"}
    }


def test_a_model_loads_nothing_that_reads_data_files_or_command_lines() -> None:
    loaded = loaded_by("from scratchnn import Model")
    assert not loaded & {*HEAVY, "hashlib", "_hashlib"}
    assert not loaded & {f"scratchnn.{name}" for name in COMMANDS | READERS_OF_DATA}


# What learning needs and predicting does not.
LEARNING = {
    "training.trainer",
    "training.divergence",
    "training.callbacks",
    "training.checkpoint",
    "training.checkpointing",
    "training.snapshot",
    "preprocessing.weighting",
    "optim",
    "shuffle",
    "training.standing",
    "training.interruption",
}
IMAGES = {f"engines.lanes.{name}" for name in ("convolution", "pooling", "images", "pooled")}


def test_predicting_loads_nothing_that_only_learning_needs(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = scratchnn.Model(2, 3, 2)
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)
    model.save(path)
    for statement in (
        "from scratchnn import Model",
        f"from scratchnn import Model; Model.load({str(path)!r}).predict([[0.5, 0.5]])",
    ):
        assert not loaded_by(statement) & {f"scratchnn.{name}" for name in LEARNING | IMAGES}


def test_learning_loads_nothing_that_only_reports_on_it_need() -> None:
    statement = "from scratchnn import Model; Model(2, 3, 2).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1)"
    loaded = loaded_by(statement)
    assert not loaded & {"inspect", "ast", "dis", "tokenize", "json", "argparse"}
    rooms = ("reports", "plots", "metrics", "play", "terminal", "drawings", "notebook", "progress")
    assert not {name for name in loaded if name.startswith(tuple(f"scratchnn.{room}" for room in rooms))}


# What takes longer to load than the package itself: it waits for those who ask for what needs it.
SLOW = {"typing", "re", "enum", "functools", "contextlib", "dataclasses", "collections", "inspect", "types", "array"}

STACKS: dict[str, Callable[[], list[Any]]] = {
    "rows": lambda: [
        Linear(16, 3),
        LeakyReLU(),
        Linear(3, 3),
        Tanh(),
        Dropout(0.5),
        Linear(3, 3),
        Sigmoid(),
        Linear(3, 2),
    ],
    "images": lambda: [Conv2D(1, 2, 3), ReLU(), MaxPool2D(2), AvgPool2D(1), Flatten(), Linear(2, 2)],
}


@pytest.mark.parametrize("engine", ["lanes", "linalg"])
@pytest.mark.parametrize("scaling", ["none", "pixels", "standard"])
@pytest.mark.parametrize("stack", STACKS)
def test_predicting_loads_no_module_that_is_slow_to_load(stack: str, scaling: str, engine: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    model = scratchnn.Model.from_layers(STACKS[stack](), input_shape=(1, 4, 4), scaling=scaling)
    model.fit([[k % 3 + 2 * i for k in range(16)] for i in range(4)], ["no", "yes", "yes", "no"], epochs=1)
    model.save(path)
    rows = "[[0.5] * 15 + [0], [0] * 16, [7] * 16, bytes(16)]"
    loaded = loaded_by(f"from scratchnn import Model; Model.load({str(path)!r}, engine={engine!r}).predict({rows})")
    of_importlib = {"types"} if sys.version_info < (3, 10) else set()
    assert loaded & SLOW <= of_importlib


# --- state -------------------------------------------------------------------------------------------------------


@every_file
def test_no_function_writes_to_its_module(path: Path) -> None:
    assert not [node.names for node in nodes_of(path) if isinstance(node, ast.Global)]


@every_file
def test_no_module_keeps_a_container_to_be_filled(path: Path) -> None:
    def is_empty_container(value: ast.expr | None) -> bool:
        if isinstance(value, (ast.List, ast.Set)):
            return not value.elts
        if isinstance(value, ast.Dict):
            return not value.keys
        if isinstance(value, ast.Call):
            return ast.unparse(value.func) in ("list", "dict", "set", "deque", "defaultdict", "bytearray")
        return False

    assignments = [node for node in tree_of(path).body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    assert not [ast.unparse(node) for node in assignments if is_empty_container(node.value)]


@pytest.mark.parametrize("name", MODULES)
def test_no_module_owns_a_generator(name: str) -> None:
    values = vars(import_module(f"scratchnn.{name}"))
    assert not [key for key, value in values.items() if isinstance(value, random.Random)]


@every_file
def test_random_numbers_come_from_a_generator_handed_in(path: Path) -> None:
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            assert {alias.name for alias in node.names} == {"Random"}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            assert node.attr == "Random"


@every_file
def test_only_seed_none_is_seeded_by_the_clock(path: Path) -> None:
    nodes = nodes_of(path)
    unseeded = {n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n) in ("Random()", "random.Random()")}
    asked_for = {n.body for n in nodes if isinstance(n, ast.IfExp) and ast.unparse(n.test) == "seed is None"}
    assert not [node.lineno for node in unseeded - asked_for]


# --- who may do what ---------------------------------------------------------------------------------------------


@every_file
def test_nothing_unpickles(path: Path) -> None:
    """Model files are read by ``safe_pickle``, which can run nothing."""
    unpicklers = {"pickle", "_pickle", "cPickle", "pickletools", "dill", "copyreg", "marshal", "shelve"}
    assert not {name.split(".")[0] for name in imports(path)} & unpicklers


@every_file
def test_only_saving_reads_and_writes_records(path: Path) -> None:
    assert name_of(path) == "saving.records" or "scratchnn.saving.safe_pickle" not in set(imports(path))


@every_file
def test_only_the_data_readers_parse_data_files(path: Path) -> None:
    if name_of(path) in READERS_OF_DATA:
        return
    parsers = {
        ast.unparse(node)
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("csv.reader", "csv.DictReader", "csv.Sniffer", "gzip.open", "gzip.GzipFile")
    }
    assert not parsers


@every_file
def test_only_progress_and_the_commands_write_to_a_terminal(path: Path) -> None:
    if name_of(path) in COMMANDS | {"progress"}:
        return
    streams = {"sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
    for node in nodes_of(path):
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in streams), f"line {node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id in ("print", "input")), f"line {node.lineno}"


@every_file
def test_every_file_opens_by_saying_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(tree_of(path))
    assert docstring, "no docstring"
    assert docstring.split("\n")[0].rstrip().endswith((".", ":", ",")) or "\n" in docstring, docstring


# --- names and packaging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in scratchnn.__all__ if not name.startswith("__")])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(scratchnn, name)
    assert value.__name__ == name
    assert value.__doc__


def test_names_are_imported_from_where_users_find_them() -> None:
    code = """
import scratchnn.model, scratchnn.train, scratchnn.predict, scratchnn.gradcheck, scratchnn.linalg, scratchnn.losses
from scratchnn.layers import Conv2D, Dropout, Layer, Linear, ReLU, Sequential
from scratchnn.datasets import Dataset, load_csv, load_digits, load_idx, main, one_hot, train_test_split
from scratchnn.preprocessing import Scaling, Schema, as_rows, one_hot
from scratchnn.toys import blobs, moons
from scratchnn.optim import SGD, Adam
from scratchnn.training import Callback, EarlyStopping, Trainer
print(Conv2D.__name__, Trainer.__name__)
"""
    assert run(code) == "Conv2D Trainer\n"


def test_public_names_are_listed() -> None:
    assert set(scratchnn.__all__) <= set(dir(scratchnn))
    assert len(scratchnn.__all__) == len(set(scratchnn.__all__))


def test_modules_are_there_under_the_package_s_name() -> None:
    names = ["elementary", "gradcheck", "linalg", "metrics", "plots", "search", "toys", "tsne"]
    code = f"import scratchnn\nfor name in {names}: print(getattr(scratchnn, name).__name__, name in dir(scratchnn))"
    assert run(code).splitlines() == [f"scratchnn.{name} True" for name in names]


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'scratchnn' has no attribute 'Modell'"):
        scratchnn.Modell  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_every_subpackage_is_in_the_wheel() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")}
    missing = [name for name in sorted(folders) if f'"{name}"' not in project]
    assert not missing
    assert '"scratchnn.data" = "data"' in project
