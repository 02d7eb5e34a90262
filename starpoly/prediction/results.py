"""The objects of one image as the formats write them: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        In memory, or still growing: then what is not certain yet makes the writer wait.
    spec : ModelSpec
        Says what scores are worth, and the names of classes.
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
        """The label image, of the smallest dtype that holds the ids by now."""
        return self._drawn.picture()

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Polygons and their measurements, in the order of labels, some at a time."""
        for polygons, columns in self._drawn.objects():
            yield polygons, in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)
