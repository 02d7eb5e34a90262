"""The scale at which the objects of an image are as large as those the network was trained on.

The network itself measures the objects, in the middle of the image. It looks at that part as it is, at a quarter of its size
for much larger objects, and, if nothing was found, at three times its size for much smaller ones. If the median diameter lies
within the sizes of the training, the image stays as it is. Otherwise it is rescaled and measured once more, since of objects
that are much too small the first look may have found the larger ones alone.
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
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect
from .sizes import SCALES, typical_diameter

#: Number of times the size is estimated, each at the scale of the one before.
_ROUNDS = 2
#: Scale of the image in the search for objects that are much too large.
_REDUCED = 0.25
#: Smallest side of the reduced image that is searched, in pixels: below, hardly an object fits.
_LEAST_SIDE = 32
#: The reduced image decides if it shows more than this share of the number of objects of the image ...
_LEAST_NUMBER = 1 / 3
#: ... and more than so many times their number times area. Objects of the right size become fewer there, or merge.
_LEAST_GAIN = 1.5
#: Scale of an image in which nothing was found, in the search for objects that are much too small.
_MAGNIFIED = 3.0
#: Objects of the magnified image count if they differ from the background by more than so many standard deviations of the
#: noise: an empty field is noise alone.
_CONTRAST = 5.0
#: Largest scale that is chosen: further enlargement shows nothing new.
_LARGEST_SCALE = 4.0


@dataclass(frozen=True)
class ScaleEstimate:
    """The scale chosen for an image and, if the whole image was analysed at that scale on the way, what was found."""

    scale: float
    found: Detection | None = None

    def of(self, image: Any) -> Any:
        """The image (Y, X, C) at that scale: itself, or computed region by region."""
        return image if self.scale == 1 else Rescaled(image, self.scale)

    def back(self, polygons: StarPolygons) -> StarPolygons:
        """Polygons of the rescaled image, in pixels of the image."""
        return polygons if self.scale == 1 else polygons.scale(1 / self.scale)


def scale_for(diameter: float, sizes: SizeRange) -> float:
    """The scale at which objects of ``diameter`` pixels have the size the network was trained on.

    Parameters
    ----------
    diameter : float
        In pixels of the image; 0 if unknown.
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
    image: Any, network: Network, normalizer: Normalizer, thresholds: Thresholds, sizes: SizeRange
) -> ScaleEstimate:
    """Estimate the size of the objects of an image and the scale that fits them.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Only its middle is read.
    network, normalizer, thresholds
        As for :func:`starpoly.detection.pipeline.detect`.
    sizes : SizeRange
        Diameters the network was trained on.
    """
    estimate = ScaleEstimate(1.0)
    for round_ in range(_ROUNDS):
        scaled = estimate.of(image)
        sample = middle(scaled.shape[:2])
        crop = scaled[sample.slices]
        found = detect(crop, network, normalizer, thresholds)
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
    """Median diameter, in pixels of ``crop``, of the objects in the reduced crop if it shows more than ``found``; else 0.

    Of objects that are much too large a network finds pieces, or nothing, so the sizes in ``found`` mean nothing then.
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
    """Median diameter, in pixels of ``crop``, of the objects in its magnified middle; 0 unless they stand out from the noise."""
    large = Rescaled(crop, _MAGNIFIED)
    view = large[middle(large.shape[:2]).slices]
    seen = detect(view, network, normalizer, thresholds).polygons
    return typical_diameter(seen) / _MAGNIFIED if len(seen) and _contrast(view, seen) > _CONTRAST else 0.0


def _contrast(image: NDArray, objects: StarPolygons) -> float:
    """Intensity of objects at their centres less the background's, in standard deviations (from the median absolute deviation)."""
    grey = image.mean(axis=-1)
    background = np.median(grey)
    y, x = np.clip(objects.points.round().astype(int), 0, np.array(grey.shape) - 1).T
    noise = 1.4826 * np.median(np.abs(grey - background))
    return float(abs(np.median(grey[y, x]) - background) / max(noise, np.finfo(np.float32).tiny))
