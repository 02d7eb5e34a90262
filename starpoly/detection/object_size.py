"""Estimate the scale that matches objects to the sizes seen in training.

The network measures the objects in the middle of the image: at full scale, at a quarter for much larger objects and, if
nothing is found, at three times for much smaller ones. If the median diameter lies within the training range, the image
is not rescaled. Otherwise it is rescaled and measured once more: the first pass may miss the smaller objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import SizeRange, Thresholds
from ..geometry.overlap import polygon_areas
from ..images.normalization import Normalizer
from ..images.rescaling import Rescaled
from ..images.sample import middle
from ..labels.mask_growth import ForegroundMask
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect
from .sizes import SCALES, typical_diameter

#: Number of estimates; each runs at the scale of the previous one.
_ROUNDS = 2
#: Scale of the search for much larger objects.
_REDUCED = 0.25
#: Smallest side of the reduced image, in pixels. Hardly an object fits into less.
_LEAST_SIDE = 32
#: The reduced image wins if it has more than this share of the number of objects at full scale ...
_LEAST_NUMBER = 1 / 3
#: ... and more than this multiple of their number times area. Objects of the right size get lost or merge there.
_LEAST_GAIN = 1.5
#: Scale of the search for much smaller objects.
_MAGNIFIED = 3.0
#: Least contrast of objects in the magnified image, in standard deviations of the noise. Rejects empty fields.
_CONTRAST = 5.0
#: Largest scale. Further enlargement adds no information.
_LARGEST_SCALE = 4.0


@dataclass(frozen=True)
class ScaleEstimate:
    """The scale of an image, with its polygons if the estimate already covered the whole image."""

    scale: float
    found: Detection | None = None

    def of(self, image: Any) -> Any:
        """The image (Y, X, C) at this scale, rescaled region by region."""
        return image if self.scale == 1 else Rescaled(image, self.scale)

    def back(self, polygons: StarPolygons) -> StarPolygons:
        """Polygons of the rescaled image, in pixels of the image."""
        return polygons if self.scale == 1 else polygons.scale(1 / self.scale)


def scale_for(diameter: float, sizes: SizeRange) -> float:
    """Scale that brings objects of ``diameter`` pixels into the training range.

    Parameters
    ----------
    diameter : float
        Pixels of the image; 0 if unknown.
    sizes : SizeRange
        Diameters the network was trained on.

    Returns
    -------
    float
        1 for objects within the range.
    """
    if not diameter or not sizes.target or sizes.smallest <= diameter <= sizes.largest:
        return 1.0
    return min(max(sizes.target / diameter, SCALES[0]), _LARGEST_SCALE)


def find_scale(
    image: Any,
    network: Network,
    normalizer: Normalizer,
    thresholds: Thresholds,
    sizes: SizeRange,
    foreground: ForegroundMask | None = None,
) -> ScaleEstimate:
    """Estimate the object size of an image and the matching scale.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Only its middle is read.
    network, normalizer, thresholds
        As for :func:`starpoly.detection.pipeline.detect`.
    sizes : SizeRange
        Diameters the network was trained on.
    foreground : ForegroundMask, optional
        Filled if the estimate covers the whole image.
    """
    estimate = ScaleEstimate(1.0)
    for round_ in range(_ROUNDS):
        scaled = estimate.of(image)
        sample = middle(scaled.shape[:2])
        crop = scaled[sample.slices]
        found = detect(crop, network, normalizer, thresholds, foreground=foreground)
        if sample.shape == scaled.shape[:2]:
            estimate = ScaleEstimate(estimate.scale, found)
        seen = typical_diameter(found.polygons)
        if round_ == 0:
            seen = (
                estimate_reduced(crop, found, network, normalizer, thresholds)
                or seen
                or estimate_magnified(crop, network, normalizer, thresholds)
            )
        if not seen or sizes.smallest <= seen <= sizes.largest:
            break
        scale = scale_for(seen / estimate.scale, sizes)
        estimate = estimate if scale == estimate.scale else ScaleEstimate(scale)
    return estimate


def estimate_reduced(
    crop: NDArray, found: Detection, network: Network, normalizer: Normalizer, thresholds: Thresholds
) -> float:
    """Median diameter in the reduced crop, in pixels of ``crop``; 0 unless it outweighs ``found``.

    Much too large objects break into pieces or vanish at full scale, so the sizes in ``found`` are then meaningless.
    """
    small = Rescaled(crop, _REDUCED)
    if min(small.shape[:2]) < _LEAST_SIDE:
        return 0.0
    seen = detect(small, network, normalizer, thresholds).polygons
    number, area = len(found.polygons), float(polygon_areas(found.polygons).sum())
    number_reduced, area_reduced = len(seen), float(polygon_areas(seen).sum()) / _REDUCED**2
    counts = number_reduced > _LEAST_NUMBER * number and number_reduced * area_reduced > _LEAST_GAIN * number * area
    return typical_diameter(seen) / _REDUCED if counts else 0.0


def estimate_magnified(crop: NDArray, network: Network, normalizer: Normalizer, thresholds: Thresholds) -> float:
    """Median diameter in the magnified middle, in pixels of ``crop``; 0 unless objects exceed the noise."""
    large = Rescaled(crop, _MAGNIFIED)
    view = large[middle(large.shape[:2]).slices]
    seen = detect(view, network, normalizer, thresholds).polygons
    return typical_diameter(seen) / _MAGNIFIED if len(seen) and _contrast(view, seen) > _CONTRAST else 0.0


def _contrast(image: NDArray, objects: StarPolygons) -> float:
    """Intensity at object centres minus background, in standard deviations (from the median absolute deviation)."""
    grey = image.mean(axis=-1)
    background = np.median(grey)
    y, x = np.clip(objects.points.round().astype(int), 0, np.array(grey.shape) - 1).T
    noise = 1.4826 * np.median(np.abs(grey - background))
    return float(abs(np.median(grey[y, x]) - background) / max(noise, np.finfo(np.float32).tiny))
