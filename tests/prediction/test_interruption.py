"""A run that dies anywhere leaves nothing that looks like a result, and ends with the same bytes when repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that die are forked")

TESTS = Path(__file__).resolve().parents[1]
ALL = "table,geojson,rois,overlay,zarr,labels"
SMALL = [("table,labels", "new"), ("zarr,labels", "replace")]
LARGE = [("table,zarr,labels", "stack"), (ALL, "stack replace"), (ALL, "replace")]


def die(folder: Path, *arguments: str) -> None:
    for package in ("zarr", "roifile"):
        pytest.importorskip(package)
    process = subprocess.run(
        [sys.executable, str(TESTS / "support" / "crashes.py"), str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    *wrong, changes = process.stdout.splitlines()
    assert not wrong, process.stderr
    assert int(changes.split()[0]) > 40


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "scene"), [*SMALL, *LARGE])
def test_dying_before_some_changes_on_disk_costs_nothing_but_time(tmp_path, kinds, scene):
    die(tmp_path, kinds, scene, "12")


@pytest.mark.exhaustive
@pytest.mark.parametrize(("kinds", "scene"), [*SMALL, *LARGE])
def test_dying_before_any_change_on_disk_costs_nothing_but_time(tmp_path, kinds, scene):
    die(tmp_path, kinds, scene)
