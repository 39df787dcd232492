"""A model as JSON: what its file says is all that its answers depend on, to the last digit."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from scratchnn import Model, NotFittedError
from scratchnn.interop.description import Description, Step, describe, every_step
from scratchnn.interop.json_text import FORMAT, export_model
from tests.interop.networks import NETWORKS, network
from tests.interop.test_description import outputs

every_network = pytest.mark.parametrize("name", NETWORKS)


def step_of(plain: dict[str, Any]) -> Step:
    settings = {name: value for name, value in plain.items() if name not in ("kind", "inputs", "outputs")}
    if "steps" in settings:
        settings["steps"] = [*map(step_of, settings["steps"])]
    return Step(plain["kind"], tuple(plain["inputs"]), tuple(plain["outputs"]), settings)


def read(text: bytes) -> Description:
    """The description that a file holds."""
    plain = json.loads(text)
    assert (plain.pop("format"), plain.pop("version")) == (FORMAT, 1)
    assert plain.pop("about")
    plain["steps"] = [*map(step_of, plain["steps"])]
    plain["summary"] = "\n".join(plain["summary"])
    return Description(**{**plain, "input_shape": tuple(plain["input_shape"])})


@every_network
def test_a_reader_computes_the_model_s_answers(name: str) -> None:
    model, rows = network(name)
    known = read(export_model(model))
    if model.task == "regression":
        expected = [row if isinstance(row, list) else [row] for row in model.predict(rows)]
    else:
        expected = model.predict_proba(rows)
    for row, right in zip(rows[:8], expected):
        assert outputs(known, row) == pytest.approx(right, rel=1e-11, abs=1e-12)


@every_network
def test_all_of_the_description_is_there_to_the_last_bit(name: str) -> None:
    model, _ = network(name)
    right, came = describe(model), read(export_model(model))
    for field in fields(Description):
        if field.name != "steps":
            assert getattr(came, field.name) == getattr(right, field.name)
    assert [*map(type, came.classes)] == [*map(type, right.classes)]
    mine, theirs = list(every_step(came.steps)), list(every_step(right.steps))
    assert [(step.kind, step.inputs, step.outputs) for step in mine] == [
        (step.kind, step.inputs, step.outputs) for step in theirs
    ]
    for one, other in zip(mine, theirs):
        assert json.dumps({**one.settings, "steps": None}) == json.dumps({**other.settings, "steps": None})


@every_network
def test_the_text_is_made_to_be_read_and_always_the_same(name: str) -> None:
    model, _ = network(name)
    text = export_model(model)
    assert text == export_model(model)
    lines = text.decode("ascii").split("\n")
    assert lines[1:3] == [f'  "format": "{FORMAT}",', '  "version": 1,']
    known = describe(model)
    rows = sum(len(step.settings.get("weight", [])) for step in every_step(known.steps))
    assert len(lines) < rows + 15 * len(list(every_step(known.steps))) + len(known.summary.split("\n")) + 50


def test_a_model_without_data_is_refused() -> None:
    with pytest.raises(NotFittedError, match="not been fitted"):
        export_model(Model(2, 3, 2))
