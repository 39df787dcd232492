"""``classification_report`` is scikit-learn's to the letter; and metrics as a whole: lazy, and hard to misuse."""

from __future__ import annotations

import inspect
import math
import os
import re
from operator import eq
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import scratchnn
from scratchnn import ArgumentError, metrics
from tests.adversarial import misuse
from tests.metrics.oracle import flagged, labelled, near, ours, theirs, weights_for
from tests.test_package import loaded_by


def same_text(here: str, there: str, digits: int) -> None:
    """Every character but for digits is the same, and so are numbers, which may be rounded from another last bit."""
    assert re.sub(r"\d", "0", here) == re.sub(r"\d", "0", there)
    numbers = (map(float, re.findall(r"(?<=\s)(?:\d[.\d]*|nan)(?=\s)", text)) for text in (here, there))
    assert all(a == b or a != a or abs(a - b) < 1.001 * 10**-digits for a, b in zip(*numbers))


@given(answers=labelled(), data=st.data(), digits=st.integers(0, 6), zero_division=st.sampled_from([0, 1, math.nan]))
def test_the_text_is_scikit_learn_s_to_the_letter(answers: Any, data: Any, digits: int, zero_division: Any) -> None:
    true, predicted, labels = answers
    assume(any(map(eq, true, predicted)))  # where nothing is right, it writes the support of labels as "3.0"
    named = data.draw(st.none() | st.permutations(labels) | st.lists(st.sampled_from(labels), min_size=1, unique=True))
    settings = {"labels": named, "digits": digits, "zero_division": zero_division}
    expected = theirs("classification_report", true, predicted, **settings)
    same_text(ours("classification_report", true, predicted, **settings), expected, settings.get("digits", 2))


@given(answers=flagged(), data=st.data())
def test_the_text_for_rows_of_several_labels(answers: Any, data: Any) -> None:
    true, predicted = answers
    names = data.draw(st.none() | st.just(["a label of many letters", "two", "three", "four"][: len(true[0])]))
    settings = {"target_names": names, "zero_division": 0}
    expected = theirs("classification_report", true, predicted, **settings)
    same_text(ours("classification_report", true, predicted, **settings), expected, settings.get("digits", 2))


@given(answers=labelled(), data=st.data())
def test_the_same_as_a_dict(answers: Any, data: Any) -> None:
    true, predicted, _ = answers
    settings = {"sample_weight": data.draw(weights_for(len(true))), "output_dict": True, "zero_division": 0}
    here, there = (f("classification_report", true, predicted, **settings) for f in (ours, theirs))
    assert list(here) == list(there)
    for name, values in there.items():
        found = here[name]
        assert near([*found.values()], [*values.values()]) if isinstance(values, dict) else near(found, values)


def test_sums_of_weights_have_no_more_digits_than_other_numbers() -> None:
    text = metrics.classification_report([0, 1, 1], [0, 1, 1], sample_weight=[0.1, 0.1, 0.2])
    assert [line.split()[-1] for line in text.splitlines()[2:4]] == ["0.1", "0.3"]


def test_names_that_do_not_print_are_escaped_and_wide_ones_aligned() -> None:
    text = metrics.classification_report(["a\x1b[2J\nb", "日本"], ["a\x1b[2J\nb", "日本"])
    lines = text.splitlines()
    assert lines[2].startswith(" a\\x1b[2J\\nb       1.00")
    assert lines[3].startswith("        日本       1.00")
    assert metrics.classification_report(["\n"], ["\n"], output_dict=True)["\n"]["support"] == 1.0


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], "ab", 5])
def test_as_many_names_as_labels(names: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^target_names must be as many names as there are labels, 2, got "):
        metrics.classification_report([0, 1], [0, 1], target_names=names)


# --- all of them -------------------------------------------------------------------------------------------------


def test_each_is_loaded_when_it_is_asked_for() -> None:
    for statement in ("from scratchnn import metrics", "import scratchnn; scratchnn.metrics"):
        assert {name for name in loaded_by(statement) if name.startswith("scratchnn")} == {
            "scratchnn",
            "scratchnn.metrics",
        }
    loaded = loaded_by("import scratchnn; scratchnn.metrics.f1_score([0, 1], [0, 1])")
    assert not {"scratchnn.metrics.regression", "scratchnn.metrics.report", "scratchnn.model"} & loaded
    assert metrics.__all__ == [*dict.fromkeys(metrics.__all__)]
    assert dir(metrics) == sorted(metrics.__all__)
    assert scratchnn.metrics is metrics
    with pytest.raises(AttributeError, match=r"'scratchnn\.metrics' has no attribute 'f2_score'"):
        metrics.f2_score  # noqa: B018


@pytest.mark.parametrize("name", metrics.__all__)
def test_arguments_are_called_and_ordered_as_scikit_learn_has_them(name: str) -> None:
    module = pytest.importorskip("sklearn.metrics")
    if name == "log_loss" and "y_proba" not in inspect.signature(module.log_loss).parameters:
        pytest.skip("this scikit-learn is older than the names that are compared")
    if name in ("unique_labels", "UndefinedMetricWarning"):
        return
    here, there = (inspect.signature(getattr(m, name)).parameters for m in (metrics, module))
    unsupported = {"max_fpr", "y_pred"} if name in ("roc_auc_score", "log_loss") else set()
    assert [*here] == [key for key in there if key not in unsupported]
    assert {key: p.kind for key, p in here.items()} == {key: there[key].kind for key in here}
    for key, parameter in here.items():
        if key != "y_proba":  # which they let be given by another name
            assert parameter.default == there[key].default


CALLS: dict[str, tuple[dict[str, Any], ...]] = {
    "accuracy_score": ({"normalize": True},),
    "confusion_matrix": ({"labels": [0, 1], "normalize": "true"},),
    "f1_score": ({"labels": [0], "pos_label": 1, "average": "macro", "zero_division": 0}, {"pos_label": 1}),
    "fbeta_score": ({"beta": 2.0, "average": None},),
    "precision_recall_fscore_support": ({"beta": 1.0, "average": "weighted", "warn_for": ("recall",)},),
    "precision_score": ({"average": "micro"},),
    "recall_score": ({"average": "micro"},),
    "log_loss": ({"normalize": True, "labels": [0, 1]},),
    "roc_auc_score": ({"average": "macro", "multi_class": "ovr", "labels": [0, 1]},),
    "top_k_accuracy_score": ({"k": 1, "normalize": True, "labels": [0, 1]},),
    "mean_absolute_error": ({"multioutput": "raw_values"},),
    "mean_squared_error": ({"multioutput": [1.0]},),
    "root_mean_squared_error": ({},),
    "r2_score": ({"multioutput": "variance_weighted", "force_finite": True},),
    "classification_report": ({"labels": [0, 1], "target_names": ["a", "b"], "digits": 2, "output_dict": True},),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:NotImplemented should not:DeprecationWarning")
@pytest.mark.skipif(os.name != "posix", reason="an alarm as POSIX has it")
@pytest.mark.parametrize("name", CALLS)
def test_what_nobody_meant_is_refused_on_purpose(name: str) -> None:
    function = getattr(metrics, name)
    first, second = list(inspect.signature(function).parameters)[:2]
    for settings in CALLS[name]:
        right = {first: [0, 1, 1, 0], second: [0, 1, 0, 0], "sample_weight": [1.0, 2.0, 0.0, 1.0], **settings}
        function(**right)
        for argument, shown, value in misuse.misuses(right, every=3):
            complaint = misuse.complaint(lambda a=argument, v=value, r=right: function(**{**r, a: v}))
            assert not complaint, f"{argument}={shown}: {complaint}"
