"""Recommend rays, grid, patch size and scale for given masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import NetworkConfig
from ..evaluation.reconstruction import Reconstruction, reconstruction_scores

#: Least gain in mean IoU that justifies more rays.
WORTH = 0.01
#: Grid points across a small object (5th percentile).
POINTS_ACROSS = 5
#: Large objects (95th percentile) side by side in a patch.
OBJECTS_ACROSS = 3
#: Range of median diameters in pixels that needs no rescaling.
COMFORTABLE = (8.0, 60.0)
_GRIDS = (4, 2, 1)


@dataclass(frozen=True)
class Advice:
    """Recommended settings with their basis.

    Parameters
    ----------
    n_rays, grid, patch_size
        For :class:`starpoly.NetworkConfig` and :class:`starpoly.TrainingConfig`, after rescaling images and masks.
    scale : float
        Factor to rescale images and masks first; 1 for none.
    diameters : (n,) float64
        Diameters of all objects, in pixels.
    reconstructions : tuple of Reconstruction
        How well each number of rays reproduces the objects.
    """

    n_rays: int
    grid: tuple[int, int]
    patch_size: tuple[int, int]
    scale: float
    diameters: NDArray[np.float64]
    reconstructions: tuple[Reconstruction, ...]

    def __str__(self) -> str:
        small, typical, large = np.percentile(self.diameters, (5, 50, 95))
        best = self.reconstructions[-1]
        chosen = next(one for one in self.reconstructions if one.n_rays == self.n_rays)
        return "\n".join(
            [
                f"{len(self.diameters)} objects, {typical:.1f} px wide ({small:.1f} to {large:.1f})",
                f"n_rays {self.n_rays}: mean IoU {chosen.mean_iou:.3f}, with {best.n_rays} rays {best.mean_iou:.3f}",
                f"grid {self.grid[0]}, {self.grid[1]}",
                f"patch_size {self.patch_size[0]}, {self.patch_size[1]}",
                "scale 1, as they are" if self.scale == 1 else f"scale {self.scale:g}: resize images and masks first",
            ]
        )


def advise(masks: Sequence[NDArray], n_rays: Sequence[int] = (8, 16, 32, 64)) -> Advice:
    """Recommend network settings for given masks.

    Parameters
    ----------
    masks : sequence of (Y, X) integer arrays
        0 background, > 0 objects, < 0 ignored.
    n_rays : sequence of int
        Candidate numbers of rays.

    Returns
    -------
    Advice
        The fewest rays that reproduce the objects nearly as well as the most (``WORTH``). The coarsest grid with
        ``POINTS_ACROSS`` points across a small object. A patch of ``OBJECTS_ACROSS`` large objects. A scale only for
        median diameters outside ``COMFORTABLE``.

    Raises
    ------
    DataError
        If there is no object.
    """
    reconstructions = tuple(reconstruction_scores(masks, sorted(n_rays)))
    best = max(one.mean_iou for one in reconstructions)
    chosen = next(one.n_rays for one in reconstructions if one.mean_iou >= best - WORTH)
    areas = np.concatenate([np.bincount(np.maximum(mask, 0).ravel())[1:] for mask in masks])
    diameters = np.sqrt(4 / np.pi * areas[areas > 0])
    small, typical, large = np.percentile(diameters, (5, 50, 95))
    scale = 1.0
    if typical < COMFORTABLE[0]:
        scale = 2.0
    elif typical > COMFORTABLE[1]:
        scale = 2.0 ** -int(np.ceil(np.log2(typical / COMFORTABLE[1])))
    grid = next(step for step in _GRIDS if step == 1 or small * scale >= POINTS_ACROSS * step)
    unit = grid * 2 ** NetworkConfig().depth
    side = int(np.clip(np.ceil(OBJECTS_ACROSS * large * scale / unit) * unit, 4 * unit, 512))
    return Advice(chosen, (grid, grid), (side, side), scale, diameters, reconstructions)
