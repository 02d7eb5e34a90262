"""Ids of objects through a stack: they run on from plane to plane, or neighbouring planes are linked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..labels.linking import MIN_IOU, StackIds, link_objects
from .plane_store import PlaneStore
from .planes import ChosenPlanes


def number_objects(
    store: PlaneStore, planes: ChosenPlanes, counts: Sequence[int], link: str | None, min_iou: float = MIN_IOU
) -> StackIds:
    """Number the objects of a stack, and link those of neighbouring planes along an axis.

    Parameters
    ----------
    store : PlaneStore
        All planes.
    planes : ChosenPlanes
    counts : sequence of int
        Objects of each plane.
    link : {"z", "t"} or None
    min_iou : float
        See :func:`starpoly.labels.linking.link_objects`.
    """
    ids = StackIds(counts)
    if link is not None:
        ids.link(_links(store, planes, counts, link.upper(), min_iou))
    return ids


def _links(
    store: PlaneStore, planes: ChosenPlanes, counts: Sequence[int], axis: str, min_iou: float
) -> Iterator[tuple[int | None, NDArray[np.int64]]]:
    nothing = np.zeros((0, 2), np.int64)
    for number, count in enumerate(counts):
        earlier = planes.before(number, axis)
        if earlier is None or not count or not counts[earlier]:
            yield earlier, nothing
            continue
        own = [np.arange(counts[n] + 1, dtype=np.uint32) for n in (earlier, number)]
        with store.labels(earlier, own[0]) as before, store.labels(number, own[1]) as after:
            yield earlier, link_objects(before, after, min_iou)
