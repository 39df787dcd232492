"""Says what a saved model or a checkpoint holds: ``python -m scratchnn.info model.pkl``.

The file may come from a stranger: it is read as ``Model.load`` reads it, which runs nothing, and what it says is shown
in printable characters. This door reads arguments and prints.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from . import cli
from .checks import shortened
from .escapes import printable

SCALINGS = {
    "pixels": "pixels: 0 to 255 become 0 to 1",
    "standard": "standard: each column to mean 0 and deviation 1",
    "none": "none",
}
LONGEST_SETTING = 200  # characters of a checkpoint's setting that are shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for a file that is neither."""
    return cli.run(_info, arguments)


def _info(arguments: Sequence[str] | None) -> int:
    parser = cli.Parser(
        prog=cli.spelled("info"), description="Say what a saved model, or the checkpoint of a run, holds."
    )
    parser.add_argument("file", metavar="FILE", help="a file that training saved, such as model.pkl")
    parser.add_argument("--json", action="store_true", help="all of it as one JSON object, but for the weights")
    parser.add_version()
    options = parser.parse_args(arguments)
    facts, lines = look_at(options.file)
    if options.json:
        import json

        cli.say(json.dumps(facts, allow_nan=False))
    else:
        cli.say("\n".join(lines))
    return 0


def look_at(path: str) -> tuple[dict[str, Any], list[str]]:
    """What a file holds, as plain data and as lines to read; ``ModelFileError`` if it is no model and no checkpoint."""
    from .saving import records
    from .training.checkpoint import FORMAT

    if records.begins_like(path, FORMAT):
        return _look_at_checkpoint(path)
    return _look_at_model(path)


def weights_digest(model: Any) -> str:
    """A SHA-256 of all weights of a model, the same for two of them if, and only if, they are to the last bit."""
    from .layers.weights import digest

    return digest(model.network)


# --- models ------------------------------------------------------------------------------------------------


def _look_at_model(path: str) -> tuple[dict[str, Any], list[str]]:
    from .model import Model
    from .saving import records

    model = Model.load(path, engine="linalg", max_work=1 << 100)  # nothing is predicted here
    version, _ = records.load_with_version(path)
    position = model.label_position
    if position is not None:
        position %= model.input_size + 1  # -1 is the last
    facts = {
        "file": path,
        "kind": "model",
        "format_version": version,
        "bytes": os.path.getsize(path),
        "task": model.task,
        "loss": type(model.loss).__name__,
        "loss_arguments": model.loss.config(),
        "input_shape": list(model.input_shape),
        "outputs": model.output_size,
        "layers": _layers(model),
        "parameters": model.parameter_count,
        "weights_sha256": weights_digest(model),
        "fitted": model.scaling is not None,
        "classes": model.classes,
        "columns": model.feature_names,
        "label": {"name": model.label_name, "position": position},
        "scaling": model.scaling.to_dict() if model.scaling else None,
        "target_scaling": model.target_scaling.to_dict() if model.target_scaling else None,
        "seed": model.seed if version >= 3 else None,  # older files did not say
    }
    return facts, [*_describe_model(facts), "", model.summary()]


def _layers(model: Any) -> list[dict[str, Any]]:
    """Each layer that is not a Sequential: its arguments, the shape of its output, how many numbers it has."""
    from .layers.architecture import layer_to_plain
    from .layers.base import Sequential

    described: list[dict[str, Any]] = []
    shape = model.input_shape
    for layer in model.network.walk():
        if isinstance(layer, Sequential):
            continue
        shape = layer.output_shape(shape)
        count = sum(math.prod(model.ops.shape(p.value)) for p in layer.parameters())
        more = {"output_shape": list(shape), "parameters": count, "trainable": layer.trainable}
        described.append({**layer_to_plain(layer), **more})
    return described


def _describe_model(facts: dict[str, Any]) -> list[str]:
    lines = _head(facts)
    arguments = ", ".join(f"{name} {value:g}" for name, value in facts["loss_arguments"].items())
    lines.append(f"  task: {facts['task']}, with {facts['loss']}{arguments and f' ({arguments})'}")
    if not facts["fitted"]:
        lines.append("  not fitted yet: it knows no data")
    if facts["classes"]:
        lines.append(f"  classes: {len(facts['classes'])}: {cli.few(facts['classes'])}")
    names = f": {cli.few(facts['columns'])}" if facts["columns"] else ", without names"
    lines.append(f"  features: {math.prod(facts['input_shape'])}{names}")
    if facts["label"]["position"] is not None:
        name = facts["label"]["name"]
        in_brackets = "" if name is None else f" ({printable(name)!r})"
        lines.append(f"  label: column {facts['label']['position'] + 1}{in_brackets}")
    scaling, of_targets = facts["scaling"], facts["target_scaling"]
    if scaling is not None:
        lines.append(f"  scaling: {SCALINGS[scaling['kind']]}")
    if of_targets is not None and of_targets["kind"] != "none":
        lines.append(f"  scaling of targets: {SCALINGS[of_targets['kind']]}")
    lines.append(f"  seed: {'not kept' if facts['seed'] is None else facts['seed']}")
    lines.append(f"  weights: {facts['parameters']:,} numbers, SHA-256 {facts['weights_sha256']}")
    return lines


def _head(facts: dict[str, Any]) -> list[str]:
    return [
        printable(facts["file"]),
        f"  a scratchnn {facts['kind']}, {facts['bytes']:,} bytes, format version {facts['format_version']}",
    ]


# --- checkpoints -------------------------------------------------------------------------------------------


def _look_at_checkpoint(path: str) -> tuple[dict[str, Any], list[str]]:
    from .errors import ModelFileError
    from .saving import records
    from .training import checkpoint

    record = records.load_record(path, checkpoint.FORMAT, (checkpoint.VERSION,))
    try:
        settings, run = record["settings"], record["state"]["run"]
        facts: dict[str, Any] = {
            "file": path,
            "kind": "checkpoint",
            "format_version": checkpoint.VERSION,
            "bytes": os.path.getsize(path),
            "epoch": _count(run["epoch"]),
            "epochs": _count(settings["epochs"]),
            "batch": _count(run["batch"]),
            "epoch_is_whole": not record["state"]["order"],
            "settings": {str(name): _setting(value) for name, value in settings.items()},
        }
    except (AttributeError, LookupError, TypeError, ValueError):
        raise ModelFileError(f"{printable(path)}: not a whole checkpoint") from None
    where = f"after epoch {facts['epoch']} of {facts['epochs']}"
    if not facts["epoch_is_whole"]:
        where = f"in epoch {facts['epoch']} of {facts['epochs']}, after batch {facts['batch']}"
    lines = [*_head(facts), f"  stands {where}"]
    lines += [f"  {printable(name).replace('_', ' ')}: {printable(v)}" for name, v in facts["settings"].items() if v]
    return facts, lines


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise ValueError
    return number


def _setting(value: Any) -> str:
    """A setting of a run as text: of an optimizer or a schedule the call that makes it."""
    if type(value) is list and len(value) == 2 and type(value[1]) is dict:
        value = f"{value[0]}({', '.join(f'{name}={number}' for name, number in value[1].items())})"
    elif type(value) is list:
        value = ", ".join(map(str, value))
    return shortened("" if value is None else str(value), LONGEST_SETTING)


if __name__ == "__main__":
    raise SystemExit(main())
