"""Products of parameters, of which the quick suite runs those that guard something by themselves.

Where every pair of engine and model is a case, a fault shows in many of them. The quick suite keeps enough of them to
show it, ``-m slow`` runs the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest


def product(quick: Callable[..., bool], **axes: Mapping[str, Any]) -> pytest.MarkDecorator:
    """``pytest.mark.parametrize`` over every combination of the values of some axes, each a mapping from names.

    ``quick`` is asked with one name of each axis, in their order; where it says no the combination is marked slow.
    """
    cases = []
    for names in itertools.product(*axes.values()):
        values = [axis[name] for axis, name in zip(axes.values(), names)]
        marks = [] if quick(*names) else [pytest.mark.slow]
        cases.append(pytest.param(*values, id="-".join(names), marks=marks))
    return pytest.mark.parametrize(tuple(axes), cases)
