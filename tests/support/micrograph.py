"""A drawn micrograph of any dtype and range."""

from __future__ import annotations

import numpy as np


def micrograph(dtype, shape=(97, 113), low=3, high=250, seed=0):
    """A smooth bright-on-dark picture of the given range."""
    rng = np.random.default_rng(seed)
    return (low + (high - low) * rng.random(shape) ** 3).astype(dtype)
