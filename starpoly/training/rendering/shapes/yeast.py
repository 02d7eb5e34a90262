"""Budding yeast: mothers with buds, alone and in growing clusters."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.painting import paint_stars
from ..draws import chance, log_uniform, places, turned
from .outlines import outlines


def yeast(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Clusters in which each cell buds from an earlier one, at its surface; every cell is an object."""
    labels = np.zeros(size, np.int32)
    n_clusters = max(1, int(size[0] * size[1] / (diameter * 4) ** 2 * log_uniform(rng, 0.05, 1.5)))
    cells = [_cluster(rng, middle, diameter) for middle in places(rng, n_clusters, size)]
    at = np.concatenate([cell[0] for cell in cells])[:500]
    diameters = np.concatenate([cell[1] for cell in cells])[:500]
    longer = 1 + abs(rng.normal(0.1, 0.12, len(at)))
    radii = outlines(rng, diameters, longer=longer, bumps=rng.uniform(0, 0.03))
    paint_stars(labels, at, radii, np.arange(1, len(at) + 1), most_shared=0.3)
    return labels


def _cluster(rng: Generator, middle: NDArray, diameter: float) -> tuple[NDArray, NDArray]:
    n = int(rng.integers(1, 4)) if chance(rng, 0.5) else int(rng.integers(3, 25))
    at, diameters = [middle], [diameter * np.exp(rng.normal(0, 0.1))]
    for _ in range(n):
        mother = int(rng.integers(len(at)))
        bud = diameter * (rng.uniform(0.35, 0.7) if chance(rng, 0.35) else np.exp(rng.normal(0, 0.12)))
        apart = 0.5 * (diameters[mother] + bud) * rng.uniform(0.92, 1.03)
        at.append(at[mother] + apart * turned(rng.uniform(0, 2 * np.pi)))
        diameters.append(bud)
    return np.array(at), np.array(diameters)
