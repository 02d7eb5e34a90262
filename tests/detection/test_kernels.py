"""Kernels loaded ahead of use are those that a prediction uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROBE = """
import json, sys
from starpoly.detection.kernels import load_kernels_beside
load_kernels_beside().result()
import numba
modules = {name: module for name, module in sys.modules.items() if name.startswith("starpoly.geometry._kernels_")}
def compiled():
    return {f"{name}.{key}": len(value.signatures) for name, module in modules.items()
            for key, value in vars(module).items() if hasattr(value, "signatures")}
before = compiled()
sys.path.insert(0, "tests")
import numpy as np
from support import painted
from starpoly.config import Thresholds
from starpoly.detection.pipeline import detect
from starpoly.geometry.rasterize import render_labels
image = painted.paint(painted.disks((90, 80), seed=4, n=9))
found = detect(image, painted.Painted(ray_context=(0.5,), has_foreground=True), painted.identity(), Thresholds(0.5, 0.4), tile_size=32)
render_labels(found.polygons, image.shape[:2])
print(json.dumps([len(found.polygons), before, compiled()]))
"""

#: It is said once the first kernel is there, before the others are compiled.
FIRST_KERNEL = """
import logging, sys
from starpoly.detection import kernels
logging.basicConfig(level=logging.INFO)
kernels.refine_outlines = lambda *args: sys.exit()
kernels.load_kernels()
"""


def test_a_prediction_after_loading_compiles_nothing(pytestconfig):
    command = [sys.executable, "-c", PROBE]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=pytestconfig.rootpath).stdout
    n_objects, before, after = json.loads(output.splitlines()[-1])
    assert n_objects > 3
    assert sum(before.values()) > 3
    assert after == before
    # one kind of arrays each: nothing is compiled again for the first image
    assert max(after.values()) == 1


def test_the_first_run_of_an_installation_says_that_it_compiles(tmp_path, pytestconfig):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", FIRST_KERNEL],
            capture_output=True,
            text=True,
            check=True,
            cwd=pytestconfig.rootpath,
            env=environment,
        ).stderr
        for _ in range(2)
    ]
    assert ["kernels are compiled" in text for text in said] == [True, False]
