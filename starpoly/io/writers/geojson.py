"""Write outlines as GeoJSON for QuPath, streamed, one Feature per line."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn
from ...polygons import StarPolygons
from ..files.atomic import new_file
from ..frame import Frame
from ..text_tables import valid_text
from .cell_rings import cell_outlines
from .results import Cells, Results
from .rings import outlines, ring_area

OBJECT_TYPES = ("detection", "cell", "annotation")

#: colours of the classes 1, 2, ... as red, green, blue; told apart also by the colour-blind (Okabe and Ito 2008)
CLASS_COLORS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "starpoly")
_NO_MEASUREMENTS = ("label", "y", "x", "y_level0", "x_level0", "class", "t", "z", "scene")


def write_geojson(
    path: str | Path,
    polygons: StarPolygons,
    shape: tuple[int, int],
    *,
    columns: Mapping[str, Any] | None = None,
    class_names: Sequence[str] = (),
    object_type: str = "detection",
    name: str | None = None,
    frame: Frame | None = None,
) -> None:
    """Write polygons as a GeoJSON FeatureCollection.

    Coordinates are ``[x, y]`` in pixels of the full resolution as QuPath counts them: the origin is the corner of the
    whole slide or, where OpenSlide states bounds, of these. Rings are simple,
    closed and cut at the image's border (see ``outlines``). A Feature's ``id`` is a UUID
    made of the name and the label, its ``name`` the label. Columns ``t`` and ``z`` become its plane. Equal polygons give equal bytes.

    Parameters
    ----------
    path : str or Path
        The file; replaced whole, or left as it was if writing fails.
    polygons : StarPolygons
        ``n`` polygons with finite coordinates.
    shape : (int, int)
        Height and width of the image in pixels.
    columns : mapping of str to (n,) array, optional
        As :func:`starpoly.labels.measure` gives them: ``label`` and measurements, of which those that are finite
        numbers are written. Default: labels 1..n, the score, and area and diameter of the outline in pixels.
    class_names : sequence of str, optional
        Names of the classes 1..n_classes; without them classes are numbers. Without classes no classification is
        written.
    object_type : {"detection", "cell", "annotation"}
        What QuPath makes of the Features.
    name : str, optional
        What the identifiers are made of, beside the labels. Default: the file's name.
    frame : Frame, optional
        Where the image lies in its slide. Default: it is the whole. Measurements stay in pixels of the image.

    Raises
    ------
    ImageError
        If the columns do not fit, coordinates are not finite, or the file cannot be written.

    Warns
    -----
    StarpolyWarning
        If polygons lie outside the image; they are left out.
    """
    stream_geojson(
        path, [(polygons, columns)], shape, class_names=class_names, object_type=object_type, name=name, frame=frame
    )


def stream_geojson(
    path: str | Path,
    parts: Iterable[tuple[StarPolygons, Mapping[str, Any] | None]],
    shape: tuple[int, int],
    *,
    class_names: Sequence[str] = (),
    object_type: str = "detection",
    name: str | None = None,
    frame: Frame | None = None,
    cells: Cells | None = None,
) -> None:
    """Like :func:`write_geojson`, for polygons in parts, each with its columns. The bytes are the same.

    Parameters
    ----------
    path, shape, class_names, object_type, name, frame
        As for :func:`write_geojson`.
    parts : iterable of (polygons, columns)
    cells : Cells, optional
        Write cells: the outlines of their masks, and of the masks of their nuclei in place of the polygons.
    """
    with_cells = ((polygons, columns, cells) for polygons, columns in parts)
    _stream(
        path, with_cells, shape, class_names=class_names, object_type=object_type, name=name, frame=frame or Frame()
    )


def _stream(
    path: str | Path,
    parts: Iterable[tuple[StarPolygons, Mapping[str, Any] | None, Cells | None]],
    shape: tuple[int, int],
    *,
    class_names: Sequence[str],
    frame: Frame,
    object_type: str = "detection",
    name: str | None = None,
) -> None:
    path = Path(path)
    if object_type not in OBJECT_TYPES:
        raise ImageError(f"{path}: expected an object type of {', '.join(OBJECT_TYPES)}, got {object_type!r}")
    name = valid_text(path.name if name is None else name)
    separator, outside = "\n", 0
    with new_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write('{"type":"FeatureCollection","features":[')
        for polygons, columns, cells in parts:
            check_polygons(polygons, path)
            table = None if columns is None else _check_columns(columns, len(polygons), path)
            planes = plane_columns(table, len(polygons))
            described = _described(polygons, table, shape, class_names, cells)
            for (ring, cell, label, properties), plane in zip(described, planes, strict=True):
                if not len(ring):
                    outside += 1
                    continue
                feature = {
                    "type": "Feature",
                    "id": str(uuid.uuid5(_NAMESPACE, "\n".join([name, str(label), *map(str, plane.values())]))),
                    **_geometries(ring, cell, frame, plane),
                    "properties": {"objectType": object_type if cells is None else "cell", **properties},
                }
                file.write(separator + json.dumps(feature, separators=(",", ":"), allow_nan=False))
                separator = ",\n"
        file.write("\n]}\n")
    if outside:
        warn(f"{path}: {outside} polygons outside the image are left out")


def write_results(path: Path, results: Results) -> None:
    """Write the outlines of all objects; see :func:`write_geojson`."""
    parts = ((*part, plane.cells) for plane in results.planes() for part in plane.outlined())
    _stream(path, parts, results.shape, class_names=results.class_names, frame=results.frame)


def _geometries(
    ring: NDArray[np.float64], cell: NDArray[np.float64] | None, frame: Frame, plane: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """An object's outline or, of a cell, that and its nucleus's."""
    polygon = _polygon(frame.place(ring, from_bounds=True)) | _qupath(plane)
    if cell is None:
        return {"geometry": polygon}
    return {
        "geometry": _polygon(frame.place(cell, from_bounds=True)) | _qupath(plane),
        "nucleusGeometry": polygon,
    }


def _polygon(ring: NDArray[np.float64]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}


def _described(
    polygons: StarPolygons,
    table: Mapping[str, NDArray] | None,
    shape: tuple[int, int],
    class_names: Sequence[str],
    cells: Cells | None,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64] | None, int, dict[str, Any]]]:
    """The ring of each polygon or nucleus, that of its cell, the label and the properties."""
    labels = np.arange(1, len(polygons) + 1) if table is None else table["label"]
    classifications = _classifications(polygons.classes, class_names)
    rings = (
        ((ring, None) for ring in outlines(polygons, shape))
        if cells is None
        else cell_outlines(cells, polygons, labels)
    )
    for index, (ring, cell) in enumerate(rings):
        label = int(labels[index])
        properties: dict[str, Any] = {"name": str(label)}
        if classifications is not None:
            properties["classification"] = classifications[index]
        values = _outline_values(ring, polygons.probabilities[index]) if table is None else _row(table, index)
        properties["measurements"] = dict(values)
        yield ring, cell, label, properties


def check_polygons(polygons: StarPolygons, path: Path) -> None:
    """Refuse coordinates that no file can hold.

    Raises
    ------
    ImageError
        If a point or a distance is not finite.
    """
    if not (np.isfinite(polygons.points).all() and np.isfinite(polygons.distances).all()):
        raise ImageError(f"{path}: expected finite points and distances, got NaN or infinity; leave those polygons out")


def plane_columns(columns: Mapping[str, Any] | None, n: int) -> Iterator[dict[str, int]]:
    """The plane of each of ``n`` objects: ``t`` and ``z``, as far as the columns have them."""
    found = {axis: columns[axis] for axis in ("t", "z") if columns is not None and axis in columns}
    return ({axis: int(values[row]) for axis, values in found.items()} for row in range(n))


def _qupath(plane: Mapping[str, int]) -> dict[str, Any]:
    """QuPath's plane of a geometry; ``c`` of -1 stands for all channels. None for an image of one plane."""
    return {"plane": {"c": -1, "z": plane.get("z", 0), "t": plane.get("t", 0)}} if plane else {}


def _check_columns(columns: Mapping[str, Any], n: int, path: Path) -> dict[str, NDArray]:
    table = {key: np.asarray(column) for key, column in columns.items()}
    if "label" not in table or any(column.shape != (n,) for column in table.values()):
        lengths = {key: column.shape for key, column in table.items()}
        raise ImageError(f"{path}: expected a column label and columns of {n} rows, one per polygon, got {lengths}")
    return table


def _classifications(classes: NDArray[np.int64] | None, names: Sequence[str]) -> Sequence[dict[str, Any]] | None:
    """QuPath's classification of each polygon; the polygons of a class share one."""
    if classes is None:
        return None
    known = {
        int(index): {
            "name": names[index - 1] if index <= len(names) else str(index),
            "color": list(CLASS_COLORS[(index - 1) % len(CLASS_COLORS)]),
        }
        for index in np.unique(classes)
    }
    return [known[int(index)] for index in classes]


def _outline_values(ring: NDArray[np.float64], probability: np.float32) -> Iterator[tuple[str, float]]:
    area = ring_area(ring)
    if math.isfinite(probability):
        yield "score", round(float(probability), 4)
    yield "area", round(area, 4)
    yield "diameter", round(math.sqrt(4 * area / math.pi), 4)


def _row(table: Mapping[str, NDArray], index: int) -> Iterator[tuple[str, float]]:
    """The measurements of a polygon that are finite numbers, with the decimals of the table."""
    for key, column in table.items():
        if key not in _NO_MEASUREMENTS and column.dtype.kind in "buif" and math.isfinite(column[index]):
            value = float(column[index])
            yield key, int(value) if value.is_integer() else round(value, 4)
