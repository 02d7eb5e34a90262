"""Exact percentiles of images of any size, in bounded memory.

Values are turned into unsigned integers in the same order (their *keys*) and counted, 16 bits at a time: the first pass over
the image counts the leading 16 bits of all values, each later pass the next 16 bits of those values that share their leading
bits with a wanted rank. So 8- and 16-bit images are read once, 32-bit ones twice and 64-bit ones four times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tiling import Box, cut_along
from .axes import with_channels

_BLOCK_BYTES = 1 << 24
"""Bytes read at once, all channels together: 16 MB, so that memory stays bounded."""
_BLOCK_PIXELS = 1 << 22
"""Pixels read at once: as much as a block of four bytes per pixel."""
_TOGETHER = 8
"""Blocks counted in one piece of work: the counts of a piece are small beside what it reads."""
_COUNT_AT_ONCE = 1 << 20
"""Values counted at once: counting copies each to eight bytes."""
_DIGIT = 16
"""Bits of a key that one pass over the image tells apart: 65 536 counters."""


@dataclass(frozen=True)
class ChannelSummary:
    """One channel's percentiles and extremes.

    Parameters
    ----------
    percentiles : tuple of float
    minimum, maximum : float
    n_bad : int
        Number of values that are NaN or infinite.
    share_apart : float
        Part of the values, 0 to 1, that equal the one which is counted apart.
    rest : tuple of float
        Percentiles of the other values, if that one is the minimum; of the finite ones, if it is NaN.
    """

    percentiles: tuple[float, ...]
    minimum: float
    maximum: float
    n_bad: int = 0
    share_apart: float = 0.0
    rest: tuple[float, ...] = ()


def summarize(
    image: Any,
    percentiles: Sequence[float],
    *,
    apart: NDArray | None = None,
    run: Callable[..., Any] = map,
) -> list[ChannelSummary]:
    """Percentiles and the extremes of every channel.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array-like
        Anything with ``shape``, ``dtype`` and slicing. It is read in blocks, all channels at once, along the borders of its
        ``block`` if it has one.
    percentiles : sequence of float
        From 0 to 100.
    apart : (C,) array, optional
        One value of each channel, of the image's dtype, that is also counted by itself; NaN: those that are not finite.
    run : callable
        Reads and counts: ``run(work, pieces)`` gives ``work(piece)`` for each, as ``map`` does, perhaps elsewhere.

    Returns
    -------
    list of ChannelSummary
        Linearly interpolated percentiles, as ``numpy.percentile`` gives them. Non-finite values count as the smallest finite
        value.
    """
    kind = _keys_of(image.dtype)
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    values = [None] * n_channels if apart is None else list(apart)
    channels = [_Ranks(kind, percentiles, value) for value in values]
    pieces = _pieces(image)
    for digit in range(kind.n_digits):
        work = partial(_count_piece, image, [channel.wanted() for channel in channels], digit)
        for counted in run(work, pieces):
            for channel, part in zip(channels, counted, strict=True):
                channel.add(part)
        for channel in channels:
            channel.settle(digit)
    return [channel.summary() for channel in channels]


def _pieces(image: Any) -> list[list[Box]]:
    boxes = list(_blocks_of(image))
    return [boxes[start : start + _TOGETHER] for start in range(0, len(boxes), _TOGETHER)]


def _count_piece(image: Any, wanted: Sequence[_Wanted], digit: int, boxes: Sequence[Box]) -> list[_Counts]:
    """What some blocks hold, by channel."""
    counts = [_Counts.none(of) for of in wanted]
    for box in boxes:
        block = with_channels(np.asarray(image[box.slices]))
        for index, count in enumerate(counts):
            count.take(block[..., index], wanted[index], digit)
    return counts


def read_in_blocks(image: Any) -> Iterator[NDArray]:
    """An image as :func:`summarize` reads it: in blocks (y, x, C) of bounded size."""
    for box in _blocks_of(image):
        yield with_channels(np.asarray(image[box.slices]))


def _blocks_of(image: Any) -> Iterator[Box]:
    n_channels = image.shape[2] if len(image.shape) == 3 else 1
    most = max(1, min(_BLOCK_BYTES // (n_channels * image.dtype.itemsize), _BLOCK_PIXELS))
    origin = getattr(image, "offset", (0, 0))
    yield from cut_along(image.shape[:2], getattr(image, "block", (1, 1)), most, origin=origin)


@dataclass(frozen=True)
class _Keys:
    """Numbers of a dtype as unsigned integers in the same order."""

    values: np.dtype
    keys: np.dtype

    @property
    def n_digits(self) -> int:
        """Number of passes over the image, 16 bits of a key each."""
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

    def key_of(self, value: Any) -> int | None:
        """Key of one number; None of none, and of what is not finite."""
        return None if value is None or not np.isfinite(value) else int(self.encode(np.array([value]))[0])

    def decode(self, keys: NDArray) -> NDArray:
        """Back to numbers."""
        if self.values.kind == "f":
            keys = np.where(keys & self._top, keys ^ self._top, ~keys)
        elif self.values.kind == "i":
            keys = keys ^ self._top
        return keys.view(self.values)


def _keys_of(dtype: np.dtype) -> _Keys:
    if dtype.kind == "b":
        return _Keys(np.dtype(np.uint8), np.dtype(np.uint8))
    if dtype.kind == "f":
        dtype = np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return _Keys(dtype.newbyteorder("="), np.dtype(f"u{dtype.itemsize}"))


@dataclass(frozen=True)
class _Wanted:
    """Which keys of a channel are counted: those with one of some prefixes, by their next digit, and one by itself."""

    kind: _Keys
    prefixes: tuple[int, ...]
    apart: int | None = None

    @property
    def n_bins(self) -> int:
        """Number of values of a digit."""
        return 1 << min(_DIGIT, 8 * self.kind.keys.itemsize)


@dataclass
class _Counts:
    """How often the values of a digit occur, for each prefix of a key, and how many values are not finite, or that one."""

    of: dict[int, NDArray[np.int64]]
    n_bad: int = 0
    n_apart: int = 0

    @classmethod
    def none(cls, wanted: _Wanted) -> _Counts:
        return cls({prefix: np.zeros(wanted.n_bins, np.int64) for prefix in wanted.prefixes})

    def take(self, values: NDArray, wanted: _Wanted, digit: int) -> None:
        """Count the digits of a part of the channel."""
        values = values.ravel()
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            n_bad = len(values) - int(np.count_nonzero(finite))
            if n_bad:
                values = values[finite]
            self.n_bad += n_bad if digit == 0 else 0
        kind = wanted.kind
        shift = 8 * kind.keys.itemsize - _DIGIT * (digit + 1)
        for start in range(0, len(values), _COUNT_AT_ONCE):
            keys = kind.encode(values[start : start + _COUNT_AT_ONCE])
            if digit == 0 and wanted.apart is not None:
                self.n_apart += int(np.count_nonzero(keys == wanted.apart))
            if keys.dtype.itemsize == 1:
                self.of[0] += _count_bytes(keys)
                continue
            for prefix, counts in self.of.items():
                same = keys if digit == 0 else keys[keys >> (shift + _DIGIT) == prefix]
                digits = (same >> max(shift, 0)) & (len(counts) - 1)
                counts += np.bincount(digits.astype(np.intp), minlength=len(counts))

    def add(self, other: _Counts) -> None:
        """Add those of another part."""
        for prefix, counts in other.of.items():
            self.of[prefix] += counts
        self.n_bad += other.n_bad
        self.n_apart += other.n_apart


class _Ranks:
    """Extremes of a channel and the values around its percentiles, found 16 bits at a time."""

    def __init__(self, kind: _Keys, percentiles: Sequence[float], apart: Any) -> None:
        self._kind, self._percentiles, self._apart = kind, percentiles, kind.key_of(apart)
        self._bad_apart = apart is not None and bool(np.isnan(apart))
        self._counts = _Counts.none(_Wanted(kind, (0,)))
        self._prefixes: list[int] = []  # of the keys at the wanted ranks
        self._ranks: list[int] = []  # among the keys with the same prefix
        self._positions: list[float] = []  # of the percentiles: of all values, then of the rest
        self._n = 0

    def wanted(self) -> _Wanted:
        """What to count next."""
        return _Wanted(self._kind, tuple(self._counts.of), self._apart)

    def add(self, counts: _Counts) -> None:
        """Take what was counted in a part of the channel."""
        self._counts.add(counts)

    def settle(self, digit: int) -> None:
        """Find this digit of each wanted key; the next digit is counted for these prefixes alone."""
        if digit == 0:
            self._start()
        for index, (prefix, rank) in enumerate(zip(self._prefixes, self._ranks, strict=True)):
            cumulative = np.cumsum(self._counts.of[prefix])
            found = int(np.searchsorted(cumulative, rank, side="right"))
            self._prefixes[index] = (prefix << _DIGIT) + found
            self._ranks[index] = rank - int(cumulative[found - 1] if found else 0)
        self._counts = replace(self._counts, of=_Counts.none(_Wanted(self._kind, tuple(self._prefixes))).of)

    def _start(self) -> None:
        self._n = int(self._counts.of[0].sum())
        if not self._n:
            return
        self._ranks = [0, self._n - 1]
        self._add_percentiles(leaving_out=0, n_bad=self._counts.n_bad)
        if self._bad_apart:
            self._add_percentiles(leaving_out=0, n_bad=0)
        elif 0 < self._counts.n_apart < self._n:
            self._add_percentiles(leaving_out=self._counts.n_apart, n_bad=self._counts.n_bad)
        self._prefixes = [0] * len(self._ranks)

    def _add_percentiles(self, leaving_out: int, n_bad: int) -> None:
        """Ranks around the percentiles of all values but so many smallest ones; ``n_bad`` are not finite."""
        last = self._n - leaving_out + n_bad - 1
        for q in self._percentiles:
            position = q / 100 * last
            self._positions.append(position)
            # non-finite values rank before all others
            around = (int(position), min(int(position) + 1, last))
            self._ranks += [leaving_out + max(0, rank - n_bad) for rank in around]

    def summary(self) -> ChannelSummary:
        """The channel's summary, after the last digit."""
        n_bad, n_percentiles = self._counts.n_bad, len(self._percentiles)
        if not self._prefixes:
            return ChannelSummary((0.0,) * n_percentiles, 0.0, 0.0, n_bad)
        minimum, maximum, *around = self._kind.decode(np.array(self._prefixes, self._kind.keys))
        narrow = self._kind.keys.itemsize <= 2
        found = tuple(
            _between(lower, upper, position - int(position), narrow=narrow)
            for lower, upper, position in zip(around[::2], around[1::2], self._positions, strict=True)
        )
        of_all, of_rest = found[:n_percentiles], found[n_percentiles:]
        share = (n_bad if self._bad_apart else self._counts.n_apart) / (self._n + n_bad)
        return ChannelSummary(of_all, float(minimum), float(maximum), n_bad, share, of_rest)


def _count_bytes(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Histogram of bytes, two neighbours counted at a time."""
    even = len(values) // 2 * 2
    pairs = np.bincount(values[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    return pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(values[even:], minlength=256)


def _between(lower: Any, upper: Any, share: float, *, narrow: bool) -> float:
    """Linear interpolation, but for ``narrow`` integers rounded as numpy does it."""
    gap = float(upper - lower) if lower.dtype.kind == "f" else int(upper) - int(lower)
    return float(upper) - gap * (1 - share) if share >= 0.5 and not narrow else float(lower) + gap * share
