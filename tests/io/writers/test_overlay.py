from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from starpoly.errors import ImageError
from starpoly.images import display
from starpoly.io.readers.images import read_image
from starpoly.io.writers.overlay import draw_overlay, write_overlay

LABELS = np.zeros((20, 24), np.uint16)
LABELS[4:10, 5:11] = 1
LABELS[10:16, 5:11] = 70  # touches 1
LABELS[0:3, 20:24] = 3  # at the border


def test_outlines_lie_inside_their_objects():
    picture = draw_overlay(np.zeros(LABELS.shape, np.uint8), LABELS)
    coloured = picture.any(axis=2)
    assert picture.dtype == np.uint8
    assert not coloured[LABELS == 0].any()
    assert coloured[4, 5:11].all()
    assert coloured[9, 5:11].all()
    assert coloured[10, 5:11].all()
    assert not coloured[6:8, 7:9].any()


def test_colours_depend_on_the_id_alone():
    image = np.random.default_rng(0).integers(0, 99, LABELS.shape)
    one, other = draw_overlay(image, LABELS), draw_overlay(image, np.flipud(LABELS))
    np.testing.assert_array_equal(one[4, 5], np.flipud(other)[4, 5])
    assert (one[4, 5] != one[15, 5]).any()


@pytest.mark.parametrize("level", [0, 255])
def test_outlines_stand_out_on_dark_and_bright(level):
    picture = draw_overlay(np.full((*LABELS.shape, 3), level, np.uint8), LABELS).astype(int)
    background = picture[-1, -1]
    assert abs(picture[4, 5] - background).max() > 60


@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(0).normal(size=LABELS.shape),
        np.random.default_rng(0).integers(0, 4000, (*LABELS.shape, 2)),
        np.random.default_rng(0).integers(0, 4000, (*LABELS.shape, 5)),
        np.full(LABELS.shape, np.nan),
        np.eye(*LABELS.shape, dtype=bool),
    ],
)
def test_any_image_can_be_drawn(image):
    assert draw_overlay(image, LABELS).shape == (20, 24, 3)


def test_rgb_keeps_its_colours():
    image = np.zeros((30, 30, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = np.mgrid[:30, :30][0] * 8, 100, 50
    picture = draw_overlay(image, np.zeros((30, 30), int)).astype(int)
    assert (picture[..., 1] > picture[..., 2]).all()


def test_large_images_are_reduced():
    labels = np.zeros((50, 101), int)
    assert draw_overlay(labels, labels, max_side=50).shape == (17, 34, 3)


def test_writes_a_png(tmp_path):
    image = np.random.default_rng(0).normal(size=LABELS.shape)
    write_overlay(tmp_path / "o.png", image, LABELS)
    np.testing.assert_array_equal(read_image(tmp_path / "o.png"), draw_overlay(image, LABELS))
    with pytest.raises(ImageError, match="one size"):
        write_overlay(tmp_path / "p.png", image[1:], LABELS)
    with pytest.raises(ImageError, match="cannot be written"):
        write_overlay(tmp_path / "missing" / "p.png", image, LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["o.png"]


@pytest.mark.parametrize("channels", [(), (2,), (3,), (5,)])
def test_bands_do_not_matter(monkeypatch, channels):
    image = np.random.default_rng(0).integers(0, 4000, (*LABELS.shape, *channels))
    whole = draw_overlay(image, LABELS)
    monkeypatch.setattr(display, "_AT_ONCE", 50)
    np.testing.assert_array_equal(draw_overlay(image, LABELS), whole)


def test_memory_is_little_more_than_the_picture():
    image = np.zeros((2000, 2000, 3), np.uint8)
    image[::7] = 99
    labels = np.kron(np.arange(1, 10001, dtype=np.uint16).reshape(100, 100), np.ones((20, 20), np.uint16))
    tracemalloc.start()
    picture = draw_overlay(image, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * picture.nbytes + 20e6
