"""Results of one image for the writers: polygons, measurements, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..config import ModelSpec
from ..io.writers.pyramid import RegionLabels
from ..labels.measurements import in_micrometres, with_confidence
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
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    place : Place, optional
        Where the image lies in a stack.
    """

    stack = None

    def __init__(
        self,
        drawn: WholeLabels | StreamingLabels,
        spec: ModelSpec,
        pixel_size: tuple[float, float] | None,
        place: Place | None = None,
    ) -> None:
        place = place or Place()
        self._place, self.hyperstack = place.columns, place.hyperstack
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
            place = {name: np.full(len(polygons), value) for name, value in self._place.items()}
            yield polygons, place | in_micrometres(with_confidence(columns, self._calibration), self.pixel_size)
