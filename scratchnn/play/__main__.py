"""Opens pages in the browser to draw and play on: ``python -m scratchnn.play [model.pkl]``.

This door reads arguments and prints; ``server`` serves the pages, to this machine alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import cli
from ..errors import ArgumentError
from ..executors import in_webassembly


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 after Ctrl-C, 2 for a file that is no fitting model."""
    return cli.run(_play, arguments)


def _play(arguments: Sequence[str] | None) -> int:
    parser = cli.Parser(
        prog=cli.spelled("play"),
        description="Open two pages in the browser: draw a digit and see what a network makes of it, and build a small "
        "network and watch it learn. They are served to this machine alone; Ctrl-C ends it.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a saved classifier of square grey images, such as model.pkl; without one, a network first learns the "
        "digits that come along",
    )
    parser.add_argument("--port", type=cli.whole_number(0), default=0, help="where to listen; default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_version()
    options = parser.parse_args(arguments)
    if options.port > 65535:
        parser.error(f"argument --port: must be at most 65535, got {options.port}")

    if in_webassembly():
        raise ArgumentError(
            "these pages need a server and threads, which Python does not have where it runs in WebAssembly;"
            " examples/browser has a page for it"
        )
    from ..model import Model
    from .learning import Learning
    from .server import PlayServer

    learning = Learning(None if options.model is None else Model.load(options.model))
    try:
        server = PlayServer(learning, options.port)
    except OSError as error:
        raise ArgumentError(
            f"port {options.port} cannot be listened at ({error.strerror}): choose another --port, or leave it out"
        ) from None
    try:
        server.learning.start()
        cli.say(f"open {server.address}\n(for this machine's browsers only; Ctrl-C ends it)")
        if not options.no_browser:
            import threading
            import webbrowser

            # One that runs in the terminal does not return before it is ended: the server must not wait for it.
            threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        server.serve_forever()
    except KeyboardInterrupt:
        cli.tell_interruption("stopped")
    finally:
        server.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
