"""One look at an image: model, channels and scale are chosen together.

Each hypothesis segments the middle of the image. The one whose objects explain most of it wins: the sum of their areas,
each weighted by its calibrated confidence and by whether the network knows objects of its size, over the area that was
looked at. Close calls go to the first model and to the image's own size.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ModelSpec, SizeRange
from ..errors import StarpolyWarning, collected_warnings
from ..geometry.overlap import polygon_areas
from ..images.normalization import Normalizer
from ..images.rescaling import at_scale
from ..images.sample import SAMPLE_SIDE, middle
from ..labels.confidence import confidence
from ..labels.mask_growth import ForegroundMask
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect
from .sizes import diameters, scale_for, typical_diameter

#: Largest side of the middle, in pixels, where several views are compared.
SIDE_OF_SEVERAL = 512
#: Scale of the search for much larger objects.
_REDUCED = 0.25
#: The reduced image must have more than this share of the objects nearby: objects of the right size get lost or merge there.
_LEAST_NUMBER = 1 / 3
#: Smallest side of the reduced image, in pixels. Hardly an object fits into less.
_LEAST_SIDE = 32
#: Scale of the search for much smaller objects.
_MAGNIFIED = 3.0
#: Objects that explain less of the image than this leave room for much smaller ones.
_LITTLE = 0.02
#: Least contrast of objects in the magnified image, in standard deviations of the noise. Rejects empty fields.
_CONTRAST = 5.0
#: Part of the area from which on an object explains nothing.
_LARGEST_PART = 1 / 3
#: Factors on the scores of later views, of the reduced image, and of a scale that matches the objects.
_LATER, _FROM_AFAR, _MATCHED = 0.95, 0.67, 1.1
#: Rounds of matching the scale to the objects of the best hypothesis.
_ROUNDS = 2


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
        Share of the area that its objects explain; 0 to about 1.
    n_objects : int, optional
        None where nobody looked.
    diameter : float
        Median, in pixels of the image; 0 without objects.
    density : float
        Objects per square pixel of the image.
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
    n_objects: int | None = None
    diameter: float = 0.0
    density: float = 0.0
    contrast: float = 0.0
    found: Detection | None = None
    foreground: ForegroundMask | None = None
    warnings: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """As JSON types."""
        choice = {"model": self.view.model, "channels": list(self.view.channels), "scale": round(self.scale, 4)}
        looked = {} if self.n_objects is None else {"score": round(self.score, 4), "objects": self.n_objects}
        return choice | looked


@dataclass(frozen=True)
class Look:
    """What all hypotheses found.

    Parameters
    ----------
    findings : tuple of Finding
        The best first.
    """

    findings: tuple[Finding, ...]

    @property
    def best(self) -> Finding:
        """The finding that explains most."""
        return self.findings[0]

    def beside(self, other: Look) -> Look:
        """Both looks as one; the other is preferred if it explains clearly more."""
        better, worse = (other, self) if _LATER * other.best.score > self.best.score else (self, other)
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
        Largest side of the middle, in pixels. Default: 1024, of several views 512.

    Returns
    -------
    Look
    """
    views = list(views)
    trials = _Trials(views, side or (SAMPLE_SIDE if len(views) == 1 else SIDE_OF_SEVERAL))
    trials.look(views)
    # another scale is tried where the best view is; where nothing is seen, in all views
    left = [trials.best().view] if trials.best().score >= _LITTLE else views
    trials.look_from_afar(left)
    if trials.best().score < _LITTLE:
        trials.look_closely(left)
    trials.match()
    look = trials.ranked()
    for message in look.best.warnings if look.best.found is not None else ():
        warnings.warn(message, StarpolyWarning, stacklevel=2)
    return look


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
    scores = polygons.probabilities
    chances = confidence(scores, spec.calibration) if spec.calibration else scores
    areas = polygon_areas(polygons)
    weights = chances * familiarity(diameters(polygons), spec.sizes) * (areas < _LARGEST_PART * area)
    return float((areas * weights).sum() / area)


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
    """Tries hypotheses, each once, and ranks them by value."""

    def __init__(self, views: list[View], side: int) -> None:
        self._views, self._side = views, side
        self._tried: dict[tuple[int, float], tuple[float, Finding]] = {}

    def look(self, views: Iterable[View]) -> None:
        """Try views at the image's own size, or at their given scale."""
        for view in views:
            self._try(view, view.scale or 1.0, lambda finding: finding.score)

    def look_from_afar(self, views: Iterable[View]) -> None:
        """Try a reduced image for much larger objects. It must explain clearly more, and not by a few merged objects."""
        for view in views:
            if _has_room(view):
                near = self._tried[self._views.index(view), 1.0][1]
                self._try(view, _REDUCED, partial(_value_from_afar, near=near))

    def look_closely(self, views: Iterable[View]) -> None:
        """Try a magnified image for much smaller objects. They must stand out from the noise."""
        for view in views:
            if view.scale is None:
                self._try(view, _MAGNIFIED, lambda finding: finding.score * (finding.contrast > _CONTRAST))

    def match(self) -> None:
        """Match the scale to the objects of the best hypothesis."""
        for _ in range(_ROUNDS):
            best = self.best()
            sizes = best.view.spec.sizes
            fits = sizes.smallest <= best.diameter * best.scale <= sizes.largest
            if fits or not best.diameter or best.view.scale is not None:
                break
            self._try(best.view, scale_for(best.diameter, sizes), lambda finding: _MATCHED * finding.score)

    def best(self) -> Finding:
        """The finding of the largest value, the first of equal ones."""
        return max(self._tried.values(), key=lambda tried: tried[0])[1]

    def ranked(self) -> Look:
        """All findings, the best first."""
        ordered = sorted(self._tried.values(), key=lambda tried: -tried[0])
        return Look(tuple(finding for _, finding in ordered))

    def _try(self, view: View, scale: float, value: Callable[[Finding], float]) -> None:
        """Try a hypothesis, unless it has been tried."""
        number = self._views.index(view)
        if (number, scale) not in self._tried:
            finding = _find(view, scale, self._side)
            self._tried[number, scale] = value(finding) * (_LATER if number else 1.0), finding


def _value_from_afar(finding: Finding, near: Finding) -> float:
    """The value of objects in the reduced image: less than their score if they are fewer than nearby, nothing if far fewer."""
    fewer = min(1.0, finding.density / near.density) if near.density else 1.0
    return _FROM_AFAR * finding.score * fewer * (fewer > _LEAST_NUMBER)


def _find(view: View, scale: float, side: int) -> Finding:
    """What a view shows at a scale."""
    scaled = at_scale(view.image, scale)
    sample = middle(scaled.shape[:2], side)
    crop = scaled[sample.slices]
    is_whole = sample.shape == tuple(scaled.shape[:2])
    mask = view.new_mask() if is_whole else None
    with collected_warnings() as said:
        found = detect(crop, view.network, view.normalizer, view.spec.thresholds, foreground=mask)
    objects, area = found.polygons, float(np.prod(sample.shape))
    return Finding(
        view,
        scale,
        explained(objects, area, view.spec),
        len(objects),
        typical_diameter(objects) / scale,
        density=len(objects) * scale**2 / area,
        contrast=contrast(crop, objects) if scale == _MAGNIFIED else 0.0,
        found=found if is_whole else None,
        foreground=mask,
        warnings=tuple(said),
    )


def _has_room(view: View) -> bool:
    """Whether a reduced image is large enough to look at."""
    return view.scale is None and min(view.image.shape[:2]) * _REDUCED >= _LEAST_SIDE


def contrast(image: NDArray, objects: StarPolygons) -> float:
    """Intensity at object centres minus background, in standard deviations (from the median absolute deviation); 0 without objects."""
    if not len(objects):
        return 0.0
    grey = image.mean(axis=-1)
    background = np.median(grey)
    y, x = np.clip(objects.points.round().astype(int), 0, np.array(grey.shape) - 1).T
    noise = 1.4826 * np.median(np.abs(grey - background))
    return float(abs(np.median(grey[y, x]) - background) / max(noise, np.finfo(np.float32).tiny))
