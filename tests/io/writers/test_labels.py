from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.errors import ImageError
from starpoly.io.readers.images import read_pixel_size
from starpoly.io.readers.labels import read_labels
from starpoly.io.writers import label_tiff as module
from starpoly.io.writers.label_tiff import write_labels


@pytest.mark.parametrize(
    ("largest", "dtype"), [(0, np.uint16), (65_535, np.uint16), (65_536, np.uint32), (70_000, np.uint32)]
)
@pytest.mark.parametrize("given", [np.int32, np.int64, np.uint32])
def test_no_id_wraps(tmp_path, largest, dtype, given):
    labels = np.zeros((9, 11), given)
    labels[3, 4] = largest
    write_labels(tmp_path / "a_label.tiff", labels)
    read = read_labels(tmp_path / "a_label.tiff")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, labels)


def test_small_images_are_plain_zlib_and_large_ones_tiled(tmp_path, monkeypatch):
    labels = np.arange(40 * 30, dtype=np.int32).reshape(40, 30)
    for name, limit in (("small", 10_000), ("large", 100)):
        monkeypatch.setattr(module, "LARGEST_PLAIN", limit)
        write_labels(tmp_path / name, labels)
        with tifffile.TiffFile(tmp_path / name) as file:
            page = file.pages[0]
            assert page.compression.name == "ADOBE_DEFLATE"
            assert page.is_tiled == (name == "large")
            assert page.predictor == (2 if name == "large" else 1)
            np.testing.assert_array_equal(page.asarray(), labels)


def test_very_large_images_are_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BIG_FROM", 100)
    write_labels(tmp_path / "a.tiff", np.ones((20, 20), np.uint16))
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.is_bigtiff


def test_equal_labels_give_equal_bytes(tmp_path):
    for name, dtype in (("a.tiff", np.int32), ("b.tiff", np.uint64)):
        write_labels(tmp_path / name, np.eye(30, dtype=dtype))
    assert (tmp_path / "a.tiff").read_bytes() == (tmp_path / "b.tiff").read_bytes()


@pytest.mark.parametrize(
    "labels",
    [np.zeros((3, 3)), np.zeros((3, 3, 1), int), np.zeros((0, 3), int), np.full((3, 3), -1), np.full((3, 3), 2**32)],
)
def test_what_are_no_labels_is_refused(tmp_path, labels):
    with pytest.raises(ImageError, match="expected"):
        write_labels(tmp_path / "a.tiff", labels)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.tiff"
    path.write_text("old")

    def full_disk(temporary, *args, **options):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full_disk)
    with pytest.raises(ImageError, match=r"a\.tiff: cannot be written \(No space left on device\)"):
        write_labels(path, np.ones((3, 3), int))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_text() == "old"


def test_the_size_of_a_pixel_is_written_as_resolution(tmp_path):
    labels = np.eye(30, dtype=np.uint16)
    write_labels(tmp_path / "a.tiff", labels, pixel_size=(0.25, 0.5))
    assert read_pixel_size(tmp_path / "a.tiff") == pytest.approx((0.25, 0.5))
    write_labels(tmp_path / "b.tiff", labels)
    assert read_pixel_size(tmp_path / "b.tiff") is None
