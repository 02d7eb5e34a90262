"""Detect tissue on a slide, so that empty glass is skipped."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.morphology import dilation, erosion, isotropic_dilation, isotropic_erosion

from ..errors import warn
from ..images.levels import MIN_GREY_LEVELS
from ..io.readers.source import Source
from ..tiling import Box
from .coarse_view import CoarseView, coarse_view
from .region_masks import RegionMask

MARGIN = (25.0, 64)
"""Margin around tissue: micrometres, or pixels if the pixel size is unknown."""

_GAP = 256
"""Gaps narrower than this, in pixels, count as tissue."""
_LEAST_CELLS = 64
"""Smallest number of cells for the detection of glass."""

# Contrast and level below are in normalised units: the normalisation maps the intensity range to 0..1.
_INVISIBLE = 0.01
"""Contrast below which no object can show."""
_STEPS = 2.01
"""The same, in steps of stored intensity."""
_NOISY = 0.2
"""Largest contrast of glass. Higher contrast may be tissue."""
_FLANK = 8.0
"""Largest contrast of glass above its peak, in standard deviations of the lower flank."""
_OTHER_LEVEL = 0.1
"""Largest deviation from the intensity of glass. Cells beyond it are tissue, however smooth."""
_AT_THE_END = 0.25
"""Largest distance of glass intensity from 0 or 1. Smooth grey areas may be tissue."""


def find_tissue(source: Source, open_level: Callable[[int, Box], Source] | None = None) -> RegionMask:
    """Find the tissue in an image, so that empty glass is skipped.

    Glass is smooth, uniform over the image, and bright or dark. Everything else counts as tissue, with a margin of
    :data:`MARGIN`. In doubt, everything counts as tissue.

    Parameters
    ----------
    source : Source
        The image. Without a suitable level, the whole image is read once in bounded memory; subsampling would miss
        small objects.
    open_level : callable, optional
        ``open_level(level, box)`` opens a box of another pyramid level. A level with pixels of up to
        :data:`~starpoly.prediction.coarse_view.COARSE_PIXEL` then replaces the image.

    Returns
    -------
    RegionMask
        The tissue, in pixels of ``source``.

    Warns
    -----
    StarpolyWarning
        If the image seems to be all glass or all tissue. The mask is then True everywhere.
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
    warn(f"{source.name}: {why}; all of it is analysed", stacklevel=3)
    return RegionMask(np.ones((1, 1), bool), source.shape[:2])


def _stands_out(view: CoarseView) -> NDArray[np.bool_] | None:
    """Cells that differ from glass in any channel; None if no glass is found."""
    blank = (view.low == view.high).all(axis=2)  # outside the scanned area, or noise-free glass
    found = np.zeros(blank.shape, bool)
    if blank.all():
        return found
    for channel in range(view.low.shape[2]):
        low, high = view.low[..., channel], view.high[..., channel]
        ends = _range(low[~blank], high[~blank], MIN_GREY_LEVELS * view.step)
        if ends is None:
            continue  # a channel without contrast carries no objects
        differs = _differs(low, high, blank, ends, view.step)
        if differs is None:
            return ~blank if blank.any() else None
        found |= differs
    return found


def _range(low: NDArray[np.float32], high: NDArray[np.float32], least: float) -> tuple[float, float] | None:
    """Intensities that normalisation maps to 0 and 1; None without contrast."""
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
    """Cells of a channel that differ from glass; None if no glass is found."""
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
    """Largest contrast of glass: the lowest peak of the distribution plus a width estimated from its lower flank."""
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
    """Close narrow gaps and add a margin."""
    margin = MARGIN[1] if pixel_size is None else MARGIN[0] / min(pixel_size)
    near = isotropic_dilation(found, _GAP / 2 / min(cell))
    if near.all():
        return near
    closed = found | isotropic_erosion(near, _GAP / 2 / min(cell))
    return isotropic_dilation(closed, 1 + margin / min(cell))
