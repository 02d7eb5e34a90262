"""One table says what an image file is; every reader in it answers all questions alike."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images.channels import luminance
from starpoly.io.readers import channels
from starpoly.io.readers.images import open_source, read_header, read_image, read_pixel_size
from starpoly.io.readers.labels import read_labels
from starpoly.io.readers.registry import READERS, SUFFIXES, find_reader
from starpoly.io.readers.source import Source
from starpoly.tiling import Box

RNG = np.random.default_rng(13)
GREY = RNG.integers(0, 60_000, (40, 52), dtype=np.uint16)
RGB = RNG.integers(0, 256, (40, 52, 3), dtype=np.uint8)
LABELS = (GREY // 10_000).astype(np.uint16)


class FakeSlide:
    """What OpenSlide says of a file, which here is a picture."""

    def __init__(self, path) -> None:
        self._picture = Image.open(path).convert("RGBA")
        self.level_dimensions, self.level_downsamples = (self._picture.size,), (1.0,)
        self.properties = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.5"}

    def read_region(self, corner, level, size):
        return self._picture.crop((*corner, corner[0] + size[0], corner[1] + size[1]))

    def close(self) -> None:
        self._picture.close()


@pytest.fixture(autouse=True)
def openslide(monkeypatch):
    module = types.ModuleType("openslide")
    module.OpenSlide = FakeSlide
    monkeypatch.setitem(sys.modules, "openslide", module)


def tif(image, **options):
    return lambda path: tifffile.imwrite(path, image, **options)


def save_as(image, kind):
    return lambda path: Image.fromarray(image).save(path, kind)


def svs(path):
    with tifffile.TiffWriter(path) as writer:
        text = "Aperio Image Library v1\r\n|AppMag = 20|MPP = 0.5"
        writer.write(RGB, tile=(16, 16), photometric="rgb", metadata=None, description=text)
        thumbnail = "Aperio Image Library v1\r\nthumbnail"
        writer.write(RGB[:20], rowsperstrip=20, photometric="rgb", metadata=None, description=thumbnail)


FILES = {
    # name: (reader, how it is written, what is to be read)
    "a.zarr": ("zarr", lambda path: zarr.save_array(path, GREY), GREY),
    "a.npy": ("npy", lambda path: np.save(path, GREY), GREY),
    "rgb.npy": ("npy", lambda path: np.save(path, RGB), RGB),
    "single_channel.npy": ("npy", lambda path: np.save(path, GREY[..., None]), GREY),
    "a.tif": ("tiff", tif(GREY), GREY),
    "tiles.btf": ("tiff", tif(RGB, bigtiff=True, tile=(16, 16), photometric="rgb"), RGB),
    "a.svs": ("tiff", svs, RGB),
    "a.mrxs": ("openslide", save_as(RGB, "PNG"), RGB),
    "a.dcm": ("openslide", save_as(RGB, "PNG"), RGB),
    "a.png": ("raster", save_as(RGB, "PNG"), RGB),
    "a.bmp": ("raster", save_as(RGB[..., 0].copy(), "BMP"), RGB[..., 0]),
    "no_suffix": ("raster", save_as(RGB, "PNG"), RGB),
}


@pytest.fixture(params=FILES)
def file(request, tmp_path):
    """A file, the name of its reader, its pixels."""
    reader, write, expected = FILES[request.param]
    write(tmp_path / request.param)
    return tmp_path / request.param, reader, expected


def test_the_table_names_every_reader_once():
    names = [reader.name for reader in READERS]
    suffixes = [suffix for reader in READERS for suffix in reader.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes) == len(SUFFIXES)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)


def test_the_content_tells_the_reader(file):
    path, reader, _ = file
    assert find_reader(path).name == reader


def test_whole_by_region_and_header_agree(file):
    path, _, expected = file
    with warnings.catch_warnings():
        warnings.simplefilter("error", StarpolyWarning)
        image = read_image(path)
        with open_source(path) as source:
            by_region, pixel_size = source[:, :], source.pixel_size
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(by_region, expected if expected.ndim == 3 else expected[..., None])
    header = read_header(path)
    assert (header.shape, header.n_bytes) == (expected.shape[:2], expected.nbytes)
    assert header.pixel_size == pixel_size == read_pixel_size(path)


@pytest.mark.parametrize("name", ["a.zarr", "a.npy", "a.tif", "a.png", "a.bmp"])
def test_labels_of_every_kind(tmp_path, name):
    labels = LABELS.astype(np.uint8) if name == "a.bmp" else LABELS
    save = {
        "a.zarr": lambda path: zarr.save_array(path, labels),
        "a.npy": lambda path: np.save(path, labels),
        "a.tif": tif(labels),
        "a.png": save_as(labels, "PNG"),
        "a.bmp": save_as(labels, "BMP"),
    }[name]
    save(tmp_path / name)
    np.testing.assert_array_equal(read_labels(tmp_path / name), labels)


def test_slides_are_no_labels(tmp_path):
    FILES["a.mrxs"][1](tmp_path / "a.mrxs")
    with pytest.raises(ImageError, match="expected a label image with axes YX"):
        read_labels(tmp_path / "a.mrxs")


def test_stacks_are_refused_where_one_image_is_wanted(tmp_path):
    np.save(tmp_path / "stack.npy", RNG.normal(size=(7, 40, 52)))
    for read in (read_image, read_labels, open_source):
        with pytest.raises(ImageError, match="got a stack"):
            read(tmp_path / "stack.npy")
    assert read_header(tmp_path / "stack.npy").shape == (40, 52)  # that of a plane
    assert read_pixel_size(tmp_path / "stack.npy") is None


def test_a_folder_that_is_no_zarr_is_refused(tmp_path):
    for read in (read_image, read_labels, open_source, read_header):
        with pytest.raises(ImageError, match="got a folder that is no zarr"):
            read(tmp_path)


def test_the_table_loads_no_library():
    code = (
        "import sys, starpoly.io.files.find, starpoly.io.files.pairing;"
        "print({'numpy', 'tifffile', 'zarr', 'PIL', 'openslide'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"


# --- pickling


def again(source) -> Source:
    return pickle.loads(pickle.dumps(source))


def same(source, other) -> None:
    said = ("name", "shape", "dtype", "pixel_size", "level", "levels", "offset", "block", "read_warning")
    assert {name: getattr(source, name) for name in said} == {name: getattr(other, name) for name in said}
    np.testing.assert_array_equal(source[:, :], other[:, :])


def test_a_file_pickles_by_its_path(file):
    path, _, _ = file
    with open_source(path) as source, again(source) as other:
        same(source, other)
        assert len(pickle.dumps(source)) < 1000
        view = open_source(source, roi=Box(3, 4, 30, 40), channels=[0], pixel_size=(0.3, 0.4))
        same(view, again(view))


def test_a_level_pickles(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(RGB, subifds=1, tile=(16, 16), photometric="rgb")
        writer.write(RGB[::2, ::2], subfiletype=1, tile=(16, 16), photometric="rgb")
    with open_source(tmp_path / "a.tif", level=1) as source, again(source) as other:
        same(source, other)
        np.testing.assert_array_equal(other[:, :], RGB[::2, ::2])


def test_a_relative_path_is_opened_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", GREY)
    with open_source("a.npy") as source:
        data = pickle.dumps(source)
    monkeypatch.chdir("/")
    other = pickle.loads(data)
    assert other.name == "a.npy"
    np.testing.assert_array_equal(other[:, :, 0], GREY)


def test_what_was_warned_of_is_not_said_again(tmp_path):
    np.save(tmp_path / "a.npy", np.moveaxis(RGB, 2, 0))
    with pytest.warns(StarpolyWarning, match="taken for channels"):
        source = open_source(tmp_path / "a.npy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(source, again(source))


def test_arrays_pickle_with_their_content():
    source = open_source(RGB)
    same(source, again(source))
    view = open_source(RGB, roi=Box(1, 2, 3, 4), channels=[2, 0])
    same(view, again(view))
    with pytest.warns(StarpolyWarning, match="luminance"):
        grey = channels.match_channels(source, 1)
    np.testing.assert_array_equal(again(grey)[:, :], luminance(RGB))


def test_a_closed_source_does_not_pickle(file):
    path, _, _ = file
    with open_source(path) as source:
        view = open_source(source, channels=[0])
    for closed in (source, view):
        with pytest.raises(ImageError, match="expected an open source to pickle, got a closed one"):
            pickle.dumps(closed)


def test_a_source_that_cannot_be_made_anew_says_so():
    class Made(Source):
        def read(self, box, channels):
            return np.zeros((*box.shape, len(channels)))

    with pytest.raises(ImageError, match="to pickle, got Made; open it where it is read"):
        pickle.dumps(Made("noise", (3, 3, 1), float))


def test_jpeg_2000_is_an_old_nd2_by_its_suffix_alone(tmp_path):
    for name in ("a.jp2", "a.nd2"):
        (tmp_path / name).write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50))
    assert find_reader(tmp_path / "a.nd2").title == "ND2"
    with pytest.raises(ImageError, match="got something else; convert it"):
        find_reader(tmp_path / "a.jp2")
