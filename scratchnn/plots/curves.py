"""Curves: how loss and accuracy went from epoch to epoch, for one run or several, and lines of any kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..checks import in_order, shown
from ..errors import ArgumentError, DataError
from .axes import Axes, Entry, Mark, entry_of
from .figure import Figure
from .given import listed, numbers, paths, points, some_of
from .lettering import number, plain
from .marks import SERIES, Cloud, Line, Point
from .scales import Scale, around

History = dict[str, list[float]]

MOST_RUNS = 50
MOST_MEASURES = 6
MOST_NAMES = 8  # in the key of each panel; more are told once, beside the last
_VALIDATION = ("val_", "validation_")
_NO_CURVES = ("seconds", "lr", "epoch")  # lists of a history that do not say how well it went


def learning_curves(
    history: Any, *, names: Sequence[str] | None = None, title: str = "Learning curves", log: bool = False
) -> Figure:
    """Loss, accuracy and what else there is over the epochs, each in a panel; validation is dashed.

    ``history`` is what ``fit`` returned, or a dict of lists with the same names ("loss", "accuracy", "val_loss" or
    "validation_loss" ...). Several runs stand side by side as a dict of name: history, or as a list, with ``names`` if
    they have any. ``log`` makes the axis of the losses logarithmic. A loss that is NaN or infinite leaves a gap, and is
    counted in a note.

    Raises ``DataError`` for what is no history, ``ArgumentError`` for more than 50 runs.
    """
    runs = _runs(history, names)
    measures = list(dict.fromkeys(_measure(name) for run in runs.values() for name in run)) or ["loss"]
    measures = sorted(measures, key=lambda name: (name != "loss", name != "accuracy"))[:MOST_MEASURES]
    notes: list[str] = []
    panels = [_panel(measure, runs, log and "loss" in measure, notes) for measure in measures]
    for panel in panels[:-1]:
        if len(panel.key) > MOST_NAMES:
            panel.without_key()
    told = [_told(name, run) for name, run in runs.items()]
    return Figure(title, panels, columns=2, notes=notes, description=" ".join(told[:10]))


def _runs(given: Any, names: Sequence[str] | None) -> dict[str, History]:
    """The runs by name; a single one has the name ""."""
    one = _history(given)
    if one is not None:
        return {"": one}
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        items = in_order(given) or []
        called = [f"run {number}" for number in range(1, len(items) + 1)] if names is None else list(names)
        if len(called) != len(items):
            raise ArgumentError(f"names must be as many as there are runs, {len(items)}, got {len(called)}")
        pairs = list(zip(called, items))
    if not pairs:
        raise DataError(f"a history is needed, or a list or dict of them, got {shown(given)}")
    if len(pairs) > MOST_RUNS:
        raise ArgumentError(f"learning curves of at most {MOST_RUNS} runs can be told apart, got {len(pairs)}")
    runs: dict[str, History] = {}
    for name, item in pairs:
        run = _history(item)
        if run is None:
            raise DataError(f"run {shown(name)} is {shown(item)}, expected a history or a dict of lists")
        runs[_unlike(plain(name), runs)] = run
    return runs


def _unlike(name: str, others: Mapping[str, Any]) -> str:
    """A name that no other run has."""
    number, other = 2, name
    while other in others:
        other, number = f"{name} ({number})", number + 1
    return other


def _history(given: Any) -> History | None:
    """The lists of one history, or None if it is none."""
    if isinstance(given, Mapping):
        lists = given
    elif hasattr(given, "to_dict"):
        lists = given.to_dict()
    elif hasattr(given, "history"):
        return _history(given.history)
    else:
        items = in_order(given.tolist() if hasattr(given, "tolist") else given)
        if not items or not all(isinstance(item, (int, float)) for item in items):
            return None
        lists = {"loss": items}
    curves = {name: values for name, values in lists.items() if name not in _NO_CURVES}
    if not all(isinstance(name, str) and in_order(values) is not None for name, values in curves.items()):
        return None
    if any(_history_like(values) for values in curves.values()):
        return None
    return {name: numbers(values, plain(name)) for name, values in curves.items() if listed(values, plain(name))}


def _history_like(values: Any) -> bool:
    """Whether an item of a dict is a run of its own."""
    return hasattr(values, "to_dict") or hasattr(values, "history")


def _measure(name: str) -> str:
    """What a list of a history measures, be it of the training or the validation rows."""
    start = next((start for start in _VALIDATION if name.startswith(start)), "")
    return name[len(start) :]


def _panel(measure: str, runs: Mapping[str, History], log: bool, notes: list[str]) -> Axes:
    lines: list[tuple[str, Line]] = []
    for run, (called, history) in enumerate(runs.items()):
        for name, values in history.items():
            if _measure(name) != measure:
                continue
            held_out = name != measure
            part = "validation" if held_out else "training"
            label = part if not called else f"{called}, validation" if held_out else called
            series = run if called else int(held_out)
            line = [(epoch + 1.0, value) for epoch, value in enumerate(values)]
            notes += [_gaps(f"{called} {part}".strip(), measure, values)]
            lines.append((label, Line(_placed(line, "y" if log else ""), series, dashed=held_out)))
    marks = [line for _, line in lines]
    places = [point for line in marks for point in line.drawn]
    heights = [y for _, y in places]
    if "accuracy" in measure and heights and min(heights) == max(heights) and 0.0 <= heights[0] <= 1.0:
        heights = [0.0, 1.0]
    scale = around(heights, log=log, from_zero="loss" in measure)
    return Axes(
        around([x for line in marks for x, _ in line.points], margin=0.02, whole=True), scale, marks,
        caption=measure.replace("_", " "), x_label="epoch", key=[entry_of(name, line) for name, line in lines],
        empty="no epochs yet", width=340.0,
    )  # fmt: skip


def _gaps(called: str, measure: str, values: Sequence[float]) -> str:
    missing = [epoch for epoch, value in enumerate(values, 1) if not math.isfinite(value)]
    if not missing:
        return ""
    where = f"epoch {missing[0]}" if len(missing) == 1 else f"{len(missing)} epochs, first in epoch {missing[0]}"
    return f"{called}: {measure} not finite in {where}."


def _told(called: str, history: History) -> str:
    """A run in words."""
    parts = []
    for name, values in history.items():
        real = [value for value in values if math.isfinite(value)]
        if real:
            parts.append(f"{plain(name).replace('_', ' ')} from {number(real[0])} to {number(real[-1])}")
    epochs = max(map(len, history.values()), default=0)
    head = f"{called}: " if called else ""
    return f"{head}{epochs} epoch{'s' * (epochs != 1)}{'; ' * bool(parts)}{', '.join(parts)}."


def _placed(line: Sequence[Point], log: str) -> list[Point]:
    """The line with a gap where a logarithmic axis has no place for a point, at 0 or below."""
    return [(x if "x" not in log or x > 0 else math.nan, y if "y" not in log or y > 0 else math.nan) for x, y in line]


def lines(
    series: Any,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    log_x: bool = False,
    log_y: bool = False,
    y_limits: tuple[float, float] | None = None,
    cloud: Any = (),
) -> Figure:
    """Lines by name: ``series`` is a dict of name: points (x, y), or numbers, which are drawn at 1, 2, 3 ...

    ``log_x`` and ``log_y`` make an axis logarithmic; what is at 0 or below has no place there and leaves a gap.
    ``y_limits`` are the ends of the axis that goes up, and cut off what is beyond. ``cloud`` are points to be drawn in
    grey behind the lines. A line that lies on an earlier one gets gaps, so that both are seen.

    Raises ``DataError`` for what are no lines, and if nothing of them has a place.
    """
    log = "x" * bool(log_x) + "y" * bool(log_y)
    given = {name: _placed(line, log) for name, line in paths(series, "series").items()}
    if len(given) > SERIES:
        raise ArgumentError(f"a figure can tell {SERIES} lines apart, got {len(given)}")
    behind = [p for p in _placed(points(cloud, "cloud"), log) if all(map(math.isfinite, p))]
    drawn = {name: Line(line, number) for number, (name, line) in enumerate(given.items())}
    chosen, note = some_of(behind)
    marks: list[Mark] = [Cloud([behind[k] for k in chosen], 0, radius=2.6), *drawn.values()]
    places = [*behind, *(point for line in drawn.values() for point in line.drawn)]
    if not places:
        raise DataError(f"{title or 'lines'}: no point to draw (on a logarithmic axis, only above 0)")
    x_values, y_values = [x for x, _ in places], [y for _, y in places]
    counted = all(x == int(x) for x in x_values) and max(x_values) - min(x_values) > 1.0
    across: Scale = around(x_values, margin=0.02, log=bool(log_x), whole=counted)
    up = around(y_values, log=bool(log_y)) if y_limits is None else _limited(y_limits, bool(log_y))
    key: list[Entry] = [entry_of(name, line) for name, line in drawn.items()]
    panel = Axes(
        across, up, marks, x_label=x_label, y_label=y_label, key=key, width=480.0, height=320.0,
        clipped=y_limits is not None,
    )  # fmt: skip
    told = [f"{plain(name)}: {_ends(line.drawn)}" for name, line in drawn.items()]
    return Figure(title, [panel], notes=[note], description=" ".join(told[:10]))


def _limited(limits: tuple[float, float], log: bool) -> Scale:
    low, high = numbers(limits, "y_limits") if len(listed(limits, "y_limits")) == 2 else (math.nan, math.nan)
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        above = " above 0" * log
        raise ArgumentError(f"y_limits must be two numbers{above}, the lower first, got {shown(limits)}")
    return around([low, high], margin=0.0, log=log)


def _ends(line: Sequence[Point]) -> str:
    if not line:
        return "no point."
    (x1, y1), (x2, y2) = line[0], line[-1]
    return f"from {number(y1)} at {number(x1)} to {number(y2)} at {number(x2)}."
