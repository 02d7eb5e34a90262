"""A label file names the content of its image, and says so without being opened as a picture."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import tifffile

from starpoly.io.writers import label_tiff
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.origin import read_origin

from support.sinks import slide

ORIGIN = "0123456789abcdef" * 4


@pytest.mark.parametrize("largest_plain", [1 << 22, 0])
@pytest.mark.parametrize("pixel_size", [None, (0.5, 0.25)])
def test_the_content_is_read_back(tmp_path, monkeypatch, largest_plain, pixel_size):
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", largest_plain)
    path = tmp_path / "a_label.tiff"
    write_labels(path, slide(), pixel_size=pixel_size, origin=ORIGIN)
    assert read_origin(path) == ORIGIN
    np.testing.assert_array_equal(tifffile.imread(path), slide()[:, :])


def test_labels_of_an_array_name_nothing(tmp_path):
    write_labels(tmp_path / "a.tif", np.ones((4, 5), int))
    assert read_origin(tmp_path / "a.tif") is None


def test_what_is_no_label_file_names_nothing(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"starpoly image 0123")
    assert read_origin(tmp_path / "a.tif") is None
    assert read_origin(tmp_path) is None
    assert read_origin(tmp_path / "none.tif") is None
    assert read_origin(tmp_path / ("x" * 300)) is None


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tif")
    assert read_origin(tmp_path / "a.tif") is None
