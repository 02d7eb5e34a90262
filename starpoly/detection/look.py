"""One look at an image: model, channels and scale are chosen together.

Each hypothesis segments the middle of the image. The one whose objects explain most of it wins: the sum of their areas,
each weighted by its calibrated confidence, over the area that was looked at. A hypothesis that looked at the whole image
keeps its objects, so that they are not found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import ModelSpec, SizeRange
from ..geometry.overlap import polygon_areas
from ..images.normalization import Normalizer
from ..images.rescaling import Rescaled
from ..images.sample import middle
from ..labels.confidence import confidence
from ..polygons import StarPolygons
from .pipeline import Detection, Network, detect
from .sizes import SCALES, typical_diameter

#: Largest scale. Further enlargement adds no information.
_LARGEST_SCALE = 4.0
#: Scale of the search for much larger objects.
_REDUCED = 0.25
#: Smallest side of the reduced image, in pixels. Hardly an object fits into less.
_LEAST_SIDE = 32
#: Scale of the search for much smaller objects.
_MAGNIFIED = 3.0
#: Objects that explain less of the image than this leave room for another scale.
_LITTLE = 0.02
#: A later hypothesis must explain more than the best one by this factor: ties go to the first.
_BETTER = 1.02
#: Rounds of matching the scale to the objects of the best hypothesis.
_ROUNDS = 2


@dataclass(frozen=True)
class View:
    """An image as a model would see it.

    Parameters
    ----------
    model : str
    channels : tuple of int
        Channels of the image, in the order of the network's inputs.
    image : array-like (Y, X, C)
        These channels of the image; anything with ``shape`` and slicing.
    normalizer : Normalizer
    network : Network
    spec : ModelSpec
    """

    model: str
    channels: tuple[int, ...]
    image: Any
    normalizer: Normalizer
    network: Network
    spec: ModelSpec


@dataclass(frozen=True)
class Hypothesis:
    """A way to segment the image.

    Parameters
    ----------
    view : View
    scale : float
    """

    view: View
    scale: float

    def describe(self) -> dict[str, Any]:
        """As JSON types."""
        return {"model": self.view.model, "channels": list(self.view.channels), "scale": round(self.scale, 4)}


@dataclass(frozen=True)
class Finding:
    """What a hypothesis found in the middle of the image.

    Parameters
    ----------
    hypothesis : Hypothesis
    score : float
        Share of the area that its objects explain, weighted by confidence; 0 to about 1.
    n_objects : int
    diameter : float
        Median, in pixels of the image; 0 without objects.
    found : Detection or None
        Its objects in pixels of the rescaled image, if it looked at the whole image.
    """

    hypothesis: Hypothesis
    score: float
    n_objects: int
    diameter: float
    found: Detection | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON types."""
        return {**self.hypothesis.describe(), "score": round(self.score, 4), "objects": self.n_objects}


@dataclass(frozen=True)
class Look:
    """All findings, the best first."""

    findings: tuple[Finding, ...]

    @property
    def best(self) -> Finding:
        """The finding that explains most."""
        return self.findings[0]

    def describe(self, most: int = 3) -> dict[str, Any]:
        """The choice and the runners-up, as JSON types."""
        best, *others = (finding.describe() for finding in self.findings)
        return {**best, "runners_up": others[:most]}


def look_at(views: Sequence[View]) -> Look:
    """Try models, channels and scales on the middle of an image.

    Parameters
    ----------
    views : sequence of View
        Of one image, in order of preference.

    Returns
    -------
    Look
    """
    trials = _Trials()
    for view in views:
        for scale in _first_scales(view):
            trials.add(view, scale)
    if trials.best().score < _LITTLE:
        for view in views:
            if view.spec.sizes.target:
                trials.add(view, _MAGNIFIED)
    for _ in range(_ROUNDS):
        best = trials.best()
        scale = scale_for(best.diameter, best.hypothesis.view.spec.sizes)
        if not trials.add(best.hypothesis.view, scale):
            break
    return Look(tuple(trials.ranked()))


def explained(polygons: StarPolygons, area: float, spec: ModelSpec) -> float:
    """Share of an area that objects explain, each weighted by its confidence.

    Parameters
    ----------
    polygons : StarPolygons
    area : float
        Area looked at, in square pixels of the polygons.
    spec : ModelSpec
        Calibrates the scores; without a calibration they stand for themselves.
    """
    if not len(polygons):
        return 0.0
    scores = polygons.probabilities
    chances = confidence(scores, spec.calibration) if spec.calibration else scores
    return float((polygon_areas(polygons) * chances).sum() / area)


class _Trials:
    """Runs hypotheses, each once."""

    def __init__(self) -> None:
        self._findings: dict[tuple[int, float], Finding] = {}

    def add(self, view: View, scale: float) -> bool:
        """Try a scale; False if it has been tried."""
        key = id(view), scale
        new = key not in self._findings
        if new:
            self._findings[key] = _find(Hypothesis(view, scale))
        return new

    def best(self) -> Finding:
        """The best finding; a later one must be clearly better."""
        best, *others = self._findings.values()
        for finding in others:
            best = finding if finding.score > _BETTER * best.score else best
        return best

    def ranked(self) -> list[Finding]:
        """All findings, the best first."""
        best = self.best()
        others = [finding for finding in self._findings.values() if finding is not best]
        return [best, *sorted(others, key=lambda finding: -finding.score)]


def _find(hypothesis: Hypothesis) -> Finding:
    view, scale = hypothesis.view, hypothesis.scale
    scaled = view.image if scale == 1 else Rescaled(view.image, scale)
    sample = middle(scaled.shape[:2])
    found = detect(scaled[sample.slices], view.network, view.normalizer, view.spec.thresholds)
    return Finding(
        hypothesis,
        explained(found.polygons, float(np.prod(sample.shape)), view.spec),
        len(found.polygons),
        typical_diameter(found.polygons) / scale,
        found if sample.shape == tuple(scaled.shape[:2]) else None,
    )


def _first_scales(view: View) -> Iterator[float]:
    """The image's own size, and a reduced one for much larger objects, if the model knows its sizes."""
    yield 1.0
    if view.spec.sizes.target and _REDUCED * min(view.image.shape[:2]) >= _LEAST_SIDE:
        yield _REDUCED


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
