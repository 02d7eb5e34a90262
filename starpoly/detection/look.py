"""One look at an image: model, channels and scale are chosen together.

Each hypothesis segments the middle of the image. Of the scales of one model, that wins at which the network is surest of its
objects: parts of larger objects, and crowds of smaller ones, get lower probabilities. Of several models and channels, those win
whose objects explain most: the sum of their areas, each weighted by its calibrated confidence and by whether the network knows
objects of its size, over the area that was looked at, times the mean confidence. Close calls go to the first model and to the
image's own size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ModelSpec, SizeRange
from ..errors import collected_warnings, warn
from ..geometry.overlap import polygon_areas
from ..images.normalization import Normalizer
from ..images.rescaling import at_scale
from ..images.sample import SAMPLE_SIDE, middle
from ..labels.confidence import confidence
from ..labels.mask_growth import ForegroundMask
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect
from .sizes import diameters, scale_for, typical_diameter

#: Largest side of the middle, in pixels, where several views are compared, and of reduced images.
SIDE_OF_SEVERAL = 512
#: Part of a larger image that is looked at, beside what it takes to segment it; no less than a middle of so many pixels a side.
_PART, _LEAST_MIDDLE = 0.1, 384
#: Scales of the search for larger objects.
_REDUCED = (0.5, 0.25)
#: Smallest side of the reduced image, in pixels. Hardly an object fits into less.
_LEAST_SIDE = 32
#: Scales of the search for much smaller objects.
_MAGNIFIED = (2.0, 3.0)
#: Objects that explain less of the image than this leave room for much smaller ones.
_LITTLE = 0.02
#: Least contrast of objects in the magnified image, in standard deviations of the noise. Rejects empty fields.
_CONTRAST = 5.0
#: Part of the area from which on an object explains nothing.
_LARGEST_PART = 1 / 3
#: What an octave away from the image's own size, and what explaining e times as much, count in logarithms of the probability.
_OCTAVE, _EXPLAINING = 1 / 32, 1 / 64
#: Doubt that one object leaves about a mean; n of them leave the square root of n times less.
_DOUBT = 0.3
#: Mean confidence, less this doubt, from which on objects of a known size settle both the scale and the model.
_SURE = 0.65
#: What objects of a size that the model does not know count less, in logarithms of the probability.
_UNKNOWN_SIZE = 0.1
#: So that it has a logarithm.
_LEAST_PROBABILITY = 1e-3
#: Factor on the scores of later views of one model, which must explain clearly more.
_LATER = 0.95
#: Factor on the scores of a later model: it is larger, and asked where the one before is not sure.
_LARGER = 1.25


@dataclass(frozen=True, eq=False)
class View:
    """An image as a model sees it.

    Parameters
    ----------
    model : str
        Name.
    channels : tuple of int
        Channels of the image, in the order of the network's inputs; empty if they are mixed.
    image : array-like (Y, X, C)
        These channels; anything with ``shape`` and slicing.
    normalizer : Normalizer
    network : Network
    spec : ModelSpec
    scale : float or None
        The only scale to try; None to look for one.
    new_mask : callable
        Makes an empty foreground mask of the image; None if labels do not expand into the foreground.
    """

    model: str
    channels: tuple[int, ...]
    image: Any
    normalizer: Normalizer
    network: Network
    spec: ModelSpec
    scale: float | None
    new_mask: Callable[[], ForegroundMask | None]


@dataclass(frozen=True, eq=False)
class Finding:
    """What a hypothesis, a view at a scale, found in the middle of the image.

    Parameters
    ----------
    view : View
    scale : float
    score : float
        Share of the area that its objects explain, times their mean confidence; 0 to about 1.
    explains : float
        This share alone.
    probability : float
        Mean of its objects; 0 without any.
    n_objects : int, optional
        None where nobody looked.
    diameter : float
        Median, in pixels of the image; 0 without objects.
    contrast : float
        Of the objects in a magnified image.
    found : Detection or None
        Its objects in pixels of the rescaled image, if it looked at the whole image.
    foreground : ForegroundMask or None
        Filled, if there is ``found``.
    warnings : tuple of str
        Of this hypothesis; they count only if it is taken.
    """

    view: View
    scale: float
    score: float = 0.0
    explains: float = 0.0
    probability: float = 0.0
    n_objects: int | None = None
    diameter: float = 0.0
    contrast: float = 0.0
    found: Detection | None = None
    foreground: ForegroundMask | None = None
    warnings: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """Mean of the objects; 0 without any."""
        return self.score / self.explains if self.explains else 0.0

    @property
    def is_sure(self) -> bool:
        """Whether its objects leave no doubt about their size, and about the model."""
        return bool(self.n_objects) and self.fits and self._less_doubt(self.confidence) >= _SURE

    def _less_doubt(self, mean: float) -> float:
        """A mean over the objects, less the doubt that so few leave."""
        return mean - _DOUBT / math.sqrt(self.n_objects or 1)

    @property
    def fits(self) -> bool:
        """Whether the model knows objects of this size."""
        sizes = self.view.spec.sizes
        return sizes.smallest <= self.diameter * self.scale <= sizes.largest

    def sureness(self, octaves: float | None = None) -> float:
        """What scales of one view are compared by: the logarithm of the mean probability, less a little for few objects, whose
        mean says less, for those of an unknown size, and for distant scales.

        Parameters
        ----------
        octaves : float, optional
            How far the scale counts to be from the image's own. Default: as it is.
        """
        if not self.n_objects or not self.probability:
            return -math.inf
        away = abs(math.log2(self.scale)) if octaves is None else octaves
        sure = max(self._less_doubt(self.probability), _LEAST_PROBABILITY)
        doubts = _OCTAVE * away + _UNKNOWN_SIZE * (not self.fits)
        return math.log(sure) + _EXPLAINING * math.log(max(self.explains, 1e-9)) - doubts

    def describe(self) -> dict[str, Any]:
        """As JSON types."""
        choice = {"model": self.view.model, "channels": list(self.view.channels), "scale": round(self.scale, 4)}
        looked = {} if self.n_objects is None else {"score": round(self.score, 4), "objects": self.n_objects}
        return choice | looked


@dataclass(frozen=True, repr=False)
class Look:
    """What all hypotheses found.

    Parameters
    ----------
    findings : tuple of Finding
        The best first.
    """

    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Look({self.best.describe()}, the best of {len(self.findings)})"

    @property
    def best(self) -> Finding:
        """The finding that explains most."""
        return self.findings[0]

    def beside(self, other: Look) -> Look:
        """Both looks as one, of which the other is later.

        Another view of the same model is preferred if it explains clearly more; another model unless it explains clearly less.
        """
        later = _LATER if other.best.view.model == self.best.view.model else _LARGER
        better, worse = (other, self) if later * other.best.score > self.best.score else (self, other)
        return Look((*better.findings, *worse.findings))

    def describe(self, most: int = 3) -> dict[str, Any]:
        """The choice and the runners-up, as JSON types."""
        best, *others = (finding.describe() for finding in self.findings)
        return best | ({"runners_up": others[:most]} if others else {})


def look_at(views: Iterable[View], side: int | None = None) -> Look:
    """Try models, channels and scales on the middle of an image.

    Parameters
    ----------
    views : iterable of View
        Of one image, in order of preference.
    side : int, optional
        Largest side of the middle, in pixels. Default: see :func:`side_of_look`.

    Returns
    -------
    Look
    """
    views = list(views)
    trials = _Trials(views, side or side_of_look(views[0].image.shape[:2], several=len(views) > 1))
    # other scales are tried by the best view of each model, unless it is sure; where nothing is seen, by all views
    for view in trials.best_of_models(views) if trials.best().explains >= _LITTLE else views:
        if view.scale is None and not trials.best_of(view).is_sure:
            trials.look_from_afar(view)
            trials.look_closely(view)
            trials.match(view)
    look = trials.ranked()
    for message in look.best.warnings if look.best.found is not None else ():
        warn(message)
    return look


def side_of_look(shape: tuple[int, int], *, several: bool = False) -> int:
    """Largest side of the middle to look at, in pixels.

    One view of an image of up to 1024 pixels a side is looked at as a whole: what it shows is the result, if nothing suits
    better. Of larger images it is a tenth, of several views at most 512 pixels a side.

    Parameters
    ----------
    shape : (int, int)
        Of the image, in pixels.
    several : bool
        Whether several views are compared.
    """
    if several:
        return SIDE_OF_SEVERAL
    if max(shape) <= SAMPLE_SIDE:
        return SAMPLE_SIDE
    area = _PART * shape[0] * shape[1]
    side = max(math.sqrt(area), area / min(shape))
    return int(min(max(side, _LEAST_MIDDLE), SAMPLE_SIDE))


def look_for_scale(view: View) -> Look:
    """A look at one view; none is needed if its scale is given."""
    return look_at([view]) if view.scale is None else Look((Finding(view, view.scale),))


def explained(polygons: StarPolygons, area: float, spec: ModelSpec) -> float:
    """Share of an area that objects explain, each weighted by its confidence and by whether its size is known.

    An object of more than a third of the area explains nothing: it is more likely to be the background.

    Parameters
    ----------
    polygons : StarPolygons
    area : float
        Area looked at, in square pixels of the polygons.
    spec : ModelSpec
        Calibrates the scores, which otherwise stand for themselves, and tells the sizes.
    """
    if not len(polygons):
        return 0.0
    areas = polygon_areas(polygons)
    weights = chances(polygons, spec) * familiarity(diameters(polygons), spec.sizes) * (areas < _LARGEST_PART * area)
    return float((areas * weights).sum() / area)


def chances(polygons: StarPolygons, spec: ModelSpec) -> NDArray:
    """Calibrated confidence of each object, (n,); its probability if the model is not calibrated."""
    scores = polygons.probabilities
    return confidence(scores, spec.calibration) if spec.calibration else scores


def familiarity(sizes: NDArray, known: SizeRange) -> NDArray[np.float64]:
    """How well objects of these diameters are known: 1 within the range, 0 from half its smallest and twice its largest on.

    Parameters
    ----------
    sizes : (n,) array
        Diameters in pixels of the rescaled image.
    known : SizeRange
    """
    if not known.target:
        return np.ones(len(sizes))
    size = np.log2(np.maximum(sizes, 1e-6))
    below, above = np.log2(max(known.smallest, 1e-6)) - size, size - np.log2(known.largest)
    return np.clip(1 - np.maximum(below, above), 0, 1)


class _Trials:
    """Tries hypotheses, each once, and ranks them: all views at the image's own size, or at their given scale, then others."""

    def __init__(self, views: list[View], side: int) -> None:
        self._views, self._side = views, side
        self._found: list[dict[float, tuple[float, Finding]]] = [{} for _ in views]
        for view in views:
            self._try(view, view.scale or 1.0)

    def look_from_afar(self, view: View) -> None:
        """Try reduced images for larger objects."""
        for scale in _REDUCED:
            if min(view.image.shape[:2]) * scale >= _LEAST_SIDE:
                self._try(view, scale)

    def look_closely(self, view: View) -> None:
        """Try magnified images where hardly anything was seen. Much smaller objects must stand out from the noise."""
        if self._of(view)[1.0][1].explains < _LITTLE:
            for scale in _MAGNIFIED:
                self._try(view, scale, lambda found: found.sureness() if found.contrast > _CONTRAST else -math.inf)

    def match(self, view: View) -> None:
        """Try the scale that matches the objects of the view's best one, if that does not."""
        best = self.best_of(view)
        if not best.fits and best.diameter:
            self._try(view, scale_for(best.diameter, view.spec.sizes), lambda found: found.sureness(octaves=0))

    def best_of(self, view: View) -> Finding:
        """The finding of a view at its best scale, the first of equal ones."""
        return max(self._of(view).values(), key=lambda tried: tried[0])[1]

    def best_of_models(self, views: Iterable[View]) -> list[View]:
        """Of each model the view that explains most so far, in the order of the models."""
        best: dict[str, View] = {}
        for view in views:
            other = best.setdefault(view.model, view)
            if self._value(view) > self._value(other):
                best[view.model] = view
        return list(best.values())

    def best(self) -> Finding:
        """The best finding of all views, the first of equal ones."""
        return self.best_of(max(self._views, key=self._value))

    def ranked(self) -> Look:
        """All findings: the best of each view, the best view first, and then their other scales."""
        views = sorted(self._views, key=self._value, reverse=True)
        best = [self.best_of(view) for view in views]
        others = [found for view in views for _, found in self._of(view).values() if found not in best]
        return Look((*best, *others))

    def _value(self, view: View) -> float:
        """Of a view beside others."""
        return self.best_of(view).score * (_LATER if self._views.index(view) else 1.0)

    def _of(self, view: View) -> dict[float, tuple[float, Finding]]:
        return self._found[self._views.index(view)]

    def _try(self, view: View, scale: float, sureness: Callable[[Finding], float] = Finding.sureness) -> None:
        """Try a hypothesis, unless it has been tried."""
        if scale not in self._of(view):
            side = self._side if scale >= 1 else min(self._side, SIDE_OF_SEVERAL)
            finding = _find(view, scale, side)
            self._of(view)[scale] = sureness(finding), finding


def _find(view: View, scale: float, side: int) -> Finding:
    """What a view shows at a scale."""
    scaled = at_scale(view.image, scale)
    sample = middle(scaled.shape[:2], side)
    crop = scaled[sample.slices]
    is_whole = sample.shape == tuple(scaled.shape[:2])
    mask = view.new_mask() if is_whole else None
    with collected_warnings() as said:
        found = detect(crop, view.network, view.normalizer, view.spec.thresholds, foreground=mask)
    objects = found.polygons
    explains = explained(objects, float(np.prod(sample.shape)), view.spec)
    return Finding(
        view,
        scale,
        explains * float(chances(objects, view.spec).mean()) if len(objects) else 0.0,
        explains,
        float(objects.probabilities.mean()) if len(objects) else 0.0,
        len(objects),
        typical_diameter(objects) / scale,
        contrast=contrast(crop, objects) if scale in _MAGNIFIED else 0.0,
        found=found if is_whole else None,
        foreground=mask,
        warnings=tuple(said),
    )


def contrast(image: NDArray, objects: StarPolygons) -> float:
    """Intensity at object centres minus background, in standard deviations (from the median absolute deviation); 0 without objects."""
    if not len(objects):
        return 0.0
    grey = image.mean(axis=-1)
    background = np.median(grey)
    y, x = np.clip(objects.points.round().astype(int), 0, np.array(grey.shape) - 1).T
    noise = 1.4826 * np.median(np.abs(grey - background))
    return float(abs(np.median(grey[y, x]) - background) / max(noise, np.finfo(np.float32).tiny))
