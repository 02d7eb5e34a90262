"""How far masks follow the foreground is chosen by what it brings."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import MaskGrowth, Thresholds
from starpoly.training.data import array_pairs
from starpoly.training.growth import DISTANCES, LEVELS, tune_growth

from support.painted import PaintedModel, paint

THRESHOLDS = Thresholds(0.3, 0.4)


def arch(shape=(40, 44)) -> np.ndarray:
    """One object that no star can hold."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ring = np.hypot(y - 18, x - 18)
    return ((ring > 8) & (ring < 15) & ~((y > 18) & (np.abs(x - 18) < 5))).astype(np.int32)


def seen_once(labels: np.ndarray, *centres: tuple[int, int]) -> np.ndarray:
    image = paint(labels)
    image[..., 0] *= 0.1
    for centre in centres:
        image[centre][0] = 0.9
    return image


def test_masks_are_to_follow_what_stars_do_not_reach(caplog):
    pairs = array_pairs([seen_once(arch(), (18, 7))], [arch()])
    with caplog.at_level("INFO", "starpoly"):
        growth = tune_growth(PaintedModel(has_foreground=True), pairs, THRESHOLDS, (0.5, 0.9), progress=False)
    # of those that are good enough the shortest, on the surest foreground
    assert growth == MaskGrowth(16, LEVELS[0])
    assert f"with masks grown by 16 px where the foreground is above {LEVELS[0]:g} " in caplog.text


def test_masks_of_stars_stay():
    disk = (np.hypot(*np.mgrid[-20:20, -20:20]) < 9).astype(np.int32)
    model = PaintedModel(has_foreground=True)
    assert tune_growth(model, array_pairs([paint(disk)], [disk]), THRESHOLDS, (0.5,), progress=False) == MaskGrowth()


def test_what_takes_a_missed_neighbour_is_not_chosen():
    pair = np.zeros((30, 60), np.int32)
    pair[5:25, 5:28], pair[5:25, 28:50] = 1, 2
    image = seen_once(pair, (15, 16))
    model = PaintedModel(has_foreground=True)
    assert tune_growth(model, array_pairs([image], [pair]), THRESHOLDS, (0.5, 0.9), progress=False) == MaskGrowth()


def test_without_foreground_there_is_nothing_to_choose():
    assert tune_growth(PaintedModel(), [], THRESHOLDS, (0.5,)) == MaskGrowth()


@pytest.mark.parametrize("grid", [DISTANCES, LEVELS])
def test_the_most_cautious_comes_first(grid):
    assert list(grid) == sorted(grid, reverse=grid is LEVELS)
