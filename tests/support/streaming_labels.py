"""Polygons that reach a streaming label image in parts."""

from __future__ import annotations

import itertools
import math

import numpy as np

from starpoly.geometry.rasterize import render_labels
from starpoly.labels.streaming import StreamingLabels
from starpoly.polygons import StarPolygons

import reference
from support.strategies import SHAPE


def in_parts(polygons: StarPolygons, n_parts: int, seed: int):
    """The polygons in some order and number of parts, each with what is known of those after it."""
    order = np.random.default_rng(seed).permutation(len(polygons))
    if seed % 2:  # roughly from above, as tiles do
        order = order[np.argsort(polygons.points[order, 0] // 20, kind="stable")]
    cuts = [0, *sorted(np.random.default_rng(seed).integers(0, len(polygons) + 1, n_parts)), len(polygons)]
    for start, stop in itertools.pairwise(cuts):
        rest = polygons.take(order[stop:])
        centres, tops = rest.points[:, 0], rest.points[:, 0] - rest.outer_radii
        yield polygons.take(order[start:stop]), float(centres.min(initial=math.inf)), float(tops.min(initial=math.inf))
    yield polygons.take([]), math.inf, math.inf


def add_in_parts(streaming: StreamingLabels, polygons: StarPolygons, n_parts: int, seed: int):
    """The number of rows that can be drawn, after each part."""
    for part in in_parts(polygons, n_parts, seed):
        streaming.add(*part)
        streaming.advance()
        yield streaming.n_drawable


def in_order_if_shown(polygons: StarPolygons) -> StarPolygons:
    """The polygons by position, of those that show."""
    ordered = polygons.take(np.array(reference.by_position(polygons), np.intp))
    shown = np.unique(render_labels(ordered, SHAPE, ids=np.arange(1, len(ordered) + 1)))
    return ordered.take(shown[shown > 0].astype(np.intp) - 1)


def columns_of(streaming: StreamingLabels) -> dict[str, list]:
    parts = [columns for _, columns in streaming.objects()]
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}
