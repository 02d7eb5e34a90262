"""Unstained cells in transmitted light: phase contrast, differential interference contrast, brightfield.

All three start from the optical path through the objects. Phase contrast shows it less its wide blur (halo and shade-off), DIC its
derivative along a direction, brightfield out of focus its Laplacian.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import blurred, smooth_noise
from ..debris import ghosts, specks, walls
from ..draws import chance, log_uniform, pick
from ..focus import focus
from ..scene import Scene

Image = NDArray[np.floating]


def discs_path(rng: Generator, scene: Scene) -> Image:
    """Optical path (Y, X) of erythrocytes: thinner in the middle, all alike."""
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.02, 0.15), scene.n)))
    middle = blurred(scene.depth, 0.06 * scene.diameter)
    return levels * scene.dome * (1 - rng.uniform(0, 0.95) * middle ** rng.uniform(1, 3))


def optical_path(rng: Generator, scene: Scene, texture: float = 1.0) -> Image:
    """Optical path (Y, X), about 1 in objects: flat or lens-shaped bodies with nuclei, granules and rims.

    ``texture`` scales what is finer than the objects; a derivative shows it more.
    """
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.03, 0.4), scene.n)))
    profile = pick(rng, ("flat", "lens", "cone", "ring"), (0.3, 0.42, 0.18, 0.1))
    path = (
        levels
        * {"flat": scene.flat(rng.uniform(1.5, 4)), "lens": scene.dome, "cone": scene.depth, "ring": scene.dome}[
            profile
        ]
    )
    if profile == "ring":  # thinner in the middle, as erythrocytes are
        path = path * (1 - rng.uniform(0.3, 0.9) * scene.depth**2)
    if scene.diameter > 14:
        path = path * np.maximum(0.2, 1 + 0.4 * texture * rng.random() ** 2 * scene.noise(rng, 0.15))
        path = path * np.maximum(0.2, 1 + 0.4 * texture * rng.random() ** 3 * scene.noise(rng, 0.05))
        if chance(rng, 0.5):
            path = path + rng.uniform(-0.3, 0.5) * scene.nuclei(rng)
        if chance(rng, 0.35):
            grain = np.clip(scene.noise(rng, log_uniform(rng, 0.03, 0.1)) - rng.uniform(0.5, 1.5), 0, 2)
            path = path + texture * rng.uniform(-0.5, 0.9) * grain * scene.cover * np.sqrt(scene.depth)
    if chance(rng, 0.3):
        path = path + rng.uniform(0.1, 0.5) * scene.cover * np.exp(-np.maximum(scene.signed, 0) / rng.uniform(0.8, 2.5))
    return path


def _surroundings(rng: Generator, scene: Scene) -> Image | float:
    """Optical path of what is no object: dirt, ghosts, walls, a rough ground."""
    path: Image | float = 0.0
    if chance(rng, 0.35):
        path = path + rng.uniform(-0.5, 0.9) * specks(rng, scene.size, scene.diameter)
    if chance(rng, 0.15):
        path = path + rng.uniform(-0.5, 0.8) * ghosts(rng, scene.size, scene.diameter)
    if chance(rng, 0.4):
        path = path + log_uniform(rng, 0.01, 0.12) * smooth_noise(rng, scene.size, log_uniform(rng, 1.5, 12))
    return path


def _walled(rng: Generator, scene: Scene, share: float) -> Image | float:
    """Optical path of a microfluidic device: walls anywhere, or close around the cells."""
    if not chance(rng, share):
        return 0.0
    if chance(rng, 0.4) and scene.n:
        away = -scene.signed - np.float32(rng.uniform(1, 0.4 * scene.diameter + 1.5))
        return rng.uniform(-1.5, 1.5) * np.clip(away / np.float32(rng.uniform(0.7, 3)) + 0.5, 0, 1)
    return rng.uniform(-1.5, 1.5) * walls(rng, scene.size, scene.diameter) * (1 - scene.cover)


def _full(light: Image, contrast: float) -> Image:
    """Centre on 0.5 with this contrast in standard deviations, or less where that is little."""
    spread = max(float(light.std()), 0.02)
    return (np.float32(0.45) + np.float32(contrast / spread) * (light - light.mean()))[..., None]


def phase_contrast(rng: Generator, scene: Scene) -> Image:
    """Dark bodies with bright halos (positive), or bright ones with dark halos."""
    path = optical_path(rng, scene) * rng.uniform(0.6, 1.4)
    if chance(rng, 0.3):  # some cells are round and thick
        path = path * scene.each(np.where(rng.random(scene.n) < rng.uniform(0, 0.3), rng.uniform(1.5, 3), 1.0))
    path = path + _surroundings(rng, scene) + _walled(rng, scene, 0.08)
    path = blurred(path.astype(np.float32), focus(rng, scene))
    halo = blurred(path, log_uniform(rng, 1.5, 8) if scene.diameter < 25 else log_uniform(rng, 2, 14))
    shift = path - rng.uniform(0.6, 1.0) * halo
    if chance(rng, 0.3):  # thick cells wrap around: bright middles
        shift = np.sin(shift * rng.uniform(1.2, 2.2))
    light = -shift + rng.uniform(0, 0.5) * shift**2
    if chance(rng, 0.25):
        light = -light
    return _full(light, rng.uniform(0.06, 0.16))


def phase_contrast_cells(rng: Generator, scene: Scene) -> Image:
    """Thick or thin ones."""
    return pick(rng, (phase_contrast, _thin))(rng, scene)


def _thin(rng: Generator, scene: Scene) -> Image:
    """Adherent cells, hardly darker than the ground: a thin bright halo, a thicker middle with nucleus and granules; some round and bright."""
    path = _thin_path(rng, scene) + 0.7 * _surroundings(rng, scene)
    path = blurred(path.astype(np.float32), focus(rng, scene))
    halo = blurred(path, log_uniform(rng, 1.2, 5))
    light = rng.uniform(0.75, 1.0) * halo - path
    if chance(rng, 0.4):  # round ones before division wrap around
        light = light + scene.each(rng.random(scene.n) < rng.uniform(0, 0.3)) * _round(rng, scene)
    return _full(light, rng.uniform(0.05, 0.13))


def _thin_path(rng: Generator, scene: Scene) -> Image:
    """Optical path (Y, X) of spread cells."""
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.05, 0.3), scene.n)))
    path = rng.uniform(0.1, 0.5) * scene.flat(rng.uniform(1, 3))
    path = path + rng.uniform(0.2, 1.0) * scene.depth ** rng.uniform(0.8, 2.5)
    nuclei = scene.nuclei(rng)
    # granules: dark and small, more of them around the nucleus, none in it
    granules = _dots(rng, scene, log_uniform(rng, 0.015, 0.06), rng.uniform(0.3, 1.6))
    around = np.sqrt(scene.depth) * scene.cover * (1 - rng.uniform(0.3, 1) * nuclei)
    path = path + rng.uniform(0.1, 1.2) * granules * around
    if chance(rng, 0.6):  # nuclei are clear, with dark nucleoli
        nucleoli = _dots(rng, scene, 0.05, rng.uniform(1.2, 2))
        path = path + nuclei * (rng.uniform(-0.4, 0.1) + rng.uniform(0, 1.5) * nucleoli)
    if chance(rng, 0.5):  # ruffles at parts of the edge
        edge = scene.cover * np.exp(-np.maximum(scene.signed, 0) / np.float32(rng.uniform(0.8, 2.5)))
        path = path + rng.uniform(0.2, 0.9) * edge * np.clip(scene.noise(rng, 0.3) + rng.uniform(-0.5, 1), 0, 1.5)
    return levels * path


def _dots(rng: Generator, scene: Scene, part: float, least: float) -> Image:
    """Dots (Y, X) of about this part of the diameter, from 0 to about 2: where noise exceeds its mean by ``least`` standard deviations."""
    return np.clip(scene.noise(rng, min(part, 4 / scene.diameter)) - least, 0, 2.5)


def _round(rng: Generator, scene: Scene) -> Image:
    """Light (Y, X) of thick round cells: bright, with rings."""
    rings = np.cos(rng.uniform(4, 14) * scene.dome + rng.uniform(0, 2 * np.pi))
    return scene.cover * (rng.uniform(0.2, 1.0) + rng.uniform(0.2, 1.0) * rings)


def bacteria(rng: Generator, scene: Scene) -> Image:
    """Rods in phase contrast: dark and even on grey, bright gaps and halos; sometimes bright on dark."""
    levels = scene.each(np.exp(rng.normal(0, rng.uniform(0.02, 0.2), scene.n)))
    path = levels * (scene.dome if chance(rng, 0.6) else scene.flat(rng.uniform(1.2, 3)))
    if chance(rng, 0.3):
        path = path * (1 + 0.3 * scene.noise(rng, 0.25))
    path = path + _surroundings(rng, scene) * 0.6 + _walled(rng, scene, 0.25)
    path = blurred(path.astype(np.float32), focus(rng, scene))
    light = rng.uniform(0.3, 0.9) * blurred(path, log_uniform(rng, 2, 10)) - path
    return _full(light if chance(rng, 0.8) else -light, rng.uniform(0.08, 0.2))


def dic(rng: Generator, scene: Scene) -> Image:
    """Relief under light from one side."""
    return _relief(rng, scene, optical_path(rng, scene, 0.6) + _walled(rng, scene, 0.06))


def dic_blood(rng: Generator, scene: Scene) -> Image:
    """Erythrocytes in relief."""
    return _relief(rng, scene, discs_path(rng, scene))


def brightfield_blood(rng: Generator, scene: Scene) -> Image:
    """Unstained erythrocytes: dark or bright rings, some absorption."""
    return _defocused(rng, scene, discs_path(rng, scene))


def _relief(rng: Generator, scene: Scene, path: Image) -> Image:
    path = path + _surroundings(rng, scene)
    path = blurred(path.astype(np.float32), max(0.6, focus(rng, scene)))
    angle, shear = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 2.0)
    down, right = np.gradient(path)
    light = shear * (float(np.sin(angle)) * down + float(np.cos(angle)) * right)
    if chance(rng, 0.3):
        light = light - rng.uniform(0, 0.15) * path
    return _full(np.asarray(light).astype(np.float32), rng.uniform(0.05, 0.15))


def brightfield(rng: Generator, scene: Scene) -> Image:
    """Transparent bodies with dark and bright rims that change with the focus, and some absorption."""
    return _defocused(rng, scene, optical_path(rng, scene, 0.35) + _walled(rng, scene, 0.12))


def _defocused(rng: Generator, scene: Scene, path: Image) -> Image:
    path = path + _surroundings(rng, scene)
    spread = max(0.7, focus(rng, scene)) * pick(rng, (1.0, 1.6))
    path = blurred(path.astype(np.float32), spread)
    wider = blurred(path, spread * rng.uniform(0.8, 1.6))
    rim = (path - wider) * pick(rng, (-1.0, 1.0)) * rng.uniform(0.5, 2)
    if chance(rng, 0.4):  # a second ring
        rim = rim - rng.uniform(0.3, 1) * (wider - blurred(wider, 1.5 * spread)) * np.sign(rng.normal())
    light = rim - pick(rng, (0.0, rng.uniform(0, 0.3), rng.uniform(0.2, 1))) * path
    return _full(light, rng.uniform(0.05, 0.15))


def absorbing(rng: Generator, scene: Scene) -> Image:
    """Dark bodies on a bright ground, as under a simple stain or in transmitted light through pigment."""
    density = rng.uniform(0.4, 2) * optical_path(rng, scene) + 0.3 * np.maximum(0, _surroundings(rng, scene))
    if chance(rng, 0.4):
        density = density + scene.nuclei(rng) * rng.uniform(0.3, 1.5)
    light = np.exp(-blurred(density.astype(np.float32), focus(rng, scene)))
    return (np.float32(rng.uniform(0.6, 0.95)) * light)[..., None]
