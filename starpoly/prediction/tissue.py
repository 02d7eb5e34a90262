"""Where a slide shows tissue and where empty glass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.morphology import dilation, erosion, isotropic_dilation, isotropic_erosion

from ..errors import StarpolyWarning
from ..images.normalization import MIN_GREY_LEVELS
from ..io.readers.source import Source
from ..tiling import Box
from .coarse_view import CoarseView, coarse_view
from .region_masks import RegionMask

MARGIN = (25.0, 64)
"""Margin added around tissue: micrometres, or pixels where their size is unknown."""

_GAP = 256
"""Gaps narrower than this, in pixels, belong to the tissue."""
_LEAST_CELLS = 64
"""Fewest cells from which glass is told; fewer say nothing about it."""

# Contrast and level below are shares of the range of intensities that normalisation maps to 0 and 1.
_INVISIBLE = 0.01
"""Contrast too small for an object."""
_STEPS = 2.01
"""The same, in steps between two stored intensities."""
_NOISY = 0.2
"""Largest contrast of glass; where it has more it may be tissue."""
_FLANK = 8.0
"""Largest contrast of glass above its peak, in standard deviations of the contrast below it."""
_OTHER_LEVEL = 0.1
"""Glass has one intensity; what differs by more is tissue, however smooth."""
_AT_THE_END = 0.25
"""Glass is bright or dark, this close to 0 or 1; smooth and grey may be tissue."""


def find_tissue(source: Source, open_level: Callable[[int, Box], Source] | None = None) -> RegionMask:
    """Find the tissue in an image, so that empty glass can be skipped.

    Glass is smooth, alike all over the image, and bright or dark. All else counts as tissue, with a margin of :data:`MARGIN`
    around it. Where it is unclear what is glass, everything is tissue.

    Parameters
    ----------
    source : Source
        The image. Without a suitable level it is read whole, once, in bounded memory: a sample of its pixels would miss small
        objects.
    open_level : callable, optional
        Opens the part ``box`` of another ``level`` of the same image, ``open_level(level, box)``. A level with pixels of
        up to :data:`~starpoly.prediction.coarse_view.COARSE_PIXEL` is then read instead of the image itself.

    Returns
    -------
    RegionMask
        Over ``source``.

    Warns
    -----
    StarpolyWarning
        If the image seems to be all glass or all tissue; the mask is True everywhere then.
    """
    view = coarse_view(source, open_level)
    found = _stands_out(view)
    if found is None:
        return _everything(source, "tissue and glass cannot be told apart")
    if not found.any():
        return _everything(source, "all seems to be empty glass")
    mask = _with_margin(found, view.cell_size, source.pixel_size)
    if mask.all():
        return _everything(source, "there is tissue everywhere")
    return RegionMask(mask, source.shape[:2], view.over)


def _everything(source: Source, why: str) -> RegionMask:
    warnings.warn(f"{source.name}: {why}; all of it is analysed", StarpolyWarning, stacklevel=3)
    return RegionMask(np.ones((1, 1), bool), source.shape[:2])


def _stands_out(view: CoarseView) -> NDArray[np.bool_] | None:
    """Cells that differ from glass in some channel; None if glass cannot be told."""
    blank = (view.low == view.high).all(axis=2)  # beyond the scanned area, or glass without noise
    found = np.zeros(blank.shape, bool)
    if blank.all():
        return found
    for channel in range(view.low.shape[2]):
        low, high = view.low[..., channel], view.high[..., channel]
        ends = _range(low[~blank], high[~blank], MIN_GREY_LEVELS * view.step)
        if ends is None:
            continue  # no contrast for the network either
        differs = _differs(low, high, blank, ends, view.step)
        if differs is None:
            return ~blank if blank.any() else None
        found |= differs
    return found


def _range(low: NDArray[np.float32], high: NDArray[np.float32], least: float) -> tuple[float, float] | None:
    """Intensities that become 0 and 1 for the network; None without contrast."""
    for ends in ((np.percentile(low, 1), np.percentile(high, 99.8)), (low.min(), high.max())):
        if ends[1] - ends[0] > least:
            return float(ends[0]), float(ends[1])
    return None


def _differs(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    blank: NDArray[np.bool_],
    ends: tuple[float, float],
    step: float,
) -> NDArray[np.bool_] | None:
    """Cells of a channel that differ from glass; None if glass cannot be told."""
    span = ends[1] - ends[0]
    square = np.ones((3, 3), bool)
    contrast = (dilation(high, square) - erosion(low, square)) / span
    level = ((low + high) / 2 - ends[0]) / span
    limit = max(_INVISIBLE, _STEPS * step / span, _contrast_of_glass(contrast[~blank]))
    glass = ~blank & (contrast <= limit)
    if np.count_nonzero(~blank) < _LEAST_CELLS or limit > _NOISY:
        return None
    if not glass.any():
        return ~blank
    usual = float(np.median(level[glass]))
    low_level, high_level = np.percentile(level[glass], (5, 95))
    if high_level - low_level > 2 * _OTHER_LEVEL or _AT_THE_END < usual < 1 - _AT_THE_END:
        return None
    return ~blank & ((contrast > limit) | (np.abs(level - usual) > _OTHER_LEVEL))


def _contrast_of_glass(contrast: NDArray[np.float32]) -> float:
    """Largest contrast of glass: of the lowest peak in the distribution, as wide above it as its lower flank tells."""
    values = np.log(contrast + _INVISIBLE)
    counts, borders = np.histogram(values, bins=128)
    smoothed = gaussian(counts.astype(np.float64), 2, preserve_range=True)
    rises = np.diff(smoothed, prepend=0, append=0)
    peaks = np.flatnonzero((rises[:-1] >= 0) & (rises[1:] < 0) & (smoothed >= 0.1 * smoothed.max()))
    peak = float(borders[peaks[0]] + borders[peaks[0] + 1]) / 2
    below = peak - values[values <= peak]
    width = 1.4826 * float(np.median(below)) if len(below) else 0.0
    return math.exp(peak + _FLANK * width) - _INVISIBLE


def _with_margin(
    found: NDArray[np.bool_], cell: tuple[float, float], pixel_size: tuple[float, float] | None
) -> NDArray[np.bool_]:
    """The mask with narrow gaps closed and a margin added."""
    margin = MARGIN[1] if pixel_size is None else MARGIN[0] / min(pixel_size)
    near = isotropic_dilation(found, _GAP / 2 / min(cell))
    if near.all():
        return near
    closed = found | isotropic_erosion(near, _GAP / 2 / min(cell))
    return isotropic_dilation(closed, 1 + margin / min(cell))
