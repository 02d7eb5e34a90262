"""Recommend rays, grid, patch size and scale for given masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import NetworkConfig
from ..errors import DataError
from ..evaluation.reconstruction import Reconstruction, reconstruction_scores
from ..io.readers.label_doubts import warn_of_doubts
from .data import Pair, check_sequence, check_shapes, held_labels

#: Least gain in mean IoU, of all objects, that justifies more rays.
WORTH = 0.01
#: Grid points across a small object (5th percentile).
POINTS_ACROSS = 5
#: Large objects (95th percentile) side by side in a patch.
OBJECTS_ACROSS = 3
#: Range of median diameters in pixels that needs no rescaling.
COMFORTABLE = (8.0, 60.0)
_GRIDS = (4, 2, 1)
#: Pixels a side up to which large objects enlarge a patch.
_LARGEST_PATCH = 512.0


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
    field : int
        Side of the network's receptive field in pixels.
    """

    n_rays: int
    grid: tuple[int, int]
    patch_size: tuple[int, int]
    scale: float
    diameters: NDArray[np.float64]
    reconstructions: tuple[Reconstruction, ...]
    field: int = 0

    def to_toml(self, n_channels: int | None = None) -> str:
        """The settings as a file for ``starpoly train --config``.

        Parameters
        ----------
        n_channels : int, optional
            Of the images; default: left out.
        """
        lines = ["[network]", *([] if n_channels is None else [f"n_channels = {n_channels}"])]
        lines += [f"n_rays = {self.n_rays}", f"grid = {list(self.grid)}", "", "[training]"]
        return "\n".join([*lines, f"patch_size = {list(self.patch_size)}", ""])

    def __str__(self) -> str:
        small, typical, large = np.percentile(self.diameters, (5, 50, 95))
        best = max(self.reconstructions, key=_quality)
        chosen = next(one for one in self.reconstructions if one.n_rays == self.n_rays)
        return "\n".join(
            [
                f"{len(self.diameters)} objects, {typical:.1f} px wide ({small:.1f} to {large:.1f})",
                f"n_rays {self.n_rays}: mean IoU {_quality(chosen):.3f}, with {best.n_rays} rays {_quality(best):.3f}",
                f"grid {self.grid[0]}, {self.grid[1]}",
                f"patch_size {self.patch_size[0]}, {self.patch_size[1]}: a pixel's answer depends on {self.field} px across",
                "scale 1, as they are" if self.scale == 1 else f"scale {self.scale:g}: resize images and masks first",
            ]
        )


def advise(masks: Sequence[Any], n_rays: Sequence[int] = (8, 16, 32, 64), names: Sequence[str] | None = None) -> Advice:
    """Recommend network settings for given masks.

    Parameters
    ----------
    masks : sequence of (Y, X) integer arrays or paths
        0 background, > 0 objects, < 0 ignored.
    n_rays : sequence of int
        Candidate numbers of rays.
    names : sequence of str, optional
        Of the masks, for warnings.

    Returns
    -------
    Advice
        The fewest rays that reproduce the objects nearly as well as the best number (``WORTH``). The coarsest grid with
        ``POINTS_ACROSS`` points across a small object. A patch of ``OBJECTS_ACROSS`` large objects, and at least as large
        as the network's receptive field: smaller ones would show it less than it sees in an image. A scale only for
        median diameters outside ``COMFORTABLE``.

    Raises
    ------
    DataError
        If there is no object, or a single mask is given. An ImageTypeError if one is no array and no path.

    Warns
    -----
    StarpolyWarning
        If a mask looks like a foreground mask or a photograph.
    """
    masks = _as_masks(masks)
    for number, mask in enumerate(masks):
        warn_of_doubts(mask, f"mask {number}" if names is None else names[number])
    reconstructions = tuple(reconstruction_scores(masks, sorted(n_rays)))
    best = max(map(_quality, reconstructions))
    chosen = next(one.n_rays for one in reconstructions if _quality(one) >= best - WORTH)
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
    field = receptive_field_side((grid, grid))
    across = min(float(OBJECTS_ACROSS * large * scale), _LARGEST_PATCH)
    side = int(np.ceil(max(across, field, 4 * unit) / unit)) * unit
    return Advice(chosen, (grid, grid), (side, side), scale, diameters, reconstructions, field)


def _as_masks(masks: Any) -> list[NDArray]:
    check_sequence("masks", masks)
    return [_as_mask(mask) for mask in masks]


def _as_mask(mask: Any) -> NDArray:
    if isinstance(mask, np.ma.MaskedArray):
        mask = mask.filled(0)
    array = held_labels(mask)
    if array.ndim != 2 or array.dtype.kind not in "bui":
        raise DataError(f"masks: expected label images (Y, X) of integers, got {array.dtype} of shape {array.shape}")
    return array


def _quality(reconstruction: Reconstruction) -> float:
    """Mean IoU of all objects; those that are not reproduced count as 0."""
    return float(reconstruction.scores[0].mean_true_score)


@lru_cache(maxsize=8)
def receptive_field_side(grid: tuple[int, int]) -> int:
    """Side in pixels of the square that the output for a pixel depends on, of the default network on a grid."""
    from ..network.quiet import quiet_import

    quiet_import()
    from ..network.architectures.registry import build_network
    from ..network.receptive_field import receptive_field

    return 2 * max(receptive_field(build_network(NetworkConfig(grid=grid)))) + 1


def channels_of(pairs: Sequence[Pair], most: int = 5) -> int:
    """Channels of most images, so of a network for them; grey that is stored as colour is one channel.

    Parameters
    ----------
    pairs : sequence of Pair
    most : int
        Images that are looked at.

    Raises
    ------
    DataError
        If one of these has another shape than its mask.
    """
    found = Counter(_channels(pair) for pair in pairs[:: max(1, len(pairs) // most)])
    return found.most_common(1)[0][0]


def _channels(pair: Pair) -> int:
    """Channels that differ: grey stored as colour is grey."""
    image = pair.read_image()
    check_shapes(pair.name, image.shape, pair.read_labels().shape)
    if image.ndim == 2 or image.shape[2] == 1 or not (image != image[..., :1]).any():
        return 1
    return int(image.shape[2])
