"""Detect the objects of every plane of a stack; the labels are held in memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import ModelSpec
from ..errors import ImageError
from ..io.readers.array_stack import ArrayStack
from ..io.readers.planes import open_scene
from ..io.readers.stack import Stack
from ..labels.linking import MIN_IOU, StackIds, check_link, link_objects
from ..labels.object_table import measure_objects
from ..polygons import StarPolygons
from ..tiling import Box
from .details import Details, DrawnObjects

_COLUMNS = ("coord", "points", "prob", "confidence", "class_prob", "class_id")


class _DetectsPlanes(Protocol):
    spec: ModelSpec

    def predict_instances(self, image: NDArray, *args: Any, **settings: Any) -> tuple[NDArray, Details]: ...


class StackObjects:
    """The objects of all planes; :class:`~starpoly.detection.details.DrawnObjects`.

    Parameters
    ----------
    drawn : sequence of DrawnObjects
        Those of each plane.
    places : dict of str to (n,) array
        Plane and label of every object.
    n_objects : int
        Objects that differ.
    """

    def __init__(self, drawn: Sequence[DrawnObjects], places: dict[str, NDArray[np.int64]], n_objects: int) -> None:
        self._drawn, self._places, self._n_objects = drawn, places, n_objects
        self.with_outlines = StarPolygons.concatenate([objects.with_outlines for objects in drawn])
        self.shape: tuple[int, int] = drawn[0].shape

    @property
    def labels(self) -> NDArray[np.int32]:
        """The label images of the planes, one after the other, each with ids of its own."""
        return np.stack([objects.labels for objects in self._drawn])

    def count(self) -> int:
        """Number of objects that differ."""
        return self._n_objects

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Columns of all planes, one after the other, with id and place of every object."""
        tables = [objects.columns for objects in self._drawn]
        columns = {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in tables[0]}
        return {**self._places, **{name: column for name, column in columns.items() if name != "label"}}


class StackDetails(Details):
    """Details of a prediction of a stack."""

    def _measured(self, image: Any, axes: str | None, settings: dict[str, Any]) -> dict[str, Any]:
        with open_as_stack(image, axes) as stack:
            lengths = () if stack is None else stack.lengths
            if stack is None or prod(lengths) != len(self.drawn.labels):
                n = len(self.drawn.labels)
                got = f"planes of {lengths}" if lengths else "one image; name the axes of an array, as in axes='ZYX'"
                raise ImageError(f"expected the stack of {n} planes, got {got}")
            tables = []
            for labels, index in zip(self.drawn.labels, np.ndindex(*lengths), strict=True):
                with stack.open_plane(index) as plane:
                    tables.append(measure_objects(labels, plane, **settings))
        places = {name: self.drawn.columns[name] for name in ("t", "z") if name in self.drawn.columns}
        return places | {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


@contextmanager
def open_as_stack(image: Any, axes: str | None) -> Iterator[Stack | None]:
    """Planes along time or z of a file, or of an array whose axes name them; None of one plane."""
    if not isinstance(image, str | os.PathLike):
        yield ArrayStack(image, str(axes)) if _is_stack(image, axes) else None
    elif axes is None:
        with open_scene(image)[0] as stack:
            yield stack if stack.axes else None
    else:
        with open_scene(image)[0] as stack:
            if stack.axes:
                raise ImageError(
                    f"{image}: expected no axes of a file of several planes, got {axes!r}; leave axes out, the file names its own "
                    f"({stack.axes}YX), or pass the array that you read"
                )
        yield None


def _is_stack(image: Any, axes: str | None) -> bool:
    letters = str(axes or "").upper()
    shape = getattr(image, "shape", ())
    return len(letters) == len(shape) and any(
        letter in "TZ" and length != 1 for letter, length in zip(letters, shape, strict=True)
    )


def predict_stack(
    detector: _DetectsPlanes,
    stack: Stack,
    axes: str,
    *,
    link: str | None = None,
    link_iou: float = MIN_IOU,
    **settings: Any,
) -> tuple[NDArray[np.int32], Details]:
    """Detect every object of every plane.

    Parameters
    ----------
    detector : Detector
    stack : Stack
        Read plane by plane.
    axes : str
        Those of the labels, in their order; others are passed over.
    link, link_iou
        As for :meth:`Detector.predict_instances`.
    **settings
        As for a single image.

    Returns
    -------
    labels : int32 array
        With ``axes`` of the stack, Y and X.
    details : Details
        See :meth:`Detector.predict_instances`.
    """
    check_link(link, stack.axes, stack.name)
    indices = list(np.ndindex(*stack.lengths))
    found = [detector.predict_instances(_pixels(stack, index), **settings) for index in indices]
    ids = StackIds([len(details["prob"]) for _, details in found])
    if link is not None:
        at = stack.axes.index(link.upper())
        ids.link(_links(found, stack.lengths, at, link_iou))
    planes = np.stack([ids.of(number).astype(np.int32)[labels] for number, (labels, _) in enumerate(found)])
    labels = planes.reshape(*stack.lengths, *planes.shape[1:])
    kept = [letter for letter in axes.upper() if letter in f"{stack.axes}YX"]
    labels = labels.transpose([f"{stack.axes}YX".index(letter) for letter in kept])
    details = [each for _, each in found]
    places = _places(stack, indices, details, ids)
    drawn = StackObjects([each.drawn for each in details], places, ids.n_objects)
    spec, fields = detector.spec, _fields(details, places, drawn.with_outlines)
    return np.ascontiguousarray(labels), StackDetails(
        fields, drawn, spec.calibration, spec.class_names, stack.pixel_size
    )


def _pixels(stack: Stack, index: tuple[int, ...]) -> NDArray:
    with stack.open_plane(index) as source:
        return np.asarray(source)


def _links(found: list[tuple[NDArray, Details]], lengths: tuple[int, ...], at: int, min_iou: float) -> Any:
    for number, (labels, _) in enumerate(found):
        index = list(np.unravel_index(number, lengths))
        if not index[at]:
            yield None, np.zeros((0, 2), np.int64)
            continue
        index[at] -= 1
        earlier = int(np.ravel_multi_index(index, lengths))
        yield earlier, link_objects(_Labels(found[earlier][0]), _Labels(labels), min_iou)


def _places(
    stack: Stack, indices: list[tuple[int, ...]], found: list[Details], ids: StackIds
) -> dict[str, NDArray[np.int64]]:
    """Place and id of every object."""
    counts = [len(details["prob"]) for details in found]
    places = {axis.lower(): np.repeat([index[at] for index in indices], counts) for at, axis in enumerate(stack.axes)}
    numbers = np.concatenate([ids.of(number)[1:] for number in range(len(found))]).astype(np.int64)
    return {**{axis: places[axis] for axis in "tz" if axis in places}, "label": numbers}


def _fields(found: list[Details], places: dict[str, NDArray[np.int64]], polygons: StarPolygons) -> dict[str, Any]:
    """The columns of all planes, one after the other, with id and place of every object."""
    seconds: Counter[str] = Counter()
    for details in found:
        seconds.update(details["seconds"])
    columns = {name: np.concatenate([details[name] for details in found]) for name in _COLUMNS if name in found[0]}
    return {
        **columns,
        **places,
        "polygons": polygons,
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
