"""Pseudo-labels: what is sure becomes a label, what is doubtful is ignored, the rest is background."""

from __future__ import annotations

import numpy as np

from starpoly.polygons import StarPolygons
from starpoly.training.pseudo_labels import pseudo_labels

from support.examples import stars
from support.painted import model_that_finds

SHAPE = (30, 40)


def label(polygons: StarPolygons, score: float = 0.6, background: float = 0.1, **settings):
    return pseudo_labels(model_that_finds(polygons, **settings), np.zeros(SHAPE), score, background)


def test_sure_objects_doubtful_objects_and_background():
    found = label(stars((8, 8, 5), (20, 30, 5), (22, 8, 3), probabilities=[0.3, 0.9, 0.7]))
    assert found.n_objects == 2
    assert found.n_doubtful == 1
    assert found.labels.dtype == np.int32
    # in the order of the scores
    assert found.labels[20, 30] == 1
    assert found.labels[22, 8] == 2
    assert found.labels[8, 8] == -1
    assert found.labels[0, 39] == 0
    assert np.unique(found.labels).tolist() == [-1, 0, 1, 2]


def test_what_is_at_most_background_is_background():
    found = label(stars((8, 8, 5), probabilities=[0.05]))
    assert not found.labels.any()
    assert not found.n_objects


def test_pixels_of_suppressed_candidates_are_ignored_where_no_object_covers_them():
    # the second lies half in the first, which suppresses it; its centre looks out
    found = label(stars((10, 10, 6), (10, 17, [1, 2, 3, 8, 8, 8, 3, 2]), probabilities=[0.9, 0.4]))
    assert found.n_doubtful == 0
    assert found.labels[10, 17] == -1
    assert found.labels[10, 18] == 0


def test_a_point_of_the_grid_stands_for_its_neighbours():
    found = label(stars((10, 10, 6), (10, 18, [1, 2, 3, 9, 9, 9, 3, 2]), probabilities=[0.9, 0.4]), grid=(2, 2))
    assert (found.labels[9:12, 17:20] == -1).all()
    assert found.labels[10, 20] == 0


def test_a_piece_that_was_cut_off_is_ignored():
    across = [14, 2.8, 2, 2.8, 14, 2.8, 2, 2.8]
    upright = [2, 2.8, 14, 2.8, 2, 2.8, 14, 2.8]
    found = label(stars((15, 24, across), (15, 20, upright), probabilities=[0.8, 0.9]))
    assert found.n_objects == 2
    assert found.labels[15, 20] == 1
    assert found.labels[15, 28] == 2
    assert found.labels[15, 14] == -1


def test_a_class_is_known_only_if_it_is_sure():
    two = stars((8, 8, 5), (20, 30, 5), probabilities=[0.9, 0.8])
    classes = np.array([[0.1, 0.05, 0.85], [0.1, 0.5, 0.4]], np.float32)
    found = label(StarPolygons(two.points, two.distances, two.probabilities, classes))
    assert found.classes is not None
    assert found.classes.tolist() == [0, 2, 0]


def test_nothing_found():
    found = label(StarPolygons.empty(8))
    assert not found.labels.any()
    assert found.classes is None
    assert label(StarPolygons.empty(8, n_classes=2)).classes.tolist() == [0]
