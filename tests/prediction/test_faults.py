"""Any call to the disk that fails, any thread that does not start, any kill: nothing half, and the same bytes when repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that fail are forked")

TESTS = Path(__file__).resolve().parents[1]
SCENES = ("crop", "folder", "slide", "stack", "export")


def try_scenes(folder: Path, names: str, how: str, *number: str) -> dict[str, int]:
    """Number of calls of each scene."""
    for package in ("zarr", "roifile"):
        pytest.importorskip(package)
    process = subprocess.run(
        [sys.executable, str(TESTS / "support" / "faults.py"), str(folder), names, how, *number],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = process.stdout.splitlines()
    counts = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" calls")}
    assert not [line for line in lines if not line.endswith(" calls")], process.stderr
    assert counts.keys() == set(names.split(",")), process.stderr
    return counts


@pytest.mark.slow
def test_some_calls_of_every_scene(tmp_path):
    counts = try_scenes(tmp_path, ",".join(SCENES), "both", "5")
    assert min(counts.values()) > 30


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["error", "kill"])
@pytest.mark.parametrize("scene", [*SCENES, "training"])
def test_every_call(tmp_path, scene, how):
    try_scenes(tmp_path, scene, how)
