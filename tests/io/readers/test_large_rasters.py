"""Large PNG, JPEG and BMP files are decoded to the same pixels, without copies; claims are held against the file."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from starpoly.errors import ImageError, TooLargeError
from starpoly.io.readers import large_raster, raster
from starpoly.io.readers.images import read_header, read_image
from starpoly.io.readers.labels import read_labels
from starpoly.io.readers.stream_size import coefficients_of_jpeg

X = np.random.default_rng(3).integers(0, 256, (37, 53), np.uint8)
COLOURS = np.stack([X, X // 2, X // 3], axis=2)
PICTURES = {
    "grey.png": (Image.fromarray(X), {}),
    "bits.png": (Image.fromarray(X > 128), {}),
    "palette.png": (Image.fromarray(COLOURS).quantize(7), {}),
    "large palette.png": (Image.fromarray(COLOURS).quantize(200), {}),
    "grey palette.png": (Image.fromarray(X).quantize(9), {}),
    "rgb.png": (Image.fromarray(COLOURS), {}),
    "rgba.png": (Image.fromarray(np.dstack([COLOURS, X])), {}),
    "grey and alpha.png": (Image.fromarray(np.dstack([X, X])), {}),
    "deep.png": (Image.fromarray(X.astype(np.uint16) * 200), {}),
    "transparent grey.png": (Image.fromarray(X), {"transparency": 3}),
    "transparent.png": (Image.fromarray(COLOURS), {"transparency": (0, 0, 0)}),
    "grey.jpg": (Image.fromarray(X), {"quality": 70}),
    "rgb.jpg": (Image.fromarray(COLOURS), {"quality": 70}),
    "progressive.jpg": (Image.fromarray(COLOURS), {"progressive": True, "subsampling": 0}),
    "cmyk.jpg": (Image.fromarray(COLOURS).convert("CMYK"), {}),
    "grey.bmp": (Image.fromarray(X), {}),
    "palette.bmp": (Image.fromarray(COLOURS).quantize(7), {}),
    "rgb.bmp": (Image.fromarray(COLOURS), {}),
}


def test_a_progressive_jpeg_is_held_twice_and_refused_where_its_file_is_small(tmp_path, monkeypatch):
    for module in (large_raster, raster):
        monkeypatch.setattr(module, "LARGEST_COPIED", 1 << 10)
    monkeypatch.setattr(large_raster, "SPARE_BYTES", 1 << 10)
    flat = Image.fromarray(np.zeros((400, 500, 3), np.uint8))
    flat.save(tmp_path / "plain.jpg")
    flat.save(tmp_path / "progressive.jpg", progressive=True)
    assert read_image(tmp_path / "plain.jpg").shape == (400, 500, 3)
    with pytest.raises(TooLargeError, match=r"progressive\.jpg: .*for 400 x 500 pixels of this kind"):
        read_image(tmp_path / "progressive.jpg")
    assert coefficients_of_jpeg((tmp_path / "plain.jpg").read_bytes()) == 0
    # colours are stored at a quarter of the positions
    assert coefficients_of_jpeg((tmp_path / "progressive.jpg").read_bytes()) == 2 * 400 * 500 * 3 // 2


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("read", [read_image, read_labels, None], ids=["image", "labels", "raw"])
def test_large_files_give_the_pixels_of_small_ones(tmp_path, monkeypatch, name, read):
    picture, options = PICTURES[name]
    picture.save(tmp_path / name, **options)
    read = read or (lambda path: raster.read_whole(path, raw=True))
    try:
        expected = read(tmp_path / name)
    except ImageError as error:
        expected = str(error)
    monkeypatch.setattr(raster, "LARGEST_COPIED", 0)
    monkeypatch.setattr(large_raster, "LARGEST_COPIED", 0)
    if isinstance(expected, str):
        with pytest.raises(ImageError):
            read(tmp_path / name)
        return
    found = read(tmp_path / name)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_deep_colours_lose_their_alpha_in_place(tmp_path, monkeypatch):
    deep = np.dstack([COLOURS, X]).astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    monkeypatch.setattr(large_raster, "LARGEST_COPIED", 0)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), deep[..., :3])


@pytest.mark.parametrize(("n_kept", "shape"), [(1, (37, 53)), (2, (37, 53, 2)), (4, (37, 53, 4))])
def test_channels_are_packed_in_place(n_kept, shape):
    image = np.dstack([COLOURS, X])
    expected = image[..., :n_kept].reshape(shape)
    packed = large_raster.keep_samples(image.copy(), n_kept)
    np.testing.assert_array_equal(packed, expected)


def png_that_claims(path, width, height, bits, colour):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(range(12))) if colour == 3 else b""
    body = b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    path.write_bytes(body)
    return path


@pytest.mark.parametrize(("bits", "colour"), [(1, 0), (1, 3), (8, 3), (8, 2), (16, 6)])
def test_a_picture_that_claims_far_more_than_its_file_holds_is_refused(tmp_path, bits, colour):
    path = png_that_claims(tmp_path / "a.png", 32_000, 32_000, bits, colour)
    for read in (read_image, read_header):
        with pytest.raises(ImageError, match=r"a\.png: expected at most \d+ bytes of pixels in a file of"):
            read(path)


def test_labels_in_a_palette_are_refused_where_copies_would_not_fit(tmp_path, monkeypatch):
    Image.fromarray(COLOURS).quantize(7).save(tmp_path / "a.png")
    monkeypatch.setattr(raster, "LARGEST_COPIED", 0)
    monkeypatch.setattr(large_raster, "SPARE_BYTES", 0)
    monkeypatch.setattr(large_raster, "LARGEST_RATIO", 0)
    with pytest.raises(TooLargeError, match="take two copies to decode"):
        read_labels(tmp_path / "a.png")
