"""Results of one image for the writers: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..config import ModelSpec
from ..io.writers.pyramid import RegionLabels
from ..labels.measurements import in_micrometres, with_confidence
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
    """

    def __init__(
        self, drawn: WholeLabels | StreamingLabels, spec: ModelSpec, pixel_size: tuple[float, float] | None
    ) -> None:
        self._drawn, self._calibration = drawn, spec.calibration
        self.shape, self.pixel_size = drawn.shape, pixel_size
        self.class_names: Sequence[str] = spec.class_names

    @property
    def labels(self) -> RegionLabels:
        """The label image, in the smallest dtype for the ids known so far."""
        return self._drawn.picture()

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
            yield polygons, in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)
