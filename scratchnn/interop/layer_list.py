"""A description of a network that somebody has written as JSON, for weights that come without one.

It is a list of layers, each with its ``kind`` and those of its arguments that are not the usual,

    [{"kind": "Linear", "inputs": 64, "outputs": 30}, {"kind": "ReLU"}, {"kind": "Linear", "inputs": 30, "outputs": 10}]

or an object that has this list as ``layers``, and beside it whatever the model is to know of its data: ``input_shape``,
``loss``, ``loss_arguments``, ``task``, ``classes``, ``scaling`` and ``target_scaling`` (``{"kind": "standard",
"means": [...], "deviations": [...]}``, or ``{"kind": "pixels"}``), ``feature_names``, ``label_name``, ``names``,
``missing_bias_is_zero``.
"""

from __future__ import annotations

import os
from inspect import Parameter, signature
from typing import Any

from .. import layers as kinds
from ..checks import MESSAGE, meant, require, require_known, shortened, shown, shown_path
from ..errors import ArgumentError, ModelFileError
from ..layers import ARGUMENTS
from ..layers.architecture import layer_from_plain
from ..layers.base import MOST_LAYERS, Layer
from ..losses import LOSSES
from ..preprocessing.scaling import Scaling
from ..saving import records
from ..saving.model_format import check_argument
from .plain_json import parse_plain

PARTS: dict[str, tuple[type, ...]] = {
    "layers": (list,),
    "input_shape": (list, int),
    "loss": (str,),
    "loss_arguments": (dict,),
    "task": (str,),
    "classes": (list,),
    "scaling": (dict,),
    "target_scaling": (dict,),
    "feature_names": (list,),
    "label_name": (str,),
    "names": (list,),
    "missing_bias_is_zero": (bool,),
}


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arguments for ``load_model`` that a JSON file describes, ``layers`` among them as objects.

    ``ModelFileError`` says what is wrong with the file.
    """
    name = shown_path(path)
    try:
        with open(path, "rb") as stream:
            data = stream.read(records.MAX_BYTES + 1)
        if len(data) > records.MAX_BYTES:
            raise ModelFileError(f"longer than {records.MAX_BYTES} bytes")
        return described(parse_plain(str(data, "utf-8")))
    except FileNotFoundError:
        raise ModelFileError(f"{name}: no such file") from None
    except UnicodeDecodeError:
        raise ModelFileError(f"{name}: no description of layers: no UTF-8") from None
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read: {error.strerror or error}") from None
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        start = f"{name}: no description of layers: "
        raise ModelFileError(start + shortened(" ".join(str(error).split()), MESSAGE - len(start))) from None


def described(plain: Any) -> dict[str, Any]:
    """The same of what the JSON says; every error is a ``ValueError``."""
    parts: dict[str, Any] = {"layers": plain} if type(plain) is list else plain
    require(type(parts) is dict, f"expected a list of layers, or an object with one, got {shown(plain)}")
    for name, value in parts.items():
        require_known("part", name, PARTS)
        expected = " or ".join(kind.__name__ for kind in PARTS[name])
        require(type(value) in PARTS[name], f"{name} is to be of type {expected}, got {shown(value)}")
    require(bool(parts.get("layers")), "there are no layers")
    parts["layers"] = [layer_from_plain(layer) for layer in _Completion().layers(parts["layers"])]
    for name in ("scaling", "target_scaling"):
        if name in parts:
            parts[name] = _scaling(name, parts[name])
    if "loss_arguments" in parts:
        require_known("loss", parts.get("loss"), LOSSES)
        parts["loss"] = LOSSES[parts["loss"]](**parts.pop("loss_arguments"))
    for name in ("feature_names", "names"):
        require({*map(type, parts.get(name, ()))} <= {str}, f"{name} are to be texts")
    return parts


class _Completion:
    """Layers with all their arguments: those that are left out are as the constructors have them."""

    def __init__(self) -> None:
        self.met = 0
        self.usual = {kind: _usual(getattr(kinds, kind)) for kind in ARGUMENTS}

    def layers(self, layers: list[Any]) -> list[dict[str, Any]]:
        return [self.layer(layer) for layer in layers]

    def layer(self, layer: Any) -> dict[str, Any]:
        self.met += 1
        require(self.met <= MOST_LAYERS, f"more than {MOST_LAYERS} layers")
        require(type(layer) is dict, f"a layer is to be an object, got {shown(layer)}")
        kind = layer.get("kind")
        if type(kind) is not str or kind not in ARGUMENTS:
            raise ArgumentError(
                f"unknown layer {shown(kind)}{meant(kind, ARGUMENTS) or '; known are ' + ', '.join(ARGUMENTS)}"
            )
        for name in layer:
            if name != "kind":
                require_known(f"argument of {kind}", name, ARGUMENTS[kind])
        complete: dict[str, Any] = {"kind": kind}
        for name, types in ARGUMENTS[kind].items():
            require(name in layer or name in self.usual[kind], f"{name} of {kind} is missing")
            if name in layer:
                check_argument(kind, name, layer[name], types)
            complete[name] = layer[name] if name in layer else self.usual[kind][name]
        if "layers" in ARGUMENTS[kind]:
            complete["layers"] = self.layers(layer["layers"])
        return complete


def _usual(kind: type[Layer]) -> dict[str, Any]:
    """The arguments of a layer that can be left out, and what they are then."""
    given = signature(kind).parameters.items()
    return {name: each.default for name, each in given if each.default is not Parameter.empty}


def _scaling(what: str, plain: dict[str, Any]) -> Scaling:
    """A scaling, of which a person may have left out empty lists and decimal points."""
    for name in plain:
        require_known(f"part of {what}", name, ("kind", "means", "deviations"))
    lists = {name: plain.get(name, []) for name in ("means", "deviations")}
    for name, numbers in lists.items():
        fine = type(numbers) is list and {*map(type, numbers)} <= {int, float}
        require(fine, f"{name} of {what} are to be numbers")
    try:
        return Scaling.from_dict({"kind": plain.get("kind"), **{n: [*map(float, v)] for n, v in lists.items()}})
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError(f"{what}: {error}") from None
