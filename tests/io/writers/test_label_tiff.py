from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ImageError
from starpoly.io.readers.images import read_pixel_size
from starpoly.io.readers.labels import read_labels
from starpoly.io.writers import label_tiff as module
from starpoly.io.writers.label_tiff import write_labels
from starpoly.labels.lazy import LazyLabels
from starpoly.polygons import StarPolygons

from support.sinks import ArrayLabels, FullDisk, file_size_limit, slide


@st.composite
def labels_of(draw):
    """Label images of polygons, some of which no pixel shows; ids of 16 or 32 bits, the largest of which shows."""
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    n = draw(st.integers(0, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centres = np.floor(rng.uniform(0, 1, (n, 2)) * shape)
    polygons = StarPolygons(centres, rng.uniform(1, 9, (n, 8)), np.sort(rng.uniform(0.3, 1, n))[::-1])
    ids = np.arange(n, 0, -1) + draw(st.sampled_from([0, 70_000]))
    return LazyLabels(polygons, shape, ids)


@pytest.fixture
def tiled(monkeypatch):
    """Small images are stored as large ones are."""
    monkeypatch.setattr(module, "LARGEST_PLAIN", 0)
    monkeypatch.setattr(module, "TILE", 16)
    monkeypatch.setattr(module, "_SMALLEST_LEVEL", 20)
    monkeypatch.setattr(module, "_AT_ONCE", 2048)


def test_levels_are_strided_pixels_in_tiles(tiled, tmp_path):
    lazy = slide()
    whole = lazy[:, :]
    write_labels(tmp_path / "a.ome.tiff", lazy)
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


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 1), (20, 40)])
def test_small_and_odd_shapes(tiled, tmp_path, shape):
    labels = np.arange(1, 1 + shape[0] * shape[1], dtype=np.uint32).reshape(shape) + 70_000
    write_labels(tmp_path / "a.tiff", ArrayLabels(labels))
    read = read_labels(tmp_path / "a.tiff")
    assert read.dtype == np.uint32
    np.testing.assert_array_equal(read, labels)


def test_very_large_ones_are_bigtiff(tiled, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BIG_FROM", 100)
    write_labels(tmp_path / "a.tiff", slide())
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.series[0].asarray(), slide()[:, :])


def test_pixel_size_is_said_twice(tiled, tmp_path):
    write_labels(tmp_path / "a.ome.tiff", slide(), pixel_size=(0.5, 0.25))
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        page = file.pages[0]
        assert page.resolutionunit == 3
        np.testing.assert_allclose(page.resolution, (40_000, 20_000))
        assert 'PhysicalSizeX="0.25"' in file.ome_metadata
        assert 'PhysicalSizeY="0.5"' in file.ome_metadata
        np.testing.assert_allclose(page.pages[0].resolution, (20_000, 10_000))


def test_equal_tiled_labels_give_equal_bytes(tiled, tmp_path):
    for name, size in (("a.tiff", 0.5), ("b.tiff", np.float32(0.5))):
        write_labels(tmp_path / name, slide(), pixel_size=(size, size))
    assert (tmp_path / "a.tiff").read_bytes() == (tmp_path / "b.tiff").read_bytes()


def test_regions_are_pulled_a_tile_at_a_time(tiled, tmp_path):
    labels = ArrayLabels(slide()[:, :])
    write_labels(tmp_path / "a.tiff", labels)
    assert max(labels.asked) == (16, 16)


def test_a_full_disk_amid_the_tiles_leaves_the_old_file_and_nothing_else(tiled, tmp_path):
    path = tmp_path / "a.tiff"
    path.write_text("old")
    with pytest.raises(ImageError, match=r"a\.tiff: cannot be written \(No space left on device\); free space"):
        write_labels(path, FullDisk(slide(), after=5))
    with file_size_limit(1500), pytest.raises(ImageError, match=r"a\.tiff: cannot be written"):
        write_labels(path, slide())
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"]
    assert path.read_text() == "old"


def test_what_are_no_region_labels_is_refused(tiled, tmp_path):
    with pytest.raises(ImageError, match="expected labels"):
        write_labels(tmp_path / "a.tiff", ArrayLabels(np.zeros((3, 3), np.int32)))
    with pytest.raises(ImageError, match="pixel sizes"):
        write_labels(tmp_path / "a.tiff", slide(), pixel_size=(0, 1))
    with pytest.raises(ImageError, match=r"cannot be written \(No such file"):
        write_labels(tmp_path / "no" / "a.tiff", slide())
    assert not list(tmp_path.iterdir())


# --- arrays


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


@pytest.mark.parametrize(("shape", "n_levels"), [((2048, 2048), 1), ((2049, 2048), 3)])
def test_the_shape_decides_the_layout(tmp_path, shape, n_levels):
    labels = np.zeros(shape, np.int32)
    labels[0, -5:] = 70_000
    write_labels(tmp_path / "a.tiff", labels)
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        page = file.pages[0]
        assert (page.is_tiled, file.is_ome, page.predictor) == ((True, True, 2) if n_levels > 1 else (False, False, 1))
        assert page.compression.name == "ADOBE_DEFLATE"
        assert len(file.series[0].levels) == n_levels
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tiff"), labels)


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


# --- both doors


@pytest.mark.parametrize("layout", ["plain", "tiled"])
@given(labels=labels_of(), pixel_size=st.sampled_from([None, (0.5, 0.25)]))
def test_array_and_regions_give_the_same_bytes(tmp_path_factory, layout, labels, pixel_size):
    folder = tmp_path_factory.mktemp("bytes")
    with pytest.MonkeyPatch.context() as patch:
        if layout == "tiled":
            patch.setattr(module, "LARGEST_PLAIN", 0)
            patch.setattr(module, "TILE", 16)
            patch.setattr(module, "_SMALLEST_LEVEL", 20)
        write_labels(folder / "regions.tiff", labels, pixel_size=pixel_size)
        for dtype in (labels.dtype, np.int32, np.uint64):
            write_labels(folder / "array.tiff", labels[:, :].astype(dtype), pixel_size=pixel_size)
            assert (folder / "array.tiff").read_bytes() == (folder / "regions.tiff").read_bytes()
    np.testing.assert_array_equal(read_labels(folder / "regions.tiff"), labels[:, :])


@pytest.mark.parametrize("limit", [0, 10**9])
def test_the_file_appears_after_what_is_to_come_before_it(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(module, "LARGEST_PLAIN", limit)
    path, seen = tmp_path / "a.tiff", []
    write_labels(path, slide(), before_naming=lambda: seen.append(path.exists()))
    assert seen == [False]
    assert path.exists()
    path.unlink()
    with pytest.raises(ZeroDivisionError):
        write_labels(path, slide(), before_naming=lambda: 1 / 0)
    assert not list(tmp_path.iterdir())
