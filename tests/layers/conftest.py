"""What the tests of layers share: each engine that a layer is to come out the same on."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["linalg", "lanes", "numpy"])
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine; a library that is not there is skipped."""
    if request.param == "numpy":
        pytest.importorskip("numpy")
    return str(request.param)
