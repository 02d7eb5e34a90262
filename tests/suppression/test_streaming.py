"""Suppression region by region against that of the whole image."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import ConfigError, StarpolyError, StarpolyWarning
from starpoly.geometry.overlap import intersection_areas, polygon_areas
from starpoly.polygons import StarPolygons
from starpoly.suppression.greedy import suppress
from starpoly.suppression.streaming import StreamingNMS
from starpoly.tiling import Box, plan_tiles

import reference
from support.examples import N_RAYS, POLYGONS, SEAM, stars
from support.suppression import (
    MAX_DISTANCE,
    SHAPE,
    assert_same,
    random_polygons,
    random_regions,
    seeds,
    thresholds,
    within,
)


def stream(polygons: StarPolygons, regions: list[Box], threshold: float, *, shape=SHAPE, decide=lambda: True):
    """Add region by region, and decide where ``decide()``; the kept polygons in score order."""
    nms = StreamingNMS(threshold, MAX_DISTANCE, shape)
    parts = []
    for region in regions:
        nms.add(within(polygons, region), region)
        if decide():
            parts.append(nms.decide())
    parts.append(nms.finish())
    assert nms.n_pending == 0
    assert nms.n_seen == len(polygons)
    kept = StarPolygons.concatenate(parts)
    assert nms.n_kept == len(kept)
    return kept.take(kept.score_order())


@settings(max_examples=150)
@given(seeds, st.integers(0, 250), st.integers(0, 25), thresholds, st.sampled_from(["each", "end", "some"]))
def test_streaming_equals_whole_image(seed, n, n_cuts, threshold, when):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    regions = random_regions(rng, Box(0, 0, *SHAPE), n_cuts)
    decide = {"each": lambda: True, "end": lambda: False, "some": lambda: rng.random() < 0.3}[when]
    assert_same(stream(polygons, regions, threshold, decide=decide), suppress(polygons, threshold))


@given(seeds, st.integers(0, 30), st.integers(1, 8), st.sampled_from([0.1, 0.4, 0.7]))
def test_decides_as_soon_as_can_be(seed, n, n_cuts, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    regions = random_regions(rng, Box(0, 0, *SHAPE), n_cuts)
    n_added = int(rng.integers(0, len(regions)))
    nms = StreamingNMS(threshold, MAX_DISTANCE, SHAPE)
    parts = [StarPolygons.empty(N_RAYS)]
    for region in regions[:n_added]:
        nms.add(within(polygons, region), region)
        parts.append(nms.decide() if rng.random() < 0.5 else StarPolygons.empty(N_RAYS))
    if n_added:
        parts.append(nms.decide())
    seen = StarPolygons.concatenate([StarPolygons.empty(N_RAYS), *[within(polygons, r) for r in regions[:n_added]]])
    seen = seen.take(seen.distances.any(axis=1) & (polygon_areas(seen) > 0))
    unseen = [region for region in regions[n_added:] if min(region.shape) > 0]
    kept, pending = reference.decided_suppression(seen, threshold, MAX_DISTANCE, unseen)
    got = StarPolygons.concatenate(parts)
    assert_same(got.take(got.score_order()), seen.take(np.array(kept, int)))
    assert nms.n_pending == len(pending)
    if n_added:
        left = nms.pending
        assert_same(left.take(left.score_order()), seen.take(np.array(pending, int)))


@given(seeds, st.integers(0, 250), st.integers(0, 25), thresholds)
def test_nothing_that_is_to_come_lies_above_the_frontier(seed, n, n_cuts, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    nms = StreamingNMS(threshold, MAX_DISTANCE, SHAPE)
    parts, limits = [], [nms.decided_above]
    for region in random_regions(rng, Box(0, 0, *SHAPE), n_cuts):
        nms.add(within(polygons, region), region)
        parts.append(nms.decide())
        limits.append(nms.decided_above)
    parts.append(nms.finish())
    assert limits == sorted(limits)
    assert nms.decided_above == (math.inf, math.inf)
    for (centres, points), part in zip(limits, parts, strict=True):
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
        nms = StreamingNMS(0.4, 150, shape)
        parts = []
        for region in random_regions(rng, Box(0, 0, *shape), 12):
            nms.add(within(polygons, region), region)
            parts.append(nms.decide())
        parts = StarPolygons.concatenate([*parts, nms.finish()])
        assert_same(parts.take(parts.score_order()), kept)


def test_polygons_without_area_are_dropped():
    polygons = POLYGONS["no_area"]
    assert suppress(polygons, 0.4).distances[:, 0].tolist() == [3]
    nms = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    nms.add(polygons, Box(0, 0, *SHAPE))
    assert (nms.n_seen, nms.n_pending) == (3, 1)


def test_memory_holds_the_frontier_only(rng):
    shape, step = (40, 4000), 100
    nms = StreamingNMS(0.4, MAX_DISTANCE, shape)
    held = []
    for x in range(0, shape[1], step):
        polygons = random_polygons(rng, 300, shape=(shape[0], step)).shift((0, x))
        nms.add(polygons, Box(0, x, shape[0], x + step))
        nms.decide()
        held.append(nms.n_pending)
    assert max(held) < 300
    assert len(nms._pool.state) < 1200
    nms.finish()
    assert nms.n_pending == 0


def test_classes_follow_their_polygons(rng):
    polygons = random_polygons(rng, 60)
    classes = np.stack([np.arange(60), -np.arange(60)], 1)
    polygons = StarPolygons(polygons.points, polygons.distances, polygons.probabilities, classes)
    kept = stream(polygons, random_regions(rng, Box(0, 0, *SHAPE), 6), 0.4)
    for point, row in zip(kept.points, kept.class_probabilities, strict=True):
        assert (polygons.points[int(row[0])] == point).all()


def test_nothing_fed_is_nothing_kept():
    nms = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    assert len(nms.decide()) == len(nms.pending) == len(nms.finish()) == 0
    nms = StreamingNMS(0.4, MAX_DISTANCE, SHAPE)
    nms.add(StarPolygons.empty(N_RAYS, n_classes=2), Box(0, 0, *SHAPE))
    kept = nms.finish()
    assert kept.distances.shape == (0, N_RAYS)
    assert kept.class_probabilities.shape == (0, 3)


def added(polygons, region=None, **settings):
    nms = StreamingNMS(**{"nms_threshold": 0.4, "max_distance": 5.0, "shape": SHAPE, **settings})
    nms.add(polygons, region or Box(0, 0, *SHAPE))
    return nms


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: added(stars((8, 8, 5.1))), "at most max_distance = 5 pixels, got 5.1; clip"),
        (lambda: added(stars((8, 8, -1))), "distances of at least 0"),
        (lambda: added(stars((8, 8, math.nan))), "finite distances"),
        (lambda: added(stars((8, 8, math.inf))), "finite distances"),
        (lambda: added(stars((8, 8, 1), probabilities=[math.nan])), "finite probabilities"),
        (lambda: added(stars((8, 8, 1), probabilities=[-0.1])), "at least 0"),
        (lambda: added(stars((8, 80, 1))), r"centres within .* 1 others, the first \(8.0, 80.0\)"),
        (lambda: added(stars((math.nan, 8, 1))), "centres within"),
        (lambda: added(stars((8, 8, 1)), Box(0, 0, 61, 80)), "within the image"),
        (lambda: added(stars((8, 8, 1))).add(stars((8, 8, 1)), Box(0, 0, 9, 9)), "81 pixels were added before"),
        (lambda: added(stars((8, 8, 1)), Box(0, 0, 9, 9)).add(StarPolygons.empty(9), Box(9, 0, 10, 9)), "8 rays"),
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
        added(stars((8, 8, 1)), **settings)
    if "nms_threshold" in settings:
        with pytest.raises(ConfigError):
            suppress(stars((8, 8, 1)), settings["nms_threshold"])


def test_a_failed_add_changes_nothing():
    nms = StreamingNMS(0.4, 5, SHAPE)
    with pytest.raises(StarpolyError):
        nms.add(stars((8, 8, 6)), Box(0, 0, *SHAPE))
    nms.add(stars((8, 8, 5)), Box(0, 0, *SHAPE))
    assert len(nms.decide()) == 1


def test_max_distance_is_taken_as_float32():
    limit = 100.3  # float32 of it is larger
    assert len(added(stars((8, 8, limit)), max_distance=limit).finish()) == 1


@pytest.mark.parametrize("radius", [0.4, 30.0])
def test_flood_of_candidates_ends_with_a_word_about_it(radius):
    # a white image of which each pixel is a sure object, some too small to conflict, some all of one place
    y, x = np.indices((300, 300))
    polygons = StarPolygons(np.stack([y.ravel(), x.ravel()], 1), np.full((y.size, N_RAYS), radius), np.ones(y.size))
    nms = StreamingNMS(0.4, 30, (300, 300))
    with pytest.warns(StarpolyWarning, match="90000 candidates .* more than 200000 per megapixel") as caught:
        nms.add(polygons, Box(0, 0, 300, 300))
    assert len(caught) == 1
    kept = nms.decide()
    assert len(kept) == 90000 if radius < 1 else len(kept) < 400
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        added(polygons, Box(0, 0, 300, 300), max_distance=30, shape=(300, 300), max_candidates=None)
