"""Results of one image for the writers: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..config import ModelSpec
from ..geometry.nearest_label import Reach
from ..io.frame import Frame
from ..io.readers.source import Source
from ..io.writers.pyramid import RegionLabels
from ..labels.cell_areas import CellAreas, cell_columns
from ..labels.expansion import ExpandedLabels, FinalLabels, RingLabels
from ..labels.measurements import in_micrometres, with_confidence
from ..labels.measures.blocks import BlockMeasurer, LabelImage
from ..labels.measures.parts import measure_parts
from ..labels.streaming import StreamingLabels
from ..labels.whole import WholeLabels
from ..polygons import StarPolygons
from .place import Place


class ImageResults:
    """Results of one image, see :class:`starpoly.io.writers.results.Results`.

    Parameters
    ----------
    drawn : WholeLabels or StreamingLabels
        Complete labels in memory, or growing ones. Writers of growing labels wait for undecided regions.
    spec : ModelSpec
        Provides calibration and class names.
    source : Source
        The segmented image. Provides its pixel size and its place in the file.
    reach : Reach, optional
        How far nuclei expand to cells.
    measures : sequence of str
        Groups of measurements, see :data:`starpoly.labels.measures.registry.MEASURES`.
    pixels : Source, optional
        What intensities are measured in: all channels of the image.
    place : Place, optional
        Where the image lies in a stack.
    origin : str, optional
        Hash of the image's content.
    run : callable
        Measures, see :class:`starpoly.labels.measures.blocks.BlockMeasurer`.
    """

    stack = cell_stack = None

    def __init__(
        self,
        drawn: WholeLabels | StreamingLabels,
        spec: ModelSpec,
        source: Source,
        reach: Reach | None = None,
        *,
        measures: Sequence[str] = (),
        pixels: Source | None = None,
        place: Place | None = None,
        origin: str | None = None,
        run: Callable[..., Any] = map,
    ) -> None:
        self._measures, self._pixels, self._run = tuple(measures), pixels, run
        place = place or Place()
        self._place, self.hyperstack = place.columns, place.hyperstack
        self._drawn, self._calibration = drawn, spec.calibration
        self.shape, self.pixel_size, self.frame = drawn.shape, source.pixel_size, Frame.of(source)
        self.class_names: Sequence[str] = spec.class_names
        self._reach, self.origin = reach, origin

    @cached_property
    def _cell_areas(self) -> CellAreas | None:
        return None if self._reach is None else CellAreas(self._expanded(FinalLabels(self._drawn)))

    @property
    def margin(self) -> int:
        """Pixels by which labels may reach beyond their polygons; known once an object is."""
        return self._drawn.margin

    @property
    def labels(self) -> RegionLabels:
        """The label image, in the smallest dtype for the ids known so far."""
        return self._drawn.picture()

    @property
    def cells(self) -> ExpandedLabels | None:
        """The label image of the cells, None where nuclei are not expanded."""
        return None if self._reach is None else self._expanded()

    def _expanded(self, nuclei: RegionLabels | None = None) -> ExpandedLabels:
        assert self._reach is not None
        return ExpandedLabels(nuclei or self._drawn.picture(), self._reach, self.margin)

    def planes(self) -> Iterator[ImageResults]:
        """This alone."""
        yield self

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Polygons with measurements, in label order, in parts."""
        return self._described(self._drawn.objects())

    def outlined(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """The same, with the outlines of masks."""
        return self._described(self._drawn.outlined())

    def _described(
        self, parts: Iterable[tuple[StarPolygons, dict[str, Any]]]
    ) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        for polygons, columns in parts:
            columns = in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)
            place = {name: np.full(len(polygons), value) for name, value in self._place.items()}
            yield polygons, place | columns | self._placed(columns) | self._of_cells(polygons, columns)

    def _of_cells(self, polygons: StarPolygons, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Measurements of the cells of nuclei."""
        if self._cell_areas is None:
            return {}
        cells = self._cell_areas.of(polygons, columns["label"])
        return cell_columns(columns["area"], cells, self.pixel_size)

    def _placed(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Centres in pixels of the full resolution, where those of the part are others."""
        if self.frame.is_whole:
            return {}
        y, x = self.frame.centres(columns["y"], columns["x"])
        return {"y_level0": y, "x_level0": x}

    def measured(self, *, outlined: bool = False) -> Iterator[tuple[StarPolygons, Mapping[str, Any]]]:
        """As :meth:`objects` or :meth:`outlined`, with all measurements."""
        parts = self.outlined() if outlined else self.objects()
        if not self._measures:
            return parts
        measurer = BlockMeasurer(
            [LabelImage(self._drawn.final, self._measures), *self._cell_images()],
            self.shape,
            self._pixels,
            channel_names=() if self._pixels is None else self._pixels.channel_names,
            pixel_size=self.pixel_size,
            run=self._run,
        )
        return measure_parts(parts, measurer, self._drawn.boxes)

    def _cell_images(self) -> list[LabelImage]:
        """What is measured of cells: what is of nuclei; of the rings between them the intensities."""
        if self._reach is None:
            return []
        nuclei, reach = FinalLabels(self._drawn), max(self._reach.pixels)
        cells = self._expanded(nuclei)
        of_rings = tuple(name for name in self._measures if name == "intensity")
        return [
            LabelImage(cells.region, self._measures, "cell_", reach),
            LabelImage(RingLabels(nuclei, cells).region, of_rings, "ring_", reach),
        ]
