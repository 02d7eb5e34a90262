"""Run the tests with the lowest or the newest versions of what setup.cfg admits.

    python scripts/dependency_ranges.py lowest [--python PYTHON] [--extra EXTRA] [--list] [PYTEST ARGUMENTS]
    python scripts/dependency_ranges.py newest --python python3.13 tests/io

Makes an environment in build/ranges (once; it is brought up to date later). ``lowest`` pins each of starpoly's own
dependencies to its floor, what these need is as pip finds it; ``newest`` leaves all to pip, as both do with the tools of the
tests. Tests of other extras skip. Prints what was installed.
"""

from __future__ import annotations

import argparse
import configparser
import os
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def requirements(extra: str = "") -> list[Requirement]:
    """What setup.cfg asks for, without extras of starpoly itself."""
    return _listed("options", "install_requires") + (_listed("options.extras_require", extra) if extra else [])


def _listed(section: str, name: str) -> list[Requirement]:
    config = configparser.RawConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = (line.partition("#")[0].strip() for line in config[section][name].splitlines())
    found = [Requirement(line) for line in lines if line]
    return [requirement for requirement in found if requirement.name != "starpoly"]


def floor(requirement: Requirement) -> str:
    """The lowest version that is admitted, as a pin; the requirement itself where it has no floor."""
    for part in requirement.specifier:
        if part.operator in (">=", "==", "~="):
            return f"{requirement.name}=={part.version}"
    return str(requirement)


def constraints(which: str, extra: str = "") -> list[str]:
    """One line per dependency."""
    return [floor(each) if which == "lowest" else str(each) for each in requirements(extra)]


def prepare(which: str, python: str, extra: str) -> Path:
    """An environment with these versions; its interpreter."""
    folder = ROOT / "build" / "ranges" / f"{which}-{Path(python).name}"
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not interpreter.exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    listed = folder / "constraints.txt"
    listed.write_text("\n".join(constraints(which, extra)) + "\n", encoding="utf-8")
    install = [str(interpreter), "-m", "pip", "install", "--quiet", "--upgrade"]
    tools = map(str, _listed("options.extras_require", "test"))  # at any version
    subprocess.run([*install, "-c", str(listed), "-e", f"{ROOT}[{extra}]" if extra else str(ROOT), *tools], check=True)
    return interpreter


def main() -> int:
    """Prepare, list and test; the status of pytest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=("lowest", "newest"))
    parser.add_argument("--python", default=sys.executable, help="interpreter (default: this one)")
    parser.add_argument("--extra", default="imagej", help="extra of setup.cfg to install, too (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the requirements and install nothing")
    args, more = parser.parse_known_args()
    if args.list:
        sys.stdout.write("\n".join(constraints(args.which, args.extra)) + "\n")
        return 0
    interpreter = prepare(args.which, args.python, args.extra)
    subprocess.run([str(interpreter), "-m", "pip", "freeze", "--exclude-editable"], check=True)
    tests = more or ["-m", "not slow and not exhaustive", "tests"]
    return subprocess.run([str(interpreter), "-m", "pytest", *tests], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
