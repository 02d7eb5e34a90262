"""Whole slides: read by region, found tile by tile with a journal, written while they are found and never held."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._version import __version__
from ..detection.journal import open_journal
from ..errors import ConfigError, ImageError
from ..io.files.atomic import make_folder
from ..io.files.identity import identify
from ..io.readers.images import open_source
from ..io.readers.source import Source
from ..io.writers.geojson import stream_geojson
from ..io.writers.imagej_rois import stream_rois
from ..io.writers.label_tiff import write_label_tiff
from ..io.writers.ome_zarr import write_ome_zarr
from ..io.writers.pyramid import check_pixel_size
from ..io.writers.table import stream_table
from ..labels.lazy import LazyLabels
from ..labels.mask_growth import ForegroundMask
from ..labels.measurements import in_micrometres, with_confidence
from ..labels.streaming import StreamingLabels
from ..parallel import limit_malloc_arenas, trim_malloc
from ..polygons import StarPolygons
from ..tiling import Box
from ..timing import Stopwatch
from .provenance import describe_run, write_provenance
from .writing import Writers, write_picture

if TYPE_CHECKING:
    from ..config import ModelSpec
    from ..model import StarPoly2D
    from .region_masks import RegionMask

_log = logging.getLogger(__name__)

#: The overlay of a slide is drawn at a power of two of its size, at most this many pixels a side.
OVERLAY_SIDE = 4096
#: ... and bytes of the image.
OVERLAY_BYTES = 1 << 26


@dataclass(frozen=True)
class SlideOutputs:
    """Files to write; None for those that are not wanted.

    ``labels``: tiled TIFF with a pyramid; ``zarr``: OME-Zarr labels; ``geojson``: outlines for QuPath; ``rois``:
    outlines for ImageJ; ``table``: CSV; ``overlay``: a reduced PNG; ``provenance``: JSON, what all this depends on.
    """

    labels: Path | None = None
    zarr: Path | None = None
    geojson: Path | None = None
    rois: Path | None = None
    table: Path | None = None
    overlay: Path | None = None
    provenance: Path | None = None


@dataclass(frozen=True)
class SlideResult:
    """What was found: number of objects, shape of the image (y, x, c), number of tiles, seconds per stage; and how many
    tiles were skipped, since only a ``fraction`` of the image was to be looked at."""

    n_objects: int
    shape: tuple[int, int, int]
    n_tiles: int
    seconds: dict[str, float]
    n_skipped: int = 0
    fraction: float = 1.0


def segment_slide(
    model: StarPoly2D,
    image: Any,
    outputs: SlideOutputs,
    *,
    level: int = 0,
    channels: Sequence[int] | None = None,
    roi: Box | None = None,
    mask: Any = None,
    tissue: str | None = None,
    pixel_size: tuple[float, float] | None = None,
    prob_threshold: float | None = None,
    nms_threshold: float | None = None,
    scale: float | None = None,
    diameter: float | None = None,
    min_confidence: float = 0.0,
    expand_into_foreground: int = 0,
    tta: str = "none",
    tile_size: int | None = None,
    readers: int = 1,
    journal: Path | None = None,
    progress: bool = False,
) -> SlideResult:
    """Find the objects of an image of any size and write them, in bounded memory.

    Memory holds a few tiles and the polygons. Results are written while the rest is found, under other names until they are
    whole. What each tile has found is kept in ``journal``: the same call continues
    from there after an interruption, and ends with the same bytes.

    Parameters
    ----------
    model : StarPoly2D
    image : path, Source or array-like
        See :func:`starpoly.io.readers.images.open_source`.
    outputs : SlideOutputs
    level, channels, roi
        Level of a pyramid, channels, and region (pixels of that level) to look at. Results are in pixels of the region.
    mask : path or array-like, optional
        An image of any size with the sides of the whole level in proportion, not zero where to look; objects with a
        centre elsewhere are not found.
    tissue : {"auto"}, optional
        Leave empty glass out, see :func:`starpoly.prediction.tissue.find_tissue`.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x) of the level, in place of what the file says.
    prob_threshold, nms_threshold, scale, diameter, min_confidence, expand_into_foreground, tta, tile_size
        As for :meth:`StarPoly2D.predict_instances`; outlines are those of the polygons.
    readers : int
        Threads that read and decode the image; of no influence on the result.
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
    with ExitStack() as stack:
        source = stack.enter_context(
            open_source(
                image, level=level, channels=channels, roi=roi, pixel_size=check_pixel_size(pixel_size, "pixel size")
            )
        )
        region = None
        if mask is not None or tissue is not None:
            with clock.timing("tissue"):
                region = _region(image, source, channels, mask, tissue)
        settings = {
            "prob_threshold": prob_threshold,
            "nms_threshold": nms_threshold,
            "scale": scale,
            "diameter": diameter,
            "min_confidence": min_confidence,
            "expand_into_foreground": expand_into_foreground,
            "tta": tta,
            "tile_size": tile_size,
        }
        identity = identify(image, source) if journal is not None or outputs.provenance is not None else {}
        part = {
            "level": level,
            "channels": None if channels is None else list(channels),
            "roi": None if roi is None else [roi.y0, roi.x0, roi.y1, roi.x1],
            "mask": None if region is None else region.fingerprint(),
        }
        state = None
        if journal is not None:
            run = {"starpoly": __version__, "model": model.fingerprint(), "input": identity, **settings, **part}
            state = stack.enter_context(open_journal(journal, run, **_kind(model)))
        trim_malloc()
        limit_malloc_arenas()  # of the threads that read and write
        foreground = ForegroundMask(source.shape[:2], expand_into_foreground) if expand_into_foreground else None
        labels = StreamingLabels(source.shape[:2], model.spec.class_names, clock=clock, foreground=foreground)
        with Writers(labels) as writers:
            _start(writers, outputs, labels, source.pixel_size, model.spec)
            found = model.detect(
                source,
                prob_threshold=prob_threshold,
                nms_threshold=nms_threshold,
                scale=scale,
                diameter=diameter,
                min_confidence=min_confidence,
                expand_into_foreground=expand_into_foreground,
                tta=tta,
                tile_size=tile_size,
                region=region,
                readers=readers,
                progress=progress,
                journal=state,
                receiver=labels,
                foreground=foreground,
            )
            with clock.timing("writing"):
                writers.wait(shown=progress)
                if outputs.overlay is not None:
                    _write_overlay(outputs.overlay, source, labels.whole())
            n_objects, fraction = labels.count(), 1.0 if region is None else region.fraction
            if outputs.provenance is not None:
                looked_at = {
                    "file": _path_of(image),
                    "pixel_size": source.pixel_size,
                    **part,
                    "mask_from": tissue or _path_of(mask),
                    "fraction": round(fraction, 4),
                }
                seconds = found.seconds | clock.seconds
                record = describe_run(
                    model, found, image=identity | looked_at, settings=settings, n_objects=n_objects, seconds=seconds
                )
                write_provenance(outputs.provenance, record)
            with clock.timing("writing"):
                writers.finish()
        if state is not None:
            state.remove()
    seconds = found.seconds | clock.seconds
    return SlideResult(n_objects, source.shape, found.n_tiles, seconds, found.n_skipped, fraction)


def _region(image: Any, source: Source, channels: Sequence[int] | None, mask: Any, tissue: str | None) -> RegionMask:
    """The part of the image that is to be looked at."""
    from .region_masks import read_mask
    from .tissue import find_tissue

    if mask is not None and tissue is not None:
        raise ConfigError("expected a mask or tissue='auto', got both; choose one")
    if mask is not None:
        what, region = "mask", read_mask(mask, source.levels[source.level])
        (y, x), (height, width) = source.offset, source.shape[:2]
        region = region.within(Box(y, x, y + height, x + width))
        if not region.overlaps(Box(0, 0, height, width)):
            raise ImageError(
                f"{source.name}: expected a mask that is not zero where to look, got zeros in the whole region"
            )
    elif tissue == "auto":

        def open_level(level: int, box: Box) -> Source:
            return open_source(image, level=level, channels=channels, roi=box)

        what, region = "tissue", find_tissue(source, open_level if _path_of(image) else None)
    else:
        raise ConfigError(f"tissue: expected 'auto', got {tissue!r}")
    _log.info("%s: %.3g %% of the slide is looked at", what, 100 * region.fraction)
    return region


def _path_of(image: Any) -> str | None:
    return str(Path(image).resolve()) if isinstance(image, str | Path) else None


def _kind(model: StarPoly2D) -> dict[str, Any]:
    """What polygons of the model may look like."""
    network = model.spec.network
    return {"n_rays": network.n_rays, "n_classes": network.n_classes, "max_distance": model.spec.max_distance}


def _start(
    writers: Writers,
    outputs: SlideOutputs,
    labels: StreamingLabels,
    pixel_size: tuple[float, float] | None,
    spec: ModelSpec,
) -> None:
    """Begin to write what is wanted while it is found, the labels to appear last: where they are, all is done."""
    for field in fields(outputs):
        path = getattr(outputs, field.name)
        if path is not None:
            make_folder(path.parent)

    def measured() -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        for polygons, columns in labels.objects():
            yield polygons, in_micrometres(with_confidence(columns, spec.calibration), pixel_size)

    if outputs.table is not None:
        writers.start(partial(stream_table, outputs.table, (columns for _, columns in measured())))
    if outputs.geojson is not None:
        writers.start(partial(stream_geojson, outputs.geojson, measured(), labels.shape, class_names=spec.class_names))
    if outputs.rois is not None:
        numbered = ((polygons, columns["label"]) for polygons, columns in labels.objects())
        writers.start(partial(stream_rois, outputs.rois, numbered, labels.shape))
    if outputs.zarr is not None:
        writers.start(partial(write_picture, labels, partial(write_ome_zarr, outputs.zarr, pixel_size=pixel_size)))
    if outputs.labels is not None:
        write = partial(write_label_tiff, outputs.labels, pixel_size=pixel_size)
        writers.start_last(lambda before_naming: write_picture(labels, partial(write, before_naming=before_naming)))


def _write_overlay(path: Path, source: Source, labels: LazyLabels) -> None:
    """Draw every ``step``-th pixel of image and labels."""
    from ..io.readers.thumbnail import every
    from ..io.writers.overlay import write_overlay

    step = 1
    while max(source.shape[:2]) > OVERLAY_SIDE * step or source.nbytes > OVERLAY_BYTES * step**2:
        step *= 2
    write_overlay(path, every(source, step), _Reduced(labels, step), max_side=OVERLAY_SIDE)


class _Reduced:
    """Every ``step``-th pixel of a label image, drawn when it is asked for."""

    def __init__(self, labels: LazyLabels, step: int) -> None:
        self._labels, self._step = labels, step
        self.shape = tuple(-(-length // step) for length in labels.shape)

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray:
        (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(key, self.shape, strict=True))
        box = Box(y0 * self._step, x0 * self._step, y1 * self._step, x1 * self._step)
        return self._labels.region(box.clip(self._labels.shape), self._step)
