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
    """One channel's two percentiles, its extremes, and how many of its values are NaN or infinite."""

    low: float
    high: float
    minimum: float
    maximum: float
    n_bad: int = 0


def summarize(image: Any, percentiles: tuple[float, float], *, run: Callable[..., Any] = map) -> list[ChannelSummary]:
    """Two percentiles and the extremes of every channel.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array-like
        Anything with ``shape``, ``dtype`` and slicing. It is read in blocks, all channels at once, along the borders of its
        ``block`` if it has one.
    percentiles : (float, float)
        From 0 to 100.
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
    channels = [_Ranks(kind, percentiles) for _ in range(n_channels)]
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
            count.take(block[..., index], wanted[index].kind, digit)
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
    """Which keys of a channel are counted: those with one of some prefixes, by their next digit."""

    kind: _Keys
    prefixes: tuple[int, ...]

    @property
    def n_bins(self) -> int:
        """Number of values of a digit."""
        return 1 << min(_DIGIT, 8 * self.kind.keys.itemsize)


@dataclass
class _Counts:
    """How often the values of a digit occur, for each prefix of a key, and how many values are not finite."""

    of: dict[int, NDArray[np.int64]]
    n_bad: int = 0

    @classmethod
    def none(cls, wanted: _Wanted) -> _Counts:
        return cls({prefix: np.zeros(wanted.n_bins, np.int64) for prefix in wanted.prefixes})

    def take(self, values: NDArray, kind: _Keys, digit: int) -> None:
        """Count the digits of a part of the channel."""
        values = values.ravel()
        if values.dtype.kind == "f":
            finite = np.isfinite(values)
            n_bad = len(values) - int(np.count_nonzero(finite))
            if n_bad:
                values = values[finite]
            self.n_bad += n_bad if digit == 0 else 0
        shift = 8 * kind.keys.itemsize - _DIGIT * (digit + 1)
        for start in range(0, len(values), _COUNT_AT_ONCE):
            keys = kind.encode(values[start : start + _COUNT_AT_ONCE])
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


class _Ranks:
    """Extremes of a channel and the values around its percentiles, found 16 bits at a time."""

    def __init__(self, kind: _Keys, percentiles: tuple[float, float]) -> None:
        self._kind, self._percentiles = kind, percentiles
        self._counts = _Counts.none(_Wanted(kind, (0,)))
        self._prefixes: list[int] = []  # of the keys at the wanted ranks
        self._ranks: list[int] = []  # among the keys with the same prefix
        self._positions: list[float] = []

    @property
    def n_bad(self) -> int:
        """Number of values that are not finite."""
        return self._counts.n_bad

    def wanted(self) -> _Wanted:
        """What to count next."""
        return _Wanted(self._kind, tuple(self._counts.of))

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
        self._counts = replace(_Counts.none(_Wanted(self._kind, tuple(self._prefixes))), n_bad=self.n_bad)

    def _start(self) -> None:
        n = int(self._counts.of[0].sum())
        if not n:
            return
        last = n + self.n_bad - 1
        self._positions = [q / 100 * last for q in self._percentiles]
        ranks = [0, last]
        for position in self._positions:
            ranks += [int(position), min(int(position) + 1, last)]
        # non-finite values rank before all others
        self._ranks = [max(0, rank - self.n_bad) for rank in ranks]
        self._prefixes = [0] * len(ranks)

    def summary(self) -> ChannelSummary:
        """The channel's summary, after the last digit."""
        if not self._prefixes:
            return ChannelSummary(0.0, 0.0, 0.0, 0.0, self.n_bad)
        minimum, maximum, *around = self._kind.decode(np.array(self._prefixes, self._kind.keys))
        narrow = self._kind.keys.itemsize <= 2
        shares = [position - int(position) for position in self._positions]
        low = _between(around[0], around[1], shares[0], narrow=narrow)
        high = _between(around[2], around[3], shares[1], narrow=narrow)
        return ChannelSummary(low, high, float(minimum), float(maximum), self.n_bad)


def _count_bytes(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Histogram of bytes, two neighbours counted at a time."""
    even = len(values) // 2 * 2
    pairs = np.bincount(values[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    return pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(values[even:], minlength=256)


def _between(lower: Any, upper: Any, share: float, *, narrow: bool) -> float:
    """Linear interpolation, but for ``narrow`` integers rounded as numpy does it."""
    gap = float(upper - lower) if lower.dtype.kind == "f" else int(upper) - int(lower)
    return float(upper) - gap * (1 - share) if share >= 0.5 and not narrow else float(lower) + gap * share
