"""Measure the objects of label images in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..geometry.object_shape import label_boxes
from ..io.readers.images import open_source
from ..io.readers.source import Source
from ..io.writers.pyramid import check_pixel_size
from ..tiling import Box
from .measures.blocks import BlockMeasurer, LabelImage
from .measures.registry import select_measures

_ROWS = 256
"""Rows looked at at once."""


def measure_objects(
    labels: NDArray | Mapping[str, NDArray],
    image: Any = None,
    *,
    channel_names: Sequence[str] = (),
    pixel_size: tuple[float, float] | None = None,
    measure: str | Iterable[str] | None = None,
) -> dict[str, NDArray]:
    """Measure the objects of a label image: position, size, shape, intensity of every channel.

    The columns are those of the tables of ``starpoly predict``, see the page *Measurements* of the documentation. Values equal
    those of ``skimage.measure.regionprops``.

    Parameters
    ----------
    labels : (Y, X) integer array, or mapping of str to such arrays
        0 background; any other number below 2**32 an object. Label images by name, such as ``nucleus`` and ``cell``, share their
        ids.
    image : path, Source or array (Y, X) or (Y, X, C), optional
        Intensities, see :func:`starpoly.io.open_source`. Values that are not finite do not count.
    channel_names : sequence of str, optional
        Names of the channels, for the columns. Default: those that the file gives, else numbers from 0.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x); adds columns in micrometres. Default: that of the file.
    measure : str or iterable of str, optional
        Some of ``shape``, ``intensity``, ``neighbours``; ``all`` or ``none``. Default: shape and, with an image, intensity.

    Returns
    -------
    dict of str to (n,) array
        ``label`` (n,), ascending, and the columns by name. With several label images the name of each column begins with
        that of its image and ``_``; an object that one of them lacks has the area 0 and NaN there.

    Raises
    ------
    ImageError
        If the labels are no integers (Y, X), differ in shape from each other or from the image, or the image cannot be read.
    ConfigError
        If there is no such group of measurements.

    Examples
    --------
    >>> columns = measure_objects(labels, image, channel_names=["DAPI", "GFP"], pixel_size=(0.5, 0.5))  # doctest: +SKIP
    >>> columns["mean_GFP"], columns["area_um2"]  # doctest: +SKIP
    """
    named = labels if isinstance(labels, Mapping) else {"": labels}
    ids, small = _renumbered({name: _checked(one) for name, one in named.items()})
    groups = ("basic", *select_measures(measure))
    with ExitStack() as stack:
        source = None
        if image is not None:
            source = stack.enter_context(open_source(image)) if not isinstance(image, Source) else image
        shape = _same_shape(small, source)
        stated = pixel_size if pixel_size is not None or source is None else source.pixel_size
        measurer = BlockMeasurer(
            [LabelImage(_reader(one), groups, f"{name}_" if name else "") for name, one in small.items()],
            shape,
            source,
            channel_names=channel_names,
            pixel_size=check_pixel_size(stated, "pixel size"),
        )
        columns = measurer.measure(np.arange(1, len(ids) + 1), _common_boxes(small.values(), len(ids)))
    return {"label": ids, **columns}


def _checked(labels: Any) -> NDArray:
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise ImageError(f"labels: expected integers (Y, X), got {labels.dtype} of shape {labels.shape}")
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < 0 or high >= 1 << 32:
        raise ImageError(f"labels: expected 0 to 2**32 - 1, got {low} to {high}; relabel them")
    return labels


def _renumbered(named: Mapping[str, NDArray]) -> tuple[NDArray[np.int64], dict[str, NDArray]]:
    """All ids, ascending, and the label images with the ids 1, 2 ... in their place where there are gaps."""
    ids = np.unique(np.concatenate([np.empty(0, np.int64), *(_ids_in(labels) for labels in named.values())]))
    ids = ids[ids > 0]
    if not len(ids) or ids[-1] == len(ids):
        return ids, dict(named)
    return ids, {name: _lookup(ids, labels) for name, labels in named.items()}


def _ids_in(labels: NDArray) -> NDArray[np.int64]:
    """All numbers of a label image; only pixels where the label changes are sorted, which are far fewer."""
    found = [np.empty(0, np.int64)]
    for top in range(0, labels.shape[0], _ROWS):
        flat = labels[top : top + _ROWS].ravel()
        begins = flat[:1], flat[1:][flat[1:] != flat[:-1]]
        found.append(np.unique(np.concatenate(begins)).astype(np.int64))
    return np.unique(np.concatenate(found))


def _lookup(ids: NDArray[np.int64], labels: NDArray) -> NDArray[np.uint32]:
    out = np.empty(labels.shape, np.uint32)
    for row, place in zip(labels, out, strict=True):
        place[:] = np.where(row > 0, np.searchsorted(ids, row) + 1, 0)
    return out


def _same_shape(named: Mapping[str, NDArray], source: Source | None) -> tuple[int, int]:
    shapes = {name or "labels": labels.shape for name, labels in named.items()}
    if source is not None:
        shapes["image"] = source.shape[:2]
    if len(set(shapes.values())) != 1:
        raise ImageError(f"labels: expected label images and an image of one height and width, got {shapes}")
    height, width = next(iter(shapes.values()))
    return height, width


def _common_boxes(images: Iterable[NDArray], n: int) -> NDArray[np.int64]:
    """Boxes (n, 4) that hold each object in all label images."""
    low, high = np.full((n, 2), np.iinfo(np.int64).max), np.zeros((n, 2), np.int64)
    for labels in images:
        boxes = label_boxes(labels, n)
        shown = boxes[:, 2:].all(axis=1, keepdims=True)
        low = np.where(shown, np.minimum(low, boxes[:, :2]), low)
        high = np.maximum(high, boxes[:, 2:])
    return np.concatenate([low, high], axis=1)


def _reader(labels: NDArray) -> Callable[[Box], NDArray]:
    return partial(_read, labels)


def _read(labels: NDArray, box: Box) -> NDArray:
    return labels[box.slices]
