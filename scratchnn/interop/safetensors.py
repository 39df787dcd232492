"""Safetensors files, and models in them under PyTorch's names: read and written with the standard library alone.

``load_file`` and ``save_file`` are for tensors of any kind; ``save_model`` writes a model so that
``torch.nn.Sequential(...).load_state_dict(safetensors.torch.load_file(path))`` takes its weights and ``load_model``
makes the same model again, or one of a file that PyTorch has written. ``torch_names`` says which name is what.
"""

from __future__ import annotations

import json
import os
import stat
from struct import error as struct_error
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import MESSAGE, in_order, require_known, require_size, shortened, shown, shown_path
from ..engines.finding import DEFAULT_ENGINE, find_engine
from ..errors import ArgumentError, ModelFileError
from ..layers import ARGUMENTS
from ..layers.architecture import find_input_shape, layer_from_plain
from ..layers.base import Sequential
from ..layers.weights import digest
from ..model import Model
from ..saving import model_format, records
from ..saving.atomic import write_atomically
from ..turns import asking
from .making import fitted_model
from .safetensors_header import BITS, LENGTH_BYTES, METADATA, MOST_HEADER_BYTES, Header, header_bytes, parse_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import BinaryIO

    from ..layers.base import Layer
    from ..losses import Loss
    from ..preprocessing.labels import Label
    from ..preprocessing.scaling import Scaling

# How ``struct`` calls the numbers of each dtype. Those that it does not know have no values here, but for BF16.
FORMATS = {
    "BOOL": "?",
    "U8": "B",
    "I8": "b",
    "I16": "h",
    "U16": "H",
    "F16": "e",
    "I32": "i",
    "U32": "I",
    "F32": "f",
    "F64": "d",
    "I64": "q",
    "U64": "Q",
}
ORDER = {dtype: -place for place, dtype in enumerate(BITS)}  # the widest numbers come first, so that all are aligned


class Tensor:
    """Numbers of one dtype in the order of their places, the last index running fastest, and a shape.

    ``data`` are the numbers' bytes as they are in a file. Two tensors are equal if all three are.
    """

    def __init__(self, dtype: str, shape: Sequence[int], data: bytes | memoryview) -> None:
        self.dtype = dtype
        self.shape = tuple(shape)
        self.data = data

    @classmethod
    def of(cls, numbers: Iterable[float], shape: Sequence[int], dtype: str = "F64") -> Tensor:
        """A tensor of these numbers; ``ArgumentError`` if they are not as many as the shape says, or do not fit the
        dtype, which is one of those in ``FORMATS``."""
        require_known("dtype to write", dtype, FORMATS)
        values = list(numbers)
        count = 1
        for size in shape:
            count *= size
        if len(values) != count:
            raise ArgumentError(f"a tensor of shape {shown([*shape])} has {count} numbers, got {len(values)}")
        try:
            return cls(dtype, shape, pack(f"<{count}{FORMATS[dtype]}", *values))
        except (struct_error, OverflowError) as error:
            raise ArgumentError(f"these numbers cannot be written as {dtype}: {error}") from None

    def numbers(self) -> list[Any]:
        """All numbers in one list: floats, ints or bools. ``ArgumentError`` for dtypes whose values nobody needs here
        (those of 8 bits and fewer that are no whole numbers, and complex ones)."""
        if self.dtype == "BF16":  # the upper half of an F32
            wide = bytearray(2 * len(self.data))
            wide[2::4], wide[3::4] = self.data[0::2], self.data[1::2]
            return [*unpack(f"<{len(wide) // 4}f", wide)]
        require_known("dtype to read", self.dtype, FORMATS)
        return [*unpack(f"<{8 * len(self.data) // BITS[self.dtype]}{FORMATS[self.dtype]}", self.data)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Tensor({self.dtype!r}, {self.shape!r}, {len(self.data)} bytes)"


class Contents(NamedTuple):
    """What a file holds: tensors by name, in the order of their bytes, and texts by name."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


# --- files of tensors ----------------------------------------------------------------------------------------------


def save_file(
    tensors: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, whole or not at all; with the same bytes as the package ``safetensors`` writes.

    Raises ``ArgumentError`` for names, shapes or texts that could not be read again, ``OSError`` if the place cannot be
    written.
    """
    write_atomically(path, to_bytes(tensors, metadata))


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """The file that ``save_file`` writes."""
    odd = next((name for name in tensors if not isinstance(name, str) or name == METADATA), None)
    if odd is not None:
        raise ArgumentError(f"tensors are called by texts, and none {METADATA}, got {shown(odd)}")
    told = dict(metadata or {})
    if not all(isinstance(text, str) for item in told.items() for text in item):
        raise ArgumentError("metadata must be texts by name")
    ordered = dict(sorted(tensors.items(), key=lambda item: (ORDER.get(item[1].dtype, 0), item[0])))
    try:
        header = header_bytes({name: (t.dtype, t.shape, len(t.data)) for name, t in ordered.items()}, told)
        parse_header(header[LENGTH_BYTES:])
    except UnicodeEncodeError:
        raise ArgumentError("a name or a text has half of a character: it cannot be written") from None
    except (ModelFileError, TypeError, ValueError) as error:
        reason = str(error).replace("damaged: ", "", 1)
        raise ArgumentError(f"these tensors cannot be written: {reason}") from None
    if len(header) - LENGTH_BYTES > MOST_HEADER_BYTES:
        raise ArgumentError(f"names, shapes and texts take {len(header):,} bytes, at most {MOST_HEADER_BYTES:,} can be")
    return b"".join([header, *[tensor.data for tensor in ordered.values()]])


def load_file(path: str | os.PathLike[str], *, max_bytes: int = records.MAX_BYTES) -> Contents:
    """What ``save_file``, the package ``safetensors`` or any other program has written.

    A file is taken or refused exactly as the package does it; ``ModelFileError`` says in one line what is wrong. What
    a header says is believed only where the bytes are there: reading takes no more memory than the file and some thirty
    times its header. A file of more than ``max_bytes`` is not read.
    """
    name = shown_path(path)
    try:
        with open(path, "rb") as stream:
            return _read(stream, max_bytes)
    except FileNotFoundError:
        raise ModelFileError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ModelFileError(f"{name}: a directory, expected a safetensors file") from None
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from None
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise ModelFileError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def from_bytes(data: bytes) -> Contents:
    """What a file of these bytes holds."""
    from io import BytesIO

    return _read(BytesIO(data), max(len(data), records.MAX_BYTES))


def _read(stream: BinaryIO, max_bytes: int) -> Contents:
    """All of a file, each length after it was seen that so much is there."""
    told = stream.read(LENGTH_BYTES)
    if len(told) < LENGTH_BYTES:
        raise ModelFileError("no safetensors file: it is shorter than the length of its header" if told else "empty")
    length = int.from_bytes(told, "little")
    if length > MOST_HEADER_BYTES:
        raise ModelFileError(f"no safetensors file: its header would be {length:,} bytes long")
    _require_at_most(max_bytes, LENGTH_BYTES + length)
    text = _read_whole(stream, length)
    if len(text) < length:
        raise ModelFileError(
            f"no whole safetensors file: a header of {length:,} bytes, of which {len(text):,} are there"
        )
    header = parse_header(text)
    _require_at_most(max_bytes, LENGTH_BYTES + length + header.size)
    data = _read_whole(stream, header.size)
    if len(data) < header.size:
        raise ModelFileError(f"damaged: the tensors take {header.size:,} bytes, of which {len(data):,} are there")
    if stream.read(1):
        raise ModelFileError(f"damaged: there is more behind the {header.size:,} bytes of the tensors")
    return Contents(_tensors(header, data), header.metadata)


def _require_at_most(max_bytes: int, size: int) -> None:
    if size > max_bytes:
        raise ModelFileError(f"longer than {max_bytes} bytes; pass a larger max_bytes to read it anyway")


def _read_whole(stream: BinaryIO, size: int) -> bytes:
    """Up to so many bytes. A buffer is only made for those that there can be."""
    try:
        found = os.fstat(stream.fileno())
        there = found.st_size - stream.tell() if stat.S_ISREG(found.st_mode) else 0
    except (OSError, ValueError):  # no file of the system
        there = 0
    if size <= there:
        return stream.read(size)
    chunks = []
    while size > 0 and (chunk := stream.read(min(size, records.CHUNK_BYTES))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _tensors(header: Header, data: bytes) -> dict[str, Tensor]:
    """The tensors, which share the bytes of the file."""
    whole = memoryview(data)
    return {name: Tensor(info.dtype, info.shape, whole[info.start : info.end]) for name, info in header.tensors.items()}


# --- files of models -----------------------------------------------------------------------------------------------

KEY = "scratchnn"  # the text of a file that describes the model whose weights its tensors are
FIRST_VERSION = 4  # of the description: that of the model files of this version, but for the weights
# The arguments of ``load_model`` that are for weights without a description.
_DESCRIBING = (
    *("names", "loss", "task", "input_shape", "classes", "scaling", "target_scaling", "feature_names", "label_name"),
    "missing_bias_is_zero",
)


def save_model(model: Model, path: str | os.PathLike[str], *, dtype: str = "F64") -> None:
    """Write a model, whole or not at all, with its weights under PyTorch's names and in PyTorch's layouts.

    ``torch.nn.Sequential(...).load_state_dict(safetensors.torch.load_file(path))`` takes them where the modules are the
    layers' counterparts in the same places (``torch_names`` says which those are). Everything else (layers, loss,
    classes, scalings, names) is a text of the file, so that ``load_model(path)`` gives the same model again. ``dtype``
    "F32" takes half the room and rounds the weights.

    Raises ``ArgumentError`` for a model that has no counterpart there (layers of one's own), weights that do not fit
    ``dtype``, and what ``Model.save`` refuses, ``OSError`` if the place cannot be written.
    """
    require_known("dtype of weights", dtype, ("F64", "F32"))
    write_atomically(path, _model_bytes(model, dtype))


@asking
def _model_bytes(model: Model, dtype: str) -> bytes:
    from .torch_names import state_dict

    description = model_format.described(model.network, model.loss, model.schema, model.seed)
    own = next((layer for layer in model.network.walk() if type(layer).__name__ not in ARGUMENTS), None)
    if own is not None:
        raise ArgumentError(f"{own!r} is a layer of your own: PyTorch has none like it")
    weights = description.pop("weights")
    tensors = state_dict(model.network, tuple(model.input_shape), weights, dtype)
    told = {"format": records.FORMAT, "version": records.VERSION, **description}
    # "pt" is what PyTorch's own files say, and what some programs ask for.
    text = json.dumps(told, allow_nan=False, separators=(",", ":"))
    return to_bytes(tensors, {"format": "pt", "sha256_of_weights": digest(model.network), KEY: text})


def load_model(
    path: str | os.PathLike[str],
    layers: Sequence[Layer] | str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    loss: str | Loss | type[Loss] | None = None,
    task: str | None = None,
    input_shape: int | Sequence[int] | None = None,
    classes: Sequence[Label] = (),
    scaling: Scaling | None = None,
    target_scaling: Scaling | None = None,
    feature_names: Sequence[str] = (),
    label_name: str | None = None,
    missing_bias_is_zero: bool = False,
    engine: Any = DEFAULT_ENGINE,
    seed: int | None = 0,
    max_work: int | None = None,
) -> Model:
    """The model that ``save_model`` wrote, or one of ``layers`` with the weights of any other safetensors file.

    A file of ``save_model`` says all itself; only ``engine`` and ``max_work`` (as in ``Model.load``) are asked for. One
    that PyTorch has written holds weights and nothing else: ``layers`` are then the network, as a list of layers such
    as ``[Linear(64, 30), ReLU(), Linear(30, 10)]``, or the path of a JSON file with a description of them (see
    ``layer_list``; ``max_work`` holds for it, too). Weights are found by the names that ``torch.nn.Sequential`` gives
    them, or by ``names``: what the file calls each layer with weights, in their order, such as ``["conv1", "fc1"]``.
    The shape of ``LayerNorm``'s may be that of the image or flat; ``missing_bias_is_zero`` takes ``Linear`` and
    ``Conv2D`` that were made with ``bias=False``. ``loss`` ("cross_entropy" if not given), ``task`` and ``input_shape``
    are as in ``Model.from_layers``, the others as in ``making.fitted_model``: without ``scaling`` rows go into the
    network as they are, and classes are numbered from 0 on.

    Raises ``ModelFileError`` for a file that is damaged or has other tensors than the layers need, ``ArgumentError``
    for arguments that do not fit each other.
    """
    given = {name: value for name, value in locals().items() if name in _DESCRIBING}
    said = [name for name, value in given.items() if _is_said(value)]
    find_engine(engine)
    if max_work is not None:
        max_work = require_size("max_work", max_work)
    own = layers is not None and not isinstance(layers, (str, os.PathLike))
    if isinstance(layers, (str, os.PathLike)):
        from .layer_list import read_description

        told = read_description(layers)
        layers = told.pop("layers")
        given.update({name: value for name, value in told.items() if name not in said})
    tensors, metadata = load_file(path)
    if layers is not None:
        # What somebody has written into a file costs no more than what a model file may cost.
        network, weights = _network_of(path, tensors, layers, given)
        if not own:
            _check_work(path, network, weights, given["input_shape"], max_work)
        return fitted_model(network.layers, engine=engine, seed=seed, **given)
    if KEY not in metadata:
        raise ModelFileError(
            f"{shown_path(path)}: weights without a description of the layers, so not written by scratchnn: hand over "
            "layers=[...], the network that they belong to, or say --layers on the command line"
        )
    if said:
        raise ArgumentError(f"{' and '.join(said)}: this file says itself what the model is, leave that out")
    try:
        return _of_description(tensors, metadata[KEY], engine, max_work)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        start = f"{shown_path(path)}: the parts of this model do not fit together: "
        raise ModelFileError(start + shortened(" ".join(str(error).split()), MESSAGE - len(start))) from None


def _is_said(value: Any) -> bool:
    """Whether an argument is not as it is when it is left out."""
    return not (value is None or value is False or (isinstance(value, tuple) and not value))


def _of_description(tensors: Mapping[str, Tensor], text: str, engine: Any, max_work: int | None) -> Model:
    """The model that a file describes; every error is a ``ValueError`` or what a wrong type leads to."""
    from .plain_json import parse_plain
    from .torch_names import packed_weights, places

    description = parse_plain(text)
    if type(description) is not dict or description.pop("format", None) != records.FORMAT:
        raise ModelFileError("it is not described as a model of scratchnn")
    version = description.pop("version", None)
    if type(version) is not int or version < FIRST_VERSION:
        raise ModelFileError("the version of the description is missing")
    if version > records.VERSION:
        raise ModelFileError(f"from a newer scratchnn: version {shown(version)}, this program reads {records.VERSION}")
    if "weights" in description:
        raise ModelFileError("there is an unknown part, 'weights'")
    description = model_format.brought_up_to_date({**description, "weights": []}, version)
    model_format.check_description(description)
    network = Sequential([layer_from_plain(layer) for layer in description["layers"]])
    shape = tuple(description["input_shape"])
    model_format.check_sizes(network, shape)
    description["weights"] = packed_weights(places(network, shape), tensors)
    return Model._from_description(description, engine, max_work, {})


def _network_of(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], layers: Any, given: dict[str, Any]
) -> tuple[Sequential, list[dict[str, Any]]]:
    """(a network of these layers with the weights of the file, these weights); ``given`` becomes what is left to say
    of the model."""
    from .torch_names import packed_weights, places

    listed = in_order(layers)
    if listed is None:
        raise ArgumentError(f"layers must be a list of layers or the path of a description, got {shown(layers)}")
    network = Sequential(listed)
    if any(layer.in_model for layer in network.walk()):
        raise ArgumentError("these layers belong to a model, which would be changed: hand over new ones")
    shape = find_input_shape(network, given["input_shape"])
    model_format.check_sizes(network, shape)
    found = places(network, shape, given.pop("names"))
    try:
        weights = packed_weights(found, tensors, given.pop("missing_bias_is_zero"))
    except ModelFileError as error:
        raise ModelFileError(f"{shown_path(path)}: {error}") from None
    for place, packed in zip(found, weights):
        value = place.layer.ops.from_doubles(packed["doubles"], place.matrix)
        getattr(place.layer, place.parameter).value = value
    given.update(input_shape=shape, loss="cross_entropy" if given["loss"] is None else given["loss"])
    return network, weights


def _check_work(
    path: str | os.PathLike[str], network: Sequential, weights: list[Any], shape: Sequence[int], max_work: int | None
) -> None:
    try:
        model_format.check_work(network, {"input_shape": shape, "weights": weights}, max_work)
    except ValueError as error:
        raise ModelFileError(f"{shown_path(path)}: {error}") from None
