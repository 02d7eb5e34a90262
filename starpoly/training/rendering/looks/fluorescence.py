"""Light from dyes on a dark ground: nuclei, whole cells, bacteria; grey, and colour with other stains beside."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import blurred, smooth_noise
from ..debris import ghosts, specks, threads, veils
from ..draws import chance, log_uniform, pick
from ..focus import focus
from ..scene import Scene

Image = NDArray[np.floating]


def stained(rng: Generator, scene: Scene) -> Image:
    """Brightness (Y, X) of stained objects, about 1 inside: levels, chromatin, rims, dark or bright spots."""
    levels = np.exp(np.clip(rng.normal(0, log_uniform(rng, 0.05, 0.6), scene.n), -1.8, 1.2))
    light = scene.cover * scene.each(levels)
    profile = pick(rng, ("flat", "dome", "rim", "fading"), (0.4, 0.3, 0.15, 0.15))
    if profile == "dome":
        light *= 0.4 + 0.6 * scene.dome
    elif profile == "rim":
        light *= 1 + rng.uniform(0.3, 2.0) * np.exp(-scene.depth * rng.uniform(3, 10))
    elif profile == "fading":
        light *= 0.25 + 0.75 * blurred(scene.depth, 0.1 * scene.diameter)
    grain = rng.uniform(0, 0.35)
    light *= np.maximum(0.15, 1 + grain * scene.noise(rng, 0.12) + 0.6 * grain * scene.noise(rng, 0.3))
    if chance(rng, 0.35):
        spots = np.clip(3 * (scene.noise(rng, rng.uniform(0.1, 0.25)) - 1.2), 0, 1)
        light *= np.maximum(0.1, 1 + pick(rng, (-0.8, -0.5, 1.5)) * spots)
    return scene.defocused(rng, light)


def cytoplasm(rng: Generator, scene: Scene) -> Image:
    """Brightness (Y, X) of whole cells: dark or bright nucleus, granules, fibres, uneven stain."""
    levels = np.exp(np.clip(rng.normal(0, log_uniform(rng, 0.1, 0.6), scene.n), -1.5, 1.2))
    light = scene.flat(rng.uniform(1, 3)) * scene.each(levels) * (0.35 + 0.65 * scene.dome ** rng.uniform(0.5, 2))
    light *= np.maximum(
        0.1, 1 + rng.uniform(0, 0.4) * scene.noise(rng, 0.2) + rng.uniform(0, 0.25) * scene.noise(rng, 0.06)
    )
    if chance(rng, 0.6):
        light *= np.maximum(0.05, 1 + pick(rng, (-0.8, -0.5, 1.0)) * scene.nuclei(rng))
    if chance(rng, 0.3):
        light *= 0.5 + 0.7 * np.abs(scene.noise(rng, 0.08))
    if chance(rng, 0.2):
        light += 0.8 * scene.cover * np.exp(-np.maximum(scene.signed, 0) / rng.uniform(0.8, 2))
    return light


def background(rng: Generator, scene: Scene, light: Image) -> Image:
    """Add what else glows: haze, autofluorescence, specks, ghosts; then blur and saturate."""
    light = blurred(light, focus(rng, scene))
    if chance(rng, 0.4):
        light = light + rng.uniform(0.1, 0.7) * blurred(light, scene.diameter * log_uniform(rng, 0.3, 1.5))
    if chance(rng, 0.25):
        light = light + rng.uniform(0.1, 0.7) * ghosts(rng, scene.size, scene.diameter)
    if chance(rng, 0.06):
        light = light + rng.uniform(0.05, 0.3) * veils(rng, scene.size, scene.diameter)
    if chance(rng, 0.25):
        light = light + rng.uniform(0.2, 1.5) * specks(rng, scene.size, scene.diameter)
    if chance(rng, 0.3):
        glow = smooth_noise(rng, scene.size, log_uniform(rng, 3, 80))
        light = light + log_uniform(rng, 0.01, 0.12) * np.maximum(0, 1 + glow)
    if chance(rng, 0.05):
        light = light + rng.uniform(0.2, 0.8) * threads(rng, scene.size, rng.uniform(1, 4))
    if chance(rng, 0.2):
        light = np.minimum(light, rng.uniform(0.4, 1.0))
    return light * np.float32(rng.uniform(0.5, 0.9)) + np.float32(log_uniform(rng, 0.003, 0.2))


def nuclei(rng: Generator, scene: Scene) -> Image:
    """One stain, (Y, X, 1)."""
    return background(rng, scene, stained(rng, scene))[..., None]


def cells(rng: Generator, scene: Scene) -> Image:
    """Whole cells in one stain, (Y, X, 1)."""
    return background(rng, scene, cytoplasm(rng, scene))[..., None]


def bacteria(rng: Generator, scene: Scene) -> Image:
    """Bacteria with a dye in the cell, its membrane, or its nucleoids, (Y, X, 1)."""
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.05, 0.5), scene.n)))
    kind = pick(rng, ("cell", "membrane", "nucleoid"), (0.6, 0.25, 0.15))
    light = scene.flat(rng.uniform(1, 2)) * levels
    if kind == "cell":
        light *= 0.3 + 0.7 * scene.dome
    elif kind == "membrane":
        light *= 0.15 + np.exp(-np.maximum(scene.signed - 0.7, 0) / rng.uniform(0.8, 1.5))
    else:
        light *= np.clip(0.25 + scene.dome + 0.3 * scene.noise(rng, 0.3), 0.1, 1.5)
    return background(rng, scene, light)[..., None]


def of_nuclei(rng: Generator, scene: Scene) -> Image:
    """Colour (Y, X, 3): nuclei that are the objects in one channel, other stains or nothing in the others."""
    channels = [background(rng, scene, stained(rng, scene))]
    channels += [_around(rng, scene) for _ in range(int(rng.integers(1, 3)))]
    return coloured(rng, channels)


def of_cells(rng: Generator, scene: Scene) -> Image:
    """Colour (Y, X, 3): cells that are the objects in one channel, their nuclei or other stains in the others."""
    nucleus = blurred(scene.nuclei(rng) * (1 + 0.2 * scene.noise(rng, 0.1)), focus(rng, scene))
    channels = [background(rng, scene, cytoplasm(rng, scene))]
    if chance(rng, 0.8):
        channels.append(nucleus * np.float32(rng.uniform(0.3, 0.8)) + np.float32(0.02))
    if chance(rng, 0.3):
        channels.append(background(rng, scene, cytoplasm(rng, scene)))
    return coloured(rng, channels)


def coloured(rng: Generator, channels: list[Image]) -> Image:
    """Show channels as red, green and blue in some order, or as mixed colours."""
    if chance(rng, 0.7):
        padded = [*channels, *(np.zeros_like(channels[0]) for _ in range(3))][:3]
        order = rng.permutation(3)
        return np.stack([padded[k] for k in order], axis=-1)
    # at least one primary colour is strong in each
    colours = rng.dirichlet((0.5, 0.5, 0.5), len(channels)).astype(np.float32)
    colours /= colours.max(axis=1, keepdims=True)
    return sum(channel[..., None] * colour for channel, colour in zip(channels, colours, strict=True))  # type: ignore[return-value]


def _around(rng: Generator, scene: Scene) -> Image:
    """Another stain (Y, X) of the cells around nuclei: cytoplasm, membranes, dots, fibres, or none."""
    kind = pick(rng, ("cytoplasm", "membrane", "dots", "fibres", "leak", "none"), (0.2, 0.2, 0.2, 0.1, 0.1, 0.2))
    outside = np.maximum(-scene.signed, 0)
    levels = scene.each(np.exp(rng.normal(0, 0.7, scene.n)))
    if kind == "cytoplasm":
        reach = scene.diameter * rng.uniform(0.2, 0.8) * np.maximum(0.2, 1 + 0.4 * scene.noise(rng, 0.6))
        light = levels * np.clip((reach - outside) / (0.15 * scene.diameter), 0, 1)
        light *= np.maximum(0.1, 1 + 0.4 * scene.noise(rng, 0.12)) * (1 - rng.uniform(0, 0.9) * scene.cover)
    elif kind == "membrane":
        reach = scene.diameter * rng.uniform(0.15, 0.5) * np.maximum(0.2, 1 + 0.3 * scene.noise(rng, 0.6))
        light = levels * np.exp(-(((outside - reach) / rng.uniform(1, 2.5)) ** 2))
    elif kind == "dots":
        light = np.clip(scene.noise(rng, 0.08) - 1.3, 0, 2)
    elif kind == "fibres":
        light = np.clip(1 - 2.5 * np.abs(scene.noise(rng, 0.7)), 0, 1) * 0.8
    else:
        light = np.float32(rng.uniform(0, 0.4)) * (scene.cover if kind == "leak" else np.zeros_like(scene.cover))
    light = blurred(light.astype(np.float32), focus(rng, scene))
    # where the cytoplasm is as bright as the nuclei, the cell would be the object
    strength = rng.uniform(0.1, 0.5) if kind == "cytoplasm" else rng.uniform(0.2, 1)
    return light * np.float32(strength) + np.float32(log_uniform(rng, 0.003, 0.1))
