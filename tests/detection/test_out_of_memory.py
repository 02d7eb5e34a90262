"""Windows that the device's memory does not hold: halved, the same answer, said once."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from starpoly.config import Thresholds
from starpoly.detection.out_of_memory import SplitOnOutOfMemory
from starpoly.detection.pipeline import detect, predict_map
from starpoly.errors import StarpolyError, StarpolyWarning

from support.painted import Painted, disks, identity, paint


class Small(Painted):
    """A painted network on a device that holds windows of up to ``most`` pixels a side."""

    def __init__(self, most: int, **settings):
        super().__init__(**settings)
        self.most = most

    def __call__(self, batch):
        if max(batch.shape[1:3]) > self.most:
            raise MemoryError
        return super().__call__(batch)


@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("shape", [(96, 64), (64, 64), (100, 140)])
def test_answer_in_parts_is_that_in_one(shape, grid):
    window = paint(disks(shape, seed=1))
    whole = SplitOnOutOfMemory(Painted(grid=grid))(window)
    with pytest.warns(StarpolyWarning, match="does not hold a window"):
        parts = SplitOnOutOfMemory(Small(40, grid=grid))(window)
    np.testing.assert_array_equal(parts.probability, whole.probability)
    np.testing.assert_array_equal(parts.distances, whole.distances)


def test_classes_come_along():
    window = paint(disks((64, 64), seed=1))
    with pytest.warns(StarpolyWarning):
        parts = SplitOnOutOfMemory(Small(32, n_classes=1))(window)
    np.testing.assert_array_equal(parts.classes, SplitOnOutOfMemory(Painted(n_classes=1))(window).classes)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_size_that_fitted_is_kept_for_later_windows():
    network = Small(40)
    halving = SplitOnOutOfMemory(network)
    window = paint(disks((96, 96), seed=1))
    halving(window)
    n_calls = len(network.windows)
    halving(window)
    assert len(network.windows) == 2 * n_calls
    assert max(max(shape[1:3]) for shape in network.windows) <= 40


def test_every_step_down_is_said_once():
    halving = SplitOnOutOfMemory(Small(30))
    window = paint(disks((128, 128), seed=1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        halving(window)
        halving(window)
    sides = [re.findall(r"\d+", str(warning.message))[-2:] for warning in said]
    areas = [int(height) * int(width) for height, width in sides]
    assert areas == sorted(set(areas), reverse=True)
    assert areas[-1] <= 30 * 30


def test_no_memory_for_the_smallest_window_is_an_error_that_says_what_to_do():
    window = paint(disks((64, 64), seed=1))
    with pytest.warns(StarpolyWarning), pytest.raises(StarpolyError, match="free memory on the device"):
        SplitOnOutOfMemory(Small(0))(window)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_detection_goes_on_to_the_same_objects():
    image = paint(disks((150, 130), seed=4))
    expected = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=64)
    found = detect(image, Small(40), identity(), Thresholds(0.3, 0.4), tile_size=64)
    assert len(expected.polygons) > 3
    np.testing.assert_array_equal(found.polygons.points, expected.polygons.points)
    np.testing.assert_array_equal(found.polygons.distances, expected.polygons.distances)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_maps_are_the_same():
    image = paint(disks((90, 70), seed=2))
    expected = predict_map(image, Painted(), identity())
    np.testing.assert_array_equal(predict_map(image, Small(40), identity()).distances, expected.distances)
