"""Suppression of a whole image against the O(n^2) greedy twin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.polygons import StarPolygons
from starpoly.suppression.greedy import suppress

import reference
from support.examples import POLYGONS, stars
from support.suppression import (
    assert_same,
    random_polygons,
    seeds,
    thresholds,
)


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
        "starpoly.suppression.greedy",
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
    with mock.patch("starpoly.suppression.greedy._BLOCK_CANDIDATES", (in_block, in_block)):
        assert_same(suppress(polygons, threshold), expected)


@given(seeds, st.integers(0, 250), thresholds)
def test_does_not_depend_on_the_order_given(seed, n, threshold):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    assert_same(suppress(polygons, threshold), suppress(polygons.take(rng.permutation(n)), threshold))


def test_ties_in_probability_go_by_place():
    kept = suppress(POLYGONS["ties"].take(np.array([2, 1, 0])), 0.4)
    assert kept.points.tolist() == [[8, 8]]


def test_ties_at_one_point_go_by_the_order_given():
    one = stars((8, 8, 5), (8, 8, 4), probabilities=[0.5, 0.5])
    assert suppress(one, 0.4).distances[0, 0] == 5
    assert suppress(one.take(np.array([1, 0])), 0.4).distances[0, 0] == 4


def test_an_overlap_equal_to_the_threshold_does_not_suppress():
    polygons = POLYGONS["half_shared"]
    assert len(suppress(polygons, 0.5)) == 2
    assert len(suppress(polygons, 0.4999)) == 1


def test_without_compilation(rng, tmp_path):
    polygons = random_polygons(rng, 60)
    np.savez(tmp_path / "in.npz", points=polygons.points, distances=polygons.distances, p=polygons.probabilities)
    script = """
import sys, numpy as np
import starpoly.suppression.greedy
from starpoly.suppression.greedy import suppress
from starpoly.polygons import StarPolygons
data = np.load(sys.argv[1], allow_pickle=False)
starpoly.suppression.greedy._BLOCK_CANDIDATES, starpoly.suppression.greedy._MOST_KNOWN = (10, 20), 60
kept = suppress(StarPolygons(data["points"], data["distances"], data["p"]), 0.4)
np.save(sys.argv[2], kept.points)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "in.npz"), str(tmp_path / "out.npy")]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert np.array_equal(np.load(tmp_path / "out.npy", allow_pickle=False), suppress(polygons, 0.4).points)
