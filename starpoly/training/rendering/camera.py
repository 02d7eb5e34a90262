"""From light to stored pixels: blur, uneven illumination, noise, sharpening, 8 bits, JPEG."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...geometry.fields import quick_normal
from ...geometry.patch import blur
from ..appearance import jpeg, uneven
from .draws import chance, log_uniform


def photograph(rng: Generator, image: NDArray[np.float32], *, bright: bool, widest: float) -> NDArray[np.float32]:
    """Pixels from 0 to 255 of an image (Y, X, C) of light from 0 to about 1.

    Parameters
    ----------
    rng : Generator
    image : (Y, X, C) float32
    bright : bool
        Whether the background is bright: transmitted light has more photons than fluorescence, and uneven illumination shows.
    widest : float
        Largest standard deviation of a further blur, in pixels.
    """
    if chance(rng, 0.35):
        image = blur(image, min(widest, log_uniform(rng, 0.3, 1.8)))
    if chance(rng, 0.5):
        image = image * uneven(rng, image.shape[:2], log_uniform(rng, 0.03, 0.4))[..., None]
    image = _noisy(rng, image, log_uniform(rng, 150, 1e5) if bright else log_uniform(rng, 15, 5e3))
    if chance(rng, 0.15):
        image = image + rng.uniform(0.5, 2.5) * (image - blur(image, rng.uniform(0.7, 2)))
    if chance(rng, 0.2):
        image = np.maximum(image, 0) ** np.float32(log_uniform(rng, 0.6, 1.7))
    top = 255 * (rng.uniform(0.4, 1.0) if chance(rng, 0.5) else 1.0)
    if not bright and chance(rng, 0.15):
        top = 255 * rng.uniform(0.05, 0.3)
    pixels = np.round(np.clip(image * np.float32(top), 0, 255))
    return jpeg(pixels, int(rng.integers(35, 95))) if top > 120 and chance(rng, 0.12) else pixels


def _noisy(rng: Generator, image: NDArray[np.float32], photons: float) -> NDArray[np.float32]:
    """Shot noise of so many photons at intensity 1, read noise, and sometimes noise that neighbours share."""
    noise = quick_normal(rng, image.shape)
    if chance(rng, 0.2):
        noise = 2 * blur(noise, rng.uniform(0.4, 1.0))
    spread = np.sqrt(np.maximum(image, 0) * np.float32(1 / photons) + np.float32(log_uniform(rng, 1e-3, 0.02) ** 2))
    return image + spread * noise
