"""Rods, straight and bent: bacteria alone, in chains, in palisades and dense layers; filaments."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import smooth_noise
from ....geometry.painting import nearest_seeds, paint_limbs
from ..draws import chance, log_uniform, pick, places, turned
from .outlines import angles_at, number_for, scatter

_POINTS = 5


def rods(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Rods at random, where they find room."""
    labels = np.zeros(size, np.int32)
    longer = log_uniform(rng, 1.3, 8)
    width = max(3.5, diameter * np.sqrt(np.pi / 4 / longer))
    n = number_for(log_uniform(rng, 0.03, 2.5), size, width * np.sqrt(4 / np.pi * longer))
    at = scatter(rng, n, size, width * longer)
    lengths = width * np.maximum(1.05, longer * np.exp(rng.normal(0, 0.3, n)))
    points = bent(rng, at, angles_at(rng, at, size), lengths - width, pick(rng, (0.0, 0.15, 0.6)))
    widths = 0.5 * width * np.exp(rng.normal(0, 0.06, (n, 1))) * np.ones(_POINTS)
    if chance(rng, 0.25):  # about to divide
        widths[rng.random(n) < 0.4, _POINTS // 2] *= 0.75
    if chance(rng, 0.15):  # spindles
        widths[:, [0, -1]] *= rng.uniform(0.2, 0.7)
    gap = pick(rng, (0.0, 1.0, 2.0))
    paint_limbs(labels, points, widths, np.arange(1, n + 1), most_shared=0 if gap else 0.12, gap=gap)
    return labels


def bent(rng: Generator, at: NDArray, angles: NDArray, lengths: NDArray, bend: float) -> NDArray[np.float64]:
    """Middle lines (n, 5, 2) of these lengths, turned by about ``bend`` from end to end."""
    t = np.linspace(-0.5, 0.5, _POINTS)
    turns = bend * rng.standard_normal(len(at))
    directions = turned(angles[:, None] + turns[:, None] * t)
    steps = directions * (lengths / (_POINTS - 1))[:, None, None]
    points = np.cumsum(steps, axis=1)
    return at[:, None] + points - points.mean(axis=1, keepdims=True)


def chains(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Cells in a row along bent lines: streptococci, bacilli, filaments with walls."""
    labels = np.zeros(size, np.int32)
    longer = pick(rng, (1.02, 1.5, 3.0))
    width = max(4.0, diameter / np.sqrt(longer))
    length = width * longer
    n_chains = max(1, int(size[0] * size[1] / (length * width * 12) * log_uniform(rng, 0.15, 2)))
    points, widths = [], []
    for start in places(rng, n_chains, size, length):
        n = int(rng.integers(2, 14))
        angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.05, 0.4), n))
        half = 0.5 * length * np.exp(rng.normal(0, 0.1, n))
        middles = start + np.cumsum(turned(angles) * (half + np.roll(half, 1))[:, None], axis=0)
        along = turned(angles) * np.maximum(0.01, half - width / 2 - 0.3)[:, None]
        points.append(np.stack([middles - along, middles + along], axis=1))
        widths.append(np.full((n, 2), width / 2) * np.exp(rng.normal(0, 0.05, (n, 1))))
    joined = np.concatenate(points)
    paint_limbs(labels, joined, np.concatenate(widths), np.arange(1, len(joined) + 1), most_shared=0.25)
    return labels


def columns(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Cells one behind the other in parallel channels, as in a mother machine."""
    labels = np.zeros(size, np.int32)
    longer = log_uniform(rng, 1.2, 4)
    width = max(5.0, diameter / np.sqrt(longer))
    length, period = width * longer, width * log_uniform(rng, 1.6, 6)
    angle = pick(rng, (0.0, np.pi / 2, rng.uniform(0, np.pi)))
    along, across = turned(angle), turned(angle + np.pi / 2)
    middle, reach = np.array(size) / 2, 0.75 * max(size)
    starts, halves = [], []
    for row in np.arange(-reach + rng.uniform(0, period), reach, period)[:200]:
        if chance(rng, 0.15):
            continue
        n = int(2 * reach / length) + 1
        half = 0.5 * length * np.exp(rng.normal(0, 0.2, n))
        at = np.cumsum(2 * half) - half - reach + (rng.uniform(0, reach) if chance(rng, 0.5) else 0)
        kept = (rng.random(n) < rng.uniform(0.6, 1)) & (at < reach)
        starts.append(middle + row * across + np.outer(at, along)[kept])
        halves.append(half[kept])
    at, half = np.concatenate([*starts, middle[None]]), np.concatenate([*halves, [length / 2]])
    step = along * np.maximum(0.01, half - width / 2 - rng.uniform(0, 1))[:, None]
    n = len(at)
    widths = np.full((n, 2), width / 2) * np.exp(rng.normal(0, 0.04, (n, 1)))
    paint_limbs(labels, np.stack([at - step, at + step], axis=1), widths, np.arange(1, n + 1), most_shared=0.2)
    return labels


def layers(rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
    """Dense layers of rods side by side, in domains of their own direction: colonies and biofilms."""
    longer = log_uniform(rng, 1.6, 6)
    width = max(4.5, diameter * np.sqrt(1 / longer))
    length = width * longer
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    bend = width * rng.uniform(0, 2.5)
    wave = log_uniform(rng, 2, 6) * length
    y, x = y + bend * smooth_noise(rng, size, wave), x + bend * smooth_noise(rng, size, wave)
    spacing = length * log_uniform(rng, 1.5, 12)
    seeds = places(rng, max(1, number_for(1.0, size, spacing, 200)), size, spacing)
    domain = nearest_seeds(y, x, seeds, 2.5 * spacing)[0]
    labels = _bricks(rng, y, x, domain, len(seeds), (width, length))
    if chance(rng, 0.75):  # a colony, or holes in the layer
        labels[smooth_noise(rng, size, log_uniform(rng, 0.15, 0.6) * max(size)) < rng.normal(-0.3, 0.6)] = 0
    return labels


def _bricks(
    rng: Generator, y: NDArray, x: NDArray, domain: NDArray, n_domains: int, cell: tuple[float, float]
) -> NDArray[np.int32]:
    """Rods like bricks in rows, at an angle and with an offset for each domain."""
    width, length = cell
    angle = rng.uniform(0, np.pi, n_domains + 1)[domain].astype(np.float32)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    row = np.floor(v / width).astype(np.int64)
    seed = ((row * 7919 + domain * 104729) % 4096).astype(np.int64)
    start = rng.uniform(0, length, 4096).astype(np.float32)[seed]
    size = (length * np.exp(rng.normal(0, 0.2, 4096))).astype(np.float32)[seed]
    place = np.floor((u + start) / size).astype(np.int64)
    across = v - (row + np.float32(0.5)) * width
    along = np.abs(u + start - (place + np.float32(0.5)) * size)
    # round ends: half a circle beyond the straight part
    radius = np.float32(0.5 * (width - rng.uniform(0.0, 0.22) * width))
    over = np.maximum(0, along - (size * np.float32(0.5 - rng.uniform(0, 0.03)) - radius))
    inside = over**2 + across**2 <= radius**2
    key = (domain.astype(np.int64) * 4096 + row % 4096) * 4096 + place % 4096
    labels = np.zeros(y.shape, np.int32)
    labels[inside] = np.unique(key[inside], return_inverse=True)[1].astype(np.int32) + 1
    return labels
