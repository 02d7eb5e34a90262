"""An image that has changed is known by its marks, without all of it being read."""

from __future__ import annotations

import os

import numpy as np
import pytest
import zarr

from starpoly.errors import ImageError
from starpoly.io.files import identity
from starpoly.io.files.identity import InputWatch, identify, origin_of
from starpoly.io.readers.images import open_source


@pytest.fixture
def image(rng):
    return rng.integers(0, 255, (40, 50), np.uint8)


@pytest.fixture(params=["whole", "samples"])
def npy(request, tmp_path, image, monkeypatch):
    if request.param == "samples":
        monkeypatch.setattr(identity, "_WHOLE", 100)
        monkeypatch.setattr(identity, "_SAMPLE_BYTES", 8)
        monkeypatch.setattr(identity, "_SAMPLE_SIDE", 3)
    np.save(tmp_path / "a.npy", image)
    return tmp_path / "a.npy"


def marks(image):
    with open_source(image) as source:
        return identify(image, source)


def changed(before, after):
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_the_same_file_has_the_same_marks(npy):
    assert marks(npy) == marks(str(npy))
    assert set(marks(npy)) == {"shape", "dtype", "name", "size", "date", "content"}


def test_a_file_that_was_touched(npy):
    before = marks(npy)
    os.utime(npy, ns=(0, 1))
    assert changed(before, marks(npy)) == {"date"}


def test_another_file_of_the_same_size_and_date(npy, image):
    before, status = marks(npy), npy.stat()
    np.save(npy, 255 - image)
    os.utime(npy, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changed(before, marks(npy)) == {"content"}


def test_another_shape_and_name(npy, image):
    before = marks(npy)
    np.save(npy.with_name("b.npy"), image[:, :10].astype(np.uint16))
    assert changed(before, marks(npy.with_name("b.npy"))) >= {"shape", "dtype", "name", "size", "content"}


@pytest.mark.usefixtures("npy")
def test_arrays_by_their_pixels(image):
    assert set(marks(image)) == {"shape", "dtype", "content"}
    assert marks(image) == marks(image.copy())
    assert changed(marks(image), marks(255 - image)) == {"content"}
    assert changed(marks(image), marks(image.astype(np.uint16))) == {"dtype", "content"}


def test_one_chunk_of_a_zarr(tmp_path, image):
    zarr = pytest.importorskip("zarr", minversion="3")
    path = tmp_path / "a.zarr"
    array = zarr.create_array(str(path), shape=image.shape, chunks=(16, 16), dtype="u1", dimension_names=("y", "x"))
    array[:] = image
    before = marks(path)
    assert marks(path) == before
    array[3, 3] = 255 - image[3, 3]
    assert changed(before, marks(path)) == {"content"}


def test_the_folder_of_a_slide_in_parts(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    path = (tmp_path / "a.npy").rename(tmp_path / "a.mrxs")
    (tmp_path / "a").mkdir()
    before = marks(path)
    (tmp_path / "a" / "Data0001.dat").write_bytes(b"pixels")
    assert changed(before, marks(path)) == {"content"}


@pytest.fixture
def watched(tmp_path, image):
    """A zarr and a file with what watches each."""
    np.save(tmp_path / "a.npy", image)
    zarr.create_array(store=tmp_path / "a.zarr", shape=image.shape, chunks=(20, 25), dtype=image.dtype)[...] = image
    return {path: InputWatch(path) for path in (tmp_path / "a.npy", tmp_path / "a.zarr")}


def test_an_image_that_stays_is_not_refused(watched):
    for path, watch in watched.items():
        os.utime(path)
        watch.check()


def test_an_image_that_is_overwritten_is_refused(watched, image):
    for path, watch in watched.items():
        if path.is_dir():
            zarr.open_array(path, mode="r+")[:3] = 7
        else:
            status = path.stat()
            np.save(path, 255 - image)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(
            ImageError, match=f"{path.name}: expected the image not to change .* another content or date now"
        ):
            watch.check()


def test_a_large_image_is_told_by_its_date_too(tmp_path, image, monkeypatch):
    monkeypatch.setattr(identity, "_WHOLE", 100)
    monkeypatch.setattr(identity, "_SAMPLE_BYTES", 8)
    np.save(tmp_path / "a.npy", image)
    watch = InputWatch(tmp_path / "a.npy")
    os.utime(tmp_path / "a.npy", ns=(1, 1))
    with pytest.raises(ImageError, match="another content or date now"):
        watch.check()


def test_an_image_that_is_gone_is_said_to_be(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    watch = InputWatch(str(tmp_path / "a.npy"))
    (tmp_path / "a.npy").unlink()
    with pytest.raises(ImageError, match="nothing there"):
        watch.check()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_arrays_pipes_and_missing_files_are_not_waited_for(tmp_path, image):
    os.mkfifo(tmp_path / "pipe")
    for given in (image, tmp_path / "pipe", tmp_path / "missing"):
        InputWatch(given).check()


def test_a_folder_beside_an_image_is_none_of_its_parts(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    before = marks(tmp_path / "a.npy")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/result.txt").write_text("1")
    assert marks(tmp_path / "a.npy") == before


@pytest.mark.parametrize("few", [1 << 20, 8], ids=["whole", "samples"])
def test_the_origin_is_that_of_a_files_content(tmp_path, image, monkeypatch, few):
    monkeypatch.setattr(identity, "_FEW_BYTES", few)
    paths = [tmp_path / name for name in ("a.npy", "copy.npy", "other.npy", "longer.npy")]
    for path, pixels in zip(paths, (image, image, 255 - image, np.vstack([image, image])), strict=True):
        np.save(path, pixels)
    os.utime(paths[1], ns=(0, 1))
    found = [origin_of(path) for path in paths]
    assert found[0] == found[1] == origin_of(str(paths[0]))
    assert len(set(found)) == 3


def test_what_is_no_file_has_no_origin(tmp_path, image):
    assert [origin_of(other) for other in (image, tmp_path, tmp_path / "none.npy")] == [None] * 3
