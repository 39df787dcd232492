"""Text from strangers inside a comment of a program in C or JavaScript: it stays one, whatever is written in it."""

from __future__ import annotations

from collections.abc import Iterable


def remark(text: str) -> str:
    """A text on one line, in visible ASCII, that neither ends nor begins a comment.

    All else becomes an escape such as ``\\xe9``. A space comes between characters that mean something together: those
    that begin and end comments, two question marks, which begin a trigraph of C, and what ends a script in a page.
    """
    plain = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)
    for pair in ("*/", "/*", "??", "</", "<!"):
        while pair in plain:
            plain = plain.replace(pair, f"{pair[0]} {pair[1]}")
    return plain


def comment(lines: Iterable[str]) -> str:
    """Lines as one comment. Each of them goes through ``remark``."""
    return "\n".join(["/*", *(f" * {remark(line)}".rstrip() for line in lines), " */"])
