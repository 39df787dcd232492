"""``python -m scratchnn.datasets``: fetches MNIST."""

from __future__ import annotations

from collections.abc import Sequence

from .. import cli
from ..escapes import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m scratchnn.datasets``: returns the exit code, 0, 2 (one line says why) or 130 after Ctrl-C."""
    return cli.run(_fetch, arguments)


def _fetch(arguments: Sequence[str] | None) -> int:
    from .. import progress
    from . import download

    parser = cli.Parser(prog=cli.spelled("datasets"), description="Fetch public data sets.")
    parser.add_version()
    commands = parser.add_subparsers(dest="name", required=True, metavar="DATASET")
    mnist = commands.add_parser("mnist", help="70 000 handwritten digits of 28 x 28 pixels: four files, 11.6 MB")
    mnist.add_argument("--to", required=True, metavar="DIR", help="the folder to put the files in; made if missing")
    mnist.add_argument(
        "--mirror", action="append", metavar="URL", help="fetch from here instead; may be given several times"
    )
    seconds = cli.number(above=0, below=1e6)
    timeout = download.TIMEOUT
    mnist.add_argument(
        "--timeout", type=seconds, default=timeout, metavar="SECONDS", help=f"for each answer ({timeout:g})"
    )
    mnist.add_argument("--quiet", action="store_true", help="say nothing but errors")
    options = parser.parse_args(arguments)
    try:
        paths = download.download_mnist(
            options.to,
            mirrors=options.mirror or download.MIRRORS,
            progress=None if options.quiet else progress.ByteProgress,
            timeout=options.timeout,
        )
    except KeyboardInterrupt:
        cli.tell_interruption("interrupted; what is here already is kept, run the same command to go on")
        return cli.INTERRUPTED
    if not options.quiet:
        cli.say("\n".join(map(printable, paths)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
