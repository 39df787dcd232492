"""How much each sample counts while a network learns: weights of samples and classes, and what these do to steps."""

from __future__ import annotations

import math
from _collections_abc import Mapping

from ..checks import listed, require_number, shown
from ..errors import ArgumentError
from .labels import as_targets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .labels import Label


def sample_weights(
    labels: Sequence[Label],
    classes: Sequence[Label],
    sample_weight: Any = None,
    class_weight: Mapping[Label, float] | str | None = None,
) -> list[float] | None:
    """One weight a sample, 1 on average, from both kinds of weights; None where neither is given.

    "balanced" gives a class of n_c out of n samples the weight n / (number of classes · n_c).
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = [1.0] * len(labels)
    if sample_weight is not None:
        given = as_targets(sample_weight, 1, "sample_weight", len(labels))
        weights = [require_number(f"sample_weight[{i}]", w, 0.0) for i, (w,) in enumerate(given)]
    if class_weight is not None:
        by_class = _class_weights(labels, classes, class_weight)
        if max(weights) * max(by_class.values()) == math.inf:
            weights = _in_units_of_the_largest(weights)
        weights = [w * by_class[label] for w, label in zip(weights, labels)]
    total = _total(weights)
    if total == math.inf:  # in units of the largest no sum overflows
        weights = _in_units_of_the_largest(weights)
        total = _total(weights)
    if not total > 0.0:
        raise ArgumentError("the sample weights add up to 0: nothing would be learned")
    return [w * len(weights) / total for w in weights]


def _total(weights: Sequence[float]) -> float:
    """The sum, or infinity if it, or what is made with it, would overflow."""
    try:
        total = math.fsum(weights)
    except OverflowError:
        return math.inf
    return total if math.isfinite(total * len(weights)) else math.inf


def _in_units_of_the_largest(weights: Sequence[float]) -> list[float]:
    largest = max(weights)
    return [w / largest for w in weights]


def step_share(weights: Sequence[float] | None, batch_size: int) -> float:
    """How long steps are where samples have weights (1 on average): 1 / (1 + (mean w² - 1) · (n - b) / (n - 1)).

    Drawing b of n weighted samples gives a gradient as noisy as that of fewer equal ones, of which mean w² is the
    measure: n / mean w² is Kish's effective sample size (Survey Sampling, 1965, section 11.7). As smaller batches need
    smaller steps, heavy weights would else act as a learning rate that is too large: where a class has 1 sample in 50,
    "balanced" weighs it 25 and the others 0.5, and steps are 1/13 as long. A batch of all samples has no such noise.
    """
    if weights is None:
        return 1.0
    count = len(weights)
    spread = math.fsum(w * w for w in weights) / count - 1.0
    return 1.0 / (1.0 + max(spread, 0.0) * (count - batch_size) / max(count - 1, 1))


def _class_weights(
    labels: Sequence[Label], classes: Sequence[Label], class_weight: Mapping[Label, float] | str
) -> dict[Label, float]:
    if not classes:
        raise ArgumentError("class_weight needs classes: numbers, and rows of several labels, have none")
    if class_weight != "balanced" and not isinstance(class_weight, Mapping):
        raise ArgumentError(f"class_weight is 'balanced' or a dict of class: weight, got {shown(class_weight)}")
    if isinstance(class_weight, str):
        counts = dict.fromkeys(classes, 0)
        for label in labels:
            counts[label] += 1
        present = [c for c in classes if counts[c]]
        return {c: len(labels) / (len(present) * counts[c]) for c in present}
    unknown = [c for c in class_weight if c not in classes]
    if unknown:
        raise ArgumentError(f"class_weight names {shown(unknown[0])}, which is not a class: {listed(classes)}")
    return {c: require_number(f"class_weight[{shown(c)}]", class_weight.get(c, 1.0), 0.0) for c in classes}
