"""Ray distances: the slow twin, StarDist, and the laws of the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.errors import DataError, StarpolyError
from starpoly.geometry.distances import fill_ray_distances, ray_distances

import reference
from support import examples

small_labels = hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 2))
blobs = pytest.mark.parametrize("name", ["touching", "ring", "border_cut", "crowd", "larger_than_a_tile"])


@pytest.mark.parametrize("name", [name for name in examples.LABELS if examples.LABELS[name].size < 1000])
def test_examples_equal_the_slow_twin(name):
    labels = examples.LABELS[name]
    np.testing.assert_array_equal(ray_distances(labels, 8), reference.ray_distances(labels, 8))


@given(small_labels, st.sampled_from([3, 5, 12]), st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_random_labels_equal_the_slow_twin(labels, n_rays, grid):
    expected = reference.ray_distances(labels, n_rays, grid)
    np.testing.assert_array_equal(ray_distances(labels, n_rays, grid), expected)


@pytest.mark.parametrize("n_rays", [3, 8, 12, 32, 33, 48])
@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (4, 1)])
def test_equal_to_stardist(n_rays, grid, rng):
    star_dist = pytest.importorskip("stardist.geometry", reason="needs stardist").star_dist
    noise = rng.integers(0, 3, (40, 41))
    far = np.pad(examples.LABELS["crowd"], ((500, 0), (777, 0)))
    long = np.ones((3, 1500), int)
    for labels in [*(examples.LABELS[name] for name in examples.LABELS if name != "large_ids"), noise, far, long]:
        np.testing.assert_array_equal(ray_distances(labels, n_rays, grid), star_dist(labels, n_rays, grid))


def test_one_pixel_reaches_half_a_pixel_along_the_axes():
    distances = ray_distances(examples.LABELS["one_pixel"], 4)
    np.testing.assert_array_equal(distances[2, 2], np.float32(0.5))
    assert np.count_nonzero(distances) == 4


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_ids_above_16_bits_do_not_alias(dtype):
    labels = np.full((5, 6), 1, dtype)
    labels[:, 3:] = 1 + 65536
    expected = np.where(labels == 1, 1, 2)
    np.testing.assert_array_equal(ray_distances(labels, 8), ray_distances(expected, 8))


def test_ids_above_32_bits_do_not_alias():
    labels = np.full((5, 6), 1, np.int64)
    labels[:, 3:] += 2**32
    np.testing.assert_array_equal(ray_distances(labels, 8), ray_distances(np.where(labels == 1, 1, 2), 8))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.uint32])
def test_dtypes_give_the_same(dtype):
    labels = examples.LABELS["larger_than_a_tile"]
    np.testing.assert_array_equal(ray_distances(labels.astype(dtype), 8), ray_distances(labels, 8))


def test_negative_labels_are_background():
    labels = examples.LABELS["touching"].copy()
    labels[labels == 3] = -1
    distances = ray_distances(labels, 8)
    assert not distances[labels < 0].any()
    np.testing.assert_array_equal(distances, ray_distances(np.maximum(labels, 0), 8))


@blobs
@pytest.mark.parametrize("view", ["fortran", "strided", "read_only"])
def test_memory_layout_does_not_matter(name, view):
    labels = examples.LABELS[name]
    strided = np.repeat(labels, 2, axis=1)[:, ::2]
    other = {"fortran": np.asfortranarray(labels), "strided": strided, "read_only": labels.copy()}[view]
    if view == "read_only":
        other.setflags(write=False)
    np.testing.assert_array_equal(ray_distances(other, 8), ray_distances(labels, 8))


@blobs
def test_threads_give_the_same(name):
    labels = examples.LABELS[name]
    np.testing.assert_array_equal(ray_distances(labels, 32, parallel=True), ray_distances(labels, 32))


@blobs
@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_to_stand_behind_the_distances_does(name, threads, rng):
    labels = examples.LABELS[name]
    expected = ray_distances(labels, 8, (2, 3))
    behind = rng.random((*expected.shape[:2], 2)).astype(np.float32)
    out = np.full((*expected.shape[:2], 10), np.nan, np.float32)
    fill_ray_distances(labels, 8, (2, 3), out, behind, threads=threads)
    np.testing.assert_array_equal(out, np.concatenate([expected, behind], axis=-1))


@pytest.mark.parametrize("n_rays", [24, 32])
def test_rays_of_more_moves_than_a_byte_counts(n_rays):
    labels = np.ones((40, 700), np.int32)
    labels[20:, 390:] = 2
    expected = [[reference.ray_distances_of(labels, y, x, n_rays) for x in range(340, 345)] for y in range(18, 22)]
    np.testing.assert_array_equal(ray_distances(labels, n_rays)[18:22, 340:345], expected)


@blobs
def test_grid_picks_from_the_whole(name):
    labels = examples.LABELS[name]
    np.testing.assert_array_equal(ray_distances(labels, 8, (3, 2)), ray_distances(labels, 8)[::3, ::2])


@blobs
def test_translation(name):
    labels = np.pad(examples.LABELS[name], 1)
    moved = np.pad(labels, ((5, 0), (12, 0)))
    np.testing.assert_array_equal(ray_distances(moved, 8)[5:, 12:], ray_distances(labels, 8))


@blobs
def test_quarter_turn_rolls_the_rays(name):
    labels = examples.LABELS[name]
    turned = ray_distances(np.rot90(labels), 8)
    np.testing.assert_allclose(turned, np.rot90(np.roll(ray_distances(labels, 8), -2, axis=-1)), atol=1e-4)


@blobs
def test_mirror_reverses_the_rays(name):
    labels = examples.LABELS[name]
    mirrored = ray_distances(labels[::-1], 8)
    np.testing.assert_allclose(mirrored, ray_distances(labels, 8)[::-1, :, -np.arange(8)], atol=1e-4)


def test_disc_has_its_radius():
    distances = ray_distances(examples.with_discs((61, 61), (30, 30, 25)), 32)
    np.testing.assert_allclose(distances[30, 30], 25, atol=0.75)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_image_without_pixels(shape):
    assert ray_distances(np.zeros(shape, int), 8).shape == (*shape, 8)


@pytest.mark.parametrize("labels", [np.zeros((3, 3)), np.zeros((3, 3, 3), int), np.array([["a"]])])
def test_what_is_no_label_image_is_refused(labels):
    with pytest.raises(DataError, match="two-dimensional array of integers"):
        ray_distances(labels)


@pytest.mark.parametrize(("n_rays", "grid"), [(2, (1, 1)), (8, (0, 1))])
def test_bad_rays_and_grids_are_refused(n_rays, grid):
    with pytest.raises(StarpolyError, match="n_rays >= 3"):
        ray_distances(np.ones((3, 3), int), n_rays, grid)
