"""Stained tissue, smears and blood films: colours by Beer's law from the densities of dyes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ....geometry.fields import blurred, look_up, smooth_noise
from ..debris import ghosts, pale_discs, specks, veils
from ..draws import chance, log_uniform, pick
from ..focus import focus
from ..scene import Scene

Image = NDArray[np.floating]

#: Optical density of red, green and blue; unit vectors after perturbation.
_DYES = {
    "haematoxylin": (0.65, 0.70, 0.29),
    "blue haematoxylin": (0.75, 0.58, 0.32),
    "eosin": (0.09, 0.95, 0.28),
    "dark eosin": (0.22, 0.87, 0.44),
    "dab": (0.27, 0.57, 0.78),
    "violet": (0.45, 0.80, 0.15),
    "azure": (0.55, 0.80, 0.10),
    "orange": (0.05, 0.45, 0.85),
    "green": (0.80, 0.30, 0.50),
    "blue": (0.85, 0.50, 0.15),
    "red": (0.10, 0.85, 0.75),
}


def dye(rng: Generator, name: str) -> Image:
    """Densities (3,) of a dye, varied as between laboratories."""
    vector = np.array(_DYES[name]) * np.exp(rng.normal(0, 0.15, 3)) + np.abs(rng.normal(0, 0.03, 3))
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def through(rng: Generator, layers: list[tuple[Image, Image]]) -> Image:
    """Light (Y, X, 3) that passes densities (Y, X) of dyes (3,), under a white or tinted lamp."""
    lamp = np.float32(rng.uniform(0.8, 1.0)) * np.exp(-np.abs(rng.normal(0, 0.06, 3))).astype(np.float32)
    if chance(rng, 0.12):
        lamp *= np.exp(-rng.uniform(0, 0.5, 3)).astype(np.float32)
    channels = [sum(amount * colour[k] for amount, colour in layers) for k in range(3)]
    return np.stack([lamp[k] * np.exp(-density) for k, density in enumerate(channels)], axis=-1)


def chromatin(rng: Generator, scene: Scene) -> Image:
    """Density (Y, X) of nuclei, about 1: pale or dark ones, clumps, dark rims, nucleoli."""
    levels = scene.each(np.exp(np.clip(rng.normal(0, rng.uniform(0.1, 0.5), scene.n), -1.2, 0.8)))
    clumps = rng.uniform(0.1, 0.5)
    inside = np.maximum(0.15, 1 + clumps * scene.noise(rng, 0.1) + 0.5 * clumps * scene.noise(rng, 0.25))
    if chance(rng, 0.6):
        inside = inside + rng.uniform(0.2, 1) * np.exp(-np.maximum(scene.signed, 0) / rng.uniform(0.8, 2.0))
    if chance(rng, 0.5):
        inside = inside + rng.uniform(0.3, 1.2) * np.clip(4 * (scene.noise(rng, 0.15) - 1.6), 0, 1)
    return scene.defocused(rng, scene.cover * levels * inside)


def fibres(rng: Generator, size: tuple[int, int], scale: float) -> Image:
    """Wavy bundles (Y, X), about 0 to 1, as collagen and muscle."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    bend = scale * rng.uniform(0.5, 3) * smooth_noise(rng, size, 5 * scale)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = x * c + y * s, y * c - x * s + bend
    u, v = u - u.min(), v - v.min()
    sheet = smooth_noise(rng, (int(v.max()) + 2, int(u.max()) + 2), (max(1.0, 0.3 * scale), 3 * scale))
    return np.clip(0.5 + 0.4 * look_up(sheet, v, u), 0, 1.5)


def stroma(rng: Generator, scene: Scene) -> Image:
    """Density (Y, X) of the counterstain between and over nuclei: cytoplasm, fibres, clear spaces."""
    size, d = scene.size, scene.diameter
    ground = (
        0.5
        + 0.25 * smooth_noise(rng, size, d * rng.uniform(0.8, 3))
        + 0.15 * smooth_noise(rng, size, max(1.5, 0.15 * d))
    )
    if chance(rng, 0.6):
        where = np.clip(0.5 + smooth_noise(rng, size, 3 * d), 0, 1)
        ground = ground * (1 - where) + where * fibres(rng, size, max(3.0, d * rng.uniform(0.2, 0.7)))
    if chance(rng, 0.5):  # cytoplasm of each nucleus
        reach = d * rng.uniform(0.3, 0.8)
        levels = scene.each(rng.uniform(0.2, 0.9, scene.n))
        ground = ground + levels * np.clip(1 + scene.signed / reach, 0, 1)
    if chance(rng, 0.5):  # clear spaces, never over nuclei
        clear = np.clip(4 * (smooth_noise(rng, size, d * log_uniform(rng, 0.5, 4)) - rng.uniform(0.3, 1.6)), 0, 1)
        ground = ground * (1 - clear * (1 - scene.cover))
    grain = rng.uniform(0, 0.3)
    return np.maximum(ground * (1 + grain * smooth_noise(rng, size, log_uniform(rng, 1.2, 4))), 0)


def haematoxylin_eosin(rng: Generator, scene: Scene) -> Image:
    """Dark blue to violet nuclei in pink tissue."""
    nuclear = dye(rng, pick(rng, ("haematoxylin", "blue haematoxylin", "violet")))
    counter = dye(rng, pick(rng, ("eosin", "dark eosin", "violet"), (0.5, 0.35, 0.15)))
    density = rng.uniform(0.5, 2.0) * chromatin(rng, scene)
    tissue = stroma(rng, scene)
    haze = rng.uniform(0.0, 0.35) * tissue + rng.uniform(0, 0.5) * (
        ghosts(rng, scene.size, scene.diameter) if chance(rng, 0.4) else 0
    )
    layers = [
        (_focused(rng, scene, density + haze), nuclear),
        (_focused(rng, scene, rng.uniform(0.3, 1.3) * tissue), counter),
    ]
    if chance(rng, 0.15):
        layers.append((veils(rng, scene.size, scene.diameter), counter))
    if chance(rng, 0.2):
        red = np.clip(5 * (smooth_noise(rng, scene.size, 0.4 * scene.diameter) - 1.4), 0, 1) * (1 - scene.cover)
        layers.append((_focused(rng, scene, red), dye(rng, pick(rng, ("red", "orange", "dab")))))
    return through(rng, layers)


def immunohistochemistry(rng: Generator, scene: Scene) -> Image:
    """Nuclei in blue, some brown; brown borders or cytoplasm elsewhere."""
    density = chromatin(rng, scene)
    brown = scene.each((rng.random(scene.n) < rng.uniform(0, 0.9)) * rng.uniform(0.3, 1.2, scene.n))
    kind = pick(rng, ("nuclei", "membrane", "cytoplasm"), (0.5, 0.25, 0.25))
    if kind == "nuclei":
        stain = density * brown * 1.5
    elif kind == "membrane":
        reach = scene.diameter * rng.uniform(0.1, 0.4)
        stain = brown * np.exp(-(((scene.signed + reach) / rng.uniform(1, 3)) ** 2))
    else:
        stain = brown * np.clip(1 + scene.signed / (scene.diameter * rng.uniform(0.2, 0.6)), 0, 1)
    stain = stain + rng.uniform(0, 0.15) * stroma(rng, scene)
    other = pick(rng, ("dab", "red", "green"), (0.8, 0.12, 0.08))
    return through(
        rng,
        [
            (
                _focused(rng, scene, rng.uniform(0.5, 1.5) * density + rng.uniform(0, 0.15)),
                dye(rng, "blue haematoxylin"),
            ),
            (_focused(rng, scene, stain), dye(rng, other)),
        ],
    )


def one_dye(rng: Generator, scene: Scene) -> Image:
    """Nuclei and faint surroundings in the same dye: purple tissue, smears on white, Nissl, methyl green."""
    density = rng.uniform(0.6, 2.2) * chromatin(rng, scene)
    faint = pick(rng, (0.0, rng.uniform(0.02, 0.15), rng.uniform(0.1, 0.4)))
    ground = faint * (stroma(rng, scene) if faint else np.zeros(scene.size, np.float32))
    if chance(rng, 0.4):
        ground = ground + rng.uniform(0.1, 0.6) * ghosts(rng, scene.size, scene.diameter)
    if chance(rng, 0.3):
        ground = ground + rng.uniform(0.2, 1) * specks(rng, scene.size, scene.diameter)
    if chance(rng, 0.2):
        ground = ground + rng.uniform(0.1, 0.4) * veils(rng, scene.size, scene.diameter)
    layers = []
    if chance(rng, 0.25):  # erythrocytes, which are none of the objects
        pale = pale_discs(rng, scene.size, scene.diameter) * (1 - scene.cover) * rng.uniform(0.05, 0.35)
        layers.append((pale, dye(rng, pick(rng, ("eosin", "orange", "green")))))
    name = pick(rng, ("violet", "azure", "haematoxylin", "blue", "green", "red", "dab"), (4, 3, 2, 1, 0.5, 0.5, 0.5))
    return through(rng, [(_focused(rng, scene, density + ground), dye(rng, name)), (ground, dye(rng, name)), *layers])


def cytology(rng: Generator, scene: Scene) -> Image:
    """Whole stained cells with dark nuclei on a bright ground; the cells are the objects."""
    body = (
        scene.flat(rng.uniform(1, 3))
        * scene.each(np.exp(rng.normal(0, 0.4, scene.n)))
        * np.maximum(0.1, 1 + 0.25 * scene.noise(rng, 0.15))
    )
    nucleus = scene.nuclei(rng) * np.maximum(0.2, 1 + 0.3 * scene.noise(rng, 0.08))
    stains = rng.permutation(["eosin", "azure", "green", "orange", "blue", "violet"])
    layers = [(_focused(rng, scene, rng.uniform(0.25, 1.0) * body), dye(rng, str(stains[0])))]
    if chance(rng, 0.85):
        dark = dye(rng, pick(rng, ("haematoxylin", "violet", "blue haematoxylin")))
        layers.append((_focused(rng, scene, rng.uniform(0.6, 2) * nucleus), dark))
    if chance(rng, 0.3):
        dirt = specks(rng, scene.size, scene.diameter)
        layers.append((dirt, dye(rng, str(stains[1]))))
    if chance(rng, 0.3):  # erythrocytes between the cells that matter
        pale = pale_discs(rng, scene.size, 0.7 * scene.diameter) * (1 - scene.cover) * rng.uniform(0.05, 0.4)
        layers.append((pale, dye(rng, pick(rng, ("eosin", "orange", "dark eosin")))))
    return through(rng, layers)


def blood_film(rng: Generator, scene: Scene) -> Image:
    """Pink discs with pale middles, and a few cells with purple nuclei; all are objects."""
    pale = rng.uniform(0, 0.8)
    body = scene.cover * scene.each(np.exp(rng.normal(0, 0.12, scene.n)))
    disc = body * (1 - pale * np.clip((blurred(scene.depth, 1.0) - rng.uniform(0.2, 0.5)) * 3, 0, 1))
    disc = disc + rng.uniform(0, 0.5) * scene.cover * np.exp(-np.maximum(scene.signed, 0))
    white = scene.each((rng.random(scene.n) < rng.uniform(0, 0.35)).astype(float))
    lobes = (
        np.clip(4 * (scene.depth + 0.25 * scene.noise(rng, 0.25) - rng.uniform(0.1, 0.45)), 0, 1) * white * scene.cover
    )
    red = dye(rng, pick(rng, ("eosin", "dark eosin", "orange", "red"), (0.4, 0.4, 0.1, 0.1)))
    layers = [
        (_focused(rng, scene, rng.uniform(0.2, 0.9) * disc * (1 - 0.7 * white)), red),
        (
            _focused(rng, scene, rng.uniform(0.8, 2) * lobes + 0.25 * body * white),
            dye(rng, pick(rng, ("violet", "azure"))),
        ),
    ]
    if chance(rng, 0.4):
        layers.append((specks(rng, scene.size, scene.diameter) * rng.uniform(0.3, 1), dye(rng, "violet")))
    return through(rng, layers)


def _focused(rng: Generator, scene: Scene, density: Image) -> Image:
    return blurred(density.astype(np.float32), focus(rng, scene))
