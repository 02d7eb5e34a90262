"""Training targets and pixel weights of a label image, for each head of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import NetworkConfig
from ..network.heads.label_patch import LabelPatch
from ..network.heads.registry import HEADS, heads_of


@dataclass(frozen=True)
class Targets:
    """Targets on the grid, float32.

    Parameters
    ----------
    probability : (h, w)
        Distance to the object's boundary, divided by its maximum in the object; 0 in background.
    distances : (h, w, n_rays)
        Ray distances in full-resolution pixels; 0 in background.
    weight : (h, w)
        0 where the label is negative ("ignore"), else 1.
    object_weight : (h, w)
        Weight of the distance error of a pixel's object; see :func:`make_targets`.
    classes : (h, w, n_classes + 1) or None
        One-hot class, background first; all zero where the class of an object is unknown.
    foreground, foreground_weight : (h, w, grid_y * grid_x) or None
        Foreground and weight of each pixel of a grid cell, row by row. The weight is higher near boundaries, which
        refine outlines, and 0 where the label is negative.
    """

    probability: NDArray[np.float32]
    distances: NDArray[np.float32]
    weight: NDArray[np.float32]
    object_weight: NDArray[np.float32]
    classes: NDArray[np.float32] | None = None
    foreground: NDArray[np.float32] | None = None
    foreground_weight: NDArray[np.float32] | None = None


def make_targets(
    labels: NDArray,
    *,
    n_rays: int,
    grid: tuple[int, int] = (1, 1),
    object_balance: float = 0.0,
    classes: NDArray | None = None,
    n_classes: int = 0,
    foreground: bool = False,
) -> Targets:
    """Targets of the network for one label image.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects (small ids are faster), < 0 ignored.
    n_rays : int
        Number of rays.
    grid : (int, int)
        Every ``gy``-th, ``gx``-th pixel gets a target.
    object_balance : float
        ``object_weight`` is proportional to ``area ** -object_balance``, with mean 1 over the
        pixels of objects: 0 weighs pixels alike, 1 objects.
    classes : (n,) integer, optional
        ``classes[label]`` is the object's class, 1..n_classes, or 0 if unknown.
    n_classes : int
        Number of classes; 0 for none.
    foreground : bool
        Also compute the foreground of every pixel.

    Returns
    -------
    Targets
    """
    patch = LabelPatch(labels, grid, classes, object_balance)
    distances = _target("distances", patch, n_rays + 2)
    n_pixels = grid[0] * grid[1]
    pixels = _target("foreground", patch, 2 * n_pixels) if foreground else None
    return Targets(
        probability=patch.probability,
        distances=distances[..., :n_rays],
        weight=patch.weight,
        object_weight=patch.object_weight,
        classes=_target("classes", patch, n_classes + 2)[..., :-1] if n_classes else None,
        foreground=None if pixels is None else pixels[..., :n_pixels],
        foreground_weight=None if pixels is None else pixels[..., n_pixels:],
    )


def pack_targets(
    labels: Sequence[NDArray], classes: Sequence[NDArray | None], network: NetworkConfig, object_balance: float
) -> dict[str, NDArray[np.float32]]:
    """Targets of a batch, in the layout of the heads' losses.

    Parameters
    ----------
    labels : sequence of (Y, X) integer arrays
        Patches of the same shape.
    classes : sequence of (n,) integer arrays or None
        See :func:`make_targets`, also for ``object_balance``.
    network : NetworkConfig
        Defines the heads.
    object_balance : float

    Returns
    -------
    dict of str to (n, h, w, channels) float32
        Targets by head name.
    """
    patches = [
        LabelPatch(each, network.grid, of_each, object_balance) for each, of_each in zip(labels, classes, strict=True)
    ]
    heads = heads_of(network)
    # write targets in place: copying some costs more than computing them
    packed = {
        head.name: np.empty((len(patches), *patches[0].on_grid.shape, head.target_channels(network)), np.float32)
        for head in heads
    }
    for index, patch in enumerate(patches):
        for head in heads:
            head.fill_target(patch, packed[head.name][index])
    return packed


def _target(name: str, patch: LabelPatch, channels: int) -> NDArray[np.float32]:
    out = np.empty((*patch.on_grid.shape, channels), np.float32)
    HEADS[name].fill_target(patch, out)
    return out
