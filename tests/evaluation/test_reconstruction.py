"""What polygons can hold: everything of a disc, little of a ring; and the advice that follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.errors import DataError
from starpoly.evaluation.reconstruction import reconstruct, reconstruction_scores
from starpoly.training.advice import advise

from support.examples import LABELS, with_discs


def test_discs_are_held_well_and_better_by_more_rays():
    labels = with_discs((80, 80), (20, 20, 12), (50, 55, 18))
    few, many = reconstruction_scores([labels], (8, 32))
    assert few.mean_iou < many.mean_iou
    assert many.mean_iou > 0.95
    assert many.scores[0].tp == 2


def test_a_ring_is_not():
    ring = with_discs((40, 40), (20, 20, 15)) - with_discs((40, 40), (20, 20, 12))
    (score,) = reconstruction_scores([ring], (32,), thresholds=(0.5,))
    assert (score.scores[0].tp, score.scores[0].fn) == (0, 1)


def test_polygons_are_around_the_innermost_pixel():
    drawn, polygons = reconstruct(with_discs((40, 50), (20, 30, 9)), 16)
    assert polygons.points.tolist() == [[20, 30]]
    assert drawn[20, 30] == 1


@pytest.mark.parametrize("name", ["one_pixel", "full", "touching", "border_cut", "large_ids", "two_parts"])
def test_every_object_gets_a_polygon(name):
    labels = np.unique(LABELS[name], return_inverse=True)[1].reshape(LABELS[name].shape)
    _, polygons = reconstruct(labels, 8)
    assert len(polygons) == labels.max()


def test_nothing_to_reconstruct():
    assert len(reconstruct(LABELS["empty"])[1]) == 0
    with pytest.raises(DataError, match="background alone"):
        reconstruction_scores([LABELS["empty"]])


def test_advice_follows_the_objects():
    small = advise([with_discs((60, 60), *[(y, x, 3) for y in range(6, 60, 12) for x in range(6, 60, 12)])])
    assert small.grid == (2, 2)
    assert small.scale == 2
    assert small.n_rays <= 32
    large = advise([with_discs((300, 300), (100, 100, 60), (200, 230, 60))])
    assert large.scale == 0.5
    assert large.grid == (4, 4)
    middle = advise([-LABELS["one_pixel"], with_discs((100, 100), (30, 30, 12), (70, 70, 12))])
    assert (middle.scale, middle.grid) == (1, (4, 4))
    assert middle.patch_size[0] % 32 == 0
    assert "2 objects, 23.7" in str(middle)
