"""The lattice: cores partition the image, every window sees enough, and the answer needs no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ConfigError
from starpoly.tiling import Box, area, cut, cut_along, plan_tiles, some_of

import reference

lengths = st.integers(1, 700)
strides = st.sampled_from([1, 2, 8, 16, 32])


sides = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(height=lengths, width=lengths, stride=strides, halo=sides, tile_size=st.integers(1, 300))
def test_cores_partition_the_image_and_windows_hold_their_halo(height, width, stride, halo, tile_size):
    plan = plan_tiles((height, width), stride=(stride, stride), halo=(halo, halo), tile_size=tile_size)
    before, after = halo
    owners = np.zeros((height, width), int)
    for tile in plan:
        owners[tile.core.slices] += 1
        assert tile.read.shape == plan.window
        assert all(start % stride == 0 for start in (tile.read.y0, tile.read.x0, *plan.window))
        # a window's edge is the image's own border, or a halo away from what the tile answers for
        assert tile.read.y0 == 0 or tile.core.y0 - tile.read.y0 >= before
        assert tile.read.x0 == 0 or tile.core.x0 - tile.read.x0 >= before
        assert tile.read.y1 >= height or tile.read.y1 - tile.core.y1 >= after
        assert tile.read.x1 >= width or tile.read.x1 - tile.core.x1 >= after
        assert tile.core.y0 % stride == tile.core.x0 % stride == 0
        assert tile.read.y1 - height < stride
        assert tile.read.x1 - width < stride
    assert (owners == 1).all()


def test_small_image_is_one_tile_extended_to_the_stride():
    plan = plan_tiles((250, 300), stride=(16, 16), halo=(90, 90))
    assert len(plan) == 1
    (tile,) = plan
    assert tile.read == Box(0, 0, 256, 304)
    assert tile.core == Box(0, 0, 250, 300)


def test_tiles_are_asked_for_by_number_and_by_part():
    tiles = plan_tiles((300, 200), stride=(8, 8), halo=(8, 8), tile_size=64).tiles
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    assert (tiles[2], tiles[-1], tiles[1:3]) == (list(tiles)[2], list(tiles)[-1], tuple(tiles)[1:3])
    with pytest.raises(IndexError):
        tiles[len(tiles)]


@pytest.mark.parametrize("kind", [tuple, lambda tiles: tiles])
def test_some_tiles_are_asked_about_once_and_stay_in_order(kind):
    tiles = kind(plan_tiles((300, 200), stride=(8, 8), halo=(8, 8), tile_size=64).tiles)
    asked = []
    some = some_of(tiles, lambda tile: asked.append(tile.index) or tile.index % 3 == 1)
    assert asked == list(range(len(tiles)))
    assert list(some) == [tile for tile in tiles if tile.index % 3 == 1]
    assert some[1:3] == tuple(some)[1:3]
    assert list(some_of(some, lambda tile: tile.index > 1)) == list(some)[1:]


@given(height=lengths, width=lengths, stride=strides, halo=sides, tile_size=st.integers(1, 300))
def test_no_other_windows_of_the_allowed_size_read_less(height, width, stride, halo, tile_size):
    plan = plan_tiles((height, width), stride=(stride, stride), halo=(halo, halo), tile_size=tile_size)
    least = reference.fewest_pixels_read((height, width), stride, halo, tile_size**2)
    if least is None:  # even the smallest windows are larger
        assert min(plan.window) <= max(sum(halo) + 4 * stride, 1)
    else:
        assert plan.window[0] * plan.window[1] <= tile_size**2
        assert len(plan) * plan.window[0] * plan.window[1] == least
        assert plan.excess == least / (height * width) - 1


def test_windows_are_no_larger_than_needed():
    plan = plan_tiles((1100, 1100), stride=(16, 16), halo=(96, 96), tile_size=1024)
    assert len(plan) == 2
    assert plan.window == (656, 1104)


def test_long_image_is_one_tile_if_its_area_allows():
    assert len(plan_tiles((300, 2500), stride=(16, 16), halo=(96, 96), tile_size=1024)) == 1


def test_tile_smaller_than_two_halos_grows():
    plan = plan_tiles((1000, 1000), stride=(16, 16), halo=(100, 100), tile_size=64)
    assert plan.window == (2 * 112 + 16,) * 2


@pytest.mark.parametrize("shape", [(0, 5), (5, -1)])
def test_empty_image_is_refused(shape):
    with pytest.raises(ConfigError, match="positive"):
        plan_tiles(shape, stride=(1, 1), halo=(0, 0))


def test_box_clips_to_the_image():
    assert Box(-3, 2, 9, 40).clip((8, 30)) == Box(0, 2, 8, 30)


@pytest.mark.parametrize(("shape", "size"), [((7, 10), 4), ((8, 4), 4), ((3, 3), 9)])
def test_squares_partition_the_area(shape, size):
    seen = np.zeros(shape, int)
    for box in cut(shape, size):
        assert max(box.shape) <= size
        seen[box.slices] += 1
    assert (seen == 1).all()


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    block=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    origin=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    most=st.integers(1, 2000),
)
def test_blocks_are_read_one_after_the_other(shape, block, origin, most):
    times, left = np.zeros(shape, int), set()
    for box in cut_along(shape, block, most, origin=origin):
        assert 0 < area(box) <= most
        times[box.slices] += 1
        corners = np.indices(box.shape).reshape(2, -1).T + np.array([box.y0, box.x0]) + origin
        blocks = set(map(tuple, np.unique(corners // block, axis=0).tolist()))
        if block[0] * block[1] <= most:  # whole blocks
            assert not blocks & left
        left |= blocks
    assert (times == 1).all()


def test_a_block_that_is_too_large_is_finished_before_the_next():
    boxes = list(cut_along((20, 40), (10, 20), 60))
    blocks = [(box.y0 // 10, box.x0 // 20) for box in boxes]
    assert blocks == sorted(blocks)
    assert all(box.y1 <= 10 * (box.y0 // 10 + 1) and box.x1 <= 20 * (box.x0 // 20 + 1) for box in boxes)


def test_a_plan_tells_its_size_in_one_line():
    plan = plan_tiles((300, 200), stride=(8, 8), halo=(8, 8), tile_size=128)
    height, width = plan.window
    assert repr(plan) == f"TilePlan({len(plan)} tiles of {height} x {width} px over 300 x 200 px)"
