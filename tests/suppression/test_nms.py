"""Suppression against the O(n^2) greedy twin, whole and region by region."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from starpoly.errors import ConfigError, StarpolyError, StarpolyWarning
from starpoly.geometry.overlap import intersection_areas, polygon_areas
from starpoly.geometry.rays import ray_directions
from starpoly.polygons import StarPolygons
from starpoly.suppression.streaming import StreamingNMS, suppress
from starpoly.tiling import Box, plan_tiles

import reference
from support.examples import N_RAYS, POLYGONS, SEAM, stars

SHAPE = (60, 80)
MAX_DISTANCE = 15.0


def random_polygons(rng: np.random.Generator, n: int, *, shape=SHAPE, largest=MAX_DISTANCE) -> StarPolygons:
    """Rough stars of all sizes at distinct pixels; few probabilities, so that ties abound."""
    places = rng.choice(shape[0] * shape[1], n, replace=False)
    radii = largest * rng.uniform(0.05, 1, (n, 1)) ** 2
    distances = radii * rng.uniform(rng.uniform(0.1, 0.9), 1, (n, N_RAYS))
    distances[rng.random(n) < 0.05] = 0
    distances[rng.random((n, N_RAYS)) < 0.02] = 0
    points = np.stack(np.unravel_index(places, shape), axis=1)
    return StarPolygons(points, distances, rng.integers(1, 8, n) / 8)


def random_regions(rng: np.random.Generator, box: Box, n_cuts: int) -> list[Box]:
    """Guillotine cuts of a box, in random order; some pieces may be empty."""
    regions = [box]
    for _ in range(n_cuts):
        b = regions.pop(rng.integers(len(regions)))
        if rng.random() < 0.5:
            cut = int(rng.integers(b.y0, b.y1 + 1))
            regions += [Box(b.y0, b.x0, cut, b.x1), Box(cut, b.x0, b.y1, b.x1)]
        else:
            cut = int(rng.integers(b.x0, b.x1 + 1))
            regions += [Box(b.y0, b.x0, b.y1, cut), Box(b.y0, cut, b.y1, b.x1)]
    return [regions[i] for i in rng.permutation(len(regions))]


def within(polygons: StarPolygons, region: Box) -> StarPolygons:
    y, x = polygons.points.T
    return polygons.take((y >= region.y0) & (y < region.y1) & (x >= region.x0) & (x < region.x1))


def stream(polygons: StarPolygons, regions: list[Box], threshold: float, *, shape=SHAPE, resolve=lambda: True):
    """Feed region by region, resolving where ``resolve()``; the kept polygons in score order."""
    front = StreamingNMS(threshold, MAX_DISTANCE, shape)
    parts = []
    for region in regions:
        front.add(within(polygons, region), region)
        if resolve():
            parts.append(front.decide())
    parts.append(front.finish())
    assert front.n_pending == 0
    assert front.n_seen == len(polygons)
    kept = StarPolygons.concatenate(parts)
    assert front.n_kept == len(kept)
    return kept.take(kept.score_order())


def assert_same(a: StarPolygons, b: StarPolygons) -> None:
    assert np.array_equal(a.points, b.points)
    assert np.array_equal(a.distances, b.distances)
    assert np.array_equal(a.probabilities, b.probabilities)


seeds = st.integers(0, 2**32 - 1)
thresholds = st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0])


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", POLYGONS)
def test_examples_equal_reference(name, threshold):
    polygons = POLYGONS[name]
    expected = reference.greedy_suppression(polygons, threshold)
    assert_same(suppress(polygons, threshold), polygons.take(np.array(expected, int)))


@given(seeds, st.integers(0, 30), thresholds)
def test_whole_image_equals_reference(seed, n, threshold):
    polygons = random_polygons(np.random.default_rng(seed), n)
    expected = reference.greedy_suppression(polygons, threshold)
    assert_same(suppress(polygons, threshold), polygons.take(np.array(expected, int)))


def in_blocks_of(least: int, most: int, *, margin: float = 0.5):
    """Suppression in blocks of so many candidates, however many others each has to look at."""
    return mock.patch.multiple(
        "starpoly.suppression.streaming",
        _BLOCK_CANDIDATES=(least, most),
        _MARGIN_QUANTILE=margin,
        _MOST_KNOWN=1e9,
        _MOST_KNOWN_ALTOGETHER=1e9,
    )


@settings(max_examples=150)
@given(seeds, st.integers(0, 40), thresholds, st.integers(1, 20), st.sampled_from([0.0, 0.5, 1.0]))
def test_blocks_equal_reference(seed, n, threshold, in_block, margin):
    polygons = random_polygons(np.random.default_rng(seed), n, shape=(200, 150), largest=10)
    expected = reference.greedy_suppression(polygons, threshold)
    with in_blocks_of(in_block, 2 * in_block, margin=margin):
        assert_same(suppress(polygons, threshold), polygons.take(np.array(expected, int)))


@settings(max_examples=60)
@given(seeds, st.integers(500, 3000), thresholds, st.integers(50, 400), st.booleans())
def test_blocks_equal_one_pass(seed, n, threshold, in_block, with_giant):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n, shape=(500, 400), largest=10)
    if with_giant:  # reaches through many blocks
        polygons = StarPolygons.concatenate([polygons, stars((250, 200, 120), probabilities=[rng.random()])])
    expected = suppress(polygons, threshold)
    with in_blocks_of(in_block, in_block):
        assert_same(suppress(polygons, threshold), expected)
    with mock.patch("starpoly.suppression.streaming._BLOCK_CANDIDATES", (in_block, in_block)):
        assert_same(suppress(polygons, threshold), expected)


@given(seeds, st.integers(0, 250), thresholds)
def test_does_not_depend_on_the_order_given(seed, n, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    assert_same(suppress(polygons, threshold), suppress(polygons.take(rng.permutation(n)), threshold))


@settings(max_examples=150)
@given(seeds, st.integers(0, 250), st.integers(0, 25), thresholds, st.sampled_from(["each", "end", "some"]))
def test_streaming_equals_whole_image(seed, n, n_cuts, threshold, when):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    regions = random_regions(rng, Box(0, 0, *SHAPE), n_cuts)
    resolve = {"each": lambda: True, "end": lambda: False, "some": lambda: rng.random() < 0.3}[when]
    assert_same(stream(polygons, regions, threshold, resolve=resolve), suppress(polygons, threshold))


@given(seeds, st.integers(0, 30), st.integers(1, 8), st.sampled_from([0.1, 0.4, 0.7]))
def test_decides_as_soon_as_can_be(seed, n, n_cuts, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    regions = random_regions(rng, Box(0, 0, *SHAPE), n_cuts)
    n_fed = int(rng.integers(0, len(regions)))
    front = StreamingNMS(threshold, MAX_DISTANCE, SHAPE)
    parts = [StarPolygons.empty(N_RAYS)]
    for region in regions[:n_fed]:
        front.add(within(polygons, region), region)
        parts.append(front.decide() if rng.random() < 0.5 else StarPolygons.empty(N_RAYS))
    if n_fed:
        parts.append(front.decide())
    fed = StarPolygons.concatenate([StarPolygons.empty(N_RAYS), *[within(polygons, r) for r in regions[:n_fed]]])
    fed = fed.take(fed.distances.any(axis=1) & (polygon_areas(fed) > 0))
    unseen = [region for region in regions[n_fed:] if min(region.shape) > 0]
    kept, pending = reference.decided_suppression(fed, threshold, MAX_DISTANCE, unseen)
    got = StarPolygons.concatenate(parts)
    assert_same(got.take(got.score_order()), fed.take(np.array(kept, int)))
    assert front.n_pending == len(pending)
    if n_fed:
        left = front.pending
        assert_same(left.take(left.score_order()), fed.take(np.array(pending, int)))


@given(seeds, st.integers(0, 250), st.integers(0, 25), thresholds)
def test_nothing_that_is_to_come_lies_above_the_frontier(seed, n, n_cuts, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    front = StreamingNMS(threshold, MAX_DISTANCE, SHAPE)
    parts, frontiers = [], [front.decided_above]
    for region in random_regions(rng, Box(0, 0, *SHAPE), n_cuts):
        front.add(within(polygons, region), region)
        parts.append(front.decide())
        frontiers.append(front.decided_above)
    parts.append(front.finish())
    assert frontiers == sorted(frontiers)
    assert front.decided_above == (math.inf, math.inf)
    for (centres, points), part in zip(frontiers, parts, strict=True):
        assert (part.points[:, 0] >= centres).all()
        assert (part.vertices()[:, 0] >= points).all()


@given(seeds, st.integers(0, 200), st.integers(1, 8))
def test_answers_of_workers_merge(seed, n, n_cuts):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    parts, merged = [], StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    for region in random_regions(rng, Box(0, 0, *SHAPE), n_cuts):
        worker = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
        worker.add(within(polygons, region), region)
        parts.append(worker.decide())
        merged.add(worker.pending, region)
    kept = StarPolygons.concatenate([*parts, merged.finish()])
    assert_same(kept.take(kept.score_order()), suppress(polygons, 0.4))


@pytest.mark.parametrize("order", ["forward", "backward", "inside_out"])
@pytest.mark.parametrize("falling", [True, False])
def test_chain_over_seams(order, falling):
    # each overlaps the next by more than the threshold: best first, every second one is kept, across all seams
    xs = np.arange(4, 8 * SEAM - 4, 5)
    probabilities = np.linspace(0.9, 0.1, len(xs)) if falling else np.linspace(0.1, 0.9, len(xs))
    polygons = stars(*[(8, x, 5) for x in xs], probabilities=probabilities.tolist())
    shape = (SEAM, 8 * SEAM)
    regions = [Box(0, x, SEAM, x + SEAM) for x in range(0, shape[1], SEAM)]
    indices = {"forward": range(8), "backward": range(7, -1, -1), "inside_out": [3, 4, 2, 5, 1, 6, 0, 7]}[order]
    kept = stream(polygons, [regions[i] for i in indices], 0.2, shape=shape)
    first = 0 if falling else (len(xs) - 1) % 2
    assert sorted(kept.points[:, 1]) == xs[first::2].tolist()


def test_tile_plan_of_any_size_gives_the_same(rng):
    polygons = random_polygons(rng, 400)
    expected = suppress(polygons, 0.4)
    for tile_size in (16, 24, 40, 200):
        plan = plan_tiles(SHAPE, stride=(2, 2), halo=(4, 4), tile_size=tile_size)
        assert_same(stream(polygons, [tile.core for tile in plan], 0.4), expected)


def test_one_huge_beside_thousands_of_small(rng):
    shape = (400, 400)
    y, x = np.meshgrid(np.arange(1, 400, 5), np.arange(1, 400, 5), indexing="ij")
    small = StarPolygons(
        np.stack([y.ravel(), x.ravel()], 1), np.full((y.size, N_RAYS), 1.5), 0.1 + 0.3 * rng.random(y.size)
    )
    for probability, n_expected in ((0.9, None), (0.05, len(small))):
        huge = stars((200, 200, 150), probabilities=[probability])
        polygons = StarPolygons.concatenate([small, huge])
        kept = suppress(polygons, 0.4)
        covered = intersection_areas(small, huge) > 0.4 * polygon_areas(small)
        assert len(kept) == (len(small) + 1 - covered.sum() if n_expected is None else n_expected)
        front = StreamingNMS(0.4, 150, shape)
        parts = []
        for region in random_regions(rng, Box(0, 0, *shape), 12):
            front.add(within(polygons, region), region)
            parts.append(front.decide())
        parts = StarPolygons.concatenate([*parts, front.finish()])
        assert_same(parts.take(parts.score_order()), kept)


def test_ties_in_probability_go_by_place():
    kept = suppress(POLYGONS["ties"].take(np.array([2, 1, 0])), 0.4)
    assert kept.points.tolist() == [[8, 8]]


def test_ties_at_one_point_go_by_the_order_given():
    one = stars((8, 8, 5), (8, 8, 4), probabilities=[0.5, 0.5])
    assert suppress(one, 0.4).distances[0, 0] == 5
    assert suppress(one.take(np.array([1, 0])), 0.4).distances[0, 0] == 4


def test_polygons_without_area_are_dropped():
    polygons = POLYGONS["no_area"]
    assert suppress(polygons, 0.4).distances[:, 0].tolist() == [3]
    front = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    front.add(polygons, Box(0, 0, *SHAPE))
    assert (front.n_seen, front.n_pending) == (3, 1)


def test_an_overlap_equal_to_the_threshold_does_not_suppress():
    polygons = POLYGONS["half_shared"]
    assert len(suppress(polygons, 0.5)) == 2
    assert len(suppress(polygons, 0.4999)) == 1


def test_memory_holds_the_frontier_only(rng):
    shape, step = (40, 4000), 100
    front = StreamingNMS(0.4, MAX_DISTANCE, shape)
    held = []
    for x in range(0, shape[1], step):
        polygons = random_polygons(rng, 300, shape=(shape[0], step)).shift((0, x))
        front.add(polygons, Box(0, x, shape[0], x + step))
        front.decide()
        held.append(front.n_pending)
    assert max(held) < 300
    assert len(front._pool.state) < 1200
    front.finish()
    assert front.n_pending == 0


def test_classes_follow_their_polygons(rng):
    polygons = random_polygons(rng, 60)
    classes = np.stack([np.arange(60), -np.arange(60)], 1)
    polygons = StarPolygons(polygons.points, polygons.distances, polygons.probabilities, classes)
    kept = stream(polygons, random_regions(rng, Box(0, 0, *SHAPE), 6), 0.4)
    for point, row in zip(kept.points, kept.class_probabilities, strict=True):
        assert (polygons.points[int(row[0])] == point).all()


def test_nothing_fed_is_nothing_kept():
    front = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    assert len(front.decide()) == len(front.pending) == len(front.finish()) == 0
    front = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    front.add(StarPolygons.empty(N_RAYS, n_classes=2), Box(0, 0, *SHAPE))
    kept = front.finish()
    assert kept.distances.shape == (0, N_RAYS)
    assert kept.class_probabilities.shape == (0, 3)


def feed(polygons, region=None, **settings):
    front = StreamingNMS(**{"nms_threshold": 0.4, "max_distance": 5.0, "shape": SHAPE, **settings})
    front.add(polygons, region or Box(0, 0, *SHAPE))
    return front


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: feed(stars((8, 8, 5.1))), "at most max_distance = 5 pixels, got 5.1; clip"),
        (lambda: feed(stars((8, 8, -1))), "distances of at least 0"),
        (lambda: feed(stars((8, 8, math.nan))), "finite distances"),
        (lambda: feed(stars((8, 8, math.inf))), "finite distances"),
        (lambda: feed(stars((8, 8, 1), probabilities=[math.nan])), "finite probabilities"),
        (lambda: feed(stars((8, 8, 1), probabilities=[-0.1])), "at least 0"),
        (lambda: feed(stars((8, 80, 1))), r"centres within .* 1 others, the first \(8.0, 80.0\)"),
        (lambda: feed(stars((math.nan, 8, 1))), "centres within"),
        (lambda: feed(stars((8, 8, 1)), Box(0, 0, 61, 80)), "within the image"),
        (lambda: feed(stars((8, 8, 1))).add(stars((8, 8, 1)), Box(0, 0, 9, 9)), "81 pixels were fed before"),
        (lambda: feed(stars((8, 8, 1)), Box(0, 0, 9, 9)).add(StarPolygons.empty(9), Box(9, 0, 10, 9)), "8 rays"),
        (lambda: suppress(stars((math.inf, 8, 1)), 0.4), "finite centres"),
        (lambda: suppress(stars((8, 8, 1e8)), 0.4), "at most max_distance"),
    ],
)
def test_what_does_not_fit_is_an_error(call, message):
    with pytest.raises(StarpolyError, match=message):
        call()


@pytest.mark.parametrize(
    "settings",
    [
        {"nms_threshold": 1.1},
        {"nms_threshold": math.nan},
        {"max_distance": 0},
        {"max_distance": math.inf},
        {"shape": (0, 5)},
    ],
)
def test_settings_out_of_range_are_errors(settings):
    with pytest.raises(ConfigError):
        feed(stars((8, 8, 1)), **settings)
    if "nms_threshold" in settings:
        with pytest.raises(ConfigError):
            suppress(stars((8, 8, 1)), settings["nms_threshold"])


def test_a_failed_feed_changes_nothing():
    front = StreamingNMS(0.4, 5, SHAPE)
    with pytest.raises(StarpolyError):
        front.add(stars((8, 8, 6)), Box(0, 0, *SHAPE))
    front.add(stars((8, 8, 5)), Box(0, 0, *SHAPE))
    assert len(front.decide()) == 1


def test_max_distance_is_taken_as_float32():
    limit = 100.3  # float32 of it is larger
    assert len(feed(stars((8, 8, limit)), max_distance=limit).finish()) == 1


@pytest.mark.parametrize("radius", [0.4, 30.0])
def test_flood_of_candidates_ends_with_a_word_about_it(radius):
    # a white image of which each pixel is a sure object, some too small to conflict, some all of one place
    y, x = np.indices((300, 300))
    polygons = StarPolygons(np.stack([y.ravel(), x.ravel()], 1), np.full((y.size, N_RAYS), radius), np.ones(y.size))
    front = StreamingNMS(0.4, 30, (300, 300))
    with pytest.warns(StarpolyWarning, match="90000 candidates .* more than 200000 per megapixel") as caught:
        front.add(polygons, Box(0, 0, 300, 300))
    assert len(caught) == 1
    kept = front.decide()
    assert len(kept) == 90000 if radius < 1 else len(kept) < 400
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feed(polygons, Box(0, 0, 300, 300), max_distance=30, shape=(300, 300), max_candidates=None)


def wide_pairs(seed: int, n: int, n_rays: int) -> tuple[StarPolygons, StarPolygons]:
    """Pairs of stars, smooth to spiky, of like to very unlike size, whose centres are near or far."""
    rng = np.random.default_rng(seed)

    def some() -> np.ndarray:
        radii = 10.0 ** rng.uniform(-1, 2.5, (n, 1))
        return radii * rng.uniform(rng.uniform(0, 1, (n, 1)), 1, (n, n_rays))

    d0, d1 = some(), some()
    alike = rng.random(n) < 0.5
    d1[alike] = d0[alike] * rng.uniform(0.8, 1.2, (alike.sum(), n_rays))
    reach = (d0.max(1) + d1.max(1)) * rng.random(n) ** 2
    angle = rng.uniform(0, 2 * np.pi, n)
    points = rng.uniform(0, 1e4, (n, 2))
    moved = points + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
    return StarPolygons(points, d0, np.ones(n)), StarPolygons(moved, d1, np.ones(n))


@given(seeds, st.sampled_from([3, 4, 8, 32]), thresholds)
@example(0, 32, 0.4)
def test_short_cuts_decide_as_the_area_does(seed, n_rays, threshold):
    from starpoly.geometry import _kernels_nms as kernels

    a, b = wide_pairs(seed, 200, n_rays)
    both = StarPolygons.concatenate([a, b])
    directions = ray_directions(n_rays)
    features = np.empty((400, kernels.N_FEATURES))
    assert kernels.describe(both.distances, *directions, features)
    ratio = intersection_areas(a, b) / np.minimum(polygon_areas(a), polygon_areas(b))
    for k in range(200):
        settings = (both.points, both.distances, features, threshold, *directions)
        got = kernels.conflict(k, k + 200, *settings)
        assert got == kernels.conflict(k + 200, k, *settings)
        assert got or not kernels.surely_conflict(k, k + 200, *settings)
        if abs(ratio[k] - threshold) > 1e-6:
            assert got == (ratio[k] > threshold)


@given(seeds, st.sampled_from([3, 5, 8, 32]))
def test_bounds_hold(seed, n_rays):
    from starpoly.geometry import _kernels_nms as kernels

    a, b = wide_pairs(seed, 200, n_rays)
    sin, cos = ray_directions(n_rays)
    areas = intersection_areas(a, b)
    features = np.empty((200, kernels.N_FEATURES))
    kernels.describe(b.distances, sin, cos, features)
    for k, area in enumerate(areas):
        dy, dx = b.points[k].astype(float) - a.points[k].astype(float)
        gap, pair = math.hypot(dy, dx), (a.distances[k], b.distances[k], sin, cos)
        margin = 1e-9 * area + 1e-13 * float(max(a.distances[k].max(), b.distances[k].max())) ** 2
        radius = features[k, kernels.OUTER]
        assert kernels._radial_bound(dy, dx, *pair, radius, math.inf) <= area + margin
        trimmed = kernels._trim(dy, dx, b.distances[k], sin, cos, radius)
        assert ((trimmed >= 0) & (trimmed <= b.distances[k])).all()
        assert kernels._radial_bound(dy, dx, a.distances[k], trimmed, sin, cos, radius, math.inf) <= area + margin
        assert gap == 0 or kernels._oriented_box(dy, dx, gap, *pair) >= area - margin
        loss = abs(dy) * features[k, kernels.EXTENT_X] + abs(dx) * features[k, kernels.EXTENT_Y]
        assert kernels._common_star(a.distances[k], b.distances[k], sin[1]) - loss <= area + margin


def test_radial_bound_is_tight_where_it_matters():
    from starpoly.geometry import _kernels_nms as kernels

    sin, cos = ray_directions(32)
    disc = np.full(32, 10, np.float32)
    polygon = StarPolygons([(0, 0)], disc[None], [1])
    area = intersection_areas(polygon, polygon.shift((2, 3)))[0]
    bound = kernels._radial_bound(2.0, 3.0, disc, disc, sin, cos, 10.0, math.inf)
    assert 0.97 * area < bound <= area


def test_what_a_spike_hides_is_trimmed():
    from starpoly.geometry import _kernels_nms as kernels

    sin, cos = ray_directions(32)
    disc, spiky = np.full(32, 10, np.float32), np.full(32, 10, np.float32)
    spiky[8] = 15  # its flank is seen from behind, from further along
    polygons = StarPolygons([(0, 6), (0, 0)], np.stack([disc, spiky]), [1, 1])
    area = intersection_areas(polygons.take([0]), polygons.take([1]))[0]
    pair = (0.0, -6.0, disc)
    assert kernels._radial_bound(*pair, spiky, sin, cos, 15.0, math.inf) == 0
    trimmed = kernels._trim(0.0, -6.0, spiky, sin, cos, 15.0)
    assert 0.9 * area < kernels._radial_bound(*pair, trimmed, sin, cos, 15.0, math.inf) <= area


def test_described_discs_and_boxes_hold(rng):
    from shapely.geometry import Point

    from starpoly.geometry import _kernels_nms as kernels

    polygons = random_polygons(rng, 30)
    features = np.empty((30, kernels.N_FEATURES))
    assert kernels.describe(polygons.distances, *ray_directions(N_RAYS), features)
    assert features[:, kernels.AREA] == pytest.approx(polygon_areas(polygons))
    for k in np.flatnonzero(features[:, kernels.AREA] > 0):
        (y, x), shape = polygons.points[k], reference.outline(polygons.take(np.array([k])))
        top, _, bottom, right = shape.bounds
        assert y + features[k, kernels.TOP] <= top + 1e-4
        assert y + features[k, kernels.BOTTOM] >= bottom - 1e-4
        assert x + features[k, kernels.RIGHT] >= right - 1e-4
        disc = Point(y, x).buffer(0.999 * features[k, kernels.INNER])
        assert disc.difference(shape).area < 1e-6


def test_without_compilation(rng, tmp_path):
    polygons = random_polygons(rng, 60)
    np.savez(tmp_path / "in.npz", points=polygons.points, distances=polygons.distances, p=polygons.probabilities)
    script = """
import sys, numpy as np
import starpoly.suppression.streaming
from starpoly.suppression.streaming import suppress
from starpoly.polygons import StarPolygons
data = np.load(sys.argv[1], allow_pickle=False)
starpoly.suppression.streaming._BLOCK_CANDIDATES, starpoly.suppression.streaming._MOST_KNOWN = (10, 20), 60
kept = suppress(StarPolygons(data["points"], data["distances"], data["p"]), 0.4)
np.save(sys.argv[2], kept.points)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "in.npz"), str(tmp_path / "out.npy")]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert np.array_equal(np.load(tmp_path / "out.npy", allow_pickle=False), suppress(polygons, 0.4).points)
