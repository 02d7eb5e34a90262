"""Spread and spindle-shaped cells: bodies with processes, concave outlines."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.painting import paint_limbs, paint_stars
from ..draws import chance, log_uniform, pick, turned
from .outlines import angles_at, diameters_around, number_for, outlines, scatter


def spread(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Adherent cells: a body, flat lobes, and tapering processes."""
    labels = np.zeros(size, np.int32)
    n = number_for(log_uniform(rng, 0.1, 1.4), size, diameter, 150)
    at = scatter(rng, n, size, diameter)
    angles = angles_at(rng, at, size)
    body = rng.uniform(0.5, 0.9)
    longer = 1 + abs(rng.normal(0, 0.6, n))
    bodies = diameters_around(rng, n, diameter * body, rng.uniform(0.1, 0.35))
    radii = outlines(rng, bodies, longer=longer, angles=angles, bumps=pick(rng, (0.05, 0.12, 0.25)))
    painted = paint_stars(labels, at, radii, np.arange(1, n + 1), most_shared=rng.uniform(0.05, 0.3))
    kind = pick(rng, (1, 2, 3, 5))
    for _ in range(kind):
        _add_processes(rng, labels, at, angles, bodies, painted)
    return labels


def _add_processes(
    rng: Generator, labels: NDArray, at: NDArray, angles: NDArray, bodies: NDArray, painted: NDArray
) -> None:
    """One process for most of the cells, in place."""
    which = np.flatnonzero(painted & (rng.random(len(at)) < 0.8))
    if not len(which):
        return
    n = len(which)
    directions = angles[which] + np.where(rng.random(n) < 0.5, 0, np.pi) + rng.normal(0, 0.8, n)
    lengths = bodies[which] * np.exp(rng.normal(0, 0.35, n)) * rng.uniform(0.6, 1.3)
    t = np.linspace(0, 1, 4)
    bends = rng.normal(0, 0.5, n)
    steps = turned(directions[:, None] + bends[:, None] * t) * (lengths / 3)[:, None, None]
    points = at[which][:, None] + np.cumsum(steps, axis=1) - steps[:, :1]
    base = bodies[which] * rng.uniform(0.15, 0.35, n)
    tip = np.maximum(0.8, base * rng.uniform(0.05, 0.5, n))
    taper = rng.uniform(0.5, 1.2)
    widths = tip[:, None] + (base - tip)[:, None] * (1 - t) ** taper
    paint_limbs(labels, points, widths, which + 1, most_shared=0.6)


def spindles(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Fibroblasts and muscle: long cells, thick in the middle, side by side."""
    labels = np.zeros(size, np.int32)
    longer = log_uniform(rng, 3, 9)
    width = max(4.0, diameter / np.sqrt(longer) * 1.3)
    length = width * longer
    n = number_for(log_uniform(rng, 0.1, 2.0), size, diameter, 200)
    at = scatter(rng, n, size, diameter)
    t = np.linspace(-0.5, 0.5, 5)
    directions = turned(angles_at(rng, at, size)[:, None] + rng.normal(0, 0.5, (n, 1)) * t)
    steps = directions * (length * np.exp(rng.normal(0, 0.25, n)) / 4)[:, None, None]
    points = np.cumsum(steps, axis=1)
    points += at[:, None] - points.mean(axis=1, keepdims=True)
    widths = np.maximum(
        0.8, 0.5 * width * np.exp(rng.normal(0, 0.2, (n, 1))) * (1 - (2 * t) ** 2 * rng.uniform(0.7, 0.97))
    )
    paint_limbs(labels, points, widths, np.arange(1, n + 1), most_shared=rng.uniform(0.05, 0.3))
    if chance(rng, 0.3):  # a bump where the nucleus lies
        bodies = np.full(n, width * rng.uniform(1, 1.5))
        paint_stars(labels, at, outlines(rng, bodies, bumps=0.05), np.arange(1, n + 1), most_shared=0.9)
    return labels
