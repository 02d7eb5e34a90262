"""Show an image with its labels in napari, or write a picture. Very large images are subsampled."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, install_command
from ..io.readers.images import open_source
from ..io.readers.label_doubts import warn_of_doubts
from ..io.readers.source import Source
from ..io.readers.thumbnail import subsample
from ..io.writers.overlay import MAX_SIDE, write_overlay

if TYPE_CHECKING:
    import napari

#: Largest displayed image in bytes. Above it, every k-th pixel is shown.
MOST_BYTES = 1 << 30


def show_in_napari(image: str | Path, labels: str | Path) -> napari.Viewer:
    """Open a viewer with an image and its labels; does not block.

    Parameters
    ----------
    image, labels : path
        Any inputs of :func:`starpoly.io.open_source`, of the same size.

    Raises
    ------
    ImageError
        If they cannot be read or differ in size.
    """
    import napari

    with open_source(image) as pixels, open_source(labels) as ids:
        check_pair(pixels, ids)
        step = step_for(pixels, ids)
        viewer = napari.Viewer(title=Path(image).name)
        shown = subsample(pixels, step)
        is_rgb = shown.shape[2] in (3, 4)
        settings: dict[str, Any] = {"scale": (step, step)}
        if is_rgb or shown.shape[2] == 1:
            viewer.add_image(as_plane(shown), name=Path(image).stem, rgb=is_rgb, **settings)
        else:
            viewer.add_image(shown, name=Path(image).stem, channel_axis=2, **settings)
        viewer.add_labels(as_ids(subsample(ids, step)[..., 0]), name=Path(labels).stem, **settings)
    return viewer


def why_not_napari() -> str | None:
    """Reason why napari cannot open a window; None if it can."""
    if find_spec("napari") is None:
        return f"napari is not installed ({install_command('napari')})"
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        return "there is no display"
    return None


def write_picture(path: Path, image: str | Path, labels: str | Path) -> None:
    """Write label outlines over an image; large images are subsampled.

    Raises
    ------
    ImageError
        If an input cannot be read, the sizes differ, or the picture cannot be written.
    """
    with open_source(image) as pixels, open_source(labels) as ids:
        check_pair(pixels, ids)
        step = -(-max(pixels.shape[:2]) // MAX_SIDE)
        shown = subsample(ids, step)[..., 0]
        if step == 1 and shown.dtype.kind in "iu":  # less shows too little of each object
            warn_of_doubts(shown, ids.name)
        write_overlay(path, subsample(pixels, step), shown)


def check_pair(image: Source, labels: Source) -> None:
    """Check that the labels are a label image of the image's size.

    Raises
    ------
    ImageError
        Naming both shapes.
    """
    if image.shape[:2] != labels.shape[:2]:
        raise ImageError(
            f"{labels.name}: expected labels of the image's size {image.shape[:2]}, got {labels.shape[:2]}"
        )
    if labels.shape[2] != 1 or labels.dtype.kind not in "bui":
        raise ImageError(
            f"{labels.name}: expected a label image of integers, got {labels.dtype} of shape {labels.shape}"
        )


def step_for(*sources: Source) -> int:
    """The smallest power-of-two step at which all sources fit into :data:`MOST_BYTES`."""
    step = 1
    while sum(source.nbytes for source in sources) > MOST_BYTES * step**2:
        step *= 2
    return step


def as_plane(image: NDArray) -> NDArray:
    """Convert (Y, X, 1) to (Y, X), and colour to 8 bits or floats from 0 to 1, as napari requires."""
    if image.shape[2] == 1:
        return image[..., 0]
    return image / np.iinfo(image.dtype).max if image.dtype.kind == "u" and image.dtype.itemsize > 1 else image


def as_ids(labels: NDArray) -> NDArray:
    """Convert labels to an integer dtype that napari supports."""
    return labels.astype(np.int32) if labels.dtype.kind == "b" else labels
