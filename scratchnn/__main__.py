"""Lists the commands: ``python -m scratchnn``. Each is a module of its own, and none is loaded for this."""

from __future__ import annotations

import sys

COMMANDS = """Commands of scratchnn, each with --help:
python -m scratchnn.train     trains a network on a CSV file, or on the digits that come along
python -m scratchnn.predict   writes a saved model's prediction for each row of a CSV file
python -m scratchnn.datasets  downloads MNIST
"""

if __name__ == "__main__":
    sys.stdout.write(COMMANDS)
    raise SystemExit(0 if sys.argv[1:] in ([], ["-h"], ["--help"]) else 2)
