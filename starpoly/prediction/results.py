"""Results of one image for the writers: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..config import ModelSpec
from ..io.readers.source import Source
from ..io.writers.pyramid import RegionLabels
from ..labels.measurements import in_micrometres, with_confidence
from ..labels.measures.blocks import BlockMeasurer, LabelImage
from ..labels.measures.parts import measure_parts
from ..labels.streaming import StreamingLabels
from ..labels.whole import WholeLabels
from ..polygons import StarPolygons


class ImageResults:
    """Results of one image, see :class:`starpoly.io.writers.results.Results`.

    Parameters
    ----------
    drawn : WholeLabels or StreamingLabels
        Complete labels in memory, or growing ones. Writers of growing labels wait for undecided regions.
    spec : ModelSpec
        Provides calibration and class names.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    measures : sequence of str
        Groups of measurements, see :data:`starpoly.labels.measures.registry.MEASURES`.
    pixels : Source, optional
        What intensities are measured in: all channels of the image.
    further : sequence of LabelImage
        Label images with the same ids that are measured beside the first, such as the cells around nuclei.
    """

    def __init__(
        self,
        drawn: WholeLabels | StreamingLabels,
        spec: ModelSpec,
        pixel_size: tuple[float, float] | None,
        measures: Sequence[str] = (),
        pixels: Source | None = None,
        further: Sequence[LabelImage] = (),
    ) -> None:
        self._measures, self._pixels, self._further = tuple(measures), pixels, further
        self._drawn, self._calibration = drawn, spec.calibration
        self.shape, self.pixel_size = drawn.shape, pixel_size
        self.class_names: Sequence[str] = spec.class_names

    @property
    def labels(self) -> RegionLabels:
        """The label image, in the smallest dtype for the ids known so far."""
        return self._drawn.picture()

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Polygons with measurements, in label order, in parts."""
        for polygons, columns in self._drawn.objects():
            yield polygons, in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)

    def measured(self) -> Iterator[tuple[StarPolygons, Mapping[str, Any]]]:
        """As :meth:`objects`, with all measurements."""
        if not (self._measures or self._further):
            return self.objects()
        measurer = BlockMeasurer(
            [LabelImage(self._drawn.final, self._measures), *self._further],
            self.shape,
            self._pixels,
            channel_names=() if self._pixels is None else self._pixels.channel_names,
            pixel_size=self.pixel_size,
        )
        return measure_parts(self.objects(), measurer, self._drawn.boxes)
