"""Receivers of kept polygons, called while detection is running."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ..labels.confidence import Calibration, confident
from ..polygons import StarPolygons


class PolygonReceiver(Protocol):
    """Receives the polygons of an image as suppression decides them, in any order."""

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Add polygons.

        Parameters
        ----------
        polygons : StarPolygons
            Newly kept polygons, in any order.
        centres, points : float
            Lower bounds on the rows of all later polygons: of their centres and of any of their points. Infinite if
            none will follow.
        """
        ...

    def polygons(self) -> StarPolygons:
        """All polygons in the order of ids (:meth:`StarPolygons.position_order`), after the last addition."""
        ...


class PolygonList:
    """Collects the polygons of an image in memory."""

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
    """Converts polygons of a rescaled image to image pixels and drops those of low confidence.

    Parameters
    ----------
    receiver : PolygonReceiver
        Receives the remaining polygons.
    scale : float
        Scale of the rescaled image relative to the image.
    least : float
        Smallest confidence to keep.
    calibration : Calibration
        Maps scores to confidence.

    Attributes
    ----------
    n_dropped : int
        Polygons of low confidence so far.
    """

    def __init__(
        self, receiver: PolygonReceiver, scale: float = 1.0, least: float = 0.0, calibration: Calibration = ()
    ) -> None:
        self._receiver, self._scale, self._least, self._calibration = receiver, scale, least, calibration
        self.n_dropped = 0

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Add polygons, in pixels of the rescaled image."""
        if self._least:
            given, polygons = len(polygons), confident(polygons, self._least, self._calibration)
            self.n_dropped += given - len(polygons)
        if self._scale != 1:
            polygons, centres, points = polygons.scale(1 / self._scale), self._row(centres), self._row(points)
        self._receiver.add(polygons, centres, points)

    def polygons(self) -> StarPolygons:
        """All polygons, in pixels of the image."""
        return self._receiver.polygons()

    def _row(self, row: float) -> float:
        # same rounding as centres: the bound holds for all later polygons
        return float(np.float32((row + 0.5) * (1 / self._scale) - 0.5))


class CheckedAtTheEnd:
    """Passes polygons on, the last of them after a check, so that nothing is complete before it.

    Parameters
    ----------
    receiver : PolygonReceiver
    check : callable
        Raises if the polygons are not to be kept.
    """

    def __init__(self, receiver: PolygonReceiver, check: Callable[[], None]) -> None:
        self._receiver, self._check = receiver, check

    def add(self, polygons: StarPolygons, centres: float, points: float) -> None:
        """Add polygons; check before the last ones."""
        if math.isinf(centres):
            self._check()
        self._receiver.add(polygons, centres, points)

    def polygons(self) -> StarPolygons:
        """All polygons in the order of ids."""
        return self._receiver.polygons()
