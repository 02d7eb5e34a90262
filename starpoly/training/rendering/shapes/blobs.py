"""Round to oblong objects: nuclei, rounded cells, ellipses, discs, rosettes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.painting import paint_stars
from ..draws import chance, log_uniform, pick, places, turned
from .outlines import angles_at, diameters_around, number_for, outlines, scatter


def blobs(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Nuclei: apart, touching, or in clusters; smooth or bumpy, alike or various."""
    labels = np.zeros(size, np.int32)
    n = number_for(log_uniform(rng, 0.06, 2.0), size, diameter)
    at = scatter(rng, n, size, diameter)
    longer = 1 + abs(rng.normal(0, pick(rng, (0.1, 0.3, 0.8)))) + abs(rng.normal(0, 0.15, n))
    radii = outlines(
        rng,
        diameters_around(rng, n, diameter, rng.uniform(0.03, 0.35)),
        longer=longer,
        angles=angles_at(rng, at, size),
        bumps=pick(rng, (0.0, 0.03, 0.07, 0.13)),
        sharpness=pick(rng, (2.0, 2.5), (0.8, 0.2)),
    )
    if chance(rng, 0.2):
        _dent(rng, radii)
    apart = chance(rng, 0.35)
    shared = 0.0 if apart else rng.uniform(0, 0.3)
    paint_stars(labels, at, radii, np.arange(1, n + 1), most_shared=shared, gap=rng.uniform(0.5, 4) if apart else 0)
    return labels


def _dent(rng: Generator, radii: NDArray[np.float64]) -> None:
    """Make some outlines kidneys and clovers, in place."""
    phi = np.arange(radii.shape[1]) * 2 * np.pi / radii.shape[1]
    for row in np.flatnonzero(rng.random(len(radii)) < rng.uniform(0.1, 0.6)):
        lobes = int(rng.integers(1, 4))
        wave = np.cos((phi - rng.uniform(0, 2 * np.pi)) * lobes)
        radii[row] *= 1 - rng.uniform(0.15, 0.45) * np.clip(wave, 0, 1) ** 4


def discs(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Erythrocytes and beads: nearly equal discs, apart or packed, some cut by the one above."""
    labels = np.zeros(size, np.int32)
    n = number_for(log_uniform(rng, 0.1, 2.0), size, diameter)
    at = scatter(rng, n, size, diameter)
    radii = outlines(
        rng,
        diameters_around(rng, n, diameter, rng.uniform(0.02, 0.12)),
        longer=1 + abs(rng.normal(0, 0.1, n)),
        bumps=0.02,
    )
    paint_stars(labels, at, radii, np.arange(1, n + 1), most_shared=rng.uniform(0, 0.3))
    return labels


def rosettes(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Rings of cells around a middle, which may be a cell or a hole: rosettes, glands, vessels."""
    labels = np.zeros(size, np.int32)
    middles = places(rng, max(1, int(size[0] * size[1] / (4.5 * diameter) ** 2 * rng.uniform(0.4, 1.2))), size)
    at, angles = [], []
    for middle in middles:
        radius = diameter * rng.uniform(0.9, 2.2)
        n = max(3, int(2 * np.pi * radius / diameter * rng.uniform(0.8, 1.5)))
        phi = np.arange(n) * 2 * np.pi / n + rng.normal(0, 0.15, n)
        at.append(middle + radius * turned(phi) * rng.uniform(0.85, 1.15, (n, 1)))
        angles.append(phi)
        if chance(rng, 0.3):
            at.append(middle[None])
            angles.append(np.zeros(1))
    where, phis = np.concatenate(at), np.concatenate(angles)
    n = len(where)
    longer = rng.uniform(1, 1.8) + abs(rng.normal(0, 0.1, n))
    radii = outlines(rng, diameters_around(rng, n, diameter, 0.12), longer=longer, angles=phis, bumps=0.04)
    paint_stars(labels, where, radii, np.arange(1, n + 1), most_shared=0.3)
    return labels
