"""Details of a prediction: a dictionary that shows itself in a line and converts itself for other programs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..images.axes import to_yxc
from ..io.readers.given import as_image, pixel_size_of
from ..io.writers.geojson import write_geojson
from ..io.writers.rings import outlines
from ..labels.confidence import Calibration
from ..labels.measurements import in_micrometres, with_confidence
from ..labels.object_table import measure_objects
from ..polygons import StarPolygons


class DrawnObjects(Protocol):
    """Objects with their columns, such as :class:`~starpoly.labels.whole.WholeLabels`."""

    @property
    def with_outlines(self) -> StarPolygons:
        """The objects, in the order of their rows, with the outlines of their masks."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """Their columns; of a stack with ``t`` and ``z``."""
        ...

    @property
    def labels(self) -> NDArray[np.int32]:
        """The label image, (Y, X); of a stack (planes, Y, X), each plane with ids of its own."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        ...

    def count(self) -> int:
        """Number of objects that differ."""
        ...


class Details(dict[str, Any]):
    """Details of a prediction, by name, see :meth:`starpoly.StarPoly2D.predict_instances`.

    Parameters
    ----------
    fields : dict
    drawn : DrawnObjects
        Objects of an image, or of all planes of a stack.
    calibration : sequence
        Of the model's scores.
    class_names : sequence of str
        Names of the classes 1..n_classes.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x) of the image.
    """

    def __init__(
        self,
        fields: dict[str, Any],
        drawn: DrawnObjects,
        calibration: Calibration = (),
        class_names: Sequence[str] = (),
        pixel_size: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(fields)
        self.drawn, self._calibration = drawn, calibration
        self._class_names, self._pixel_size = tuple(class_names), pixel_size

    def __repr__(self) -> str:
        return f"Details({self.drawn.count()} objects: {', '.join(self)})"

    def __reduce__(self) -> Any:
        return type(self), (dict(self), self.drawn, self._calibration, self._class_names, self._pixel_size)

    def table(
        self, image: Any = None, *, axes: str | None = None, measure: str | Iterable[str] | None = None
    ) -> dict[str, Any]:
        """One row per object, in the order of the labels; of a stack plane by plane, with columns ``t`` and ``z``.

        Parameters
        ----------
        image : path, Source or array-like, optional
            The image, to measure objects in all its channels; its pixel size adds columns in micrometres.
        axes : str, optional
            Axes of the image, as they were given for the prediction.
        measure : str or iterable of str, optional
            As for :func:`starpoly.labels.measure_objects`.

        Returns
        -------
        dict of str to column
            As :func:`starpoly.labels.measure`, ``confidence`` if the model is calibrated and, with an image, what
            :func:`starpoly.labels.measure_objects` measures in it; ``pandas.DataFrame`` takes it.

        Raises
        ------
        ImageError
            If the image cannot be read or has another size than the labels.
        """
        pixel_size = self._pixel_size or pixel_size_of(image)
        columns = in_micrometres(with_confidence(dict(self.drawn.columns), self._calibration), pixel_size)
        if image is None:
            return columns
        return self._measured(image, axes, {"pixel_size": pixel_size, "measure": measure}) | columns

    def _measured(self, image: Any, axes: str | None, settings: dict[str, Any]) -> dict[str, Any]:
        if axes is not None:
            image = to_yxc(as_image(image, squeeze=False), axes)[0]
        elif not isinstance(image, str | os.PathLike):
            image = as_image(image)
        return measure_objects(self.drawn.labels, image, **settings)

    def to_geojson(self, path: str | Path | None = None) -> dict[str, Any]:
        """The outlines with their measurements as a GeoJSON FeatureCollection, as ``--format geojson`` writes it.

        Parameters
        ----------
        path : str or Path, optional
            A file to write it into, too.

        Returns
        -------
        dict
            Coordinates are ``[x, y]`` in pixels with the origin at the image's corner.
        """
        if path is None:
            with tempfile.TemporaryDirectory() as folder:
                return self.to_geojson(Path(folder, "objects.geojson"))
        write_geojson(
            path, self.drawn.with_outlines, self.drawn.shape, columns=self.table(), class_names=self._class_names
        )
        return json.loads(Path(path).read_text(encoding="utf-8"))

    def to_shapely(self) -> list[Any]:
        """The outlines as shapely polygons, in the order of the labels.

        Coordinates are ``(x, y)`` in pixels with the origin at the image's corner, as in :meth:`to_geojson`: a pixel's centre
        lies at + 0.5. An object of which nothing lies in the image is an empty polygon.

        Raises
        ------
        ConfigError
            If shapely is not installed.
        """
        try:
            from shapely.geometry import Polygon
        except ImportError as error:
            raise ConfigError("to_shapely: expected shapely, got none; pip install shapely") from error
        return [Polygon(ring) for ring in outlines(self.drawn.with_outlines, self.drawn.shape)]
