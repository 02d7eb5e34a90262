"""Structures that are no objects: specks, threads, bubbles, out-of-focus ghosts, walls of channels and traps."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...geometry.fields import blurred
from ...geometry.painting import paint_limbs, paint_stars
from .draws import chance, log_uniform, pick, places, turned
from .shapes.outlines import outlines


def specks(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Small dirt (Y, X), from 0 to 1, each of its own strength, much smaller than the objects."""
    n = int(log_uniform(rng, 1, 60))
    found = np.zeros(size, np.int32)
    widest = float(np.clip(0.3 * diameter, 2, 8))
    radii = outlines(rng, np.exp(rng.uniform(0, np.log(widest), n)), longer=1 + abs(rng.normal(0, 0.6, n)), bumps=0.2)
    paint_stars(found, places(rng, n, size), np.maximum(radii, 0.7), np.arange(1, n + 1), most_shared=1)
    strength = np.concatenate([[0], rng.uniform(0.2, 1, n)]).astype(np.float32)
    return blurred(strength[found], log_uniform(rng, 0.4, 1.5))


def ghosts(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Blurred round shapes far out of focus, (Y, X) from 0 to 1."""
    n = int(rng.integers(1, 8))
    found = np.zeros(size, np.int32)
    radii = outlines(rng, diameter * np.exp(rng.normal(0.2, 0.4, n)), bumps=0.1)
    paint_stars(found, places(rng, n, size), radii, np.arange(1, n + 1), most_shared=1)
    strength = np.concatenate([[0], rng.uniform(0.2, 1, n)]).astype(np.float32)
    return blurred(strength[found], max(3.0, diameter * rng.uniform(0.2, 0.6)))


def veils(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Large translucent sheets with sharp edges that overlap, (Y, X) from 0 to about 1: folds, flat cells, other tissue."""
    total = np.zeros(size, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        found = np.zeros(size, np.int32)
        wide = max(2.5 * diameter, 0.3 * max(size)) * np.exp(rng.normal(0, 0.3, 1))
        paint_stars(
            found, places(rng, 1, size), outlines(rng, wide, longer=rng.uniform(1, 2), bumps=0.3), np.ones(1, np.int32)
        )
        total += np.float32(rng.uniform(0.2, 0.6)) * found
    return blurred(total, log_uniform(rng, 0.5, 3))


def pale_discs(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Faint discs of one size, from 0 to 1, beside the objects: erythrocytes, beads, bubbles."""
    n = int(log_uniform(rng, 3, 60))
    found = np.zeros(size, np.int32)
    radii = outlines(rng, diameter * rng.uniform(0.5, 1.3) * np.exp(rng.normal(0, 0.08, n)), bumps=0.02)
    paint_stars(found, places(rng, n, size), radii, np.arange(1, n + 1), most_shared=0.3)
    strength = np.concatenate([[0], rng.uniform(0.5, 1, n)]).astype(np.float32)
    return blurred(strength[found], 1.0)


def threads(rng: Generator, size: tuple[int, int], width: float) -> NDArray[np.float32]:
    """Fibres and scratches, (Y, X) from 0 to 1."""
    n = int(rng.integers(1, 8))
    found = np.zeros(size, np.int32)
    t = np.linspace(-0.5, 0.5, 6)
    directions = turned(rng.uniform(0, np.pi, (n, 1)) + rng.normal(0, 0.8, (n, 1)) * t)
    length = max(size) * log_uniform(rng, 0.1, 1.2)
    points = places(rng, n, size)[:, None] + np.cumsum(directions, axis=1) * length / 6
    paint_limbs(found, points, np.full((n, 6), max(0.7, width / 2)), np.arange(1, n + 1), most_shared=1)
    strength = np.concatenate([[0], rng.uniform(0.2, 1, n)]).astype(np.float32)
    return blurred(strength[found], 0.7)


def walls(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.float32]:
    """Walls of channels or pillars of traps in a microfluidic device, (Y, X) from 0 to 1, with soft edges."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = pick(rng, (0.0, np.pi / 2, rng.uniform(0, np.pi))) + rng.normal(0, 0.03)
    u = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + rng.uniform(0, 200)
    v = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle)) + rng.uniform(0, 200)
    period = diameter * log_uniform(rng, 1.5, 6)
    if chance(rng, 0.6):
        channel = period * rng.uniform(0.3, 0.8)
        away = np.abs(np.mod(u, period) - period / 2) - channel / 2
        if chance(rng, 0.5):  # a trench that the channels end in
            away = np.minimum(away, np.abs(np.mod(v, 8 * period) - 4 * period) - period * rng.uniform(0.5, 2))
    else:
        radius = diameter * rng.uniform(0.3, 0.9)
        away = radius - np.hypot(np.mod(u, period * 1.5) - period * 0.75, np.mod(v, period * 1.5) - period * 0.75)
    return np.clip(away / rng.uniform(0.7, 2.5) + 0.5, 0, 1).astype(np.float32)
