"""Open the planes of files and arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...errors import ImageError, warn
from ..files.url import as_path
from .array_stack import ArrayStack
from .registry import find_reader
from .stack import Stack


def open_stack(image: Any, *, scene: int = 0, axes: str | None = None) -> Stack:
    """Open the planes of an image: time points and z-slices.

    Parameters
    ----------
    image : str, Path or array-like
        A file or folder, see :func:`open_source`: TIFF (OME, ImageJ, LSM, STK, plain pages), OME-Zarr, zarr, ``.npy``, ND2,
        CZI, LIF, OIF; files of other kinds have one plane. Or anything with ``shape``, ``dtype`` and slicing, with its ``axes``.
    scene : int
        Scene of the file (position, series), see :func:`scene_names`.
    axes : str, optional
        Axes of an array, such as ``"TZCYX"``. Files name their own axes.

    Returns
    -------
    Stack
        Its planes are opened one by one, by region.

    Raises
    ------
    ImageError
        If the image is missing or damaged, its axes are others, or there is no such scene.

    Examples
    --------
    >>> with open_stack("cells.ome.tif") as stack:  # doctest: +SKIP
    ...     print(stack.axes, stack.lengths)
    ...     plane = stack.open_plane((0, 3))[:, :]
    """
    if isinstance(image, (str, Path)):
        if axes is not None:
            raise ImageError(
                f"{image}: expected a file to name its axes itself, got axes {axes!r} beside it; leave them out"
            )
        path = as_path(image)
        return find_reader(path).stack(path, scene)
    if axes is None:
        raise ImageError(f"expected the axes of an array, got none for shape {getattr(image, 'shape', '?')}; give axes")
    return ArrayStack(image, axes)


def open_scene(path: str | os.PathLike[str], scene: int | None = None) -> tuple[Stack, int]:
    """A scene of a file, and how many it has. Default: the first.

    Warns
    -----
    StarpolyWarning
        If there are several and none is chosen.
    """
    names = scene_names(path)
    if len(names) > 1 and scene is None:
        message = (
            f"{path}: expected one scene, got {len(names)}: {', '.join(names)}; the first is used, choose with scene"
        )
        warn(message, stacklevel=5)
    return open_stack(path, scene=scene or 0), max(1, len(names))


def scene_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Names of the scenes of a file, in order; none if there is one.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ImageError
        If the file is missing or damaged.
    """
    path = as_path(path)
    return find_reader(path).scene_names(path)
