"""Painted shapes: against slow twins, in the background only, apart where that is wanted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from starpoly.geometry.painting import (
    keep_largest_pieces,
    nearest_seeds,
    paint_limbs,
    paint_stars,
    paste_mask,
    signed_distances,
    split_pieces,
)

import reference

SEEDS = st.integers(0, 10_000)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_a_star_is_what_its_radii_say(seed):
    rng = np.random.default_rng(seed)
    centre, radii = rng.uniform(-5, 45, 2), rng.uniform(3, 15, 12)
    labels = np.zeros((40, 40), np.int32)
    painted = paint_stars(labels, centre[None], radii[None], np.array([7]))
    expected = reference.star((40, 40), centre, radii)
    np.testing.assert_array_equal(labels == 7, expected)
    assert painted.tolist() == [bool(expected.any())]


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_a_limb_is_discs_along_a_line(seed):
    rng = np.random.default_rng(seed)
    points, widths = rng.uniform(0, 40, (3, 2)), np.full(3, rng.uniform(2, 5))
    labels = np.zeros((40, 40), np.int32)
    paint_limbs(labels, points[None], widths[None], np.array([3]))
    assert ((labels == 3) != reference.limb((40, 40), points, widths)).mean() < 0.003


def test_later_objects_leave_earlier_ones_as_they_are():
    labels = np.zeros((30, 40), np.int32)
    centres, radii = np.array([[15, 12], [15, 22], [15, 14]]), np.full((3, 16), 8.0)
    painted = paint_stars(labels, centres, radii, np.array([1, 2, 3]), most_shared=0.4)
    assert painted.tolist() == [True, True, False]
    alone = np.zeros_like(labels)
    paint_stars(alone, centres[:1], radii[:1], np.array([1]))
    np.testing.assert_array_equal(labels == 1, alone == 1)


def test_a_gap_keeps_objects_apart():
    rng = np.random.default_rng(0)
    labels = np.zeros((80, 80), np.int32)
    paint_stars(labels, rng.uniform(0, 80, (60, 2)), np.full((60, 16), 6.0), np.arange(1, 61), most_shared=0, gap=3)
    assert labels.max() > 5
    grown = ndimage.grey_dilation(labels, (3, 3))
    assert (grown[labels > 0] == labels[labels > 0]).all()


@given(SEEDS, st.booleans())
@settings(deadline=None, max_examples=20)
def test_the_nearest_seed_owns_a_pixel(seed, weighted):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:14, :17].astype(np.float32)
    seeds = rng.uniform(-3, 18, (30, 2))
    weights = rng.uniform(0, 2, 30) if weighted else np.zeros(30)
    owner, border = nearest_seeds(y, x, seeds, 40.0, weights if weighted else None)
    for at in np.ndindex(y.shape):
        first, expected = reference.nearest_seed(y[at], x[at], seeds, weights)
        if expected > 1e-3:
            assert owner[at] == first
        assert border[at] == pytest.approx(expected, abs=1e-3)


def test_a_place_far_from_all_seeds_has_no_owner():
    y, x = np.mgrid[:2, :50].astype(np.float32)
    owner, _ = nearest_seeds(y, x, np.array([[0.0, 0.0], [1.0, 1.0]]), 4.0)
    assert owner[0, 0] == 0
    assert owner[0, 40] == -1


@given(SEEDS, st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=30)
def test_pieces_are_those_of_scipy(seed, least, every):
    labels = (np.random.default_rng(seed).integers(0, 4, (9, 11)) * 2).astype(np.int32)
    expected = reference.pieces(labels, least, every)
    n = (split_pieces if every else keep_largest_pieces)(labels, least)
    np.testing.assert_array_equal(labels, expected)
    assert n == expected.max()


def test_signed_distances_are_nearly_euclidean():
    labels = np.zeros((50, 60), np.int32)
    labels[10:30, 10:25], labels[10:30, 25:40], labels[44:, 50:] = 1, 2, 3
    distance, near = signed_distances(labels)
    np.testing.assert_array_equal(near[labels > 0], labels[labels > 0])
    assert (distance > 0).tolist() == (labels > 0).tolist()
    for value in (1, 2, 3):
        # between two pixels lies half a step
        inside = np.pad(labels == value, 1, mode="edge" if value == 3 else "constant")
        exact = ndimage.distance_transform_edt(inside)[1:-1, 1:-1] - 0.5
        assert np.abs(distance - exact)[labels == value].max() < 0.09 * exact.max() + 0.3
    exact, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    outside = labels == 0
    assert np.abs(-distance - exact + 0.5)[outside].max() < 0.09 * exact.max() + 0.3
    assert (near == labels[tuple(nearest)])[outside].mean() > 0.97


def test_an_empty_image_is_far_from_everything():
    distance, near = signed_distances(np.zeros((5, 6), np.int32))
    assert (distance < -1000).all()
    assert not near.any()


def test_a_pasted_mask_is_turned_and_scaled():
    labels, mask = np.zeros((40, 40), np.int32), np.ones((6, 12), bool)
    quarter = np.array([[0.0, 0.5], [-0.5, 0.0]])  # twice as large, and upright
    assert paste_mask(labels, mask, (20, 20), quarter, 5)
    rows, columns = np.nonzero(labels == 5)
    assert abs(np.ptp(rows) - 23) <= 2
    assert abs(np.ptp(columns) - 11) <= 2
    assert not paste_mask(labels, mask, (20, 22), quarter, 6)
    assert paste_mask(labels, np.ones((3, 3), bool), (3, 3), np.eye(2), 7, most_shared=0, gap=1)
