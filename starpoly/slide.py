"""Whole slides: read by region, found tile by tile with a journal, written without ever being held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .io.sources import Source, open_source
from .journal import TileJournal
from .render import LazyLabels, visible
from .tiling import Box
from .timing import Stopwatch

if TYPE_CHECKING:
    from .model import StarPoly2D

#: The overlay of a slide is drawn at a power of two of its size, at most this many pixels a side.
OVERLAY_SIDE = 4096


@dataclass(frozen=True)
class SlideOutputs:
    """Files to write; None for those that are not wanted.

    ``labels``: tiled TIFF with a pyramid; ``zarr``: OME-Zarr labels; ``geojson``: outlines for QuPath; ``rois``:
    outlines for ImageJ; ``table``: CSV; ``overlay``: a reduced PNG.
    """

    labels: Path | None = None
    zarr: Path | None = None
    geojson: Path | None = None
    rois: Path | None = None
    table: Path | None = None
    overlay: Path | None = None


@dataclass(frozen=True)
class SlideResult:
    """What was found: number of objects, shape of the image (y, x, c), number of tiles, seconds per stage."""

    n_objects: int
    shape: tuple[int, int, int]
    n_tiles: int
    seconds: dict[str, float]


def segment_slide(
    model: StarPoly2D,
    image: Any,
    outputs: SlideOutputs,
    *,
    level: int = 0,
    channels: Sequence[int] | None = None,
    roi: Box | None = None,
    prob_threshold: float | None = None,
    nms_threshold: float | None = None,
    scale: int | None = None,
    tile_size: int | None = None,
    journal: Path | None = None,
    progress: bool = False,
) -> SlideResult:
    """Find the objects of an image of any size and write them, in bounded memory.

    Memory holds a few tiles and the polygons. What each tile has found is kept in ``journal``: the same call continues
    from there after an interruption, and ends with the same bytes.

    Parameters
    ----------
    model : StarPoly2D
    image : path, Source or array-like
        See :func:`starpoly.io.sources.open_source`.
    outputs : SlideOutputs
    level, channels, roi
        Level of a pyramid, channels, and region (pixels of that level) to look at. Results are in pixels of the region.
    prob_threshold, nms_threshold, scale, tile_size
        As for :meth:`StarPoly2D.predict_instances`.
    journal : Path, optional
        Folder for the state of the run; removed when all is written. Without it an interruption costs all.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    SlideResult

    Raises
    ------
    ImageError
        If the image cannot be read or an output not written; the journal stays.
    StarpolyError
        If the journal is of another run.
    """
    clock = Stopwatch()
    with open_source(image, level=level, channels=channels, roi=roi) as source:
        settings = {
            "prob_threshold": prob_threshold,
            "nms_threshold": nms_threshold,
            "scale": scale,
            "tile_size": tile_size,
            "level": level,
            "channels": None if channels is None else list(channels),
            "roi": None if roi is None else [roi.y0, roi.x0, roi.y1, roi.x1],
        }
        run = {"starpoly": __version__, "model": model.fingerprint(), "input": _identity(image, source), **settings}
        kept = None if journal is None else TileJournal(journal, run)
        found = model.detect(
            source,
            prob_threshold=prob_threshold,
            nms_threshold=nms_threshold,
            scale=scale,
            tile_size=tile_size,
            progress=progress,
            journal=kept,
        )
        with clock.timing("writing"):
            labels, pixels = visible(LazyLabels(found.polygons, source.shape[:2]))
            columns = pixels.columns(labels, model.spec.class_names)
            _write(outputs, labels, columns, source, model.spec.class_names)
    if kept is not None:
        kept.remove()
    return SlideResult(len(labels.polygons), source.shape, found.n_tiles, found.seconds | clock.seconds)


def _identity(image: Any, source: Source) -> dict[str, Any]:
    """What tells an input from another: its file, when it was written, and what is in it."""
    identity: dict[str, Any] = {"shape": list(source.shape), "dtype": str(source.dtype)}
    if not isinstance(image, str | Path):
        return identity
    path = Path(image)
    marks = [path] if path.is_file() else sorted(path.glob("*.json")) + sorted(path.glob(".z*"))
    identity["file"] = str(path.resolve())
    identity["written"] = [[mark.name, mark.stat().st_size, mark.stat().st_mtime_ns] for mark in marks]
    return identity


def _write(
    outputs: SlideOutputs, labels: LazyLabels, columns: dict[str, Any], source: Source, class_names: tuple[str, ...]
) -> None:
    for field in fields(outputs):
        path = getattr(outputs, field.name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if outputs.table is not None:
        from .io.tables import write_table

        write_table(outputs.table, columns)
    if outputs.geojson is not None:
        from .io.sinks.geojson import write_geojson

        write_geojson(outputs.geojson, labels.polygons, labels.shape, columns=columns, class_names=class_names)
    if outputs.rois is not None:
        from .io.sinks.rois import write_rois

        write_rois(outputs.rois, labels.polygons, labels.shape, labels=labels.ids)
    if outputs.overlay is not None:
        from .io.overlay import write_overlay

        write_overlay(outputs.overlay, *_reduced(source, labels))
    if outputs.zarr is not None:
        from .io.sinks.ome_zarr import write_ome_zarr

        write_ome_zarr(outputs.zarr, labels, pixel_size=source.pixel_size)
    if outputs.labels is not None:
        from .io.sinks.label_tiff import write_label_tiff

        write_label_tiff(outputs.labels, labels, pixel_size=source.pixel_size)


def _reduced(source: Source, labels: LazyLabels) -> tuple[NDArray, NDArray]:
    """Every ``step``-th pixel of image and labels, read by bands of rows."""
    height, width = labels.shape
    step = 1
    while max(height, width) > OVERLAY_SIDE * step:
        step *= 2
    band = step * max(1, (1 << 22) // (step * width))
    rows = [source[y : min(y + band, height), 0:width][::step, ::step] for y in range(0, height, band)]
    return np.concatenate(rows), labels.region(Box(0, 0, height, width), step)
