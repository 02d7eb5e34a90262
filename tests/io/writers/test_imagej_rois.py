from __future__ import annotations

import sys

import numpy as np
import pytest

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io.writers.imagej_rois import write_rois
from starpoly.io.writers.rings import outlines
from starpoly.polygons import StarPolygons

from support.examples import stars
from support.sinks import SHAPE, cells, file_size_limit

roifile = pytest.importorskip("roifile")


def test_rois_are_the_outlines(tmp_path):
    write_rois(tmp_path / "a.zip", cells(), SHAPE)
    rois = roifile.roiread(tmp_path / "a.zip")
    assert [roi.name for roi in rois] == [f"{label:06d}" for label in range(1, 41)]
    for roi, ring in zip(rois, outlines(cells(), SHAPE), strict=True):
        assert roi.roitype == roifile.ROI_TYPE.POLYGON
        np.testing.assert_allclose(roi.coordinates(), ring, atol=1e-4)


def test_labels_name_the_rois(tmp_path):
    write_rois(tmp_path / "a.zip", stars((3, 3, 2), (9, 9, 2)), SHAPE, labels=[7, 1_234_567])
    assert [roi.name for roi in roifile.roiread(tmp_path / "a.zip")] == ["000007", "1234567"]


def test_no_polygons_are_an_empty_zip(tmp_path):
    write_rois(tmp_path / "a.zip", StarPolygons.empty(8), SHAPE)
    assert roifile.roiread(tmp_path / "a.zip") == []


def test_equal_polygons_give_equal_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_rois(tmp_path / name, cells(), SHAPE)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_large_images_come_with_a_warning(tmp_path):
    polygons = stars((3, 70_000, 2))
    with pytest.warns(StarpolyWarning, match="65535 pixels a side"):
        write_rois(tmp_path / "a.zip", polygons, (10, 80_000))
    (roi,) = [roifile.roiread(tmp_path / "a.zip")]
    ring = next(outlines(polygons, (10, 80_000)))
    np.testing.assert_allclose((roi[0] if isinstance(roi, list) else roi).subpixel_coordinates, ring, atol=0.01)


def test_polygons_outside_are_left_out_with_a_word(tmp_path):
    with pytest.warns(StarpolyWarning, match="1 polygons outside the image are left out"):
        write_rois(tmp_path / "a.zip", stars((3, 3, 2), (500, 3, 2)), SHAPE)


def test_labels_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ImageError, match="expected 1 integer labels"):
        write_rois(tmp_path / "a.zip", stars((3, 3, 2)), SHAPE, labels=[1, 2])


def test_a_full_disk_leaves_nothing(tmp_path):
    with file_size_limit(8192), pytest.raises(ImageError, match=r"a\.zip: cannot be written"):
        write_rois(tmp_path / "a.zip", cells(200), SHAPE)
    assert not list(tmp_path.iterdir())


def test_without_roifile_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "roifile", None)
    with pytest.raises(ImageError, match='got none; pip install "roifile'):
        write_rois(tmp_path / "a.zip", cells(), SHAPE)
