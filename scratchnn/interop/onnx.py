"""Models to and from ONNX, the format that runtimes, phones and browsers read.

    from scratchnn.interop.onnx import export_model, load_model, save_model

    save_model(model, "model.onnx")
    model = load_model("model.onnx")

Files are written and read with the standard library: nothing needs to be installed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..checks import MESSAGE, in_order, require_known, require_size, shortened, shown, shown_path
from ..engines.finding import DEFAULT_ENGINE, find_engine
from ..errors import ArgumentError, ModelFileError
from ..saving.model_format import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Union

    from ..model import Model
    from ..preprocessing.labels import Label

    Source = Union[str, os.PathLike[str], bytes, bytearray, memoryview]

DTYPES = ("float32", "float64")
MOST_BYTES = 2 << 30  # of a file: Protocol Buffers, which ONNX is written in, has no longer messages


def export_model(model: Model, *, dtype: str = "float32") -> bytes:
    """A fitted model as the bytes of an ONNX file: scaling, network, probabilities and labels.

    Its input is ``input``, samples x features: raw rows as ``predict`` takes them, images too, as numbers of ``dtype``
    ("float32" or "float64"), or as int64 where they name things (an Embedding). Its outputs are ``label`` (samples:
    the class, int64 or text; False and True are 0 and 1) and ``probabilities`` (samples x classes); of several labels a
    row ``label`` (samples x labels, 0 or 1) and ``probabilities``; of a regression ``values`` (samples x outputs), in
    the unit of the targets. Any number of samples may be asked at once.

    It needs ONNX's operators of version 13, which onnxruntime has since 1.7. With "float64" all of it is computed in
    doubles, convolutions as lookups in tables, since onnxruntime has none for doubles: exact, and larger and slower.
    What is not kept: how it learned (dropout, what is frozen, the seed), and how layers were grouped.

    Raises ``NotFittedError`` for a model that was not fitted, ``ArgumentError`` for layers or losses of one's own and
    for numbers or class names that the file cannot hold.
    """
    from .onnx_writer import onnx_bytes

    require_known("dtype", dtype, DTYPES)
    return onnx_bytes(model, dtype)


def save_model(model: Model, path: str | os.PathLike[str], *, dtype: str = "float32") -> None:
    """Write a fitted model to an ONNX file, whole or not at all; see ``export_model``. ``OSError`` if it cannot be."""
    from ..saving.atomic import write_atomically

    write_atomically(path, export_model(model, dtype=dtype))


def load_model(
    source: Source,
    *,
    task: str | None = None,
    classes: Sequence[Label] | None = None,
    engine: Any = DEFAULT_ENGINE,
    max_work: int | None = None,
) -> Model:
    """The model in an ONNX file, given by its path or as bytes.

    It may be one that ``export_model`` wrote: then the model gives the same answers, of a file in float64 to the last
    bit, and has the classes, names and scaling of the one that was exported. Or one that PyTorch's exporters or
    skl2onnx wrote, of a network of the layers that scratchnn has: one after another, with nothing but what is added to
    its own input beside. Anything else is refused by the operator's name and the node's.

    What a file of others does not say can be told: ``classes`` in the order of the outputs, else those in the file, or
    the numbers from 0 on; and the ``task``: "classification", "multilabel", or "regression". Several outputs with
    nothing behind them are taken for the logits of a classifier, unless skl2onnx wrote them; a single one is refused
    until the task is told. A file with labels, or that ends in a softmax or a sigmoid, says it itself. ``engine`` and
    ``max_work`` are those of ``Model.load``.

    Nothing in a file is run, no other file is opened, and work and memory are bounded by its length. ``ModelFileError``
    says in one line what is wrong with a file, ``ArgumentError`` what with an argument.
    """
    from .onnx_answers import Told, model_of

    find_engine(engine)
    if task is not None:
        require_known("task", task, TASKS)
    if max_work is not None:
        max_work = require_size("max_work", max_work)
    labels = None if classes is None else in_order(classes)
    if classes is not None and not labels:
        raise ArgumentError(f"classes must be a list of them, got {shown(classes)}")
    name, content = _content(source)
    start = f"{name}: not an ONNX model that can be read: "
    try:
        return model_of(content, Told(task, labels), engine=engine, max_work=max_work)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ModelFileError(start + shortened(text, MESSAGE - len(start))) from None


def _content(source: Any) -> tuple[str, bytes]:
    """(what to call it, the bytes of the file)."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "the bytes", bytes(source)
    if not isinstance(source, (str, os.PathLike)):
        raise ArgumentError(f"an ONNX file is given by its path or as bytes, got {shown(source)}")
    name = shown_path(source)
    try:
        with open(source, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ModelFileError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ModelFileError(f"{name}: a directory, expected an ONNX file") from None
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise ModelFileError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MOST_BYTES:
        raise ModelFileError(f"{name}: longer than {MOST_BYTES} bytes, which no ONNX file is")
    return name, content
