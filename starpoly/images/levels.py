"""Which intensities of an image's channels become 0 and 1: percentiles of what has data, widened where there is no contrast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..config import NormalizationConfig
from ..errors import warn
from .axes import check_image
from .exact_floats import ROUGH, is_rough
from .margins import STRAY, darkest_corners, margin_floor
from .percentiles import ChannelSummary, summarize

MIN_GREY_LEVELS = 4.0
"""Smallest range of an integer image that becomes full contrast, in grey levels: the darkest real 8-bit micrographs span
five or more, anything less is noise."""

MIN_RELATIVE_RANGE = 1e-5
"""The same for floating-point images, as a part of the percentiles' magnitude: anything less is rounding error."""

MIN_RELATIVE_RANGE_OF_DOUBLES = 1e-13
"""The same in double precision, which tells hundreds of levels apart there: grey levels upon an offset of a million millions."""

_MEDIAN = 50.0
_SINGLE_BYTES = 4
_CONSTANT = "constant or nearly so, nothing can be found there"
_SPARSE = "without contrast between the percentiles, stretched to the maximum"


@dataclass(frozen=True)
class ChannelLevels:
    """Levels of one channel.

    Parameters
    ----------
    number : int
        Of the channel in the image.
    low, high : float
        What becomes 0 and 1.
    fill : float
        Smallest finite value, which stands in for NaN and infinity; with a margin the median of the rest, for both.
    floor : float, optional
        Intensities up to this are a margin without data.
    n_bad : int
        Number of values that are NaN or infinite.
    contrast : str
        What is wrong with it; empty if nothing is.
    """

    number: int
    low: float
    high: float
    fill: float
    floor: float | None = None
    n_bad: int = 0
    contrast: str = ""


@dataclass(frozen=True)
class Levels:
    """Levels of an image, or of some of its channels.

    Parameters
    ----------
    channels : tuple of ChannelLevels
    n_channels : int
        Of the image.
    is_rough : bool
        Whether floats tell its intensities apart roughly only.
    """

    channels: tuple[ChannelLevels, ...]
    n_channels: int
    is_rough: bool = False

    def of(self, numbers: Sequence[int]) -> Levels:
        """Levels of these channels, in this order."""
        return replace(self, channels=tuple(self.channels[number] for number in numbers))

    def warn(self) -> None:
        """Warn of NaN and infinity, and of channels without contrast.

        Warns
        -----
        StarpolyWarning
        """
        if self.is_rough:
            warn(ROUGH, stacklevel=3)
        own = {channel.number: channel for channel in self.channels}
        # a grey image that became three equal channels has its values once
        distinct = {(each.low, each.high, each.fill, each.n_bad): each.n_bad for each in own.values()}
        if n_bad := sum(distinct.values()):
            in_margin = any(channel.n_bad and channel.fill > channel.low for channel in own.values())
            stand_in = "the median of the others, as a margin does" if in_margin else "the smallest finite value"
            warn(f"{n_bad} values of the image are masked, NaN or infinite; they count as {stand_in}", stacklevel=3)
        for contrast in (_CONSTANT, _SPARSE):
            found = [str(number) for number, channel in own.items() if channel.contrast == contrast]
            if found:
                where = "the image" if self.n_channels == 1 else f"channels {', '.join(found)} of {self.n_channels}"
                warn(f"{where}: {contrast}", stacklevel=3)


def measure_levels(image: Any, config: NormalizationConfig | None = None, *, run: Callable[..., Any] = map) -> Levels:
    """Levels of a whole image: percentiles of each channel.

    A range between the percentiles below `MIN_GREY_LEVELS` (integers) or `MIN_RELATIVE_RANGE` (floats) is widened to the
    maximum of the channel and at least to that limit, so a constant channel becomes zero, a sparse one keeps its objects,
    and neither becomes noise at full contrast. A margin without data does not count (``starpoly.images.margins``).

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Anything with ``shape``, ``dtype`` and slicing. It is read piece by piece, all channels at once, along the borders
        of its ``block`` if it has one: once for up to 16 bits, twice for 32 and four times for 64.
    config : NormalizationConfig, optional
        The two percentiles; 1 and 99.8 by default.
    run : callable
        Reads and counts: ``run(work, pieces)`` gives ``work(piece)`` for each, as ``map`` does, perhaps elsewhere.

    Raises
    ------
    ImageError
        If the image is empty, has another number of axes or complex or non-numeric values.
    """
    config = config or NormalizationConfig()
    check_image(image)
    apart = darkest_corners(image)
    summaries = summarize(image, (STRAY, config.low, _MEDIAN, config.high), apart=apart, run=run)
    levels = (
        _levels(number, summary, value, image.dtype)
        for number, (summary, value) in enumerate(zip(summaries, apart, strict=True))
    )
    rough = any(is_rough(image.dtype, each.minimum, each.maximum) for each in summaries)
    return Levels(tuple(levels), len(summaries), rough)


def has_no_contrast(image: Any) -> bool:
    """Whether no channel of an image has contrast, not even between its smallest and largest value.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        As for :func:`measure_levels`.

    Raises
    ------
    ImageError
        As :func:`measure_levels`.
    """
    check_image(image)
    return all(
        each.maximum - each.minimum < _smallest_range(each, each.minimum, each.maximum, image.dtype)
        for each in summarize(image, (0.0, 100.0))
    )


def _levels(number: int, summary: ChannelSummary, darkest_corner: Any, dtype: np.dtype) -> ChannelLevels:
    if summary.rest:
        stray, low, median, high = summary.rest
        floor = margin_floor(summary, darkest_corner, stray, low, high)
        if floor is not None and high - low >= _smallest_range(summary, low, high, dtype):
            return ChannelLevels(number, low, high, median, floor if np.isfinite(floor) else None, summary.n_bad)
    _, low, _, high = summary.percentiles
    smallest_range = _smallest_range(summary, low, high, dtype)
    levels = ChannelLevels(number, low, high, summary.minimum, n_bad=summary.n_bad)
    if high - low >= smallest_range:
        return levels
    contrast = _SPARSE if summary.maximum - low >= smallest_range else _CONSTANT
    # numbers so large that a double does not tell them from their neighbours have no contrast
    next_one = float(np.nextafter(low, np.inf))
    return replace(levels, high=max(summary.maximum, low + smallest_range, next_one), contrast=contrast)


def _smallest_range(summary: ChannelSummary, low: float, high: float, dtype: np.dtype) -> float:
    """Smallest range of intensities that is still stretched to full contrast; positive."""
    if dtype.kind == "b" or (dtype.kind in "ui" and (summary.minimum, summary.maximum) == (0, 1)):
        return 1.0
    if dtype.kind in "ui":
        return MIN_GREY_LEVELS
    # by the percentiles where possible, so that one outlier cannot make the rest look constant
    magnitude = max(abs(low), abs(high)) or max(abs(summary.minimum), abs(summary.maximum))
    least = MIN_RELATIVE_RANGE_OF_DOUBLES if dtype.itemsize > _SINGLE_BYTES else MIN_RELATIVE_RANGE
    return least * magnitude or 1.0
