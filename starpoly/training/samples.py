"""Synthetic images of nuclei with true labels, for tests and tutorials without a data set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_TRIES = 30
_MOST_SHARED = 0.1


@dataclass(frozen=True)
class GeneratedImage:
    """A synthetic image with its labels.

    Parameters
    ----------
    image : (Y, X) uint16
    labels : (Y, X) int32
    classes : {label: class}
        1 round, 2 elongated.
    """

    image: NDArray[np.uint16]
    labels: NDArray[np.int32]
    classes: dict[int, int] = field(default_factory=dict)


def generate_nuclei(
    seed: int,
    shape: tuple[int, int] = (256, 256),
    *,
    n_objects: int = 40,
    diameter: float = 22.0,
    elongated: float = 0.3,
) -> GeneratedImage:
    """Generate bright, blurred, noisy blobs on an uneven background; some blobs touch.

    Parameters
    ----------
    seed : int
        Random seed; equal seeds give equal images.
    shape : (int, int)
        Rows and columns.
    n_objects : int
        Maximum number of objects; fewer if space runs out.
    diameter : float
        Typical diameter in pixels.
    elongated : float
        Share of objects of class 2, elongated and dimmer.

    Returns
    -------
    GeneratedImage
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    light = np.zeros(shape)
    classes: dict[int, int] = {}
    for _ in range(n_objects):
        kind = 2 if rng.random() < elongated else 1
        for _ in range(_TRIES):
            inside, blob = _blob(rng, shape, diameter * np.exp(rng.normal(0, 0.2)), kind)
            free = blob & (labels[inside] == 0)
            if free.sum() >= (1 - _MOST_SHARED) * blob.sum() and free.sum() > 10:
                label = len(classes) + 1
                labels[inside][free] = label
                light[inside][free] = rng.uniform(0.7, 1.0) if kind == 1 else rng.uniform(0.35, 0.55)
                classes[label] = kind
                break
    texture = 1 + 0.25 * ndimage.gaussian_filter(rng.normal(size=shape), 2) * 6
    y, x = np.indices(shape)
    haze = 0.06 + 0.06 * np.sin(y / shape[0] * 2 + rng.uniform(0, 6)) * np.cos(x / shape[1] * 2 + rng.uniform(0, 6))
    photons = 400 * np.clip(ndimage.gaussian_filter(light * texture, 0.8) + haze, 0, None)
    return GeneratedImage(np.clip(rng.poisson(photons), 0, 65535).astype(np.uint16), labels, classes)


def _blob(
    rng: np.random.Generator, shape: tuple[int, int], diameter: float, kind: int
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """A random smooth shape: its box and its pixels there."""
    longer = rng.uniform(1.0, 1.2) if kind == 1 else rng.uniform(1.8, 2.4)
    angle = rng.uniform(0, np.pi)
    centre = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    reach = int(np.ceil(0.8 * diameter * longer)) + 2
    box = tuple(
        slice(max(0, int(at) - reach), min(length, int(at) + reach + 1))
        for at, length in zip(centre, shape, strict=True)
    )
    y, x = np.mgrid[box]
    y, x = y - centre[0], x - centre[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    # the area equals that of a circle of this diameter
    phi = np.arctan2(across * np.sqrt(longer), along / np.sqrt(longer))
    radius = np.hypot(along / np.sqrt(longer), across * np.sqrt(longer))
    bumps = sum(rng.normal(0, 0.05) * np.cos(k * phi + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4))
    return (box[0], box[1]), radius <= diameter / 2 * (1 + bumps)
