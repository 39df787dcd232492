"""A fitted model as JSON: everything that its answers depend on, for programs that are yet to be written, and to read.

An object with these members, which are those of ``description.Description``, by the same names:

| member | holds |
| --- | --- |
| format, version | "scratchnn network" and 1 |
| about | how a row becomes an answer, in sentences |
| task | "classification", "multilabel" or "regression" |
| input_shape, output_size | [features] or [channels, height, width]; how many numbers come out |
| shift, divisor, factor | a feature becomes (x - shift) / divisor * factor; a list for all columns, or null where not |
| steps | a list of objects: kind, inputs, outputs (shapes), and the settings of the kind (see ``description``) |
| output | what turns the last numbers into probabilities: softmax, exp, sigmoid, identity; or values |
| target_shift, target_scale | a value is target_scale * output + target_shift; or null where it is the output itself |
| classes, feature_names, label_name | of the data, as they are; [] or null where there are none |
| digest, summary | SHA-256 of the weights; the table of the layers, line by line |

A row of a matrix is a line, and so is a list; numbers have the digits that name exactly the double that they are. The
text is ASCII, and the same for the same model.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .description import describe

if TYPE_CHECKING:
    from ..model import Model

FORMAT = "scratchnn network"
VERSION = 1
INDENT = "  "
TEXTS = ("about", "summary")  # lists of lines

ABOUT = [
    "A trained neural network: how a row of numbers becomes an answer.",
    "1. Each number x of the row becomes (x - shift) / divisor, where there are such lists, times factor.",
    "2. The steps follow, one after another. linear: x times weight (inputs x outputs), plus bias. convolution: the",
    "same for what each filter sees (weight: channels * kernel height * kernel width x filters), images being",
    "channel after channel, line by line, with padding zeros around them. max_pool, average_pool: over what a window",
    "sees; padding is never a maximum, and counts as zeros in a mean. batch_norm: (x - mean) * factor + bias, of each",
    "feature or channel. layer_norm: (x - mean) / sqrt(variance + epsilon) * weight + bias, of the row itself.",
    "embedding: each whole number becomes that row of weight. residual: what its steps make of x is added to x. Others",
    "are functions of each number, softmax and log_softmax of all of them.",
    "3. Outputs become probabilities by the function that output names: one for each of classes, or if there is a",
    "single one, that of the second of two. The answer is the class with the largest, or labels of 0.5 and above. Of a",
    "regression, the answers are target_scale * output + target_shift, or the outputs where these are null.",
]


def export_model(model: Model) -> bytes:
    """The file, in ASCII. Raises ``NotFittedError`` for a model that was not fitted, and ``ArgumentError`` for layers
    or losses of one's own."""
    known = asdict(describe(model))
    known["summary"] = known["summary"].split("\n")
    for step in known["steps"]:
        _flatten(step)
    members = {"format": FORMAT, "version": VERSION, "about": ABOUT, **known}
    return (_text(members, "") + "\n").encode("ascii")


def _flatten(step: dict[str, Any]) -> None:
    """A step's settings beside its kind, and so of the steps inside it."""
    settings = step.pop("settings")
    for inner in settings.get("steps", []):
        _flatten(inner)
    step.update(settings)


def _text(value: Any, before: str, name: str = "") -> str:
    """JSON with a line for each member of an object, and for each list in a list; ``before`` stands before each."""
    deeper = before + INDENT
    if isinstance(value, dict):
        lines = [f"{json.dumps(member)}: {_text(of_it, deeper, member)}" for member, of_it in value.items()]
        opened, closed = "{}"
    elif name in TEXTS or (isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)):
        lines = [_text(item, deeper) for item in value]
        opened, closed = "[]"
    else:
        return json.dumps(value, allow_nan=False)
    return f"{opened}\n" + ",\n".join([deeper + line for line in lines]) + f"\n{before}{closed}"
