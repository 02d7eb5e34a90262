"""An image with its labels to look at: what fits napari, and what is refused. The command is tested with `starpoly view`."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.io.readers.images import open_source
from starpoly.plot import viewer


def test_large_images_are_shown_by_every_kth_pixel(monkeypatch):
    image, labels = (open_source(np.zeros((100, 100), np.uint8)) for _ in range(2))
    assert viewer.step_for(image, labels) == 1
    monkeypatch.setattr(viewer, "MOST_BYTES", 5000)
    assert viewer.step_for(image, labels) == 2
    monkeypatch.setattr(viewer, "MOST_BYTES", 4000)
    assert viewer.step_for(image, labels) == 4


@pytest.mark.parametrize(
    ("image", "shape", "top"),
    [
        (np.full((4, 5, 1), 7, np.uint16), (4, 5), 7),
        (np.full((4, 5, 3), 255, np.uint8), (4, 5, 3), 255),
        (np.full((4, 5, 3), 65535, np.uint16), (4, 5, 3), 1.0),
    ],
)
def test_colour_is_as_napari_wants_it(image, shape, top):
    shown = viewer.as_plane(image)
    assert shown.shape == shape
    assert shown.max() == top
