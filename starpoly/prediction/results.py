"""Results of one image for the writers: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..config import ModelSpec
from ..io.frame import Frame
from ..io.readers.source import Source
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
    source : Source
        The segmented image. Provides its pixel size and its place in the file.
    """

    def __init__(self, drawn: WholeLabels | StreamingLabels, spec: ModelSpec, source: Source) -> None:
        self._drawn, self._calibration = drawn, spec.calibration
        self.shape, self.pixel_size, self.frame = drawn.shape, source.pixel_size, Frame.of(source)
        self.class_names: Sequence[str] = spec.class_names

    @property
    def labels(self) -> RegionLabels:
        """The label image, in the smallest dtype for the ids known so far."""
        return self._drawn.picture()

    def objects(self) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
        """Polygons with measurements, in label order, in parts."""
        for polygons, columns in self._drawn.objects():
            columns = in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)
            yield polygons, columns | self._placed(columns)

    def _placed(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Centres in pixels of the full resolution, where those of the part are others."""
        if self.frame.is_whole:
            return {}
        y, x = self.frame.centres(columns["y"], columns["x"])
        return {"y_level0": y, "x_level0": x}
