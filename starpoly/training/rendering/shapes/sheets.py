"""Cells that fill the image: endothelium, epithelium, walls of plant cells, confluent layers."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import smooth_noise
from ....geometry.painting import nearest_seeds
from ..draws import chance, log_uniform, pick, places

_MAX_CELLS = 1500


def honeycomb(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Polygons of nearly equal size with thin borders."""
    return sheet(
        rng, size, diameter, jitter=rng.uniform(0.05, 0.3), longer=log_uniform(rng, 1, 1.3),
        gap=max(0.0, rng.uniform(-0.7, 2.5)), wobble=rng.uniform(0, 0.06),
    )  # fmt: skip


def walls(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Cells of plants and embryos: of various size, often oblong and in files, with thicker borders."""
    return sheet(
        rng, size, diameter, jitter=rng.uniform(0.2, 0.6), longer=log_uniform(rng, 1, 2.5),
        gap=log_uniform(rng, 0.5, 5), wobble=rng.uniform(0, 0.1), sizes=rng.uniform(0, 0.5),
    )  # fmt: skip


def confluent(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """A layer of spread cells with wavy borders; some are missing."""
    labels = sheet(
        rng, size, diameter, jitter=rng.uniform(0.3, 0.8), longer=log_uniform(rng, 1, 3),
        gap=rng.uniform(0, 2), wobble=rng.uniform(0.05, 0.25), sizes=rng.uniform(0, 0.4),
    )  # fmt: skip
    if chance(rng, 0.6):
        gone = np.flatnonzero(rng.random(labels.max() + 1) < rng.uniform(0, 0.5))
        labels[np.isin(labels, gone)] = 0
    if chance(rng, 0.3):
        labels[smooth_noise(rng, size, 0.3 * max(size)) < rng.normal(-0.7, 0.5)] = 0
    return labels


def sheet(
    rng: Generator,
    size: tuple[int, int],
    diameter: float,
    *,
    jitter: float,
    longer: float = 1.0,
    gap: float = 1.0,
    wobble: float = 0.0,
    sizes: float = 0.0,
) -> NDArray[np.int32]:
    """Cells around the seeds of a jittered hexagonal lattice.

    Parameters
    ----------
    rng : Generator
    size : (int, int)
    diameter : float
        Of a circle of a cell's area, in pixels.
    jitter : float
        Standard deviation of the seeds' places, in units of their distance.
    longer : float
        Length over width.
    gap : float
        Width of the borders in pixels.
    wobble : float
        Standard deviation by which borders are bent, in diameters.
    sizes : float
        How much cells differ in size.
    """
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    if wobble:
        wave = max(3.0, diameter * rng.uniform(0.25, 0.8))
        y, x = (axis + wobble * diameter * smooth_noise(rng, size, wave) for axis in (y, x))
    angle, stretch = rng.uniform(0, np.pi), np.sqrt(longer)
    u, v = (x * np.cos(angle) + y * np.sin(angle)) / stretch, (y * np.cos(angle) - x * np.sin(angle)) * stretch
    spacing = diameter * np.sqrt(np.pi / 4 / np.sqrt(0.75))
    seeds = _lattice(rng, v, u, spacing, jitter)
    weights = None if not sizes else spacing**2 * sizes * rng.uniform(-0.5, 0.5, len(seeds))
    owner, border = nearest_seeds(v, u, seeds, 1.3 * spacing, weights)
    return np.where(border > gap / 2, owner + 1, 0).astype(np.int32)


def _lattice(rng: Generator, v: NDArray, u: NDArray, spacing: float, jitter: float) -> NDArray[np.float64]:
    (v0, v1), (u0, u1) = ((float(axis.min()) - spacing, float(axis.max()) + spacing) for axis in (v, u))
    rows = np.arange(v0, v1 + spacing, spacing * np.sqrt(0.75))
    columns = np.arange(u0, u1 + spacing, spacing)
    seeds = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    seeds[1::2, :, 1] += spacing / 2
    seeds = seeds.reshape(-1, 2)
    return seeds + jitter * spacing * rng.standard_normal(seeds.shape)


def foam(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Cells of very different size side by side, as in cut tissue."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    n = int(np.clip((size[0] + 2 * diameter) * (size[1] + 2 * diameter) / diameter**2 * 1.2, 2, _MAX_CELLS))
    seeds = places(rng, n, size, diameter)
    weights = diameter**2 * rng.uniform(0, 0.5, n)
    wave = max(3.0, 0.4 * diameter)
    warp = rng.uniform(0, 0.15) * diameter
    y, x = y + warp * smooth_noise(rng, size, wave), x + warp * smooth_noise(rng, size, wave)
    owner, border = nearest_seeds(y, x, seeds, 1.6 * diameter, weights)
    labels = np.where(border > pick(rng, (0.4, 1.0, 2.0)), owner + 1, 0).astype(np.int32)
    labels[np.isin(labels, np.flatnonzero(rng.random(n + 1) < rng.uniform(0, 0.3)))] = 0
    return labels
