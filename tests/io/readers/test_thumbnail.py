from __future__ import annotations

import numpy as np
import pytest

from starpoly.io.readers import thumbnail
from starpoly.io.readers.images import open_source

IMAGE = np.random.default_rng(0).integers(0, 255, (53, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize("step", [1, 2, 4, 8, 64, 128])
@pytest.mark.parametrize(
    ("block", "offset"), [((1, 1), (0, 0)), ((16, 32), (0, 0)), ((10, 7), (3, 5)), ((100, 100), (0, 0))]
)
def test_every_kth_pixel_whatever_the_blocks(monkeypatch, step, block, offset):
    monkeypatch.setattr(thumbnail, "_AT_ONCE", 900)
    source = open_source(IMAGE)
    source.block, source.offset = block, offset
    np.testing.assert_array_equal(thumbnail.subsample(source, step), IMAGE[::step, ::step])
