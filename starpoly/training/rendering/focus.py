"""How sharp objects appear."""

from __future__ import annotations

from numpy.random import Generator

from .draws import log_uniform, pick
from .scene import Scene


def focus(rng: Generator, scene: Scene) -> float:
    """Standard deviation of an objective's blur in pixels; little enough that the narrowest objects stay apart."""
    sigma = pick(rng, (log_uniform(rng, 0.4, 1.2), log_uniform(rng, 1.0, 3.0)), (0.75, 0.25))
    return min(sigma, 0.5 + 0.12 * scene.narrow)
