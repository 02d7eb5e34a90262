"""Confidence: the probability that an object of a score is right, as measured on labelled images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from ..polygons import StarPolygons

Calibration = Sequence[tuple[float, float]]


def confidence(scores: ArrayLike, calibration: Calibration) -> NDArray[np.float64]:
    """The probability that objects of these scores are right.

    Parameters
    ----------
    scores : array-like (n,)
    calibration : sequence of (score, probability)
        Ascending in both; linear in between, constant beyond the ends. See
        :func:`starpoly.training.calibration.fit_calibration`.

    Returns
    -------
    (n,) float64
        From 0 to 1.

    Raises
    ------
    ConfigError
        If the calibration is empty.
    """
    if not len(calibration):
        raise ConfigError("expected a calibrated model, got one without calibration; tune its thresholds anew")
    known, chances = np.asarray(calibration, np.float64).T
    return np.interp(np.asarray(scores, np.float64), known, chances)


def confident(polygons: StarPolygons, least: float, calibration: Calibration) -> StarPolygons:
    """The polygons with a confidence of at least ``least``; errors as :func:`confidence`."""
    return polygons.take(confidence(polygons.probabilities, calibration) >= least)
