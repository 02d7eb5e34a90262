"""A run that dies anywhere leaves nothing that looks like a result, and ends with the same bytes when repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that die are forked")

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("kinds", "scene"),
    [
        ("table,labels", "new"),
        ("zarr,labels", "replace"),
        pytest.param("table,zarr,labels", "stack", marks=pytest.mark.slow),
        pytest.param("table,geojson,rois,overlay,zarr,labels", "stack replace", marks=pytest.mark.slow),
        pytest.param("table,geojson,rois,overlay,zarr,labels", "replace", marks=pytest.mark.slow),
    ],
)
def test_dying_before_any_change_on_disk_costs_nothing_but_time(tmp_path, kinds, scene):
    for package in ("zarr", "roifile"):
        pytest.importorskip(package)
    process = subprocess.run(
        [sys.executable, str(TESTS / "support" / "crashes.py"), str(tmp_path), kinds, scene],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    *wrong, deaths = process.stdout.splitlines()
    assert not wrong, process.stderr
    assert int(deaths.split()[0]) > 40
