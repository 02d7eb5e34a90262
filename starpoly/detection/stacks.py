"""Detect the objects of every plane of an array in memory."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..io.readers.array_stack import ArrayStack
from ..labels.linking import MIN_IOU, StackIds, check_link, link_objects
from ..polygons import StarPolygons
from ..tiling import Box

_COLUMNS = ("coord", "points", "prob", "confidence", "class_prob", "class_id")


class _DetectsPlanes(Protocol):
    def predict_instances(self, image: NDArray, *args: Any, **settings: Any) -> tuple[NDArray, dict[str, Any]]: ...


def is_stack(image: Any, axes: str | None) -> bool:
    """Whether the axes of an array name planes along time or z."""
    letters = str(axes or "").upper()
    shape = getattr(image, "shape", None) or np.shape(image)
    return len(letters) == len(shape) and any(
        letter in "TZ" and length != 1 for letter, length in zip(letters, shape, strict=True)
    )


def predict_stack(
    detector: _DetectsPlanes,
    image: Any,
    axes: str,
    *,
    link: str | None = None,
    link_iou: float = MIN_IOU,
    **settings: Any,
) -> tuple[NDArray[np.int32], dict[str, Any]]:
    """Detect every object of every plane.

    Parameters
    ----------
    detector : Detector
    image : array-like
        Read plane by plane.
    axes : str
        With T or Z.
    link, link_iou
        As for :meth:`Detector.predict_instances`.
    **settings
        As for a single image.

    Returns
    -------
    labels : int32 array
        With the axes of the image without C.
    details : dict
        See :meth:`Detector.predict_instances`.
    """
    stack = ArrayStack(image, axes)
    check_link(link, stack.axes, "array")
    indices = list(np.ndindex(*stack.lengths))
    found = [detector.predict_instances(stack.plane(index), **settings) for index in indices]
    ids = StackIds([len(details["prob"]) for _, details in found])
    if link is not None:
        at = stack.axes.index(link.upper())
        ids.link(_links(found, stack.lengths, at, link_iou))
    planes = np.stack([ids.of(number).astype(np.int32)[labels] for number, (labels, _) in enumerate(found)])
    labels = planes.reshape(*stack.lengths, *planes.shape[1:])
    kept = [letter for letter in axes.upper() if letter in f"{stack.axes}YX"]
    labels = labels.transpose([f"{stack.axes}YX".index(letter) for letter in kept])
    return np.ascontiguousarray(labels), _details(stack, indices, [details for _, details in found], ids)


def _links(found: list[tuple[NDArray, dict[str, Any]]], lengths: tuple[int, ...], at: int, min_iou: float) -> Any:
    for number, (labels, _) in enumerate(found):
        index = list(np.unravel_index(number, lengths))
        if not index[at]:
            yield None, np.zeros((0, 2), np.int64)
            continue
        index[at] -= 1
        earlier = int(np.ravel_multi_index(index, lengths))
        yield earlier, link_objects(_Labels(found[earlier][0]), _Labels(labels), min_iou)


def _details(
    stack: ArrayStack, indices: list[tuple[int, ...]], found: list[dict[str, Any]], ids: StackIds
) -> dict[str, Any]:
    """The columns of all planes, one after the other, with id and place of every object."""
    counts = [len(details["prob"]) for details in found]
    seconds: Counter[str] = Counter()
    for details in found:
        seconds.update(details["seconds"])
    columns = {name: np.concatenate([details[name] for details in found]) for name in _COLUMNS if name in found[0]}
    places = {axis.lower(): np.repeat([index[at] for index in indices], counts) for at, axis in enumerate(stack.axes)}
    return columns | {
        "label": np.concatenate([ids.of(number)[1:] for number in range(len(found))]).astype(np.int64),
        **places,
        "polygons": StarPolygons.concatenate([details["polygons"] for details in found]),
        "normalizer": [details["normalizer"] for details in found],
        "seconds": dict(seconds),
        "detection": [details["detection"] for details in found],
    }


class _Labels:
    """An array as :class:`~starpoly.io.writers.pyramid.RegionLabels`."""

    def __init__(self, labels: NDArray) -> None:
        self._labels, self.shape, self.dtype = labels, labels.shape, labels.dtype

    def region(self, box: Box, step: int = 1) -> NDArray:
        return self._labels[box.slices][::step, ::step]
