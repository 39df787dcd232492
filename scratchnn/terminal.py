"""What a terminal can show: its width, its characters, and whether colours are welcome. Nothing is written."""

from __future__ import annotations

import os
from typing import NamedTuple, TextIO

BLOCKS = "▀▄█░▒▓▁▂▃▅▆▇✗"


class Look(NamedTuple):
    """How text for people may look: no line beyond ``width`` columns, with ``blocks`` or in ASCII, in ``colour``."""

    width: int = 80
    blocks: bool = False
    colour: bool = False


def look_of(stream: TextIO | None) -> Look:
    """What suits a stream: 80 columns without colours for a file or a pipe, and what a terminal has room for.

    The last column of a terminal stays empty, as writing into it makes some wrap.
    """
    live = is_smart_terminal(stream)
    width = columns(stream) - 1 if live else 80
    return Look(width, can_show(stream, BLOCKS), live and colours_welcome())


def is_smart_terminal(stream: TextIO | None) -> bool:
    """A terminal that understands a carriage return; ``TERM=dumb`` says that it does not."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # not quite a file, or a closed one
        return False


def colours_welcome() -> bool:
    """Follows https://no-color.org; old Windows consoles print colour codes instead of obeying them."""
    if os.environ.get("NO_COLOR"):
        return False
    return os.name != "nt" or "WT_SESSION" in os.environ


def can_show(stream: TextIO | None, characters: str) -> bool:
    """Whether the stream's encoding has them."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        characters.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def columns(stream: TextIO | None) -> int:
    """Columns of the terminal behind the stream; ``COLUMNS`` overrides, and 80 is the guess."""
    try:
        # shutil asks about standard output, which may be a file while the progress is on a terminal.
        if stream is not None and "COLUMNS" not in os.environ:
            return max(2, os.get_terminal_size(stream.fileno()).columns or 80)
    except (AttributeError, OSError, ValueError):
        pass
    import shutil

    return max(2, shutil.get_terminal_size().columns)
