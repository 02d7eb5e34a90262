"""Images at another size: never held, and the same wherever they are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from starpoly.images.rescaling import Rescaled

import reference

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("factor", [2, 1.3, 1.0])
def test_enlarged_is_linear_interpolation_with_corners_on_corners(factor):
    image = RNG.random((7, 9, 2)).astype(np.float32)
    enlarged = Rescaled(image, factor)
    y, x = ((np.arange(n) + 0.5) / factor - 0.5 for n in enlarged.shape[:2])
    expected = [
        ndimage.map_coordinates(image[..., c], np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")
        for c in (0, 1)
    ]
    np.testing.assert_allclose(enlarged[0:99, 0:99], np.stack(expected, -1), atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 0.37, 1.6])
def test_agrees_with_its_plain_twin(factor):
    image = RNG.random((11, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(Rescaled(image, factor)[0:99, 0:99], reference.rescaled(image, factor), atol=1e-5)


@pytest.mark.parametrize("factor", [0.2, 0.5, 0.8])
def test_a_smaller_image_leaves_no_pixel_out(factor):
    image = np.zeros((40, 40, 1), np.float32)
    image[17, 22] = 1
    small = Rescaled(image, factor)[0:40, 0:40]
    # what one pixel adds stays, spread over fewer pixels
    assert small.sum() / factor**2 == pytest.approx(1, rel=0.25)


@pytest.mark.filterwarnings("error")
def test_infinity_spreads_in_silence():
    image = np.ones((8, 8, 1), np.float32)
    image[3, 3] = np.inf
    assert not np.isfinite(Rescaled(image, 2.0)[0:16, 0:16]).all()


@given(st.data())
def test_any_region_is_the_crop_of_the_whole(data):
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    factor = data.draw(st.sampled_from([2, 0.4, 1.7, 3]))
    image = RNG.integers(0, 255, (height, width, 1)).astype(np.uint8)
    rescaled = Rescaled(image, factor)
    rows, columns = rescaled.shape[:2]
    y0, x0 = data.draw(st.integers(0, rows)), data.draw(st.integers(0, columns))
    y1, x1 = data.draw(st.integers(y0, rows)), data.draw(st.integers(x0, columns))
    whole = rescaled[0:rows, 0:columns]
    np.testing.assert_array_equal(rescaled[y0:y1, x0:x1], whole[y0:y1, x0:x1])
