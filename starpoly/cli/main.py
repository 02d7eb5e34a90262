"""``starpoly``: the parser of all sub-commands, exit codes, errors as one line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .._version import __version__
from ..io.console import with_streams, without_progress
from .common import log_as_lines, say, say_error, warnings_as_lines
from .parser import Parser
from .stopping import Terminated, exit_status, stoppable

COMMANDS = (
    "predict",
    "train",
    "advise",
    "tune",
    "evaluate",
    "report",
    "view",
    "models",
    "info",
    "demo",
    "completion",
)

OK, SOME_FAILED, FAILED = 0, 1, 2

_EPILOG = (
    "exit status: 0 all done, 1 files failed, the others are done, 2 nothing could be begun, 130 or 143 stopped. "
    "`starpoly COMMAND --help` says more."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. Default: those of the process.

    Returns
    -------
    int
        0 for success, 1 if files failed, 2 if nothing could be begun, 130 after Ctrl-C, 143 after SIGTERM.
    """
    # the process ends with the command, so the handlers stay
    with with_streams(), stoppable(for_good=argv is None):
        try:
            args = build_parser().parse_args(argv)
            _set_up_output(args.verbose)
            with (
                warnings_as_lines(quiet=args.quiet, verbose=args.verbose),
                log_as_lines(quiet=args.quiet),
                without_progress(args.quiet),
            ):
                return _run(args)
        except KeyboardInterrupt as stop:
            say(f"starpoly: {'terminated' if isinstance(stop, Terminated) else 'interrupted'}")
            return exit_status(stop)


def _run(args: argparse.Namespace) -> int:
    try:
        return args.run(args)
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except Exception as error:
        say_error(error, verbose=args.verbose)
        return FAILED


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of ``starpoly`` with all sub-commands."""
    description = "Find every cell or nucleus in microscopy images, as star-convex polygons."
    parser = Parser("starpoly", description=description, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"starpoly {__version__}")
    _add_common_arguments(parser, default=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f".{name}", __package__)
        description, epilog = f"{module.HELP[0].upper()}{module.HELP[1:]}.", f"example: {module.EXAMPLE}"
        command = commands.add_parser(name, help=module.HELP, description=description, epilog=epilog)
        module.add_arguments(command)
        # flags are valid before and after the command; unset after it, they keep the value from before
        _add_common_arguments(command, default=argparse.SUPPRESS)
        command.set_defaults(run=module.run, parser=command)
    return parser


def _add_common_arguments(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help="show tracebacks and logs")
    parser.add_argument("-q", "--quiet", action="store_true", default=default, help="show errors only")


def _set_up_output(verbose: bool) -> None:
    # before anything imports TensorFlow
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    # no window opens; what a notebook or another project names need not even be installed here
    os.environ["MPLBACKEND"] = "agg"
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may be undecodable
            stream.reconfigure(errors="backslashreplace")
    if verbose:
        logging.basicConfig(level=logging.INFO)
    else:
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # repeats starpoly's own errors on bad files
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # tells of its caches


if __name__ == "__main__":
    sys.exit(main())
