"""Makes the pictures of the course in README.md again, each by the example that its step runs.

    python examples/make_pictures.py                    all of them, where they belong
    python examples/make_pictures.py overfitting ...    those of some examples

The same code draws the same bytes, so that after a change `git status` says which pictures became others. (The map of
codes depends on how Python adds up floats as well: 3.12 began to round a dot product once.)
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module

from _common import run

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = re.compile(r"^    python examples/(\w+)\.py$", re.MULTILINE)
PICTURE = re.compile(r"^!\[[^]]+\]\(((?:pictures/)?\w+\.svg)\)$", re.MULTILINE)


def pictures_by_example() -> dict[str, list[str]]:
    """The example of each step of the course, and the paths of its pictures, as seen from this folder."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        course, _, _ = file.read().partition("\n## All examples\n")
    steps = course.split("\n### ")[1:]
    return {STEP.findall(step)[0]: PICTURE.findall(step) for step in steps}


def main(arguments: Sequence[str] | None = None) -> list[str]:
    wanted = pictures_by_example()
    names = list(sys.argv[1:] if arguments is None else arguments) or list(wanted)
    for name in names:
        if name not in wanted:
            raise SystemExit(f"the course has no example {name}: it has {', '.join(wanted)}")
    made = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            import_module(name).main(["--out", folder])
            for path in wanted[name]:
                made.append(os.path.join(HERE, *path.split("/")))
                os.makedirs(os.path.dirname(made[-1]), exist_ok=True)
                shutil.copyfile(os.path.join(folder, os.path.basename(path)), made[-1])
    return made


if __name__ == "__main__":
    run(main)
