"""Percentiles by counting against those of sorted values, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.errors import StarpolyWarning
from starpoly.images import percentiles
from starpoly.images.normalization import fit_normalizer
from starpoly.images.percentiles import summarize
from starpoly.io.readers.array import ArraySource

from support.elsewhere import elsewhere
from support.micrograph import micrograph

NUMBERS = [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float16, np.float32, np.float64]


@given(data=st.data(), dtype=st.sampled_from(NUMBERS), shares=st.tuples(st.floats(0, 49), st.floats(51, 100)))
@settings(max_examples=200, deadline=None)
def test_counted_percentiles_equal_those_of_sorted_values(data, dtype, shares):
    dtype = np.dtype(dtype)
    bounds = {"min_value": -1e4, "max_value": 1e4} if dtype.kind == "f" or dtype.itemsize > 4 else {}
    elements = hnp.from_dtype(dtype, **{name: dtype.type(value).item() for name, value in bounds.items()})
    image = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=elements))
    (summary,) = summarize(image, shares)
    # numpy rounds percentiles of float16 to float16
    expected = np.percentile(image.astype(np.float32 if image.dtype == np.float16 else np.float64), shares)
    np.testing.assert_allclose(summary.percentiles, expected, rtol=1e-6, atol=1e-9)
    assert (summary.minimum, summary.maximum) == (image.min(), image.max())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(40, 31), (40, 31, 3)])
def test_blocks_do_not_matter(monkeypatch, dtype, shape):
    image = micrograph(dtype, shape)
    whole = fit_normalizer(image)
    monkeypatch.setattr(percentiles, "_BLOCK_PIXELS", 100)
    monkeypatch.setattr(percentiles, "_COUNT_AT_ONCE", 30)
    assert fit_normalizer(image) == whole


class Watched(ArraySource):
    """An array stored in blocks that remembers which boxes were read, and of how many channels."""

    def __init__(self, array, block, offset=(0, 0)):
        super().__init__(array)
        self.block, self.offset = block, offset
        self.boxes = []

    def read(self, box, channels):
        self.boxes.append((box, tuple(channels)))
        return super().read(box, channels)


@pytest.mark.parametrize(
    ("dtype", "passes"), [(np.uint8, 1), (np.uint16, 1), (np.float32, 2), (np.int32, 2), (np.float64, 4)]
)
@pytest.mark.parametrize(
    ("block", "offset"), [((8, 16), (0, 0)), ((8, 16), (5, 11)), ((1, 96), (0, 0)), ((1, 1), (0, 0))]
)
def test_every_block_is_read_once_in_all_channels(monkeypatch, dtype, passes, block, offset):
    monkeypatch.setattr(percentiles, "_BLOCK_BYTES", 3 * 500 * np.dtype(dtype).itemsize)
    image = micrograph(dtype, (50, 96, 3))
    source = Watched(image, block, offset)
    assert fit_normalizer(source) == fit_normalizer(image)
    touched = np.zeros((8, 8) if block == (8, 16) else (50, 1), int)
    corners, blocks = source.boxes[:4], source.boxes[4:]
    assert all(box.shape == (1, 1) for box, _ in corners)
    for box, channels in blocks:
        assert channels == (0, 1, 2)
        assert box.shape[0] * box.shape[1] <= 500
        if block != (1, 1):
            rows, columns = (
                slice((start + origin) // size, (stop + origin - 1) // size + 1)
                for start, stop, origin, size in zip((box.y0, box.x0), (box.y1, box.x1), offset, block, strict=True)
            )
            touched[rows, columns] += 1
    assert block == (1, 1) or set(touched[touched > 0]) == {passes}
    assert sum(box.shape[0] * box.shape[1] for box, _ in blocks) == passes * 50 * 96


def test_a_wide_image_is_read_in_bounded_memory():
    class Wide:
        """Blocks of a thousand rows of a hundred thousand RGB pixels, which nobody could hold."""

        shape, dtype, block = (1024, 100_000, 3), np.dtype(np.uint8), (1024, 1024)

        def __init__(self):
            self.sizes = []

        def __getitem__(self, key):
            shape = tuple(part.stop - part.start for part in key)
            self.sizes.append(3 * shape[0] * shape[1])
            return np.zeros((1, 1, 3), np.uint8)

    image = Wide()
    with pytest.warns(StarpolyWarning):
        fit_normalizer(image)
    assert max(image.sizes) <= 1 << 24
    n_corners = 4
    assert sum(image.sizes) == 3 * (1024 * 100_000 + n_corners)


def test_percentiles_of_floats_are_exact_at_any_size():
    image = np.random.default_rng(0).lognormal(size=(1500, 1400)).astype(np.float32)
    low, high = np.percentile(image, (1, 99.8))
    normalizer = fit_normalizer(image)
    np.testing.assert_allclose((normalizer.low[0], normalizer.high[0]), (low, high), rtol=1e-6)


def test_memory_is_bounded():
    image = np.random.default_rng(0).random((3000, 3000), np.float32)
    tracemalloc.start()
    fit_normalizer(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_pieces_may_be_counted_elsewhere(monkeypatch, dtype):
    monkeypatch.setattr(percentiles, "_BLOCK_PIXELS", 64)
    monkeypatch.setattr(percentiles, "_TOGETHER", 3)
    image = (1000 * np.random.default_rng(0).normal(0, 3, (50, 41, 2))).astype(dtype)
    if np.dtype(dtype).kind == "f":
        image[3, 4:9, 1] = np.nan
    whole = summarize(image, (1.0, 99.8))
    assert summarize(ArraySource(image), (1.0, 99.8), run=elsewhere) == whole
    assert [channel.n_bad for channel in whole] == [0, 5 if np.dtype(dtype).kind == "f" else 0]
