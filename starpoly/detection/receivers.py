"""Where polygons go when suppression has kept them, which is while the rest of the image is still worked on."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..labels.confidence import Calibration, confident
from ..polygons import StarPolygons


class PolygonReceiver(Protocol):
    """Takes the polygons of an image as they become known, in whatever order."""

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take some more.

        Parameters
        ----------
        polygons : StarPolygons
            Newly kept, in any order.
        centres, points : float
            Rows: polygons that are still to come have their centres at or below the first, and no point above the second.
            Infinite when none are to come.
        """
        ...

    def polygons(self) -> StarPolygons:
        """All of them, in the order of ids (:meth:`StarPolygons.position_order`), when none are to come."""
        ...


class PolygonList:
    """The polygons of an image, collected."""

    def __init__(self) -> None:
        self._parts: list[StarPolygons] = []

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take some more."""
        self._parts.append(polygons)

    def polygons(self) -> StarPolygons:
        """All of them, in the order of ids."""
        polygons = StarPolygons.concatenate(self._parts)
        return polygons.take(polygons.position_order())


class RescalingReceiver:
    """Brings polygons from an image that was looked at at another size back to the image, and leaves the doubtful ones out.

    Parameters
    ----------
    kept : PolygonReceiver
        Takes them then.
    scale : float
        The size at which the image was looked at, as a part of its own.
    least : float
        Polygons that are right with less than this chance are left out.
    calibration : Calibration
        Tells the chance.
    """

    def __init__(
        self, kept: PolygonReceiver, scale: float = 1.0, least: float = 0.0, calibration: Calibration = ()
    ) -> None:
        self._kept, self._scale, self._least, self._calibration = kept, scale, least, calibration

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take some more, in pixels of the image as it was looked at."""
        if self._least:
            polygons = confident(polygons, self._least, self._calibration)
        if self._scale != 1:
            polygons, centres, points = polygons.scale(1 / self._scale), self._row(centres), self._row(points)
        self._kept.add(polygons, centres, points)

    def polygons(self) -> StarPolygons:
        """All of them, in pixels of the image."""
        return self._kept.polygons()

    def _row(self, row: float) -> float:
        # rounded as centres are, so that none that is to come can lie above it
        return float(np.float32((row + 0.5) * (1 / self._scale) - 0.5))
