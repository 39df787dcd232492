"""Writes a saved model as a file of another kind: ``python -m scratchnn.export model.pkl --to model.py``.

The ending of the file's name says which kind. The work is done by the writers of ``interop/``, of which only the one
that is asked for is loaded; this door reads arguments and prints.
"""

from __future__ import annotations

import json
import keyword
import os
import shlex
import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.machinery import PathFinder
from typing import Any

from . import cli
from .convert import KINDS as OF_OTHERS
from .errors import ArgumentError, ModelFileError

# What each ending stands for, and what to do with such a file: its name is {file}, {quoted} for a shell and {path} as
# JavaScript has it; {apart} keeps it from modules that it is named after, and {imported} says how it is one itself.
KINDS = {
    ".py": (
        "a Python file that needs nothing else",
        "python {apart}{quoted} < rows.csv > predictions.csv{imported}",
    ),
    ".js": ("a JavaScript module that needs nothing else", "import {{ predict }} from {path}"),
    ".mjs": ("a JavaScript module, by the name that Node knows one by", "import {{ predict }} from {path}"),
    ".c": (
        "a C99 file of whole numbers alone, for chips",
        "scratchnn_predict(features), or cc -std=c99 -O2 -DSCRATCHNN_MAIN {quoted} && ./a.out < rows.csv, where a row "
        "has its features alone, without the label's column",
    ),
    ".onnx": ("the network with its scaling and classes, as ONNX", "onnxruntime.InferenceSession({file!r})"),
    ".safetensors": (
        "weights by PyTorch's names, and all else beside them",
        "torch_network.load_state_dict(safetensors.torch.load_file({file!r}))",
    ),
    ".json": (
        "all numbers of the model as JSON, to be read by people and programs",
        "its first lines say how to read it",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad input."""
    return cli.run(_export, arguments)


def _export(arguments: Sequence[str] | None) -> int:
    width = max(map(len, KINDS)) + 2
    kinds = [f"  {ending:<{width}}{what}" for ending, (what, _) in KINDS.items()]
    parser = cli.Parser(
        prog=cli.spelled("export"),
        description="\n".join(["Write a saved model as a file of another kind, by the ending of its name:", *kinds]),
        formatter_class=cli.AsItStands,
    )
    parser.add_argument("model", metavar="MODEL", help="a file that training saved, such as model.pkl")
    parser.add_argument("--to", metavar="FILE", required=True, help="the file to write")
    parser.add_version()
    options = parser.parse_args(arguments)
    ending = os.path.splitext(options.to)[1].lower()
    if ending not in KINDS:
        came = f"the ending {ending!r}" if ending else "a name without an ending"
        raise ArgumentError(f"--to {options.to}: {came} says no kind of file that is known: {', '.join(KINDS)}")
    from .model import Model
    from .saving.atomic import check_writable

    cli.spare_inputs(options.to, options.model)
    check_writable(options.to)
    try:
        model = Model.load(options.model, engine="linalg", max_work=1 << 100)  # nothing is predicted here
    except ModelFileError as error:
        if os.path.splitext(options.model)[1].lower() not in OF_OTHERS or not os.path.isfile(options.model):
            raise
        raise ModelFileError(f"{error}: make a model of it first: {cli.spelled('convert')}") from None
    model.schema.require_learned()
    _writer(ending)(model, options.to)
    what, advice = KINDS[ending]
    cli.say(f"{options.to}: {what}, {os.path.getsize(options.to):,} bytes")
    cli.say("use it: " + advice.format_map(_spellings(options.to)))
    return 0


def _spellings(path: str) -> dict[str, str]:
    """The name of a file as it stands in a text, for a shell and in JavaScript, and what Python makes of it."""
    module, ending = os.path.splitext(os.path.basename(path))
    of_python = _is_of_python(module)
    importable = ending == ".py" and module.isidentifier() and not keyword.iskeyword(module) and not of_python
    return {
        "file": path,
        "quoted": shlex.quote(path),
        "path": json.dumps(path if os.path.isabs(path) else f"./{path}"),
        "apart": "-I " if of_python else "",
        "imported": f", or in a program: from {module} import predict" if importable else "",
    }


def _is_of_python(module: str) -> bool:
    """Whether the standard library has a module of this name: that would be imported, or not be found any more."""
    names = getattr(sys, "stdlib_module_names", None)  # since Python 3.10
    if names is not None:
        return module in names
    folder = sysconfig.get_path("stdlib")
    found = PathFinder.find_spec(module, [folder, os.path.join(folder, "lib-dynload")])
    return module in sys.builtin_module_names or found is not None


def _writer(ending: str) -> Callable[[Any, str], None]:
    """What writes a model to a file with this ending."""
    if ending == ".safetensors":
        from .interop.safetensors import save_model

        return save_model
    if ending == ".py":
        from .interop.python_source import export_model as export
    elif ending in (".js", ".mjs"):
        from .interop.javascript import export_model as export
    elif ending == ".c":
        from .interop.c_source import export_model as export
    elif ending == ".onnx":
        from .interop.onnx import export_model as export
    else:
        from .interop.json_text import export_model as export

    def write(model: Any, path: str) -> None:
        from .saving.atomic import write_atomically

        write_atomically(path, export(model))

    return write


if __name__ == "__main__":
    raise SystemExit(main())
