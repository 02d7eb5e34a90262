"""What is cheap stays cheap: `import starpoly` and `starpoly --help` load nothing heavy.

Who may import whom is a contract in pyproject.toml, checked by `lint-imports`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "tensorflow",
    "keras",
    "jax",
    "numba",
    "dask",
    "scipy",
    "skimage",
    "matplotlib",
    "csbdeep",
    "h5py",
    "imagecodecs",
}

PROBE = """
import json, sys
{statement}
sys.stdout.flush()
print("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``statement``."""
    command = [sys.executable, "-c", PROBE.format(statement=statement)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return set(json.loads(process.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import starpoly; starpoly.__version__; dir(starpoly)")
    assert not loaded & (HEAVY | {"numpy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"], ["train", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    loaded = loaded_by(f"""
from starpoly.cli.main import main
try:
    main({arguments})
except SystemExit as stop:
    assert not stop.code, stop.code
""")
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", ["StarPolygons", "NetworkConfig", "ModelSpec", "matching", "read_image"])
def test_light_names_do_not_load_the_network(name):
    loaded = loaded_by(f"import starpoly; starpoly.{name}")
    assert not loaded & {"tensorflow", "keras", "jax", "matplotlib", "csbdeep"}


def test_numba_is_imported_by_kernel_files_alone():
    package = Path(__file__).parents[2] / "starpoly"
    importing = [
        path for path in package.rglob("*.py") if re.search(r"^\s*(import|from) numba\b", path.read_text(), re.M)
    ]
    assert importing
    assert all(path.name.startswith("_kernels") and path.parent.name == "geometry" for path in importing)
