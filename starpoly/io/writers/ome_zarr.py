"""Write label images of any size as OME-Zarr 0.5.

A folder: `zarr.json` names the levels and says that they are labels; the levels `0`, `1` ... are zarr arrays (format 3).
https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ..files.zarr_folder import new_zarr_folder
from ..frame import Frame
from ..text_tables import valid_text
from .pyramid import LabelStack, RegionLabels, check_labels, check_pixel_size, level_shape, pull, pyramid_steps
from .results import Results

CHUNK = 1024
_VERSION = "0.5"
_COMPRESSION_LEVEL = 3
_CELLS = Path("labels") / "cells"


def write_ome_zarr(
    path: str | Path,
    labels: RegionLabels,
    *,
    pixel_size: tuple[float, float] | None = None,
    frame: Frame | None = None,
    cells: RegionLabels | None = None,
) -> None:
    """Write a label image as an OME-Zarr 0.5 image of labels, one chunk at a time.

    Levels halve down to 1 024 pixels a side; their pixels are pixels of the full resolution, so ids stay ids. Chunks of
    1 024 x 1 024 pixels, compressed with zstd; a chunk of background is not stored. Equal labels give equal bytes.

    Parameters
    ----------
    path : str or Path
        The folder, best named ``*.ome.zarr``. A zarr of that name is replaced whole, or left as it was if writing
        fails; a folder that is none is never touched.
    labels : RegionLabels
        The picture, uint16 or uint32.
    pixel_size : (float, float), optional
        Height and width of a pixel in micrometres; without it the unit is the pixel of the full resolution.
    frame : Frame, optional
        Where the labels lie in their slide. ``scale`` and ``translation`` put them on the image, whose first pixel at
        full resolution has its centre at the origin.
    cells : RegionLabels, optional
        A second label image of the same shape, written into the folder as its label ``cells``: ``labels/cells``.

    Raises
    ------
    ImageError
        If zarr is not installed, the picture is no label image, or the folder cannot be written.
    """
    path = Path(path)
    check_labels(labels, path)
    if cells is not None:
        check_labels(cells, path)
    size, frame = check_pixel_size(pixel_size, path), frame or Frame()
    _write(path, _OnePlane(labels, size, frame), None if cells is None else _OnePlane(cells, size, frame))


def write_zarr_stack(path: str | Path, stack: LabelStack, cells: LabelStack | None = None) -> None:
    """Like :func:`write_ome_zarr`, for the labels of a stack: axes t and z come first, in its order, one plane a chunk.

    Parameters
    ----------
    path : str or Path
    stack : LabelStack
        Its frame names axes of length 1 that the labels get, too.
    cells : LabelStack, optional
        With the same planes.
    """
    _write(Path(path), stack, cells)


def write_results(path: Path, results: Results) -> None:
    """Write the labels of an image or a stack; see :func:`write_ome_zarr`."""
    if (stack := results.stack) is not None:
        return write_zarr_stack(path, stack, results.cell_stack)
    labels, cells = results.labels, results.cells
    write_ome_zarr(path, labels, pixel_size=results.pixel_size, frame=results.frame, cells=cells)


class _OnePlane:
    """One label image as a stack without further axes."""

    axes, lengths, starts, steps = "", (), (), ()

    def __init__(self, labels: RegionLabels, pixel_size: tuple[float, float] | None, frame: Frame) -> None:
        self._labels, self.pixel_size, self.frame = labels, pixel_size, frame
        self.shape, self.dtype = labels.shape, labels.dtype

    def planes(self) -> Iterator[RegionLabels]:
        yield self._labels


class _WithSingleAxes:
    """A stack with axes of length 1, too: those that the image has."""

    def __init__(self, stack: LabelStack) -> None:
        self._stack = stack
        self.shape, self.dtype, self.pixel_size, self.frame = stack.shape, stack.dtype, stack.pixel_size, stack.frame
        own = zip(stack.axes, stack.lengths, stack.starts, stack.steps, strict=True)
        missing = [(axis, step) for axis, step in stack.frame.single_axes if axis not in stack.axes]
        times, slices = ([(axis, 1, 0.0, step) for axis, step in missing if axis == letter] for letter in "TZ")
        axes = [*times, *own, *slices]  # time comes first in OME-Zarr
        self.axes = "".join(axis for axis, *_ in axes)
        self.lengths = tuple(length for _, length, _, _ in axes)
        self.starts, self.steps = [start for _, _, start, _ in axes], [step for *_, step in axes]

    def planes(self) -> Iterator[RegionLabels]:
        return self._stack.planes()


def _write(path: Path, stack: LabelStack, cells: LabelStack | None) -> None:
    zarr = _import_zarr(path)
    stack, cells = _WithSingleAxes(stack), None if cells is None else _WithSingleAxes(cells)
    with new_zarr_folder(path) as temporary:
        _write_levels(zarr, temporary, stack)
        if cells is not None:
            _write_levels(zarr, temporary / _CELLS, cells)
            _write_group(temporary / _CELLS, _image("cells", cells, source={"image": "../../"}))
            _write_group(temporary / "labels", {"labels": ["cells"]})
        # last, so that a folder without it is known to be unfinished
        _write_group(temporary, _image(valid_text(path.name), stack))


def _write_levels(zarr: Any, folder: Path, stack: LabelStack) -> None:
    steps = pyramid_steps(stack.shape, CHUNK)
    levels = [_create(zarr, folder, stack, level, step) for level, step in enumerate(steps)]
    for index, plane in zip(np.ndindex(*stack.lengths), stack.planes(), strict=True):
        for array, step in zip(levels, steps, strict=True):
            for box, pixels in pull(plane, step, CHUNK):
                if pixels.any():
                    array[(*index, *box.slices)] = pixels


def _create(zarr: Any, folder: Path, stack: LabelStack, level: int, step: int) -> Any:
    shape = level_shape(stack.shape, step)
    return zarr.create_array(
        store=str(folder),
        name=str(level),
        shape=(*stack.lengths, *shape),
        dtype=stack.dtype,
        chunks=(*(1 for _ in stack.lengths), *(min(CHUNK, length) for length in shape)),
        compressors=zarr.codecs.ZstdCodec(level=_COMPRESSION_LEVEL),
        fill_value=0,
        dimension_names=(*stack.axes.lower(), "y", "x"),
    )


def _write_group(folder: Path, ome: dict[str, Any]) -> None:
    attributes = {"ome": {"version": _VERSION, **ome}}
    text = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=2)
    (folder / "zarr.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _image(name: str, stack: LabelStack, source: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the group of a label image says; ``source`` is the image that the labels belong to, if it is in the same zarr."""
    unit = {} if stack.pixel_size is None else {"unit": "micrometer"}
    size = stack.frame.scale(stack.pixel_size)
    along = [1.0 if length is None else float(length) for length in stack.steps]
    moved = _translation(stack, along)
    datasets: list[dict[str, Any]] = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*along, *(length * step for length in size)]},
                *moved,
            ],
        }
        for level, step in enumerate(pyramid_steps(stack.shape, CHUNK))
    ]
    multiscale = {
        "name": name,
        "axes": [*_axes_of(stack), *({"name": axis, "type": "space", **unit} for axis in ("y", "x"))],
        "datasets": datasets,
        "type": "nearest",
    }
    return {"multiscales": [multiscale], "image-label": {} if source is None else {"source": source}}


def _translation(stack: LabelStack, along: list[float]) -> list[dict[str, Any]]:
    """Where the first plane and its first pixel lie in the image, unless at its start.

    Pixels of a level are pixels of the labels, from the first: all levels begin at the same place.
    """
    starts = [start * length for start, length in zip(stack.starts, along, strict=True)]
    place = [*starts, *stack.frame.translation(stack.pixel_size)]
    return [{"type": "translation", "translation": place}] if any(place) else []


def _axes_of(stack: LabelStack) -> Iterator[dict[str, str]]:
    for axis, step in zip(stack.axes, stack.steps, strict=True):
        kind, unit = ("time", "second") if axis == "T" else ("space", "micrometer")
        yield {"name": axis.lower(), "type": kind} | ({} if step is None else {"unit": unit})


def _import_zarr(path: Path) -> Any:
    try:
        import zarr
        import zarr.codecs
    except ImportError as error:
        raise ImageError(f"{path}: expected the package zarr, got none; pip install 'zarr>=3'") from error
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise ImageError(f"{path}: expected zarr 3 or newer, got {zarr.__version__}; pip install 'zarr>=3'")
    return zarr
