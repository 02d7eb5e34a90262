"""Targets of the network: what is inside, how far it is to the boundary, what does not count."""

from __future__ import annotations

import numpy as np

from starpoly.geometry.boundary import boundary_probability
from starpoly.network.grid_cells import to_cells
from starpoly.network.heads.foreground import NEAR_BOUNDARY
from starpoly.training.targets import make_targets


def touching() -> np.ndarray:
    labels = np.zeros((12, 16), np.int32)
    labels[3:9, 2:8] = 1
    labels[3:9, 8:14] = 2
    return labels


def nearest_outside(labels: np.ndarray, y: int, x: int) -> float:
    """Distance from a pixel to the nearest pixel of another label: the slow way."""
    ys, xs = np.nonzero(labels != labels[y, x])
    return float(np.hypot(ys - y, xs - x).min())


def test_probability_is_the_normalised_distance_to_the_boundary_also_between_touching_objects():
    labels = touching()
    probability = boundary_probability(labels)
    assert (probability[labels == 0] == 0).all()
    for label in (1, 2):
        ys, xs = np.nonzero(labels == label)
        distance = np.array([nearest_outside(labels, y, x) for y, x in zip(ys, xs, strict=True)])
        np.testing.assert_allclose(probability[ys, xs], distance / distance.max(), rtol=1e-6)


def test_image_border_is_no_boundary():
    labels = np.zeros((6, 9), int)
    labels[:, :4] = 7
    probability = boundary_probability(labels)
    np.testing.assert_allclose(probability[2], [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0])


def test_object_that_fills_the_image_is_certain_everywhere():
    assert (boundary_probability(np.full((4, 5), 3)) == 1).all()


def test_negative_labels_are_ignored_and_belong_to_no_object():
    labels = touching()
    labels[0:2] = -1
    targets = make_targets(labels, n_rays=8)
    assert (targets.weight[:2] == 0).all()
    assert (targets.weight[2:] == 1).all()
    assert (targets.probability[:2] == 0).all()
    assert (targets.distances[:2] == 0).all()


def test_grid_takes_every_second_pixel():
    labels = touching()
    full, half = make_targets(labels, n_rays=8), make_targets(labels, n_rays=8, grid=(2, 2))
    np.testing.assert_array_equal(half.probability, full.probability[::2, ::2])
    np.testing.assert_array_equal(half.distances, full.distances[::2, ::2])


def test_foreground_tells_of_every_pixel_of_a_grid_cell():
    labels = np.zeros((4, 6), np.int32)
    labels[1:3, 1:4] = 1
    foreground = make_targets(labels, n_rays=4, grid=(2, 2), foreground=True).foreground
    assert foreground.shape == (2, 3, 4)
    # pixels (0, 0), (0, 1), (1, 0), (1, 1) of the first cell
    assert foreground[0, 0].tolist() == [0, 0, 0, 1]
    assert foreground[1, 1].tolist() == [1, 1, 0, 0]


def test_cells_of_an_image_that_is_no_multiple_of_the_grid_are_filled_up_with_zeros():
    assert to_cells(np.arange(1, 7).reshape(2, 3), (2, 2)).tolist() == [[[1, 2, 4, 5], [3, 0, 6, 0]]]


def test_pixels_near_a_boundary_count_more_and_ignored_ones_not_at_all():
    labels = np.zeros((30, 40), np.int32)
    labels[:, 20:30] = 1
    labels[:, 30:] = 2
    labels[0] = -1
    weight = make_targets(labels, n_rays=4, foreground=True).foreground_weight[..., 0]
    assert weight[0].max() == 0
    row = weight[15]
    assert (row[17:23] == NEAR_BOUNDARY).all()
    # between touching objects the foreground goes on
    assert (row[:17] == 1).all()
    assert (row[23:] == 1).all()


def test_object_balance_one_gives_each_object_the_same_total_weight():
    labels = touching()
    labels[3:9, 8:10] = 1
    total = [make_targets(labels, n_rays=4, object_balance=1).object_weight[labels == i].sum() for i in (1, 2)]
    np.testing.assert_allclose(total[0], total[1], rtol=1e-6)
    even = make_targets(labels, n_rays=4, object_balance=0).object_weight
    np.testing.assert_allclose(even, 1)


def test_classes_are_one_hot_and_unknown_ones_all_zero():
    targets = make_targets(touching(), n_rays=4, classes=np.array([0, 2, 0]), n_classes=2)
    assert targets.classes[0, 0].tolist() == [1, 0, 0]
    assert targets.classes[5, 4].tolist() == [0, 0, 1]
    assert targets.classes[5, 10].tolist() == [0, 0, 0]


def test_background_alone_gives_zero_targets():
    targets = make_targets(np.zeros((8, 8), int), n_rays=4, object_balance=0.5)
    assert not targets.probability.any()
    assert not targets.distances.any()
    assert (targets.object_weight == 1).all()
