"""All commands under one name: ``python -m scratchnn train ...``, or ``scratchnn train ...`` where it is installed.

Each command is a module of its own as well, and only the one that is asked for is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from . import cli

Command = Callable[[Sequence[str]], int]

COMMANDS = {
    "train": "trains a network on a CSV file, or on the digits that come along",
    "predict": "writes a saved model's prediction for each row of a CSV file",
    "info": "says what a saved model or a checkpoint holds",
    "export": "writes a saved model as a file of Python, JavaScript, C or another kind",
    "convert": "makes a model of another project's file: ONNX, safetensors, scikit-learn",
    "datasets": "downloads MNIST",
    "play": "opens pages to draw on, and to watch a network learn",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; without one, list them. 2 for a command that there is not."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in COMMANDS:
        return _find(words[0])(words[1:])
    return cli.run(_list, words)


def _find(command: str) -> Command:
    if command == "train":
        from .train import main as found
    elif command == "predict":
        from .predict import main as found
    elif command == "info":
        from .info import main as found
    elif command == "export":
        from .export import main as found
    elif command == "convert":
        from .convert import main as found
    elif command == "play":
        from .play.__main__ import main as found
    else:
        from .datasets.__main__ import main as found
    return found


def _list(words: Sequence[str] | None) -> int:
    listed = [f"  {cli.spelled(name):<{len(cli.spelled('datasets'))}}  {what}" for name, what in COMMANDS.items()]
    parser = cli.Parser(
        prog=cli.spelled(""),
        usage="%(prog)s COMMAND ...",
        description="\n".join(["Neural networks in pure Python. The commands, each with --help:", *listed]),
        formatter_class=cli.AsItStands,
    )
    parser.add_version()
    parser.add_argument("command", nargs="?", help=cli.HIDDEN)
    options, unknown = parser.parse_known_args(words)
    if options.command is not None:
        parser.error(f"there is no command {options.command!r}: there are {', '.join(COMMANDS)}")
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    cli.say(parser.format_help().rstrip())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
