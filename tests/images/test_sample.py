"""The part of an image that stands for it."""

from __future__ import annotations

from starpoly.images.sample import middle


def test_middle_of_a_large_image():
    assert middle((3000, 500)).shape == (1024, 500)
    assert middle((3000, 500)).y0 == 988
