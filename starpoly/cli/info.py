"""``starpoly info``: what files hold; without files versions, backend and devices."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata
from typing import Any

from ..io.console import printable_lines
from .common import say

HELP = "show what image files hold and which model they get; without files versions, backend and devices"
EXAMPLE = "starpoly info experiment.nd2"

_PACKAGES = (
    "starpoly",
    "keras",
    "tensorflow",
    "jax",
    "numpy",
    "numba",
    "scikit-image",
    "tifffile",
    "imagecodecs",
    "pillow",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "input",
        nargs="*",
        metavar="FILE",
        help="image files, folders, plates, URLs of zarrs or patterns such as 'data/*.nd2'",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Describe files, or print the facts for a bug report. Return 1 if some files fail, 2 if all do."""
    if args.input:
        return _describe_files(args)
    facts = collect()
    if args.json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    else:
        width = max(map(len, facts))
        sys.stdout.writelines(f"{name:{width}}  {value}\n" for name, value in facts.items())
    return 0


def _describe_files(args: argparse.Namespace) -> int:
    from ..io.files.find import find_images
    from ..prediction.description import describe_lines, describe_or_error

    found = find_images(args.input)
    rows: list[dict[str, Any]] = [{"file": given, "error": message} for given, message in found.problems]
    for row in rows:
        say(f"starpoly: error: {row['error']}")
    for image in found.images:
        row = describe_or_error(image.path)
        rows.append(row)
        if "error" in row:
            say(f"starpoly: error: {row['error']}")
        elif not args.json:
            sys.stdout.write(printable_lines("\n".join(describe_lines(row))) + "\n")
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    n_failed = sum("error" in row for row in rows)
    return 0 if n_failed == 0 else 1 if n_failed < len(rows) else 2


def collect() -> dict[str, str]:
    """Versions and devices, by name. Slow: imports the backend."""
    from .. import model_zoo as registry

    facts = {"python": platform.python_version(), "platform": platform.platform(), "cpus": str(os.cpu_count())}
    facts |= {name: _version(name) for name in _PACKAGES}
    facts |= _backend()
    facts["models"] = ", ".join(registry.available_models()) or "none"
    return facts


def _version(package: str) -> str:
    from .._version import __version__

    if package == "starpoly":
        return __version__  # an uninstalled checkout has no metadata
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _backend() -> dict[str, str]:
    from ..network.quiet import quiet_import

    try:
        keras = quiet_import()
        return {"backend": keras.backend.backend(), "devices": ", ".join(keras.distribution.list_devices()) or "none"}
    except Exception as error:  # this command must also work on a broken installation
        return {
            "backend": f"cannot be imported ({type(error).__name__}: {' '.join(str(error).split())})",
            "devices": "unknown",
        }
