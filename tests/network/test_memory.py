"""The window that fits into an amount of memory."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import NetworkConfig
from starpoly.network.memory import BASELINE_BYTES, tile_size_within, usual_tile_size, window_bytes
from starpoly.parallel import limit_malloc_arenas, trim_malloc

NETWORK = NetworkConfig()


@pytest.mark.parametrize("gigabytes", [1.2, 1.5, 2, 4])
def test_window_fits_and_the_next_larger_does_not(gigabytes):
    memory = int(gigabytes * 2**30)
    side = tile_size_within(memory, NETWORK)
    assert BASELINE_BYTES + window_bytes(NETWORK, (side, side)) <= memory or side == 128
    assert BASELINE_BYTES + window_bytes(NETWORK, (side + 64, side + 64)) > memory or side == 4096


def test_window_has_a_least_and_a_greatest_side():
    assert tile_size_within(1, NETWORK) == 128
    assert tile_size_within(1 << 40, NETWORK) == 4096


def test_wanted_side_is_not_exceeded():
    assert tile_size_within(1 << 40, NETWORK, 512) == 512


def test_finer_grid_takes_more():
    fine = NetworkConfig(grid=(1, 1), stem="conv")
    assert window_bytes(fine, (512, 512)) > window_bytes(NETWORK, (512, 512))


def test_bfloat16_takes_less_and_so_the_usual_window_is_larger():
    assert window_bytes(NETWORK, (512, 512), "bfloat16") < window_bytes(NETWORK, (512, 512))
    assert usual_tile_size(NETWORK, "bfloat16") > usual_tile_size(NETWORK)


def test_usual_window_keeps_to_its_bounds():
    assert usual_tile_size(NetworkConfig(grid=(1, 1), stem="conv", base_filters=128)) == 1024
    assert usual_tile_size(NetworkConfig(base_filters=8)) == 2688


def test_giving_back_what_is_free_and_sharing_heaps_changes_nothing():
    held = np.arange(1 << 20)
    trim_malloc()
    limit_malloc_arenas()
    assert held.sum() == (1 << 19) * ((1 << 20) - 1)


@pytest.mark.parametrize("network", [NETWORK, NetworkConfig(grid=(1, 1), stem="conv", base_filters=64)])
def test_usual_window_fits_a_small_gpu_with_room_to_spare(network):
    side = usual_tile_size(network)  # what is not said to be on a processor is in float32
    assert window_bytes(network, (side, side)) < 10e9 / 3
