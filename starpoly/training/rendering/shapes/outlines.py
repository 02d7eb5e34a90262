"""Star-shaped outlines and where they lie."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..draws import chance, log_uniform, pick, places, turned

_ANGLES = 48


def outlines(
    rng: Generator,
    diameters: NDArray[np.floating],
    *,
    longer: NDArray[np.floating] | float = 1.0,
    angles: NDArray[np.floating] | None = None,
    bumps: float = 0.0,
    sharpness: float = 2.0,
) -> NDArray[np.float64]:
    """Radii (n, 48) of ellipses with bumps.

    Parameters
    ----------
    rng : Generator
    diameters : (n,) float
        Of circles of about the same area.
    longer : (n,) float or float
        Length over width.
    angles : (n,) float, optional
        Of the long axes; random by default.
    bumps : float
        Relative height of the bumps, smaller for shorter waves.
    sharpness : float
        Exponent of the superellipse: 2, an ellipse; more, with corners.
    """
    n = len(diameters)
    angles = rng.uniform(0, np.pi, n) if angles is None else angles
    phi = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    off = phi - angles[:, None]
    stretch = np.sqrt(np.broadcast_to(longer, (n,)))[:, None]
    along, across = np.abs(np.cos(off)) / stretch, np.abs(np.sin(off)) * stretch
    radii = 0.5 * diameters[:, None] / (along**sharpness + across**sharpness) ** (1 / sharpness)
    if bumps:
        waves = np.arange(2, 8)
        heights = rng.standard_normal((n, len(waves), 1)) * (bumps / (waves[:, None] - 1) ** 1.2)
        heights = heights * np.cos(waves[:, None] * phi + rng.uniform(0, 2 * np.pi, (n, len(waves), 1)))
        radii = radii * np.exp(np.clip(heights.sum(axis=1), -0.9, 0.6))
    return radii


def diameters_around(rng: Generator, n: int, diameter: float, spread: float) -> NDArray[np.float64]:
    """``n`` log-normal diameters."""
    return diameter * np.exp(np.clip(spread * rng.standard_normal(n), -1, 1))


def number_for(coverage: float, size: tuple[int, int], diameter: float, most: int = 600) -> int:
    """How many objects of this diameter cover this share of an image and its margin, at least one."""
    area = (size[0] + diameter) * (size[1] + diameter)
    return int(np.clip(round(coverage * area / (np.pi / 4 * diameter**2)), 1, most))


def scatter(rng: Generator, n: int, size: tuple[int, int], diameter: float) -> NDArray[np.float64]:
    """Places (n, 2): uniform, in clusters, in bands, or on one side."""
    kind = pick(rng, ("even", "clusters", "bands", "side"), (0.5, 0.3, 0.1, 0.1))
    if kind == "even":
        return places(rng, n, size, diameter / 2)
    if kind == "clusters":
        middle = places(rng, max(1, int(n / log_uniform(rng, 3, 30))), size)
        width = diameter * log_uniform(rng, 0.7, 4)
        return middle[rng.integers(len(middle), size=n)] + width * rng.standard_normal((n, 2))
    if kind == "bands":
        found = places(rng, n, size, diameter / 2)
        across = turned(rng.uniform(0, np.pi))
        period = diameter * log_uniform(rng, 2.5, 8)
        at = found @ across
        return found + np.outer(np.round(at / period) * period - at, across) * rng.uniform(0.5, 0.95)
    found = places(rng, 2 * n, size, diameter / 2)
    direction = turned(rng.uniform(0, 2 * np.pi))
    return found[np.argsort(found @ direction, kind="stable")[:n]]


def angles_at(rng: Generator, at: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """Angles (n,) of objects at these places: random, or alike in a neighbourhood."""
    if chance(rng, 0.5):
        return rng.uniform(0, np.pi, len(at))
    waves = rng.normal(0, 2 * np.pi / max(size), (2, 2)) * rng.uniform(0.2, 1.2)
    base = rng.uniform(0, np.pi) + np.sin(at @ waves[0] + rng.uniform(0, 6)) + np.sin(at @ waves[1])
    return base + rng.uniform(0.05, 0.4) * rng.standard_normal(len(at))
