"""Intensity normalisation: percentiles of the whole image, per channel, become 0 and 1."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import NormalizationConfig
from ..errors import ImageError, StarpolyWarning
from ..tiling import cut_along

MIN_GREY_LEVELS = 4.0
"""Integer images are never stretched more than this many grey levels to full contrast: the darkest real 8-bit
micrographs span five or more, below is noise."""

MIN_RELATIVE_RANGE = 1e-5
"""The same for floating-point images, relative to the magnitude of the percentiles: below is rounding error."""

_BLOCK_BYTES = 1 << 24  # read at once, in all channels
_BLOCK_PIXELS = 1 << 22
_COUNT_AT_ONCE = 1 << 20  # values; counting makes a copy of eight bytes for each
_DIGIT = 16  # bits of a value that are told apart in one pass over the image
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
        Anything with ``shape``, ``dtype`` and slicing. It is read piece by piece, all channels at once, along the borders
        of its ``block`` if it has one: once for up to 16 bits, twice for 32 and four times for 64.
    config : NormalizationConfig, optional
        The two percentiles; 1 and 99.8 by default.

    Returns
    -------
    Normalizer
        Linearly interpolated percentiles of all values, as ``numpy.percentile`` gives them.

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
    """
    config = config or NormalizationConfig()
    _check(image)
    summaries = _summarize(image, (config.low, config.high))
    n_channels = len(summaries)
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


def is_constant(image: Any) -> bool:
    """Whether no channel of an image has contrast, not even between its smallest and largest value.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        As for :func:`fit_normalizer`, which warns of such channels.

    Raises
    ------
    ImageError
        As :func:`fit_normalizer`.
    """
    _check(image)
    summaries = _summarize(image, (0.0, 100.0))
    return all(summary.maximum - summary.minimum < _smallest_range(summary, image.dtype) for summary in summaries)


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


def _blocks(image: Any) -> Iterator[NDArray]:
    """The image piece by piece, (y, x, C), each block read in one go."""
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    most = max(1, min(_BLOCK_BYTES // (n_channels * image.dtype.itemsize), _BLOCK_PIXELS))
    origin = getattr(image, "offset", (0, 0))
    for box in cut_along(image.shape[:2], getattr(image, "block", (1, 1)), most, origin=origin):
        yield _with_channels(np.asarray(image[box.slices]))


def _summarize(image: Any, percentiles: tuple[float, float]) -> list[_Summary]:
    """What the channels come down to, by counting: digit by digit of 16 bits, for the values of the wanted ranks only."""
    kind = _kind_of_keys(image.dtype)
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    channels = [_Ranks(kind, percentiles) for _ in range(n_channels)]
    for digit in range(kind.n_digits):
        for block in _blocks(image):
            for index, channel in enumerate(channels):
                channel.count(block[..., index], digit)
        for channel in channels:
            channel.settle(digit)
    return [channel.summary() for channel in channels]


@dataclass(frozen=True)
class _Keys:
    """Numbers of a dtype as unsigned integers in the same order."""

    values: np.dtype
    keys: np.dtype

    @property
    def n_digits(self) -> int:
        """How often 16 bits of a key are looked at."""
        return max(1, 8 * self.keys.itemsize // _DIGIT)

    @property
    def _top(self) -> Any:
        return self.keys.type(1 << (8 * self.keys.itemsize - 1))

    def encode(self, values: NDArray) -> NDArray:
        """Keys of finite numbers."""
        bits = np.ascontiguousarray(values, self.values).view(self.keys)
        if self.values.kind == "f":
            # of negative numbers, those with larger bits are smaller
            return np.where(bits & self._top, ~bits, bits | self._top)
        return bits ^ self._top if self.values.kind == "i" else bits

    def decode(self, keys: NDArray) -> NDArray:
        """Back to numbers."""
        if self.values.kind == "f":
            keys = np.where(keys & self._top, keys ^ self._top, ~keys)
        elif self.values.kind == "i":
            keys = keys ^ self._top
        return keys.view(self.values)


def _kind_of_keys(dtype: np.dtype) -> _Keys:
    if dtype.kind == "b":
        return _Keys(np.dtype(np.uint8), np.dtype(np.uint8))
    if dtype.kind == "f":
        dtype = np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return _Keys(dtype.newbyteorder("="), np.dtype(f"u{dtype.itemsize}"))


class _Ranks:
    """The smallest and largest value of a channel and those around its percentiles, found digit by digit."""

    def __init__(self, kind: _Keys, percentiles: tuple[float, float]) -> None:
        self._kind, self._percentiles = kind, percentiles
        self._n_bins = 1 << min(_DIGIT, 8 * kind.keys.itemsize)
        self._counts = {0: np.zeros(self._n_bins, np.int64)}  # of the next digit, after each beginning of a key
        self._begins: list[int] = []  # of the keys with the wanted ranks
        self._ranks: list[int] = []  # of those among the keys with the same beginning
        self._positions: list[float] = []
        self.n_bad = 0

    def count(self, values: NDArray, digit: int) -> None:
        """Count the digits of a part of the channel; non-finite values count as the smallest finite one."""
        values = values.ravel()
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            n_bad = len(values) - int(np.count_nonzero(finite))
            if n_bad:
                values = values[finite]
            self.n_bad += n_bad if digit == 0 else 0
        shift = 8 * self._kind.keys.itemsize - _DIGIT * (digit + 1)
        for start in range(0, len(values), _COUNT_AT_ONCE):
            keys = self._kind.encode(values[start : start + _COUNT_AT_ONCE])
            if keys.dtype.itemsize == 1:
                self._counts[0] += _count_bytes(keys)
                continue
            for begin, counts in self._counts.items():
                same = keys if digit == 0 else keys[keys >> (shift + _DIGIT) == begin]
                digits = (same >> max(shift, 0)) & (self._n_bins - 1)
                counts += np.bincount(digits.astype(np.intp), minlength=self._n_bins)

    def settle(self, digit: int) -> None:
        """Find the digit of each wanted key; the next one is counted after these only."""
        if digit == 0:
            self._begin()
        for index, (begin, rank) in enumerate(zip(self._begins, self._ranks, strict=True)):
            cumulative = np.cumsum(self._counts[begin])
            found = int(np.searchsorted(cumulative, rank, side="right"))
            self._begins[index] = begin * self._n_bins + found
            self._ranks[index] = rank - int(cumulative[found - 1] if found else 0)
        self._counts = {begin: np.zeros(self._n_bins, np.int64) for begin in self._begins}

    def _begin(self) -> None:
        n = int(self._counts[0].sum())
        if not n:
            return
        last = n + self.n_bad - 1
        self._positions = [q / 100 * last for q in self._percentiles]
        ranks = [0, last]
        for position in self._positions:
            ranks += [int(position), min(int(position) + 1, last)]
        # the non-finite ones stand before all others
        self._ranks = [max(0, rank - self.n_bad) for rank in ranks]
        self._begins = [0] * len(ranks)

    def summary(self) -> _Summary:
        """What was found."""
        if not self._begins:
            return _Summary(0.0, 0.0, 0.0, 0.0, self.n_bad)
        minimum, maximum, *around = self._kind.decode(np.array(self._begins, self._kind.keys))
        narrow = self._kind.keys.itemsize <= 2
        shares = [position - int(position) for position in self._positions]
        low = _between(around[0], around[1], shares[0], narrow=narrow)
        high = _between(around[2], around[3], shares[1], narrow=narrow)
        return _Summary(low, high, float(minimum), float(maximum), self.n_bad)


def _count_bytes(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of 256 values occurs; two neighbours are counted at a time."""
    even = len(values) // 2 * 2
    pairs = np.bincount(values[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    return pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(values[even:], minlength=256)


def _between(lower: Any, upper: Any, share: float, *, narrow: bool) -> float:
    """Linear interpolation, but for ``narrow`` integers rounded as numpy does it."""
    gap = float(upper - lower) if lower.dtype.kind == "f" else int(upper) - int(lower)
    return float(upper) - gap * (1 - share) if share >= 0.5 and not narrow else float(lower) + gap * share


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
