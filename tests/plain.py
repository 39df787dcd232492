"""Plain gradient descent, for tests that are about its steps and not about what is recommended."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {"momentum": 0.0, "schedule": None, "clip_norm": None}  # arguments of ``Model.fit``
