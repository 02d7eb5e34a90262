"""Link objects of neighbouring planes by overlap: a nucleus through z, a track through time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ImageError, warn
from ..io.writers.label_tiff import label_dtype
from ..io.writers.pyramid import RegionLabels
from ..tiling import cut_along

LINKS = ("z", "t")
"""Axes along which objects can be linked."""

MIN_IOU = 0.25
"""Least intersection over union of two objects that are linked: that of two equal discs half a diameter apart. Slices
through a sphere of radius 5 slices share at least 0.56."""

_AT_ONCE = 1 << 22
"""Pixels compared at once."""


def link_objects(before: RegionLabels, after: RegionLabels, min_iou: float = MIN_IOU) -> NDArray[np.int64]:
    """Pairs of objects of two planes that are the same object.

    Greedy: the pair with the largest intersection over union comes first; an object has one partner at most. Of equal
    pairs, that of the smaller id in ``before`` comes first, then that of the smaller id in ``after``.

    Parameters
    ----------
    before, after : RegionLabels
        Label images of one shape, read in blocks.
    min_iou : float
        Pairs below it are not linked.

    Returns
    -------
    (n, 2) int64
        Ids in ``before`` and ``after``, by the latter.

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    if before.shape != after.shape:
        raise ImageError(f"link: expected planes of one size, got {before.shape} and {after.shape}")
    first, second, shared, areas = _overlaps(before, after)
    union = areas[0][first] + areas[1][second] - shared
    scores = shared / union
    found = np.flatnonzero(scores >= min_iou)
    order = found[np.lexsort((second[found], first[found], -scores[found]))]
    pairs = list(_greedy(first[order].tolist(), second[order].tolist()))
    linked = np.array(pairs, np.int64).reshape(-1, 2)
    return linked[np.argsort(linked[:, 1])]


class StackIds:
    """What the ids of each plane become.

    Parameters
    ----------
    counts : sequence of int
        Objects of each plane.

    Attributes
    ----------
    n_objects : int
        Objects that differ.
    dtype : numpy.dtype
        The smaller of uint16 and uint32 that holds the ids.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = tuple(counts)
        self._starts = np.cumsum([0, *counts])
        self._linked: list[NDArray[np.uint32]] = []
        self.n_objects = int(self._starts[-1])

    @property
    def dtype(self) -> np.dtype:
        """See the class."""
        return np.dtype(label_dtype(self.n_objects))

    def of(self, number: int) -> NDArray:
        """Ids in the stack of the ids 0, 1 ... of a plane; 0 stays 0."""
        if self._linked:
            return self._linked[number].astype(self.dtype)
        ids = np.arange(self._counts[number] + 1, dtype=np.int64) + self._starts[number]
        ids[0] = 0
        return ids.astype(self.dtype)

    def link(self, pairs: Iterable[tuple[int | None, NDArray[np.int64]]]) -> None:
        """Give linked objects one id, plane by plane; new ones count on. Memory: four bytes for every object.

        Parameters
        ----------
        pairs : iterable of (int or None, (n, 2) array)
            For each plane an earlier one, None for none, and the ids of the objects that are the same.
        """
        largest = 0
        for count, (earlier, found) in zip(self._counts, pairs, strict=True):
            ids = np.zeros(count + 1, np.uint32)
            if earlier is not None:
                ids[found[:, 1]] = self._linked[earlier][found[:, 0]]
            fresh = np.flatnonzero(ids[1:] == 0) + 1
            ids[fresh] = np.arange(largest + 1, largest + 1 + len(fresh))
            largest += len(fresh)
            self._linked.append(ids)
        self.n_objects = largest


def check_link(link: str | None, axes: str, name: object) -> None:
    """Refuse an unknown axis, and one along which there are no planes while there are along another; warn of one plane.

    Parameters
    ----------
    link : str or None
    axes : str
        Letters of ``"TZ"``; empty for one plane, which has nothing to link.
    name : object
        For messages.

    Raises
    ------
    ConfigError, ImageError

    Warns
    -----
    StarpolyWarning
        If there is one plane.
    """
    if link is not None and link not in LINKS:
        raise ConfigError(f"link: expected one of {', '.join(LINKS)}, got {link!r}")
    if link is not None and axes and link.upper() not in axes:
        raise ImageError(
            f"{name}: expected planes along {link} to link, got planes along {', '.join(axes.lower())}; "
            f"use link {axes[-1].lower()}"
        )
    if link is not None and not axes:
        message = f"{name}: expected planes along {link} to link, got one plane; there is nothing to link"
        warn(message, stacklevel=3)


def _greedy(first: list[int], second: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs, best first, of which no earlier one has an object."""
    taken: tuple[set[int], set[int]] = (set(), set())
    for pair in zip(first, second, strict=True):
        if pair[0] not in taken[0] and pair[1] not in taken[1]:
            taken[0].add(pair[0])
            taken[1].add(pair[1])
            yield pair


def _overlaps(
    before: RegionLabels, after: RegionLabels
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[NDArray[np.int64]]]:
    """Overlapping pairs of ids, their shared pixels, and the areas of all ids of each plane, by id."""
    blocks = [
        _count(before.region(box).astype(np.uint64), after.region(box).astype(np.uint64))
        for box in cut_along(before.shape, (1, 1), _AT_ONCE)
    ]
    keys, pixels = _sum_equal(*(np.concatenate(part) for part in zip(*blocks, strict=True)))
    first, second = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    areas = [np.bincount(ids, weights=pixels).astype(np.int64) for ids in (first, second)]
    both = (first > 0) & (second > 0)
    return first[both], second[both], pixels[both], areas


def _count(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Pairs of ids in a block, in one number each, and their pixels; runs along rows are joined before sorting."""
    keys = ((first << np.uint64(32)) | second).ravel()
    starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    lengths = np.diff(starts, append=keys.size)
    keys = keys[starts]
    seen = keys != 0
    return _sum_equal(keys[seen], lengths[seen])


def _sum_equal(keys: NDArray[np.uint64], pixels: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    unique, index = np.unique(keys, return_inverse=True)
    return unique, np.bincount(index, weights=pixels, minlength=len(unique)).astype(np.int64)
