"""Advice takes label images as Python has them."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.errors import DataError, ImageTypeError
from starpoly.io.writers.label_tiff import write_labels
from starpoly.training import advise

from support.examples import with_discs

LABELS = with_discs((96, 96), (20, 20, 9), (60, 30, 12), (50, 70, 10))


def test_paths_and_masked_arrays_are_the_label_images(tmp_path):
    write_labels(tmp_path / "a.tif", LABELS)
    expected = advise([LABELS])
    for mask in (tmp_path / "a.tif", str(tmp_path / "a.tif"), np.ma.masked_array(LABELS, LABELS == 99)):
        assert str(advise([mask])) == str(expected)


@pytest.mark.parametrize("masks", [LABELS, "a.tif", 3])
def test_what_is_no_list_of_masks_is_refused(masks):
    with pytest.raises(DataError, match="masks: expected a list of arrays or paths, got "):
        advise(masks)


def test_what_is_no_label_image_is_refused():
    with pytest.raises(ImageTypeError, match=r"pass numpy\.asarray of it"):
        advise([LABELS.tolist()])
    with pytest.raises(DataError, match="expected label images"):
        advise([LABELS.astype(float)])
