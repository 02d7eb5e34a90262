"""Receivers of kept polygons, while the rest of the image is still being analysed."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..labels.confidence import Calibration, confident
from ..polygons import StarPolygons


class PolygonReceiver(Protocol):
    """Takes the polygons of an image as they become known, in any order."""

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take more polygons.

        Parameters
        ----------
        polygons : StarPolygons
            Newly kept, in any order.
        centres, points : float
            Rows: all polygons that will follow have their centres at or below the first, and no point above the second.
            Infinite if none will follow.
        """
        ...

    def polygons(self) -> StarPolygons:
        """All polygons in the order of ids (:meth:`StarPolygons.position_order`), once none will follow."""
        ...


class PolygonList:
    """The polygons of an image, collected in memory."""

    def __init__(self) -> None:
        self._parts: list[StarPolygons] = []

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take more polygons."""
        self._parts.append(polygons)

    def polygons(self) -> StarPolygons:
        """All polygons in the order of ids."""
        polygons = StarPolygons.concatenate(self._parts)
        return polygons.take(polygons.position_order())


class RescalingReceiver:
    """Brings polygons of a rescaled image to the pixels of the image, and drops those of low confidence.

    Parameters
    ----------
    receiver : PolygonReceiver
        Takes the polygons that remain.
    scale : float
        Size of the rescaled image, as a part of the image's.
    least : float
        Polygons of lower confidence are dropped.
    calibration : Calibration
        From scores to confidence.
    """

    def __init__(
        self, receiver: PolygonReceiver, scale: float = 1.0, least: float = 0.0, calibration: Calibration = ()
    ) -> None:
        self._receiver, self._scale, self._least, self._calibration = receiver, scale, least, calibration

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Take more polygons, in pixels of the rescaled image."""
        if self._least:
            polygons = confident(polygons, self._least, self._calibration)
        if self._scale != 1:
            polygons, centres, points = polygons.scale(1 / self._scale), self._row(centres), self._row(points)
        self._receiver.add(polygons, centres, points)

    def polygons(self) -> StarPolygons:
        """All polygons, in pixels of the image."""
        return self._receiver.polygons()

    def _row(self, row: float) -> float:
        # rounded as centres are, so that none of those that follow lies above it
        return float(np.float32((row + 0.5) * (1 / self._scale) - 0.5))
