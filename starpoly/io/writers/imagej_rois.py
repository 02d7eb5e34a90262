"""Write outlines as a zip of ImageJ ROIs for the ROI Manager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ImageError, install_command, warn
from ...polygons import StarPolygons
from ..files.atomic import new_file
from ..frame import Frame
from .geojson import check_polygons, plane_columns
from .results import Results
from .rings import outlines
from .zip_stream import ZipStream

_LARGEST = 65_535  # pixels; the corners of an ROI are 16-bit numbers


def write_rois(
    path: str | Path,
    polygons: StarPolygons,
    shape: tuple[int, int],
    *,
    labels: ArrayLike | None = None,
    frame: Frame | None = None,
) -> None:
    """Write polygons as ImageJ polygon ROIs with sub-pixel coordinates, named by label.

    Outlines are those of ``outlines``, in pixels of the full resolution of the whole slide. Equal polygons
    give equal bytes.

    Parameters
    ----------
    path : str or Path
        The zip file; replaced whole, or left as it was if writing fails.
    polygons : StarPolygons
        ``n`` polygons with finite coordinates.
    shape : (int, int)
        Height and width of the image in pixels.
    labels : (n,) integers, optional
        Label of each polygon. Default: 1..n.
    frame : Frame, optional
        Where the image lies in its slide. Default: it is the whole.

    Raises
    ------
    ImageError
        If roifile is not installed, the labels do not fit, or the file cannot be written.

    Warns
    -----
    StarpolyWarning
        If the image is larger than ImageJ's 16-bit corners reach, or polygons lie outside the image and are left out.
    """
    names = np.arange(1, len(polygons) + 1) if labels is None else labels
    stream_rois(path, [(polygons, names)], shape, frame=frame)


def stream_rois(
    path: str | Path,
    parts: Iterable[tuple[StarPolygons, ArrayLike]],
    shape: tuple[int, int],
    *,
    frame: Frame | None = None,
) -> None:
    """Like :func:`write_rois`, for polygons in parts, each with its labels.

    Parameters
    ----------
    path, shape, frame
        As for :func:`write_rois`.
    parts : iterable of (polygons, labels)
    """
    _stream(path, ((polygons, {"label": labels}) for polygons, labels in parts), shape, frame=frame or Frame())


def _stream(
    path: str | Path,
    parts: Iterable[tuple[StarPolygons, Mapping[str, Any]]],
    shape: tuple[int, int],
    *,
    frame: Frame,
    hyperstack: bool = False,
) -> None:
    """Write polygons with the columns ``label`` and, of a stack, ``t`` and ``z``."""
    path = Path(path)
    roifile = _import_roifile(path)
    end = frame.extent(shape)
    if max(end) > _LARGEST:
        message = (
            f"{path}: expected an image of at most {_LARGEST} pixels a side, got {round(end[0])} x {round(end[1])}; "
            "ImageJ will misplace what lies beyond, use GeoJSON"
        )
        warn(message)
    outside = 0
    with new_file(path) as temporary, open(temporary, "wb") as file:
        archive = ZipStream(file)
        for polygons, columns in parts:
            check_polygons(polygons, path)
            labels, n = _check_labels(columns["label"], len(polygons), path), len(polygons)
            for label, plane, ring in zip(labels, plane_columns(columns, n), outlines(polygons, shape), strict=True):
                if not len(ring):
                    outside += 1
                    continue
                name = "_".join([*(f"{axis}{number:04d}" for axis, number in plane.items()), f"{label:06d}"])
                roi = roifile.ImagejRoi.frompoints(frame.place(ring).astype(np.float32), name=name)
                roi.roitype = roifile.ROI_TYPE.POLYGON
                _set_position(roi, plane, hyperstack)
                archive.add(f"{name}.roi", roi.tobytes())
        archive.finish()
    if outside:
        warn(f"{path}: {outside} polygons outside the image are left out")


def write_results(path: Path, results: Results) -> None:
    """Write the outlines of all objects; see :func:`write_rois`."""
    _stream(path, results.outlined(), results.shape, frame=results.frame, hyperstack=results.hyperstack)


def _set_position(roi: Any, plane: Mapping[str, int], hyperstack: bool) -> None:
    """Tie an ROI to its plane: ImageJ counts from 1, along z and time in a hyperstack, along slices in a stack."""
    if hyperstack or len(plane) > 1:
        roi.t_position, roi.z_position = plane.get("t", -1) + 1, plane.get("z", -1) + 1
    elif plane:
        roi.position = next(iter(plane.values())) + 1


def _check_labels(labels: ArrayLike, n: int, path: Path) -> NDArray:
    names = np.asarray(labels)
    if names.shape != (n,) or names.dtype.kind not in "ui":
        raise ImageError(f"{path}: expected {n} integer labels, got {names.dtype} of shape {names.shape}")
    return names


def _import_roifile(path: Path) -> Any:
    try:
        import roifile
    except ImportError as error:
        raise ImageError(f"{path}: expected the package roifile, got none; {install_command('imagej')}") from error
    return roifile
