"""The report on a model: one HTML page of what was trained and how, how well it answers, and how to repeat it.

``write_report`` is what ``Model.report`` and the commands call. It asks the model and puts the page together; what it
says of answers is in ``sections.py``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..checks import shown
from ..errors import ArgumentError
from ..layers.architecture import summary_rows
from ..layers.base import shape_text
from ..layers.weights import digest, parameter_count
from ..plots.curves import learning_curves
from ..saving.atomic import write_atomically
from .displays import layers
from .markup import Markup, element, page, preformatted
from .naming import check_name
from .rows import image_shape
from .sections import Rows, figure, measured, note, scrolling, section
from .style import style

Facts = Sequence[tuple[str, str]]

SHORTEST_TEXT = 100  # characters of names of classes: of more there are the first


def write_report(
    model: Any,
    X: Any,
    y: Any,
    path: str | os.PathLike[str],
    *,
    title: str = "",
    shape: Any = None,
    command: str = "",
    data: Facts = (),
    key: Facts = (),
    before: str = "",
) -> None:
    """Write the page; see ``Model.report``. ``data`` is what is known of the data, ``key`` are figures to stand behind
    the first, ``before`` is a word on what has to be there for the command to give the same."""
    check_name(path)
    for name, given in (("title", title), ("command", command)):
        if not isinstance(given, str):
            raise ArgumentError(f"{name} must be a text, got {shown(given)}")
    text = report(model, X, y, title=title, shape=shape, command=command, data=data, key=key, before=before)
    write_atomically(path, text.encode("utf-8"))


def report(
    model: Any,
    X: Any,
    y: Any,
    *,
    title: str = "",
    shape: Any = None,
    command: str = "",
    data: Facts = (),
    key: Facts = (),
    before: str = "",
) -> str:
    """The page as text."""
    labelled = model.inference.labelled(model.schema, X, y)
    rows = Rows(labelled.rows, image_shape(model.schema, shape), model.feature_names)
    found = measured(model, rows, labelled.targets)
    title = title or headline(model)
    figures = [*found.key[:1], *key, *found.key[1:], *_run_figures(model)]
    parts = [
        element("header", element("h1", title), element("p", _lead(model, len(labelled.rows)), class_="lead")),
        facts_list(figures, "figures"),
        section("What was trained", *_trained(model, data, rows.shape)),
        *_curves(model),
        *found.parts,
        section("To repeat it", *_repeated(model, command, before)),
        element("footer", _written()),
    ]
    return page(title, style(), element("main", *parts))


def headline(model: Any) -> str:
    """What a model does, as a title."""
    if model.task == "classification":
        return f"A network that tells {len(model.classes)} classes apart"
    count = model.output_size
    if model.task == "multilabel":
        return f"A network that sets {count} labels"
    return "A network that predicts a number" if count == 1 else f"A network that predicts {count} numbers"


def facts_list(facts: Facts, kind: str = "facts") -> Markup:
    """Pairs of a name and what is known of it."""
    pairs = [(element("dt", name), element("dd", value)) for name, value in facts]
    if kind == "figures":
        return element("dl", *[element("div", *pair) for pair in pairs], class_=kind)
    return element("dl", *[part for pair in pairs for part in pair], class_=kind)


def described(model: Any) -> Markup:
    """What a notebook shows of a model: its layers, and a line on what it is for."""
    fitted = "" if model.scaling is not None else ", not fitted yet"
    line = f"{headline_of_any(model)}: {model.task} with {type(model.loss).__name__}, {model.engine}{fitted}"
    return element("div", element("p", line), _layers(model))


def headline_of_any(model: Any) -> str:
    """The same for a model that may know no classes yet."""
    return headline(model) if model.classes or model.task != "classification" else "A network that tells classes apart"


def _lead(model: Any, rows: int) -> str:
    return (
        f"{model.parameter_count:,} parameters, {model.input_size:,} features a row; measured on {rows:,} "
        f"row{'s' * (rows != 1)} with scratchnn {__version__}."
    )


def _run_figures(model: Any) -> Facts:
    seconds = sum(model.history.seconds)
    return [("trained for", duration(seconds))] if seconds else []


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes} min {second} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _trained(model: Any, data: Facts, shape: Sequence[int] | None) -> list[Markup]:
    parts = [element("h3", "Data"), facts_list(data)] if data else []
    parts += [element("h3", "Network"), facts_list(_network_facts(model, shape)), scrolling(_layers(model))]
    settings = [fact for fact in _run_facts(model) if fact[0] not in dict(data)]
    if settings:
        return [*parts, element("h3", "Training"), facts_list(settings)]
    return [*parts, note("The model was read from a file, which does not say how it was trained.")]


def _network_facts(model: Any, shape: Sequence[int] | None) -> Facts:
    facts = [("task", f"{model.task}, {type(model.loss).__name__}")]
    if model.classes:
        facts.append(("classes", f"{len(model.classes):,}: {_few(model.classes)}"))
    names = f": {_few(model.feature_names)}" if model.feature_names else ""
    if shape is not None:
        names = f", images of {shape[1]} x {shape[2]} pixels" + f" in {shape[0]} channels" * (shape[0] > 1)
    facts.append(("features", f"{model.input_size:,}{names}"))
    facts.append(("scaling of features", model.scaling.kind))
    if model.target_scaling is not None and model.target_scaling.kind != "none":
        facts.append(("scaling of targets", model.target_scaling.kind))
    facts += [("seed", "none" if model.seed is None else str(model.seed)), ("engine", model.engine)]
    return [*facts, ("version", f"scratchnn {__version__}, Python {_python()}")]


def _few(names: Sequence[Any]) -> str:
    """Names in a line; of many the first."""
    shown: list[str] = []
    for name in map(str, names):
        if sum(map(len, shown)) + len(name) > SHORTEST_TEXT and shown:
            return " ".join([*shown, "…"])
        shown.append(name if len(name) <= SHORTEST_TEXT else name[:SHORTEST_TEXT] + "…")
    return " ".join(shown)


def _run_facts(model: Any) -> Facts:
    history = model.history
    told = [(name, str(value)) for name, value in model.run_settings.items()]
    if not len(history):
        return told
    asked_for = model.run_settings.get("epochs")
    done = [("epochs done", f"{len(history):,}")] if asked_for != f"{len(history):,}" else []
    done.append(("time", duration(sum(history.seconds))))
    done.append(("loss", f"{history.loss[0]:.4g} in the first epoch, {history.loss[-1]:.4g} in the last"))
    if history.best_epoch is not None:
        best = history.best_epoch
        done.append(("best epoch", f"{best} (validation loss {history.validation_loss[best - 1]:.4g})"))
    return [*told, *done]


def _layers(model: Any) -> Markup:
    network = model.network
    rows = [("input", shape_text(model.input_shape), ""), *summary_rows(network, model.input_shape)]
    count, learning = parameter_count(network), parameter_count(network, network.trainable_parameters())
    return layers(rows, f"{count:,}", f"{learning:,}" if learning < count else "")


def _curves(model: Any) -> list[Markup]:
    if not len(model.history):
        return []
    return [section("Learning curves", figure(learning_curves(model.history, title="Epoch by epoch")))]


def _repeated(model: Any, command: str, before: str) -> list[Markup]:
    parts = [preformatted(command)] if command else []
    if before:
        parts.append(note(before))
    weights = element("code", digest(model.network))
    if not model.run_settings:
        return [*parts, element("p", "The weights have the SHA-256 ", weights, ".")]
    if model.seed is None:
        said = "No seed was given, so that another run ends with other weights. These have the SHA-256 "
        return [*parts, element("p", said, weights, ".")]
    how = "This command" if command else "The same lines with the same rows, settings and seed"
    gives = element("p", f"{how} must give weights with the SHA-256 ", weights, f"{_where(model)}.")
    return [*parts, gives, note("Of a saved model, scratchnn info MODEL says it.")]


def _where(model: Any) -> str:
    """Where a run repeats to the last bit."""
    if model.engine == "lanes":
        return ", on any machine and CPython, with this version of scratchnn"
    if model.engine == "linalg":
        return f", with this version of scratchnn and Python {_python().rpartition('.')[0]}"
    return ", on this machine with these versions of scratchnn and the library that computes"


def _python() -> str:
    return "{}.{}.{}".format(*sys.version_info[:3])


def _written() -> str:
    day = time.strftime("%Y-%m-%d")
    return f"Written by scratchnn {__version__} on {day}. The page loads nothing and runs no script."
