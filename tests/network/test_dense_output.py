"""Answers of a network: named arrays, put together from windows."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.network.dense_output import DenseOutput
from starpoly.network.grid_cells import to_cells, to_pixels
from starpoly.tiling import core_on_grid, plan_tiles

from support.painted import Painted


def test_a_head_that_the_network_lacks_is_none():
    output = DenseOutput(probability=np.zeros((2, 3)), distances=np.zeros((2, 3, 8)), classes=None)
    assert list(output.arrays) == ["probability", "distances"]
    assert output.classes is None
    assert output.foreground_pixels((2, 2)) is None
    assert repr(output) == "DenseOutput(probability: (2, 3), distances: (2, 3, 8))"


def test_the_only_window_of_a_batch():
    batch = DenseOutput(probability=np.arange(6.0).reshape(1, 2, 3), added=np.ones((1, 2, 3, 5)))
    one = DenseOutput.of_one(batch)
    assert one.probability.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert one.arrays["added"].shape == (2, 3, 5)


@pytest.mark.parametrize("grid", [(1, 1), (2, 4)])
def test_windows_put_together_give_the_whole(grid, rng):
    network = Painted(grid=grid, stride=(4, 4), has_foreground=True)
    shape = (37, 50)
    rows, columns = -(-shape[0] // grid[0]), -(-shape[1] // grid[1])
    whole = {"probability": rng.random((rows + 20, columns + 20)), "added": rng.random((rows + 20, columns + 20, 3))}
    output = DenseOutput.empty(shape, network)
    for tile in plan_tiles(shape, stride=(4, 4), halo=(4, 4), tile_size=20):
        window = tuple(
            slice(part.start // step, part.stop // step) for part, step in zip(tile.read.slices, grid, strict=True)
        )
        part = DenseOutput(**{name: values[window] for name, values in whole.items()})
        output.put(part, *core_on_grid(tile, grid))
    for name, values in whole.items():
        np.testing.assert_array_equal(output.arrays[name], values[:rows, :columns])


def test_an_answer_is_pickled(rng):
    output = DenseOutput(probability=rng.random((2, 3)), distances=rng.random((2, 3, 8)))
    again = pickle.loads(pickle.dumps(output))
    np.testing.assert_array_equal(again.distances, output.distances)


@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    grid=st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2])),
)
def test_pixels_come_back_from_cells(rows, columns, grid):
    pixels = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    cells = to_cells(pixels, grid)
    assert cells.shape == (-(-rows // grid[0]), -(-columns // grid[1]), grid[0] * grid[1])
    np.testing.assert_array_equal(to_pixels(cells, grid)[:rows, :columns], pixels)
