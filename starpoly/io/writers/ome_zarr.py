"""Write label images of any size as OME-Zarr 0.5.

A folder: `zarr.json` names the levels and says that they are labels; the levels `0`, `1` ... are zarr arrays (format 3).
https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import ImageError
from ..files.zarr_folder import new_zarr_folder
from ..frame import Frame
from .pyramid import RegionLabels, check_labels, check_pixel_size, level_shape, pull, pyramid_steps
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
    zarr = _import_zarr(path)
    check_labels(labels, path)
    pixel_size = check_pixel_size(pixel_size, path)
    image = partial(_image, steps=pyramid_steps(labels.shape, CHUNK), pixel_size=pixel_size, frame=frame or Frame())
    with new_zarr_folder(path) as temporary:
        _write_levels(zarr, temporary, labels)
        if cells is not None:
            check_labels(cells, path)
            _write_levels(zarr, temporary / _CELLS, cells)
            _write_group(temporary / _CELLS, image(name="cells", source={"image": "../../"}))
            _write_group(temporary / "labels", {"labels": ["cells"]})
        # last, so that a folder without it is known to be unfinished
        _write_group(temporary, image(name=path.name))


def write_results(path: Path, results: Results) -> None:
    """Write the labels of an image; see :func:`write_ome_zarr`."""
    labels, cells = results.labels, results.cells
    write_ome_zarr(path, labels, pixel_size=results.pixel_size, frame=results.frame, cells=cells)


def _write_levels(zarr: Any, folder: Path, labels: RegionLabels) -> None:
    for level, step in enumerate(pyramid_steps(labels.shape, CHUNK)):
        shape = level_shape(labels.shape, step)
        array = zarr.create_array(
            store=str(folder),
            name=str(level),
            shape=shape,
            dtype=labels.dtype,
            chunks=tuple(min(CHUNK, length) for length in shape),
            compressors=zarr.codecs.ZstdCodec(level=_COMPRESSION_LEVEL),
            fill_value=0,
            dimension_names=("y", "x"),
        )
        for box, pixels in pull(labels, step, CHUNK):
            if pixels.any():
                array[box.slices] = pixels


def _write_group(folder: Path, ome: dict[str, Any]) -> None:
    attributes = {"ome": {"version": _VERSION, **ome}}
    text = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=2)
    (folder / "zarr.json").write_text(text + "\n", encoding="utf-8")


def _image(
    name: str,
    steps: list[int],
    pixel_size: tuple[float, float] | None,
    frame: Frame,
    source: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the group of a label image says; ``source`` is the image that the labels belong to, if it is in the same zarr."""
    unit = {} if pixel_size is None else {"unit": "micrometer"}
    size, start = frame.scale(pixel_size), frame.translation(pixel_size)
    # level pixels are pixels of the labels, from the first: all levels begin at the same place
    moved = [{"type": "translation", "translation": list(start)}] if any(start) else []
    datasets: list[dict[str, Any]] = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [length * step for length in size]}, *moved],
        }
        for level, step in enumerate(steps)
    ]
    multiscale = {
        "name": name,
        "axes": [{"name": axis, "type": "space", **unit} for axis in ("y", "x")],
        "datasets": datasets,
        "type": "nearest",
    }
    return {"multiscales": [multiscale], "image-label": {} if source is None else {"source": source}}


def _import_zarr(path: Path) -> Any:
    try:
        import zarr
        import zarr.codecs
    except ImportError as error:
        raise ImageError(f"{path}: expected the package zarr, got none; pip install 'zarr>=3'") from error
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise ImageError(f"{path}: expected zarr 3 or newer, got {zarr.__version__}; pip install 'zarr>=3'")
    return zarr
