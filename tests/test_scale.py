"""Small objects are looked at enlarged: the image, the rule, and coordinates on the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from starpoly.errors import ConfigError
from starpoly.polygons import StarPolygons
from starpoly.scale import Enlarged, middle, typical_diameter

from painted import PaintedModel, disks, paint

RNG = np.random.default_rng(0)


def test_enlarged_is_linear_interpolation_with_corners_on_corners():
    image = RNG.random((7, 9, 2)).astype(np.float32)
    y, x = ((np.arange(2 * n) + 0.5) / 2 - 0.5 for n in (7, 9))
    expected = [
        ndimage.map_coordinates(image[..., c], np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest") for c in (0, 1)
    ]
    np.testing.assert_allclose(Enlarged(image)[0:14, 0:18], np.stack(expected, -1), atol=1e-6)


@given(st.data())
def test_any_region_is_the_crop_of_the_whole(data):
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    image = RNG.integers(0, 255, (height, width, 1)).astype(np.uint8)
    y0, x0 = data.draw(st.integers(0, 2 * height)), data.draw(st.integers(0, 2 * width))
    y1, x1 = data.draw(st.integers(y0, 2 * height)), data.draw(st.integers(x0, 2 * width))
    enlarged = Enlarged(image)
    whole = enlarged[0 : 2 * height, 0 : 2 * width]
    np.testing.assert_array_equal(enlarged[y0:y1, x0:x1], whole[y0:y1, x0:x1])


def test_typical_diameter_is_that_of_the_median_circle():
    circles = StarPolygons(np.zeros((3, 2)), np.array([[3.0], [5.0], [50.0]]) * np.ones((3, 8)), np.ones(3))
    assert typical_diameter(circles) == pytest.approx(10)
    assert typical_diameter(StarPolygons.empty(8)) == 0


def test_middle_of_a_large_image():
    assert middle((3000, 500)).shape == (1024, 500)
    assert middle((3000, 500)).y0 == 988


def test_the_model_enlarges_small_objects_and_gives_original_pixels(monkeypatch):
    image = paint(disks((80, 60), 0))
    seen = []
    for below in (0.0, 1.0, 100.0):
        model = PaintedModel()
        model.spec = model.spec.replace(enlarge_below=below)
        found = model.detect(image)
        seen.append(model._predictor.windows[-1][1:3])
        y, x = found.polygons.points.max(axis=0)
        assert y < 80
        assert x < 60
    assert seen == [(80, 60), (80, 60), (160, 120)]


def test_image_that_was_sampled_whole_is_not_looked_at_again():
    image = paint(disks((80, 60), 0))
    model = PaintedModel()
    plain = model.detect(image)
    model.spec = model.spec.replace(enlarge_below=1.0)
    model._predictor.windows.clear()
    again = model.detect(image)
    assert len(model._predictor.windows) == 1
    np.testing.assert_array_equal(again.polygons.points, plain.polygons.points)
    assert again.n_candidates == plain.n_candidates
    # other thresholds ask for a look of their own
    assert len(model.detect(image, prob_threshold=0.9).polygons) < len(plain.polygons)


def test_wanted_scale_is_taken_and_checked():
    image = paint(disks((80, 60), 0))
    model = PaintedModel()
    model.detect(image, scale=2)
    assert model._predictor.windows[-1][1:3] == (160, 120)
    with pytest.raises(ConfigError, match="1 or 2"):
        model.detect(image, scale=3)


def test_enlarged_in_tiles_equals_one_tile():
    image = paint(disks((70, 60), 3))
    first, second = (PaintedModel().predict_instances(image, scale=2, tile_size=size)[0] for size in (24, 4096))
    np.testing.assert_array_equal(first, second)
