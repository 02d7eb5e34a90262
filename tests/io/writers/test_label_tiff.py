from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.errors import ImageError
from starpoly.io.readers.labels import read_labels
from starpoly.io.writers import label_tiff as module
from starpoly.io.writers.label_tiff import write_label_tiff

from support.sinks import ArrayLabels, FullDisk, file_size_limit, slide


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "TILE", 16)
    monkeypatch.setattr(module, "_SMALLEST_LEVEL", 20)
    monkeypatch.setattr(module, "_AT_ONCE", 2048)


def test_levels_are_strided_pixels_in_tiles(tmp_path):
    lazy = slide()
    whole = lazy[:, :]
    write_label_tiff(tmp_path / "a.ome.tiff", lazy)
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        assert file.is_ome
        assert len(file.series) == 1
        levels = file.series[0].levels
        assert [level.shape for level in levels] == [(70, 90), (35, 45), (18, 23), (9, 12)]
        for index, level in enumerate(levels):
            page = level.keyframe
            assert page.is_tiled
            assert page.compression.name == "ADOBE_DEFLATE"
            assert page.predictor == 2
            assert page.dtype == np.uint16
            np.testing.assert_array_equal(level.asarray(), whole[:: 2**index, :: 2**index])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.ome.tiff"), whole)


def test_no_pyramid_where_none_is_wanted(tmp_path):
    write_label_tiff(tmp_path / "a.tiff", slide(), pyramid=False)
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert len(file.series[0].levels) == 1


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 1), (20, 40)])
def test_small_and_odd_shapes(tmp_path, shape):
    labels = np.arange(1, 1 + shape[0] * shape[1], dtype=np.uint32).reshape(shape) + 70_000
    write_label_tiff(tmp_path / "a.tiff", ArrayLabels(labels))
    read = read_labels(tmp_path / "a.tiff")
    assert read.dtype == np.uint32
    np.testing.assert_array_equal(read, labels)


def test_very_large_ones_are_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BIG_FROM", 100)
    write_label_tiff(tmp_path / "a.tiff", slide())
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.series[0].asarray(), slide()[:, :])


def test_pixel_size_is_said_twice(tmp_path):
    write_label_tiff(tmp_path / "a.ome.tiff", slide(), pixel_size=(0.5, 0.25))
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        page = file.pages[0]
        assert page.resolutionunit == 3
        np.testing.assert_allclose(page.resolution, (40_000, 20_000))
        assert 'PhysicalSizeX="0.25"' in file.ome_metadata
        assert 'PhysicalSizeY="0.5"' in file.ome_metadata
        np.testing.assert_allclose(page.pages[0].resolution, (20_000, 10_000))


def test_equal_labels_give_equal_bytes(tmp_path):
    for name, size in (("a.tiff", 0.5), ("b.tiff", np.float32(0.5))):
        write_label_tiff(tmp_path / name, slide(), pixel_size=(size, size))
    assert (tmp_path / "a.tiff").read_bytes() == (tmp_path / "b.tiff").read_bytes()


def test_regions_are_pulled_a_tile_at_a_time(tmp_path):
    labels = ArrayLabels(slide()[:, :])
    write_label_tiff(tmp_path / "a.tiff", labels)
    assert max(labels.asked) == (16, 16)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.tiff"
    path.write_text("old")
    with pytest.raises(ImageError, match=r"a\.tiff: cannot be written \(No space left on device\); free space"):
        write_label_tiff(path, FullDisk(slide(), after=5))
    with file_size_limit(1500), pytest.raises(ImageError, match=r"a\.tiff: cannot be written"):
        write_label_tiff(path, slide())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_text() == "old"


def test_what_are_no_labels_is_refused(tmp_path):
    with pytest.raises(ImageError, match="expected labels"):
        write_label_tiff(tmp_path / "a.tiff", ArrayLabels(np.zeros((3, 3), np.int32)))
    with pytest.raises(ImageError, match="pixel sizes"):
        write_label_tiff(tmp_path / "a.tiff", slide(), pixel_size=(0, 1))
    with pytest.raises(ImageError, match=r"cannot be written \(No such file"):
        write_label_tiff(tmp_path / "no" / "a.tiff", slide())
    assert not list(tmp_path.iterdir())
