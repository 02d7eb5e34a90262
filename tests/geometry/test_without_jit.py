"""The kernels as plain Python give what the compiled ones give."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from starpoly.geometry.boundary import boundary_probability
from starpoly.geometry.distances import ray_distances
from starpoly.geometry.foreground import foreground_cells
from starpoly.geometry.overlap import intersection_areas, overlap
from starpoly.geometry.patch import blur, change_brightness, warp
from starpoly.geometry.pieces import lost_pieces
from starpoly.geometry.rasterize import covers_exactly, render_labels

from support import examples


def compute() -> dict[str, np.ndarray]:
    """One small answer of every kernel."""
    polygons = examples.POLYGONS
    image = np.arange(99, dtype=np.float32).reshape(9, 11, 1)
    first, second = np.array([0]), np.array([1])
    pairs = [(p.take(first), p.take(second)) for p in polygons.values() if len(p) > 1]
    return {
        "distances": ray_distances(examples.LABELS["touching"], 8),
        "distances_on_a_grid": ray_distances(examples.LABELS["border_cut"], 5, (4, 3), parallel=True),
        "boundary": boundary_probability(examples.LABELS["touching"], (2, 1)),
        "foreground": foreground_cells(examples.LABELS["touching"], (2, 2), 2, 4),
        "blurred": blur(image, 0.8),
        "changed": change_brightness(np.random.default_rng(0), image, 1.2, np.array([1.5]), 0.1, 0.05),
        "warped": np.stack(
            warp(image, image[..., 0].astype(np.int32), np.zeros(2), np.array([[0.8, 0.3], [-0.3, 0.8]]), (9, 9))[1:]
        ),
        "intersections": np.concatenate([intersection_areas(a, b) for a, b in pairs]),
        "pieces": lost_pieces(np.random.default_rng(0).integers(0, 3, (9, 11)).astype(np.int32)),
        "covered": covers_exactly(
            polygons["half"],
            np.arange(1, len(polygons["half"]) + 1),
            np.array([[0, 0, 20, 24]] * len(polygons["half"])),
            render_labels(polygons["half"], (20, 24)),
        ),
        "overlaps": np.concatenate([overlap(a, b) for a, b in pairs]),
        "labels": np.stack([render_labels(polygons[name], (20, 24)) for name in ("spiky", "half", "border_cut")]),
    }


def test_plain_python_gives_the_same(tmp_path):
    tests = Path(__file__).resolve().parents[1]
    path = tmp_path / "answers.npz"
    code = "import sys, runpy, numpy as np; np.savez(sys.argv[2], **runpy.run_path(sys.argv[1])['compute']())"
    paths = os.pathsep.join([str(tests.parent), str(tests), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code, __file__, str(path)], env=environment, check=True)
    expected = compute()
    with np.load(path) as plain:
        for name, value in expected.items():
            # a compiled sine or square root may differ in the last bit
            np.testing.assert_allclose(plain[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


def test_importing_the_package_does_not_import_numba():
    code = "import sys, starpoly.geometry; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
