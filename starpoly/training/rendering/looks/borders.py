"""Cells seen by their borders: membrane stains, walls, specular microscopy of endothelium."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import blurred, smooth_noise
from ..debris import specks
from ..draws import chance, log_uniform, pick
from ..focus import focus
from ..scene import Scene
from .fluorescence import coloured

Image = NDArray[np.floating]


def border(rng: Generator, scene: Scene, uneven: float) -> Image:
    """Strength (Y, X) of a stain along outlines, with gaps and bright stretches."""
    width = log_uniform(rng, 0.6, max(0.8, min(3.5, 0.08 * scene.diameter)))
    line = np.exp(-((scene.signed / width) ** 2) / 2)
    # gaps of the label map are border, too, unless they are wide
    line = np.maximum(line, ((scene.signed < 0) & (scene.signed > -2 * width - 1)).astype(np.float32))
    return line * np.clip(1 + uneven * scene.noise(rng, 0.8), 0.05, 3)


def membranes(rng: Generator, scene: Scene) -> Image:
    """Bright borders (Y, X, 1) of cells, weak glow inside."""
    light = border(rng, scene, rng.uniform(0, 0.6))
    inside = log_uniform(rng, 0.01, 0.4) * scene.each(np.exp(rng.normal(0, 0.4, scene.n))) * scene.cover
    light = light + inside * np.maximum(0, 1 + 0.5 * scene.noise(rng, 0.15))
    if chance(rng, 0.3):
        light = light + rng.uniform(0.1, 0.5) * np.maximum(0, smooth_noise(rng, scene.size, log_uniform(rng, 2, 40)))
    if chance(rng, 0.25):
        light = light + rng.uniform(0.2, 1) * specks(rng, scene.size, scene.diameter)
    light = blurred(light.astype(np.float32), focus(rng, scene))
    if chance(rng, 0.4):
        light = light + rng.uniform(0.2, 0.9) * blurred(light, 0.3 * scene.diameter)
    return (light * np.float32(rng.uniform(0.4, 0.9)) + np.float32(log_uniform(rng, 0.005, 0.15)))[..., None]


def membranes_colour(rng: Generator, scene: Scene) -> Image:
    """Borders in one channel, nuclei or another stain in others, (Y, X, 3)."""
    channels = [membranes(rng, scene)[..., 0]]
    nucleus = blurred(scene.nuclei(rng) * (1 + 0.25 * scene.noise(rng, 0.1)), focus(rng, scene))
    channels.append(nucleus * np.float32(rng.uniform(0.3, 1)) + np.float32(0.02))
    if chance(rng, 0.3):
        channels.append(np.float32(0.3) * np.maximum(0, scene.noise(rng, 0.3)))
    return coloured(rng, channels)


def specular(rng: Generator, scene: Scene) -> Image:
    """Bright cells with dark borders under a slit of light, or the other way round, (Y, X, 1)."""
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.02, 0.25), scene.n)))
    light = levels * (0.75 + 0.25 * scene.dome) - rng.uniform(0.3, 0.9) * border(rng, scene, rng.uniform(0, 0.4))
    light = light + 0.45 * rng.random() ** 2 * scene.noise(rng, log_uniform(rng, 0.08, 0.3))
    if chance(rng, 0.3):
        light = light + rng.uniform(-0.3, 0.3) * scene.nuclei(rng)
    if chance(rng, 0.2):
        light = light * (1 - 0.9 * np.clip(3 * (scene.noise(rng, 1.5) - 2), 0, 1))
    slit = np.maximum(0.15, 1 + rng.uniform(0, 0.8) * smooth_noise(rng, scene.size, 0.6 * max(scene.size)))
    haze = max(focus(rng, scene), rng.uniform(0, 0.09) * scene.diameter)
    seen = np.maximum(blurred(light.astype(np.float32), haze) + np.float32(0.2), 0) * slit
    seen = np.float32(1.5) - seen if chance(rng, 0.15) else seen
    return (seen * np.float32(rng.uniform(0.3, 0.6)))[..., None]


def outlined(rng: Generator, scene: Scene) -> Image:
    """Dark borders on a bright ground, as silver stains and walls in brightfield, (Y, X, 1 or 3)."""
    density: Image = rng.uniform(0.5, 2) * border(rng, scene, rng.uniform(0, 0.4)) + 0.15 * np.abs(
        scene.noise(rng, 0.2)
    )
    if chance(rng, 0.4):
        density = density + rng.uniform(0.1, 0.6) * scene.nuclei(rng)
    seen = blurred(density.astype(np.float32), focus(rng, scene))[..., None]
    colour = pick(rng, (np.ones(1), np.array([0.5, 1.0, 0.6]), np.array([0.6, 0.8, 1.2]), np.array([1.2, 0.6, 0.8])))
    return np.float32(0.9) * np.exp(-seen * colour.astype(np.float32))
