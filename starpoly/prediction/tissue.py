"""Where on a slide there is something to look at: a coarse mask, given or found."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian
from skimage.morphology import dilation, erosion, isotropic_dilation, isotropic_erosion

from ..errors import ImageError, StarpolyWarning
from ..images.normalization import MIN_GREY_LEVELS
from ..io.readers.images import open_source
from ..io.readers.source import Source
from ..tiling import Box, cut_along

MARGIN = (25.0, 64)
"""What is added around tissue that was found: micrometres, or pixels where their size is unknown."""

COARSE_PIXEL = (4.0, 8)
"""The largest pixel of a pyramid's level in which the smallest objects still show: micrometres, or pixels of the level
that is looked at."""

_CELL = 16  # pixels a side of what becomes a pixel of the mask, at least
_VIEW_SIDE = 2048  # pixels of the mask along the longer side, at most
_SMOOTH = 4  # pixels a side that are averaged, against noise: less than an object
_AT_ONCE = 1 << 22  # pixels that are read at once
_GAP = 256  # pixels; narrower gaps belong to the tissue

# In the following, contrast is a share of the range of intensities, as the network sees it.
_INVISIBLE = 0.01  # contrast too small for an object
_STEPS = 2.01  # the same, in steps between stored intensities
_NOISY = 0.2  # glass has less contrast than this; else it may be tissue
_FLANK = 8.0  # width of the contrast of glass, in standard deviations on its lower side
_OTHER_LEVEL = 0.1  # glass has one intensity; what differs by more is tissue, however smooth
_AT_THE_END = 0.25  # glass is bright or dark; what is smooth and grey may be tissue
_LEAST_CELLS = 64  # fewer say nothing about glass


class Tissue:
    """The part of an image that is to be looked at: a mask of any size, stretched over it.

    Parameters
    ----------
    mask : (h, w) bool array
        True where to look.
    shape : (int, int)
        Height and width of the image in pixels.
    over : (float, float, float, float), optional
        Where the mask lies, as ``y0, x0, y1, x1`` in pixels of the image, its corner at 0; beyond the mask there is
        nothing. Default: the image.
    """

    def __init__(
        self, mask: NDArray[np.bool_], shape: tuple[int, int], over: tuple[float, float, float, float] | None = None
    ) -> None:
        self.mask = np.asarray(mask, bool)
        self.shape = (int(shape[0]), int(shape[1]))
        self.over = (0.0, 0.0, float(shape[0]), float(shape[1])) if over is None else over
        if self.mask.ndim != 2 or 0 in self.mask.shape or min(self.shape) < 1:
            raise ImageError(
                f"mask: expected pixels (Y, X) over a positive area, got {self.mask.shape} over {self.shape}"
            )

    def overlaps(self, box: Box) -> bool:
        """Whether a pixel of the mask that is True meets a box of the image, by however little."""
        inside = box.clip(self.shape)
        rows = self._extent(inside.y0, inside.y1, 0)
        columns = self._extent(inside.x0, inside.x1, 1)
        return bool(self.mask[rows, columns].any())

    def contains(self, points: NDArray) -> NDArray[np.bool_]:
        """Which points lie on a pixel of the mask that is True.

        Parameters
        ----------
        points : (n, 2) array
            ``(y, x)`` in pixels of the image, centres of pixels at integers.

        Returns
        -------
        (n,) bool
        """
        points = np.asarray(points, np.float64)
        edge = points + 0.5
        inside = ((edge >= 0) & (edge < self.shape)).all(axis=1)
        found = np.zeros(len(points), bool)
        rows, columns = (np.floor(self._on_mask(edge[inside, axis], axis)).astype(np.int64) for axis in (0, 1))
        on_mask = (rows >= 0) & (rows < self.mask.shape[0]) & (columns >= 0) & (columns < self.mask.shape[1])
        found[np.flatnonzero(inside)[on_mask]] = self.mask[rows[on_mask], columns[on_mask]]
        return found

    def resized(self, shape: tuple[int, int]) -> Tissue:
        """The same mask over the same image at another size."""
        y, x = (new / old for new, old in zip(shape, self.shape, strict=True))
        y0, x0, y1, x1 = self.over
        return Tissue(self.mask, shape, (y0 * y, x0 * x, y1 * y, x1 * x))

    def within(self, box: Box) -> Tissue:
        """What of the mask belongs to a part of the image, in pixels of that part."""
        y0, x0, y1, x1 = self.over
        return Tissue(self.mask, box.shape, (y0 - box.y0, x0 - box.x0, y1 - box.y0, x1 - box.x0))

    @property
    def fraction(self) -> float:
        """Share of the image that is looked at, 0 to 1."""
        weights = []
        for axis, (length, n) in enumerate(zip(self.shape, self.mask.shape, strict=True)):
            low, high = self.over[axis], self.over[axis + 2]
            borders = np.clip(low + (high - low) * np.arange(n + 1) / n, 0, length)
            weights.append(np.diff(borders) / length)
        return float(sum(weight * weights[1][row].sum() for weight, row in zip(weights[0], self.mask, strict=True)))

    def fingerprint(self) -> str:
        """Hash of the mask and of where it lies."""
        digest = hashlib.blake2b(repr((self.mask.shape, self.shape, self.over)).encode(), digest_size=16)
        for row in self.mask:
            digest.update(np.packbits(row).tobytes())
        return digest.hexdigest()

    def _on_mask(self, edge: Any, axis: int) -> Any:
        """From pixels of the image to pixels of the mask; both count from the corner."""
        low, high = self.over[axis], self.over[axis + 2]
        return (edge - low) * self.mask.shape[axis] / (high - low)

    def _extent(self, start: int, stop: int, axis: int) -> slice:
        """The pixels of the mask that meet a stretch of the image."""
        first, last = math.floor(self._on_mask(start, axis)), math.ceil(self._on_mask(stop, axis))
        return slice(max(first, 0), max(last, 0)) if stop > start else slice(0, 0)


def read_mask(image: Any, shape: tuple[int, int]) -> Tissue:
    """Read a mask: an image of any size, not zero where to look.

    Parameters
    ----------
    image : path or array-like
        Whatever :func:`starpoly.io.readers.images.open_source` opens; of several channels, one that is not zero suffices.
    shape : (int, int)
        Height and width of the image, or of the level, that it is stretched over.

    Raises
    ------
    ImageError
        If it cannot be read, is zero everywhere, or has not the image's aspect ratio within the rounding of its sides.
    """
    with open_source(image) as source:
        (height, width), (y, x) = source.shape[:2], shape
        # rounding a side of the mask moves it by less than a pixel
        if abs(height * x - width * y) >= x + y:
            raise ImageError(
                f"{source.name}: expected a mask with the sides of the image, {y} x {x} pixels, in proportion, "
                f"got {height} x {width}; make it of the whole image"
            )
        mask = np.empty((height, width), bool)
        for box in cut_along((height, width), source.block, _AT_ONCE):
            mask[box.slices] = (source[box.slices] != 0).any(axis=2)
    if not mask.any():
        raise ImageError(f"{source.name}: expected a mask that is not zero where to look, got zeros only")
    return Tissue(mask, shape)


def find_tissue(source: Source, open_level: Callable[[int, Box], Source] | None = None) -> Tissue:
    """Find where an image shows something, so that empty glass need not be looked at.

    Glass is what is smooth and alike all over the image, and bright or dark; all else counts as tissue, with a margin
    of :data:`MARGIN` around it. Where it is not clear what is glass, everything is tissue.

    Parameters
    ----------
    source : Source
        The image. Without a suitable lower level it is read whole, once, in bounded memory: to look at some of its pixels
        only would be to overlook small objects.
    open_level : callable, optional
        Opens the part ``box`` of another ``level`` of the same image, ``open_level(level, box)``. A level with pixels of
        up to :data:`COARSE_PIXEL` is looked at instead of the image itself.

    Returns
    -------
    Tissue
        Over ``source``.

    Warns
    -----
    StarpolyWarning
        If the image seems to be all glass or all tissue; all of it is to be looked at then.
    """
    view = _view_of(source, open_level)
    found = _stands_out(view)
    if found is None:
        return _everything(source, "tissue and glass cannot be told apart")
    if not found.any():
        return _everything(source, "all seems to be empty glass")
    mask = _with_margin(found, _cell_size(source.shape[:2], view), source.pixel_size)
    if mask.all():
        return _everything(source, "there is tissue everywhere")
    return Tissue(mask, source.shape[:2], view.over)


def _everything(source: Source, why: str) -> Tissue:
    warnings.warn(f"{source.name}: {why}; all of it is looked at", StarpolyWarning, stacklevel=3)
    return Tissue(np.ones((1, 1), bool), source.shape[:2])


@dataclass(frozen=True)
class _View:
    """Darkest and brightest smoothed intensity in each cell of an image, (h, w, C), where the cells lie, and the step
    between two intensities."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    over: tuple[float, float, float, float]
    step: float


def _cell_size(shape: tuple[int, int], view: _View) -> tuple[float, float]:
    y0, x0, y1, x1 = view.over
    return (y1 - y0) / view.low.shape[0], (x1 - x0) / view.low.shape[1]


def _view_of(source: Source, open_level: Callable[[int, Box], Source] | None) -> _View:
    """The coarse view of a source, by its best level."""
    level = _coarse_level(source)
    if open_level is None or level == source.level:
        return _reduce(source, (1.0, 1.0))
    own, other = source.levels[source.level], source.levels[level]
    factor = (own[0] / other[0], own[1] / other[1])
    (top, left), (height, width) = source.offset, source.shape[:2]
    box = Box(
        math.floor(top / factor[0]),
        math.floor(left / factor[1]),
        math.ceil((top + height) / factor[0]),
        math.ceil((left + width) / factor[1]),
    ).clip(other)
    with open_level(level, box) as coarse:
        view = _reduce(coarse, factor)
    y0, x0, y1, x1 = view.over
    moved = (
        (y0 + box.y0) * factor[0] - top,
        (x0 + box.x0) * factor[1] - left,
        (y1 + box.y0) * factor[0] - top,
        (x1 + box.x0) * factor[1] - left,
    )
    return replace(view, over=moved)


def _coarse_level(source: Source) -> int:
    """The level with the largest pixels in which the smallest objects still show."""
    own = source.levels[source.level]
    largest = COARSE_PIXEL[1] if source.pixel_size is None else COARSE_PIXEL[0] / max(source.pixel_size)
    best = source.level
    for level, other in enumerate(source.levels):
        factor = max(own[0] / other[0], own[1] / other[1])
        if factor <= largest and other[0] < source.levels[best][0]:
            best = level
    return best


def _reduce(source: Source, factor: tuple[float, float]) -> _View:
    """Read a source once, piece by piece; ``factor`` is the size of its pixels in those of the image."""
    shape, origin = source.shape[:2], source.offset
    grids = [
        _Grid.over(length, start, max(1, round(_SMOOTH / size)), max(_CELL / size, max(shape) / _VIEW_SIDE))
        for length, start, size in zip(shape, origin, factor, strict=True)
    ]
    low = np.empty((grids[0].n, grids[1].n, source.shape[2]), np.float32)
    high = np.empty_like(low)
    cell = (grids[0].cell, grids[1].cell)
    unit = tuple(math.lcm(a, b) for a, b in zip(source.block, cell, strict=True))
    if unit[0] * unit[1] > _AT_ONCE:
        unit = cell
    most = max(_AT_ONCE // source.shape[2], cell[0] * cell[1])
    for box in cut_along(shape, (unit[0], unit[1]), most, origin=origin):
        rows, columns = grids[0].part(box.y0, box.y1), grids[1].part(box.x0, box.x1)
        smoothed = _means(source[box.slices], rows, columns)
        for out, extreme in ((low, np.minimum), (high, np.maximum)):
            along_y = extreme.reduceat(smoothed, rows.cells, axis=0)
            out[rows.place, columns.place] = extreme.reduceat(along_y, columns.cells, axis=1)
    over = tuple(grid.lies for grid in grids)
    step = 1.0 if source.dtype.kind in "ui" else 0.0
    return _View(low, high, (over[0][0], over[1][0], over[0][1], over[1][1]), step)


@dataclass(frozen=True)
class _Grid:
    """Cells along an axis, and the smaller ones in which pixels are averaged.

    They lie at multiples of their size in the whole image, as blocks do; the axis begins at ``start`` and is ``length``
    pixels long.
    """

    length: int
    start: int
    smooth: int
    cell: int

    @classmethod
    def over(cls, length: int, start: int, smooth: int, least: float) -> _Grid:
        """With cells of at least so many pixels."""
        return cls(length, start, smooth, smooth << max(0, math.ceil(math.log2(least / smooth))))

    @property
    def n(self) -> int:
        """Number of cells."""
        return -(-(self.start % self.cell + self.length) // self.cell)

    @property
    def lies(self) -> tuple[float, float]:
        """Where the cells begin and end, in pixels of the axis."""
        begin = -(self.start % self.cell)
        return float(begin), float(begin + self.n * self.cell)

    def part(self, start: int, stop: int) -> _Part:
        """What of it a stretch holds that begins at a border of cells."""
        first = self.start + start
        means = np.unique([0, *range(-first % self.smooth, stop - start, self.smooth)])
        cells = np.searchsorted(means, np.unique([0, *range(-first % self.cell, stop - start, self.cell)]))
        place = first // self.cell - self.start // self.cell
        return _Part(means, np.diff([*means, stop - start]), cells, slice(place, place + len(cells)))


@dataclass(frozen=True)
class _Part:
    """Where means begin and how many pixels they take; which of them begin a cell; and the places of the cells."""

    means: NDArray[np.intp]
    counts: NDArray[np.intp]
    cells: NDArray[np.intp]
    place: slice


def _means(pixels: NDArray, rows: _Part, columns: _Part) -> NDArray[np.float32]:
    """Averages over small squares."""
    values = pixels.astype(np.float32)
    if pixels.dtype.kind == "f":
        values[~np.isfinite(values)] = 0
    values = np.add.reduceat(np.add.reduceat(values, rows.means, axis=0), columns.means, axis=1)
    values /= rows.counts[:, None, None] * columns.counts[:, None]
    return values


def _stands_out(view: _View) -> NDArray[np.bool_] | None:
    """The cells that differ from glass in some channel, None if any may."""
    blank = (view.low == view.high).all(axis=2)  # beyond the scanned area, or glass without noise
    found = np.zeros(blank.shape, bool)
    if blank.all():
        return found
    for channel in range(view.low.shape[2]):
        low, high = view.low[..., channel], view.high[..., channel]
        ends = _range(low[~blank], high[~blank], MIN_GREY_LEVELS * view.step)
        if ends is None:
            continue  # the network does not see anything there either
        differs = _differs(low, high, blank, ends, view.step)
        if differs is None:
            return ~blank if blank.any() else None
        found |= differs
    return found


def _range(low: NDArray[np.float32], high: NDArray[np.float32], least: float) -> tuple[float, float] | None:
    """What becomes 0 and 1 for the network, or None where there is no contrast."""
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
    """The cells of a channel that differ from glass, None where it is not clear what is glass."""
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
    spread = np.percentile(level[glass], (5, 95))
    if spread[1] - spread[0] > 2 * _OTHER_LEVEL or _AT_THE_END < usual < 1 - _AT_THE_END:
        return None
    return ~blank & ((contrast > limit) | (np.abs(level - usual) > _OTHER_LEVEL))


def _contrast_of_glass(contrast: NDArray[np.float32]) -> float:
    """The largest contrast of what is smoothest: the lowest peak in the distribution, and its flank mirrored."""
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
    """The mask without narrow gaps, and larger by a margin."""
    margin = MARGIN[1] if pixel_size is None else MARGIN[0] / min(pixel_size)
    near = isotropic_dilation(found, _GAP / 2 / min(cell))
    if near.all():
        return near
    closed = found | isotropic_erosion(near, _GAP / 2 / min(cell))
    return isotropic_dilation(closed, 1 + margin / min(cell))
