"""``starpoly completion``: a script that completes commands, options and names in a shell."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import ConfigError, install_command

HELP = "print a script that completes commands, options and model names in a shell"
EXAMPLE = 'eval "$(starpoly completion bash)"'

SHELLS = ("bash", "zsh", "tcsh")
#: Options that name a model, in whatever command.
_MODELS = ("--model", "--init")
#: Metavariables of folders; other paths are files.
_FOLDERS = ("DIR", "OUT", "MODELDIR")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "shell", choices=SHELLS, help="add the example's line to ~/.bashrc, or save the script for your shell"
    )


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from .main import build_parser

    try:
        import shtab
    except ImportError as error:
        raise ConfigError(
            f"completion: expected the package shtab, got none; {install_command('completion')}"
        ) from error
    parser = build_parser()
    _prepare(parser, {"file": shtab.FILE, "folder": shtab.DIRECTORY})
    sys.stdout.write(shtab.complete(parser, shell=args.shell) + "\n")
    return 0


def _prepare(parser: argparse.ArgumentParser, kinds: dict[str, Any]) -> None:
    """Say of every argument what completes it: model names, folders, files."""
    from ..model_zoo import available_models

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in {id(each): each for each in action.choices.values()}.values():
                _prepare(command, kinds)
        elif not {*action.option_strings, f"--{action.dest}"}.isdisjoint(_MODELS) and action.nargs is None:
            action.choices = available_models()
        elif action.type is Path or action.dest == "input":
            action.complete = kinds["folder" if action.metavar in _FOLDERS else "file"]  # type: ignore[attr-defined]
