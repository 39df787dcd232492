"""Makes a model out of another project's file: ``python -m scratchnn.convert net.onnx --to model.pkl``.

The ending of the file's name says what it is. The work is done by the readers of ``interop/``, of which only the one
that is asked for is loaded; this door reads arguments and prints.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

from . import cli
from .checks import shown_path
from .errors import ArgumentError

# What each ending stands for.
KINDS = {
    ".onnx": "ONNX, as scratchnn, PyTorch and skl2onnx write it for networks that scratchnn has",
    ".safetensors": "safetensors: scratchnn's own, or PyTorch's weights with --layers",
    ".joblib": "a fitted MLPClassifier or MLPRegressor of scikit-learn, alone or behind a scaler in a Pipeline; with "
    "--trust, for such a file can run code (.pkl and .pickle as well)",
}
OTHERS = (".py", ".js", ".mjs", ".c", ".json", ".onnx", ".safetensors", ".joblib")  # no endings of models
PICKLES = (".joblib", ".pkl", ".pickle")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad input."""
    return cli.run(_convert, arguments)


def _convert(arguments: Sequence[str] | None) -> int:
    width = max(map(len, KINDS)) + 2
    kinds = [f"  {ending:<{width}}{what}" for ending, what in KINDS.items()]
    parser = cli.Parser(
        prog=cli.spelled("convert"),
        description="\n".join(["Make a model of scratchnn out of another project's file, by its ending:", *kinds]),
        formatter_class=cli.AsItStands,
    )
    parser.add_argument("file", metavar="FILE", help="the file to read")
    parser.add_argument("--to", metavar="MODEL", required=True, help="the model to write, such as model.pkl")
    parser.add_argument(
        "--layers",
        metavar="JSON",
        help='what the network is, for weights that come alone: a JSON file with a list such as [{"kind": "Linear", '
        '"inputs": 64, "outputs": 10}]',
    )
    parser.add_argument(
        "--task", choices=("classification", "regression", "multilabel"), help="if the file does not say"
    )
    parser.add_argument(
        "--classes",
        metavar="NAME",
        nargs="+",
        help="names of the classes, in the order of the outputs; default: 0, 1, ...",
    )
    parser.add_argument(
        "--trust", action="store_true", help="read a pickle of scikit-learn, which can run any code: only your own"
    )
    parser.add_version()
    options = parser.parse_args(arguments)
    from .layers.base import Sequential
    from .saving.atomic import check_writable

    read = _reader(options)
    cli.spare_inputs(options.to, options.file, options.layers)
    _require_model_name(options.to)
    check_writable(options.to)
    model = read()
    model.save(options.to)
    layers = sum(not isinstance(layer, Sequential) for layer in model.network.walk())
    sizes = f"{model.input_size} features, {layers} layers, {model.output_size} outputs"
    cli.say(f"{options.to}: a model for {model.task}: {sizes}, {model.parameter_count:,} parameters")
    cli.say(
        f"use it: {cli.spelled('predict')} {options.to} rows.csv; {cli.spelled('info')} {options.to} says what it is"
    )
    return 0


def _reader(options: argparse.Namespace) -> Callable[[], Any]:
    """What makes a model of the file; ``ArgumentError`` for options that do not suit such a one."""
    path = options.file
    ending = os.path.splitext(path)[1].lower()
    if ending in (".pt", ".pth"):
        raise ArgumentError(
            f"{shown_path(path)}: PyTorch's own files can run any code when they are read: write the weights with its "
            'safetensors.torch.save_file(network.state_dict(), "net.safetensors"), and convert that'
        )
    if ending not in (*KINDS, *PICKLES):
        came = f"the ending {ending!r}" if ending else "a name without an ending"
        raise ArgumentError(f"{shown_path(path)}: {came} says no kind of file that is known: {', '.join(KINDS)}")
    told: dict[str, Any] = {"task": options.task, "classes": _labels(options.classes)}
    told = {name: value for name, value in told.items() if value is not None}
    if options.layers is not None and ending != ".safetensors":
        raise ArgumentError(f"--layers is for .safetensors: {shown_path(path)} says itself what its layers are")
    if ending == ".safetensors":
        from .interop.safetensors import load_model as of_safetensors

        return lambda: of_safetensors(path, options.layers, **told)
    if ending == ".onnx":
        from .interop.onnx import load_model as of_onnx

        return lambda: of_onnx(path, **told)
    if told:
        raise ArgumentError(
            f"{' and '.join(f'--{name}' for name in told)}: an estimator of scikit-learn says that itself"
        )
    if not options.trust:
        raise ArgumentError(
            f"{shown_path(path)}: a pickle can run any code when it is read: say --trust if it is your own, or "
            "from somebody whom you would let run a program here"
        )
    from .interop.sklearn_files import load_estimator
    from .interop.sklearn_models import from_sklearn

    return lambda: from_sklearn(load_estimator(path, cli.complain))


def _require_model_name(path: str) -> None:
    """Refuse to write a model where somebody expects another kind of file."""
    if path.lower().endswith(OTHERS):
        raise ArgumentError(
            f"--to {path}: what is written is a model, such as model.pkl; {cli.spelled('export')} makes others of that"
        )


def _labels(names: list[str] | None) -> list[Any] | None:
    """Names of classes, as numbers if all of them are whole ones, as in a table: "1_0" is a name."""
    from .datasets.csv_dialect import is_whole_number

    return [int(name) for name in names] if names and all(map(is_whole_number, names)) else names


if __name__ == "__main__":
    raise SystemExit(main())
