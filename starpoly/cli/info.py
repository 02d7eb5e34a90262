"""``starpoly info``: versions, backend and devices."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata

HELP = "show versions, backend and devices"

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
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the facts for a bug report."""
    facts = collect()
    if args.json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    else:
        width = max(map(len, facts))
        sys.stdout.writelines(f"{name:{width}}  {value}\n" for name, value in facts.items())
    return 0


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
