"""The kernels as plain Python give what the compiled ones give."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from starpoly.geometry.boundary import boundary_probability
from starpoly.geometry.distances import ray_distances
from starpoly.geometry.fields import blurred, look_up, smooth_noise
from starpoly.geometry.foreground import foreground_cells
from starpoly.geometry.mask_outline import mask_outline
from starpoly.geometry.nearest_label import Reach, expand_to_nearest
from starpoly.geometry.object_shape import label_boxes, object_shapes
from starpoly.geometry.object_surroundings import object_intensities, object_neighbours
from starpoly.geometry.overlap import intersection_areas, overlap
from starpoly.geometry.painting import (
    keep_largest_pieces,
    nearest_seeds,
    paint_limbs,
    paint_stars,
    paste_mask,
    signed_distances,
    split_pieces,
)
from starpoly.geometry.patch import blur, change_brightness, warp
from starpoly.geometry.pieces import lost_pieces
from starpoly.geometry.rasterize import covers_exactly, render_labels

from support import examples


def compute() -> dict[str, np.ndarray]:
    """One small answer of every kernel."""
    polygons = examples.POLYGONS
    image = np.arange(99, dtype=np.float32).reshape(9, 11, 1)
    objects = np.maximum(examples.LABELS["touching"], 0).astype(np.uint32)
    n = int(objects.max())
    ids, boxes = np.arange(1, n + 1, dtype=np.uint32), label_boxes(objects, n)
    pixels = np.random.default_rng(1).normal(size=(1, *objects.shape))
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
        "shapes": np.column_stack(list(vars(object_shapes(objects, ids, boxes)).values())),
        "intensities": object_intensities(objects, ids, boxes, pixels, gap=1, reach=3),
        "neighbours": object_neighbours(objects, ids, boxes, reach=3),
        "intersections": np.concatenate([intersection_areas(a, b) for a, b in pairs]),
        "pieces": lost_pieces(np.random.default_rng(0).integers(0, 3, (9, 11)).astype(np.int32)),
        "covered": covers_exactly(
            polygons["half"],
            np.arange(1, len(polygons["half"]) + 1),
            np.array([[0, 0, 20, 24]] * len(polygons["half"])),
            render_labels(polygons["half"], (20, 24)),
        ),
        "overlaps": np.concatenate([overlap(a, b) for a, b in pairs]),
        "nearest": expand_to_nearest(examples.LABELS["touching"], Reach(4.5)),
        "outline": mask_outline(examples.LABELS["touching"] == 1),
        **painted(),
        "labels": np.stack([render_labels(polygons[name], (20, 24)) for name in ("spiky", "half", "border_cut")]),
    }


def painted() -> dict[str, np.ndarray]:
    """What shapes and smooth fields the renderer is built on."""
    rng, labels = np.random.default_rng(0), np.zeros((24, 28), np.int32)
    centres, ids = rng.uniform(0, 24, (6, 2)), np.arange(1, 7)
    paint_stars(labels, centres, rng.uniform(2, 6, (6, 10)), ids)
    paint_limbs(labels, np.stack([centres, centres[::-1]], axis=1), np.full((6, 2), 1.3), ids + 6, most_shared=0.5)
    paste_mask(labels, np.ones((4, 5), bool), (5, 20), np.array([[0.9, 0.4], [-0.4, 0.9]]), 20)
    y, x = np.mgrid[:9, :8].astype(np.float32)
    noise = smooth_noise(rng, (20, 22), 3)
    whole, split = labels.copy(), labels.copy()
    return {
        "shapes": labels,
        "largest": np.append(whole, keep_largest_pieces(whole, 3)),
        "split": np.append(split, split_pieces(split, 2)),
        "signed": np.stack(signed_distances(labels)),
        "cells": np.stack(nearest_seeds(y, x, centres, 12.0)).round(3),
        "noise": noise.round(4),
        "wide": blurred(noise, 4.5).round(4),
        "between": look_up(noise, y * 1.3, x * 0.7).round(4),
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
