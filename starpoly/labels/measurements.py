"""Measurements of objects, from the label image and from the polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..polygons import StarPolygons
from .confidence import Calibration, confidence
from .measures.basic import sizes, sizes_um

_BLOCK_PIXELS = 1 << 22
"""Pixels measured at once, so that the copies of coordinates stay small."""


def measure(
    labels: NDArray, polygons: StarPolygons | None = None, class_names: Sequence[str] = ()
) -> dict[str, NDArray | list[str]]:
    """One row per object, as columns of equal length.

    Parameters
    ----------
    labels : (Y, X) integer array
        0 background, 1..n objects.
    polygons : StarPolygons, optional
        Polygon ``i - 1`` belongs to label ``i``.
    class_names : sequence of str, optional
        Names of the classes 1..n_classes; without them classes are numbers.

    Returns
    -------
    dict
        ``label``; ``y``, ``x``: mean of the object's pixel coordinates (of the polygon's centre if no pixel shows);
        ``area``: number of pixels; ``diameter``: of the circle of that area, in pixels; with polygons also ``score``
        and, if they have classes, ``class``.

    Raises
    ------
    ImageError
        If labels are not 2D integers, or there are more of them than polygons.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise ImageError(f"labels: expected integers (Y, X), got {labels.dtype} of shape {labels.shape}")
    largest = int(labels.max(initial=0))
    n = largest if polygons is None else len(polygons)
    if largest > n:
        raise ImageError(f"labels: expected at most {n} objects, as many as polygons, got {largest}")
    return object_columns(*_moments(labels, n), polygons, class_names)


def object_columns(
    areas: NDArray[np.int64],
    sums: NDArray[np.float64],
    polygons: StarPolygons | None = None,
    class_names: Sequence[str] = (),
) -> dict[str, NDArray | list[str]]:
    """The columns of :func:`measure`, from counts and sums of pixel coordinates.

    Parameters
    ----------
    areas : (n,) int64
        Number of pixels of each object.
    sums : (2, n) float64
        Sums of their y and x coordinates.
    polygons, class_names
        As in :func:`measure`.

    Returns
    -------
    dict
        As :func:`measure`.
    """
    with np.errstate(invalid="ignore"):
        centers = sums / areas
    if polygons is not None:
        centers = np.where(areas > 0, centers, polygons.points.T)
    columns: dict[str, NDArray | list[str]] = {
        "label": np.arange(1, len(areas) + 1),
        "y": centers[0],
        "x": centers[1],
        **sizes(areas),
    }
    if polygons is not None:
        columns["score"] = polygons.probabilities
        if polygons.classes is not None:
            columns["class"] = _class_column(polygons.classes, class_names)
    return columns


def in_micrometres(columns: Mapping[str, Any], pixel_size: tuple[float, float] | None) -> dict[str, Any]:
    """The columns of :func:`measure` and, if the pixel size is known, the same quantities in micrometres.

    Parameters
    ----------
    columns : mapping
        With ``area`` in pixels.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).

    Returns
    -------
    dict
        ``columns``, then ``area_um2`` in square micrometres and ``diameter_um``, of the circle of that area.
    """
    if pixel_size is None:
        return dict(columns)
    return {**columns, **sizes_um(columns["area"], pixel_size)}


def keep_visible(labels: NDArray, polygons: StarPolygons) -> tuple[NDArray, StarPolygons]:
    """Drop the polygons without a visible pixel, and renumber the labels 1..n without gaps.

    Parameters
    ----------
    labels : (Y, X) integer array
        Label ``i`` is polygon ``i - 1``; a polygon hidden by better-scored ones has no pixel.
    polygons : StarPolygons
        In label order.

    Returns
    -------
    labels : (Y, X) array
        Of the same dtype.
    polygons : StarPolygons
        Those with at least one pixel, in the same order.
    """
    visible = _seen(labels, len(polygons))
    if visible.all():
        return labels, polygons
    renumbered = np.concatenate([[0], np.cumsum(visible)]).astype(labels.dtype)
    return renumbered[labels], polygons.take(np.flatnonzero(visible))


def _seen(labels: NDArray, n: int) -> NDArray[np.bool_]:
    """Which of the labels 1..n have a pixel (n,); only pixels where the label changes are read, which are far fewer."""
    seen = np.zeros(n + 1, np.bool_)
    if labels.size:
        flat = labels.ravel()
        begins = flat[np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])]
        if begins.min() < 0:
            raise ImageError(f"labels: expected none below 0, got {begins.min()}")
        seen[begins] = True
    return seen[1:]


def _moments(labels: NDArray, n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixel counts (n,) and sums of the pixel coordinates (2, n) of the labels 1..n."""
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise ImageError(f"labels: expected none below 0, got {labels.min()}")
    areas = np.zeros(n + 1, np.int64)
    sums = np.zeros((2, n + 1))
    rows = max(1, _BLOCK_PIXELS // max(1, labels.shape[1]))
    for start in range(0, labels.shape[0], rows):
        y, x = np.nonzero(labels[start : start + rows])
        ids = labels[start : start + rows][y, x].astype(np.int64)
        areas += np.bincount(ids, minlength=n + 1)
        sums[0] += np.bincount(ids, weights=y + start, minlength=n + 1)
        sums[1] += np.bincount(ids, weights=x, minlength=n + 1)
    return areas[1:], sums[:, 1:]


def _class_column(classes: NDArray[np.int64], names: Sequence[str]) -> NDArray | list[str]:
    if not names:
        return classes
    return [names[index - 1] if index <= len(names) else str(index) for index in classes]


def with_confidence(columns: dict[str, Any], calibration: Calibration) -> dict[str, Any]:
    """Measurements with a column ``confidence``, if the model is calibrated."""
    if not len(calibration) or "score" not in columns:
        return columns
    return {**columns, "confidence": confidence(columns["score"], calibration)}
