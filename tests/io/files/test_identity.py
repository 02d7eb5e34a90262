"""An image that has changed is known by its marks, without all of it being read."""

from __future__ import annotations

import os

import numpy as np
import pytest

from starpoly.io.files import identity
from starpoly.io.files.identity import identify
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
    path = tmp_path / "a.npy"
    np.save(path, image)
    (tmp_path / "a").mkdir()
    before = marks(path)
    (tmp_path / "a" / "Data0001.dat").write_bytes(b"pixels")
    assert changed(before, marks(path)) == {"content"}
