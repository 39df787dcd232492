"""What a report's file may be called."""

from __future__ import annotations

import os

from ..checks import shown_path
from ..errors import ArgumentError

ENDINGS = (".html", ".htm", ".xhtml")


def check_name(path: str | os.PathLike[str]) -> None:
    """``ArgumentError`` for a path whose name promises another kind of file."""
    name = os.fsdecode(path)
    if not name.lower().endswith(ENDINGS):
        raise ArgumentError(f"{shown_path(name)}: a report is an HTML page, expected a name that ends in .html")
