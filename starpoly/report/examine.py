"""Examination of one image: its objects, facts and thumbnail."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import ModelSpec
from ..errors import StarpolyError
from ..images.levels import has_no_contrast
from ..io.readers.images import open_source
from .entries import Entry
from .flags import LOW_MARGIN, Facts, flags_of
from .objects import Objects, read_objects
from .plane_reading import open_planes
from .thumbnails import draw_thumbnail, shrink, small_image

#: Thumbnails of a page take a few kilobytes each.
MOST_THUMBNAILS = 1000


@dataclass(frozen=True)
class Examined:
    """An entry with its facts, objects and thumbnail."""

    entry: Entry
    facts: Facts
    shape: tuple[int, int] = (0, 0)
    objects: Objects | None = None
    thumbnail: bytes = b""

    @property
    def flags(self) -> list[str]:
        """Reasons to inspect the image, worst first."""
        return flags_of(self.facts)


def examine(entry: Entry, spec: ModelSpec | None = None) -> Examined:
    """Read the results of an image. Memory does not grow with image size.

    Parameters
    ----------
    entry : Entry
    spec : ModelSpec, optional
        Model of the objects. Object sizes are compared with its training data.

    Returns
    -------
    Examined
        Unreadable results set the entry's problem. :func:`judge_scores` adds the share of low scores.
    """
    if entry.problem or entry.labels is None:
        return Examined(entry, Facts(problem=entry.problem or "there are no labels"))
    try:
        return _examine(entry, entry.labels, spec)
    except StarpolyError as error:
        return Examined(entry, Facts(problem=" ".join(str(error).split())))
    except Exception as error:  # any error of one image must not cost the page
        problem = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
        return Examined(entry, Facts(problem=problem))


def _examine(entry: Entry, path: Path, spec: ModelSpec | None) -> Examined:
    with open_planes(path) as planes, planes.open_middle() as labels:
        shape = labels.shape[:2]
        objects = read_objects(labels, entry.table, planes.others())
        small = shrink(labels)[..., 0]
        image = small_image(entry, shape, planes.lengths)
    n = len(objects)
    facts = Facts(
        n_objects=n,
        # subsampling can miss all objects of a low-contrast image: any object counts as contrast
        constant=n == 0 and image is not None and has_no_contrast(image),
        diameter=median_of(objects.diameters),
        known_diameter=_known_diameter(spec),
        border=objects.n_border / n if n else None,
        warned=bool(entry.warnings),
    )
    overlay = None if image is not None or entry.overlay is None else _small_overlay(entry.overlay)
    return Examined(entry, facts, shape, objects, draw_thumbnail(small, image, overlay))


def median_of(values: NDArray | None) -> float | None:
    """The median of what is known; None if nothing is."""
    known = values if values is None else values[np.isfinite(values)]
    return None if known is None or not len(known) else float(np.median(known))


def _known_diameter(spec: ModelSpec | None) -> float | None:
    """Object diameters in the training images; None if the model rescales images by object size."""
    return None if spec is None or spec.sizes.target else spec.object_diameter[1] or None


def _small_overlay(path: Path) -> NDArray | None:
    try:
        with open_source(path) as source:
            small = shrink(source)
    except StarpolyError:
        return None
    return small if small.dtype == np.uint8 and small.shape[2] == 3 else None


def spec_of(entry: Entry, specs: Mapping[str, ModelSpec]) -> ModelSpec | None:
    """The model of an entry: the only candidate, or the one with the entry's model name."""
    return next(iter(specs.values())) if len(specs) == 1 else specs.get(entry.model or "")


def judge_scores(examined: list[Examined], specs: Mapping[str, ModelSpec]) -> list[Examined]:
    """Add the share of objects with a low score.

    The threshold is that of the run, else the model's, else the lowest score in the batch.
    """
    scores = [one.objects.scores for one in examined if one.objects is not None and one.objects.scores is not None]
    lowest = min((float(np.nanmin(part)) for part in scores if np.isfinite(part).any()), default=0.0)

    def judge(one: Examined) -> Examined:
        if one.objects is None or one.objects.scores is None or not len(one.objects):
            return one
        spec = spec_of(one.entry, specs)
        threshold = lowest if spec is None else spec.thresholds.prob
        threshold = threshold if one.entry.threshold is None else one.entry.threshold
        low = float(np.mean(one.objects.scores < threshold + LOW_MARGIN))
        return replace(one, facts=replace(one.facts, low=low))

    return [judge(one) for one in examined]


def examine_all(
    entries: list[Entry], specs: Mapping[str, ModelSpec], after_each: Callable[[], object] = lambda: None
) -> list[Examined]:
    """Examine a batch. Flagged images come first, by worst flag, then by name.

    Thumbnails are kept of :data:`MOST_THUMBNAILS` images with flags and as many without, so that a page of any number of
    images opens.

    ``specs`` holds the candidate models of the entries, by name.
    """
    examined: list[Examined] = []
    left = {True: MOST_THUMBNAILS, False: MOST_THUMBNAILS}  # of flagged images, and of others
    for entry in entries:
        one = examine(entry, spec_of(entry, specs))
        if left[is_flagged := bool(one.flags)] > 0:
            left[is_flagged] -= 1
        else:
            one = replace(one, thumbnail=b"")
        examined.append(one)
        after_each()
    examined = judge_scores(examined, specs)
    return sorted(examined, key=lambda one: (_rank(one.flags), os.fsencode(one.entry.name)))


def _rank(flags: list[str]) -> int:
    from .flags import MEANINGS

    return list(MEANINGS).index(flags[0]) if flags else len(MEANINGS)
