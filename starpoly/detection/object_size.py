"""At which size an image is looked at, so that its objects are as large as the network knows them.

The network's own answer says how large objects are: after a look at the middle of the image, and one at a quarter of its size for
objects that are much larger than the network knows, or, where nothing was found, one at three times its size, the median diameter either lies
where the network is at its best, or the image is rescaled so that it does, and looked at once more, since of objects that are much too small the
larger ones alone may have been found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import SizeRange, Thresholds
from ..geometry.overlap import polygon_areas
from ..images.normalization import Normalizer
from ..images.rescaling import SCALES, Rescaled, middle, typical_diameter
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect

#: How often the size is estimated anew.
_LOOKS = 2
#: How small the image is in a look for objects that are much too large ...
_AFAR = 0.25
#: ... which is worth it from so many pixels a side.
_LEAST_SIDE = 32
#: It counts if it shows more than so many times as many objects ...
_AS_MANY = 1 / 3
#: ... and so many times as much: number times area. Of objects that the network knows it shows fewer, or some together as one.
_MORE = 1.5
#: How much an image in which nothing was found is enlarged, for objects too small to be seen.
_NEARBY = 3.0
#: What is seen there counts if it differs from the ground by more than so many times the noise; an empty field is nothing but noise.
_CONTRAST = 5.0
#: An image is not enlarged more than this: there is nothing left to see.
_LARGEST = 4.0


@dataclass(frozen=True)
class ScaleEstimate:
    """The scale at which an image is looked at, and what was found at that scale while it was chosen, if all of it was seen."""

    scale: float
    found: Detection | None = None

    def of(self, image: Any) -> Any:
        """The image (Y, X, C) at that scale: itself, or one that is never held."""
        return image if self.scale == 1 else Rescaled(image, self.scale)

    def back(self, polygons: StarPolygons) -> StarPolygons:
        """Polygons found in :meth:`of` an image, in that image's pixels."""
        return polygons if self.scale == 1 else polygons.scale(1 / self.scale)


def scale_for(diameter: float, sizes: SizeRange) -> float:
    """The scale at which objects of ``diameter`` pixels are as large as the network knows them.

    Parameters
    ----------
    diameter : float
        Of the objects, in pixels of the image; 0 if unknown.
    sizes : SizeRange

    Returns
    -------
    float
        1 for objects within the range.
    """
    if not diameter or not sizes.target or sizes.smallest <= diameter <= sizes.largest:
        return 1.0
    return min(max(sizes.target / diameter, SCALES[0]), _LARGEST)


def find_scale(
    image: Any, network: Network, normalizer: Normalizer, thresholds: Thresholds, sizes: SizeRange
) -> ScaleEstimate:
    """Estimate how large the objects of an image are, and the scale that fits them.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Read in its middle alone.
    network, normalizer, thresholds
        As for :func:`starpoly.detection.pipeline.detect`.
    sizes : SizeRange
        Diameters that the network knows.
    """
    look = ScaleEstimate(1.0)
    for n in range(_LOOKS):
        scaled = look.of(image)
        sample = middle(scaled.shape[:2])
        crop = scaled[sample.slices]
        found = detect(crop, network, normalizer, thresholds)
        if sample.shape == scaled.shape[:2]:
            look = ScaleEstimate(look.scale, found)
        seen = typical_diameter(found.polygons)
        if n == 0:
            seen = (
                estimate_reduced(crop, found, network, normalizer, thresholds)
                or seen
                or estimate_magnified(crop, network, normalizer, thresholds)
            )
        if not seen or sizes.smallest <= seen <= sizes.largest:
            break
        scale = scale_for(seen / look.scale, sizes)
        look = look if scale == look.scale else ScaleEstimate(scale)
    return look


def estimate_reduced(
    crop: NDArray, found: Detection, network: Network, normalizer: Normalizer, thresholds: Thresholds
) -> float:
    """The median diameter, in pixels of ``crop``, of what is seen at a quarter of its size, if that is more than what was found; else 0.

    Of objects that are much too large a network finds pieces, or nothing: what it says of their size is worth nothing then.
    """
    small = Rescaled(crop, _AFAR)
    if min(small.shape[:2]) < _LEAST_SIDE:
        return 0.0
    seen = detect(small, network, normalizer, thresholds).polygons
    number, area = len(found.polygons), float(polygon_areas(found.polygons).sum())
    number_afar, area_afar = len(seen), float(polygon_areas(seen).sum()) / _AFAR**2
    counts = number_afar > _AS_MANY * number and number_afar * area_afar > _MORE * number * area
    return typical_diameter(seen) / _AFAR if counts else 0.0


def estimate_magnified(crop: NDArray, network: Network, normalizer: Normalizer, thresholds: Thresholds) -> float:
    """The median diameter, in pixels of ``crop``, of what is seen in the middle of it, enlarged; 0 if nothing is that stands out."""
    large = Rescaled(crop, _NEARBY)
    view = large[middle(large.shape[:2]).slices]
    seen = detect(view, network, normalizer, thresholds).polygons
    return typical_diameter(seen) / _NEARBY if len(seen) and _contrast(view, seen) > _CONTRAST else 0.0


def _contrast(image: NDArray, objects: StarPolygons) -> float:
    """How far objects' middles are from the median intensity, in standard deviations by the median absolute deviation."""
    grey = image.mean(axis=-1)
    ground = np.median(grey)
    y, x = np.clip(objects.points.round().astype(int), 0, np.array(grey.shape) - 1).T
    noise = 1.4826 * np.median(np.abs(grey - ground))
    return float(abs(np.median(grey[y, x]) - ground) / max(noise, np.finfo(np.float32).tiny))
