"""Intensity normalisation: percentiles of the whole image, per channel, become 0 and 1."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import NormalizationConfig
from .errors import ImageError, StarpolyWarning

SAMPLE_SIZE = 50_000_000
"""Most values per channel that a percentile of a non-histogram dtype is computed from."""

MIN_GREY_LEVELS = 4.0
"""Integer images are never stretched more than this many grey levels to full contrast: the darkest real 8-bit
micrographs span five or more, below is noise."""

MIN_RELATIVE_RANGE = 1e-5
"""The same for floating-point images, relative to the magnitude of the percentiles: below is rounding error."""

_BLOCK_VALUES = 1 << 22
_LARGEST = 1e6  # normalised values beyond are clipped, so that an outlier cannot overflow float32 in the network


@dataclass(frozen=True)
class Normalizer:
    """Linear map of intensities, ``(x - low) / (high - low)`` per channel.

    Calling it on any crop ``(Y, X)`` or ``(Y, X, C)`` gives float32 ``(Y, X, C)``; a crop of the result is the result
    of the crop, bit for bit.

    Parameters
    ----------
    low, high : tuple of float, length C
        Intensities that become 0 and 1; ``high > low``.
    fill : tuple of float, length C, optional
        Intensity that stands in for NaN and infinity; ``low`` by default.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    fill: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("low", "high", "fill"):
            object.__setattr__(self, name, tuple(float(value) for value in np.ravel(getattr(self, name))))
        if not self.fill:
            object.__setattr__(self, "fill", self.low)
        if not len(self.low) == len(self.high) == len(self.fill) >= 1:
            raise ImageError("normalizer: expected as many high as low values, one per channel")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ImageError(f"normalizer: expected low < high, got {self.low} and {self.high}")

    @property
    def n_channels(self) -> int:
        """Number of channels of the images it is for."""
        return len(self.low)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain JSON types; ``Normalizer(**d)`` reads them back."""
        return {"low": list(self.low), "high": list(self.high), "fill": list(self.fill)}

    def __call__(self, crop: NDArray) -> NDArray[np.float32]:
        """Normalise a crop of the image.

        Parameters
        ----------
        crop : (Y, X) or (Y, X, C) array
            Intensities of any real dtype.

        Returns
        -------
        (Y, X, C) float32

        Raises
        ------
        ImageError
            If the number of channels is another.
        """
        crop = _with_channels(np.asarray(crop))
        if crop.shape[2] != self.n_channels:
            raise ImageError(f"normalizer: expected {self.n_channels} channels, got {crop.shape[2]}")
        # float32 holds 16-bit integers exactly; wider ones with a large offset would lose their contrast
        wide = crop.dtype.itemsize > 2 and crop.dtype != np.float32
        dtype: Any = np.float64 if wide else np.float32
        low, high, fill = (np.asarray(values, dtype) for values in (self.low, self.high, self.fill))
        if crop.dtype.kind == "f":
            crop = np.where(np.isfinite(crop), crop, fill)
        normalized = np.subtract(crop, low, dtype=dtype)
        normalized /= high - low
        if crop.dtype.itemsize > 2:
            np.clip(normalized, -_LARGEST, _LARGEST, out=normalized)
        return normalized.astype(np.float32, copy=False)


def fit_normalizer(image: Any, config: NormalizationConfig | None = None) -> Normalizer:
    """Percentiles of a whole image, per channel, as a :class:`Normalizer`.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Anything with ``shape``, ``dtype`` and slicing; read in blocks of rows.
    config : NormalizationConfig, optional
        The two percentiles; 1 and 99.8 by default.

    Returns
    -------
    Normalizer
        Linearly interpolated percentiles, as ``numpy.percentile`` gives them.

    Raises
    ------
    ImageError
        If the image is empty, has another number of axes or complex or non-numeric values.

    Warns
    -----
    StarpolyWarning
        For NaN or infinity (they count as the smallest finite value) and for channels without contrast: a range
        between the percentiles below `MIN_GREY_LEVELS` (integers) or `MIN_RELATIVE_RANGE` (floats) is widened to the
        maximum of the channel and at least to that limit, so a constant channel becomes zero, a sparse one keeps its
        objects, and neither becomes noise at full contrast.

    Notes
    -----
    Exact (by histogram) for images of 8 and 16 bits, and exact for others of up to `SAMPLE_SIZE` values per channel;
    beyond, every k-th row and column is used with the smallest k that keeps below that size.
    """
    config = config or NormalizationConfig()
    _check(image)
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    kind, itemsize = image.dtype.kind, image.dtype.itemsize
    summarize = _summary_by_histogram if kind in "bui" and itemsize <= 2 else _summary_by_values
    percentiles = (config.low, config.high)
    summaries = [summarize(image, channel, percentiles) for channel in range(n_channels)]
    _warn_non_finite(sum(summary.n_bad for summary in summaries))
    highs: list[float] = []
    flat: list[int] = []
    sparse: list[int] = []
    for channel, summary in enumerate(summaries):
        floor = _smallest_range(summary, image.dtype)
        high = summary.high
        if summary.high - summary.low < floor:
            high = max(summary.maximum, summary.low + floor)
            (sparse if summary.maximum - summary.low >= floor else flat).append(channel)
        highs.append(high)
    _warn_contrast(flat, "constant or nearly so, nothing can be found there", n_channels)
    _warn_contrast(sparse, "without contrast between the percentiles, stretched to the maximum", n_channels)
    lows, fills = ([getattr(summary, name) for summary in summaries] for name in ("low", "minimum"))
    return Normalizer(tuple(lows), tuple(highs), tuple(fills))


@dataclass(frozen=True)
class _Summary:
    """What one channel's intensities come down to."""

    low: float
    high: float
    minimum: float
    maximum: float
    n_bad: int = 0


def _check(image: Any) -> None:
    if len(image.shape) not in (2, 3) or 0 in image.shape:
        raise ImageError(f"expected a non-empty image with axes YX or YXC, got shape {tuple(image.shape)}")
    if image.dtype.kind not in "buif":
        raise ImageError(f"expected real numbers, got {image.dtype}; convert it first")


def _with_channels(image: NDArray) -> NDArray:
    if image.ndim not in (2, 3):
        raise ImageError(f"expected an image with axes YX or YXC, got shape {image.shape}")
    return image if image.ndim == 3 else image[..., None]


def _blocks(image: Any, channel: int) -> Iterator[tuple[int, NDArray]]:
    """Blocks of rows of one channel, each with its first row."""
    rows = max(1, _BLOCK_VALUES // max(1, image.shape[1]))
    for start in range(0, image.shape[0], rows):
        stop = min(start + rows, image.shape[0])
        block = image[start:stop] if len(image.shape) == 2 else image[start:stop, :, channel]
        yield start, np.asarray(block)


def _summary_by_histogram(image: Any, channel: int, percentiles: tuple[float, float]) -> _Summary:
    """Exact percentiles of 8- and 16-bit integers."""
    offset = 0 if image.dtype.kind == "b" else int(np.iinfo(image.dtype).min)
    counts = np.zeros(1 << (8 * image.dtype.itemsize), np.int64)
    for _, block in _blocks(image, channel):
        values = block.ravel() if offset == 0 else block.ravel().astype(np.int64) - offset
        counts += np.bincount(values, minlength=len(counts))
    cumulative = np.cumsum(counts)
    present = np.flatnonzero(counts)

    def percentile(q: float) -> float:
        position = q / 100 * (cumulative[-1] - 1)
        below = int(position)
        ranks = [below, min(below + 1, int(cumulative[-1]) - 1)]
        lower, upper = np.searchsorted(cumulative, ranks, side="right")
        return float(lower + (upper - lower) * (position - below)) + offset

    low, high = map(percentile, percentiles)
    return _Summary(low, high, float(present[0] + offset), float(present[-1] + offset))


def _summary_by_values(image: Any, channel: int, percentiles: tuple[float, float]) -> _Summary:
    """Percentiles of all values, or of every k-th row and column of a very large image."""
    step = int(np.ceil(np.sqrt(max(1, image.shape[0] * image.shape[1] / SAMPLE_SIZE))))
    samples, minima, maxima, n_bad = [], [], [], 0
    for start, block in _blocks(image, channel):
        finite = np.isfinite(block)
        n_finite = int(np.count_nonzero(finite))
        n_bad += block.size - n_finite
        if n_finite:
            minima.append(float(np.min(block, where=finite, initial=_largest(block.dtype))))
            maxima.append(float(np.max(block, where=finite, initial=_smallest(block.dtype))))
        samples.append(np.asarray(block[-start % step :: step, ::step]).ravel())
    if not minima:
        return _Summary(0.0, 0.0, 0.0, 0.0, n_bad)
    minimum, maximum = min(minima), max(maxima)
    sample = np.concatenate(samples)
    if sample.dtype.kind == "f":
        sample = sample.astype(np.float32 if sample.dtype.itemsize <= 4 else np.float64)
        sample[~np.isfinite(sample)] = minimum
    low, high = np.percentile(sample, percentiles, overwrite_input=True)
    return _Summary(float(low), float(high), minimum, maximum, n_bad)


def _largest(dtype: np.dtype) -> Any:
    return np.finfo(dtype).max if dtype.kind == "f" else np.iinfo(dtype).max


def _smallest(dtype: np.dtype) -> Any:
    return np.finfo(dtype).min if dtype.kind == "f" else np.iinfo(dtype).min


def _smallest_range(summary: _Summary, dtype: np.dtype) -> float:
    """Smallest range of intensities that is still stretched to full contrast; positive."""
    if dtype.kind == "b":
        return 1.0
    if dtype.kind in "ui":
        return MIN_GREY_LEVELS
    # by the percentiles where possible, so that one outlier cannot make the rest look constant
    magnitude = max(abs(summary.low), abs(summary.high)) or max(abs(summary.minimum), abs(summary.maximum))
    return MIN_RELATIVE_RANGE * magnitude or 1.0


def _warn_non_finite(n_bad: int) -> None:
    if n_bad:
        message = f"{n_bad} values of the image are NaN or infinite; they count as the smallest finite value"
        warnings.warn(message, StarpolyWarning, stacklevel=3)


def _warn_contrast(channels: list[int], what: str, n_channels: int) -> None:
    if channels:
        where = "the image" if n_channels == 1 else f"channels {', '.join(map(str, channels))} of {n_channels}"
        warnings.warn(f"{where}: {what}", StarpolyWarning, stacklevel=3)
