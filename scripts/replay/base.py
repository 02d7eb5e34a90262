"""What FROM stands for without a registry: Debian with its Python made by debootstrap, or this machine's own system."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .dockerfile import DockerfileError

MIRROR = "http://deb.debian.org/debian"

_PYTHON = re.compile(r"python:(?P<version>3\.\d+)-slim-(?P<suite>[a-z]+)")
_SUITES = {"bookworm": "3.11", "trixie": "3.13"}
_FOLDERS = ("dev", "proc", "sys", "run", "mnt", "opt", "root", "srv", "tmp", "var/tmp", "etc")
#: what programs look for in /etc, none of it secret
_ETC = (
    "passwd",
    "group",
    "nsswitch.conf",
    "ld.so.cache",
    "hosts",
    "resolv.conf",
    "alternatives",
    "ssl",
    "localtime",
    "pip.conf",
)
#: settings of pip that name files of this machine; what is installed is pinned, so nothing depends on them
_PLACES_HERE = ("PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_REQUIREMENT")


@dataclass(frozen=True)
class Base:
    """The lowest layer, what it borrows from this machine, and the environment that the image would bring."""

    folder: Path
    environment: dict[str, str]
    borrowed: tuple[str, ...] = ()


def can_bootstrap() -> bool:
    """Whether a Debian system can be made here."""
    return os.geteuid() == 0 and shutil.which("debootstrap") is not None


def debian(image: str, folder: Path) -> Base:
    """A minimal Debian with its own Python, as the slim images of Python are but for where their Python lies.

    Raises
    ------
    DockerfileError
        For an image that is not ``python:3.x-slim-SUITE`` with the Python that the suite brings.
    """
    match = _PYTHON.fullmatch(image)
    if match is None or _SUITES.get(match["suite"]) != match["version"]:
        known = ", ".join(f"python:{version}-slim-{suite}" for suite, version in _SUITES.items())
        raise DockerfileError(f"FROM: expected one of {known}, got {image}")
    root = folder / f"debian-{match['suite']}"
    if not root.is_dir():
        unfinished = root.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        packages = "--include=python3,python3-venv"
        command = ["debootstrap", "--variant=minbase", packages, match["suite"], str(unfinished), MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for archive in (unfinished / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        unfinished.rename(root)
    return Base(root, _environment())


def this_machine(folder: Path) -> Base:
    """The programs of this machine under an otherwise empty root; bytecode goes to a place that can be written."""
    root = folder / "this-machine"
    shutil.rmtree(root, ignore_errors=True)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    borrowed = ["/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            (root / name).symlink_to(path.readlink())
        elif path.is_dir():
            borrowed.append(str(path))
    for path in (Path("/etc", name) for name in _ETC):
        if path.is_dir():
            shutil.copytree(path, root / str(path)[1:], symlinks=True, ignore=shutil.ignore_patterns("private"))
        elif path.is_file():
            shutil.copy(path, root / str(path)[1:])
    for name in borrowed:
        (root / name[1:]).mkdir(exist_ok=True)
    return Base(root, _environment() | {"PYTHONPYCACHEPREFIX": "/opt/bytecode"}, tuple(borrowed))


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def build_network() -> tuple[dict[str, str], list[tuple[Path, str, bool]]]:
    """What a build step needs to reach this machine's package index: variables, and files to bind.

    Nothing of it gets into a layer: /run is no part of the image.
    """
    variables = {
        name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower().endswith("_proxy")
    }
    variables |= _pip_settings() | {"PIP_QUIET": "1"}
    for name in _PLACES_HERE:
        variables.pop(name, None)
    indices = [url for url in variables.pop("PIP_EXTRA_INDEX_URL", "").split() if not url.startswith("file:")]
    if indices:
        variables["PIP_EXTRA_INDEX_URL"] = " ".join(indices)
    binds: list[tuple[Path, str, bool]] = []
    if (certificate := Path(variables.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt"))).is_file():
        binds.append((certificate, "/run/build/certificates.crt", False))
        variables["PIP_CERT"] = "/run/build/certificates.crt"
    if (names := Path("/etc/resolv.conf")).is_file():
        binds.append((names, "/etc/resolv.conf", False))
    return variables, binds


def _pip_settings() -> dict[str, str]:
    """pip's settings files as variables."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found = re.findall(r"^(?:global|install)\.([\w-]+)='(.*)'$", done.stdout, re.MULTILINE)
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in found}
