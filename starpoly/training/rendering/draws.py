"""Random numbers as the renderer needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

T = TypeVar("T")


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform between those of the limits."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(rng: Generator, share: float) -> bool:
    """True in this share of the draws."""
    return bool(rng.random() < share)


def pick(rng: Generator, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of the choices, by weight."""
    if weights is None:
        return choices[int(rng.integers(len(choices)))]
    up_to = np.cumsum(weights)
    return choices[int(np.searchsorted(up_to, rng.random() * up_to[-1], side="right"))]


def places(rng: Generator, n: int, size: tuple[int, int], margin: float = 0.0) -> NDArray[np.float64]:
    """``n`` uniform places (n, 2) in an image, and as far as ``margin`` beyond its border."""
    return rng.random((n, 2)) * (np.asarray(size) + 2 * margin) - margin


def turned(angle: float | NDArray) -> NDArray[np.float64]:
    """Unit vectors ``(y, x)`` at angles, (..., 2)."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)
