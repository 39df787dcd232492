"""Text from strangers, made fit to be shown: what a terminal would obey is written as an escape, \\x1b and the like.

Class names, labels, paths, a server's answers: any of them may hold what clears a screen, moves the cursor, turns the
reading direction or starts a line of its own. Whatever the command lines and the progress display write for people to
read goes through here. What is meant for programs (predictions as CSV, results as JSON) is not changed, but quoted by
the rules of its format.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line; every character that is not a visible one or a plain space becomes an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """The same for a text whose line breaks are meant."""
    return "\n".join(map(printable, text.split("\n")))
