"""A table of files in every format, dtype, layout and defect that folders of images have been seen to hold."""

from __future__ import annotations

import contextlib
import warnings

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images.channels import luminance, merge_channels
from starpoly.io.readers import raster
from starpoly.io.readers.images import open_source, read_header, read_image
from starpoly.io.readers.labels import read_labels
from starpoly.io.readers.planes import open_stack
from starpoly.io.readers.untrusted import check_claim, decoding

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (24, 31), dtype=np.uint8)
RGB = RNG.integers(0, 256, (24, 31, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (24, 31, 3), dtype=np.uint16)
BINARY = GREY > 127
ALPHA = np.full((24, 31, 1), 255, np.uint8)
FLOAT = RNG.normal(size=(24, 31))
HOLED = FLOAT.astype(np.float32)
HOLED[0, :3] = np.nan, np.inf, -np.inf
STACK = RNG.integers(0, 256, (7, 24, 31), dtype=np.uint8)


def pillow(array, mode=None, **options):
    def write(path):
        picture = Image.fromarray(array)
        (picture.convert(mode) if mode else picture).save(path, **options)

    return write


def tif(array, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


def png(array):
    return lambda path: path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(array)))


def palette(colors, **options):
    def write(path):
        picture = Image.fromarray(GREY % 4, mode=None)
        picture = picture.convert("P")
        picture.putpalette(np.ravel(colors).tolist())
        picture.save(path, **options)

    return write


def pages(*arrays):
    def write(path):
        first, *rest = map(Image.fromarray, arrays)
        first.save(path, save_all=True, append_images=rest)

    return write


def cmyk_of(rgb):
    """Cyan, magenta and yellow without black: the light is 255 minus the ink."""
    return np.concatenate([255 - rgb, np.zeros_like(ALPHA)], axis=2)


COLORS = np.array([[0, 0, 0], [200, 10, 30], [40, 50, 60], [255, 255, 255]], np.uint8)
GREYS = np.repeat(np.array([[9], [90], [120], [200]], np.uint8), 3, axis=1)
COLORMAP = np.zeros((3, 256), np.uint16)
COLORMAP[:, :4] = COLORS.T.astype(np.uint16) * 257

READABLE = {
    # name of the file: (how it is written, what is to be read)
    "grey8.png": (pillow(GREY), GREY),
    "grey16.png": (pillow(DEEP[..., 0]), DEEP[..., 0]),
    "one_bit.png": (pillow(BINARY), BINARY),
    "rgb8.png": (pillow(RGB), RGB),
    "rgb16.png": (png(DEEP), DEEP),
    "rgba8.png": (pillow(np.concatenate([RGB, ALPHA], axis=2)), RGB),
    "rgba16.png": (png(np.concatenate([DEEP, DEEP[..., :1]], axis=2)), DEEP),
    "la8.png": (pillow(GREY, "LA"), GREY),
    "la16.png": (png(DEEP[..., :2]), DEEP[..., 0]),
    "palette.png": (palette(COLORS), COLORS[GREY % 4]),
    "palette_transparent.png": (palette(COLORS, transparency=1), COLORS[GREY % 4]),
    "palette_grey.png": (palette(GREYS), GREYS[GREY % 4, 0]),
    "grey.bmp": (pillow(GREY), GREY),
    "rgb.bmp": (pillow(RGB), RGB),
    "one_bit.bmp": (pillow(BINARY), BINARY),
    "palette.bmp": (palette(COLORS), COLORS[GREY % 4]),
    "grey8.tif": (tif(GREY), GREY),
    "CAPITALS.TIF": (tif(GREY), GREY),
    "name with spaces äöü 細胞.tif": (tif(GREY), GREY),
    "a.b.c.tif": (tif(GREY), GREY),
    "bool.tif": (tif(BINARY), BINARY),
    "one_bit.tif": (pillow(BINARY), BINARY),
    "int16.tif": (tif(DEEP[..., 0].astype(np.int16)), DEEP[..., 0].astype(np.int16)),
    "int32.tif": (tif(DEEP[..., 0].astype(np.int32)), DEEP[..., 0].astype(np.int32)),
    "uint32.tif": (tif(DEEP[..., 0].astype(np.uint32)), DEEP[..., 0].astype(np.uint32)),
    "float16.tif": (tif(FLOAT.astype(np.float16)), FLOAT.astype(np.float16)),
    "float32_nan_inf.tif": (tif(HOLED), HOLED),
    "float64.tif": (tif(FLOAT), FLOAT),
    "big_endian.tif": (tif(DEEP, byteorder=">"), DEEP),
    "bigtiff.tif": (tif(GREY, bigtiff=True), GREY),
    "zlib_tiled.tif": (tif(RGB, compression="zlib", predictor=True, tile=(16, 16)), RGB),
    "lzw.tif": (pillow(RGB, compression="tiff_lzw"), RGB),
    "rgb16.tif": (tif(DEEP, photometric="rgb"), DEEP),
    "hw1.tif": (tif(GREY[..., None]), GREY),
    "1hw.tif": (tif(GREY[None], metadata=None), GREY),
    "rgba.tif": (tif(np.concatenate([RGB, ALPHA], axis=2)), RGB),
    "la.tif": (pillow(GREY, "LA"), GREY),
    "cmyk.tif": (tif(cmyk_of(RGB), photometric="separated"), RGB),
    "cmyk_pillow.tif": (pillow(RGB, "CMYK"), RGB),
    "palette.tif": (tif(GREY % 4, photometric="palette", colormap=COLORMAP), COLORS[GREY % 4]),
    "lookup_table_of_imagej.tif": (tif(GREY, imagej=True, colormap=COLORMAP), GREY),
    "inverted_grey.tif": (tif(GREY, photometric="miniswhite"), 255 - GREY),
    "planar_rgb.tif": (tif(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"), RGB),
    "channels_of_imagej.tif": (tif(STACK[:5], imagej=True, metadata={"axes": "CYX"}), np.moveaxis(STACK[:5], 0, 2)),
    "channels_of_ome.ome.tif": (tif(STACK, ome=True, metadata={"axes": "CYX"}), np.moveaxis(STACK, 0, 2)),
    "single_z_of_ome.ome.tif": (tif(GREY[None, None, None], ome=True, metadata={"axes": "TCZYX"}), GREY),
    "one_page.tif": (pages(GREY), GREY),
    "actually_a_png.tif": (lambda path: pillow(GREY, format="PNG")(path), GREY),
}

WARNED = {
    "hw2.tif": (tif(np.moveaxis(STACK[:2], 0, 2)), np.moveaxis(STACK[:2], 0, 2)),
    "hw3_without_colour.tif": (tif(RGB, photometric="minisblack"), RGB),
    "pages_of_other_sizes.tif": (pages(GREY, GREY[:12, :12]), GREY),
}

REFUSED = {
    # name of the file: (how it is written, what the message says)
    "z_stack.tif": (tif(STACK, photometric="minisblack"), "got a stack .* elsewhere, save planes"),
    "3hw.tif": (tif(STACK[:3], photometric="minisblack"), "got a stack with axes QYX"),
    "two_pages.tif": (pages(GREY, RGB[..., 0]), "got a stack"),
    "z_stack_of_imagej.tif": (tif(STACK[:3], imagej=True, metadata={"axes": "ZYX"}), "got a stack with axes ZYX"),
    "time.tif": (tif(STACK[:2], imagej=True, metadata={"axes": "TYX"}), "got a stack with axes TYX"),
    "hyperstack.tif": (tif(STACK[:6].reshape(3, 2, 24, 31), imagej=True, metadata={"axes": "ZCYX"}), "got a stack"),
    "rgb_stack.tif": (tif(np.stack([RGB, RGB]), photometric="rgb"), "got a stack"),
    "multi_page.tif": (pages(*STACK), "got a stack"),
    "complex.tif": (tif(FLOAT.astype(np.complex64)), "expected real numbers"),
    "lab.tif": (pillow(RGB, "LAB"), "got CIELAB; convert"),
    "empty.png": (lambda path: path.write_bytes(b""), r"empty one \(0 bytes\)"),
    "empty.tif": (lambda path: path.write_bytes(b""), "0 bytes"),
    "text.png": (lambda path: path.write_text("not an image"), "something else; convert it"),
    "gif.png": (pillow(GREY, format="GIF"), "something else"),
    "only_a_signature.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "cannot be decoded"),
    "only_a_signature.tif": (lambda path: path.write_bytes(b"II*\0"), "cannot be decoded"),
    "folder.png": (lambda path: path.mkdir(), "got a folder"),
    "missing.png": (lambda path: None, "got nothing there; check the path"),
}


@pytest.fixture
def written(tmp_path):
    def write(name, writer):
        path = tmp_path / name
        writer(path)
        return path

    return write


@pytest.mark.parametrize("name", READABLE)
def test_reads(written, name):
    writer, expected = READABLE[name]
    image = read_image(written(name, writer))
    assert image.dtype == expected.dtype
    assert image.dtype.isnative
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("name", WARNED)
def test_reads_and_says_what_it_takes_for_granted(written, name):
    writer, expected = WARNED[name]
    with pytest.warns(StarpolyWarning, match=name):
        np.testing.assert_array_equal(read_image(written(name, writer)), expected)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("name", [*READABLE, *WARNED])
def test_reading_by_region_gives_the_same(written, name):
    writer, expected = {**READABLE, **WARNED}[name]
    expected = expected if expected.ndim == 3 else expected[..., None]
    with open_source(written(name, writer)) as source:
        assert source.dtype == expected.dtype
        np.testing.assert_array_equal(source[5:20, 3:29], expected[5:20, 3:29])
        np.testing.assert_array_equal(source[:, :], expected)


@pytest.mark.parametrize("name", [*READABLE, *WARNED])
def test_the_header_tells_the_size(written, name):
    writer, expected = {**READABLE, **WARNED}[name]
    path = written(name, writer)
    header = read_header(path)
    assert header.shape == expected.shape[:2]
    assert header.n_pixels == GREY.size
    assert header.n_bytes >= GREY.size
    assert header.by_region == path.read_bytes().startswith((b"II", b"MM"))


@pytest.mark.parametrize(
    "name", ["z_stack.tif", "time.tif", "hyperstack.tif", "rgb_stack.tif", "multi_page.tif", "lab.tif", "complex.tif"]
)
def test_the_header_tells_the_size_of_what_is_refused(written, name):
    assert read_header(written(name, REFUSED[name][0])).shape == GREY.shape


@pytest.mark.parametrize(
    "name", [name for name in REFUSED if name.startswith(("empty", "text", "gif", "only", "folder", "missing"))]
)
def test_what_is_no_image_has_no_header(written, name):
    path = written(name, REFUSED[name][0])
    with pytest.raises(ImageError, match="expected") as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path}: expected")


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_in_one_line(written, name):
    writer, message = REFUSED[name]
    path = written(name, writer)
    with pytest.raises(ImageError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: expected")
    assert "\n" not in str(caught.value)


WHOLE = {
    "plain.tif": tif(GREY),
    "strips.tif": tif(GREY, rowsperstrip=4),
    "zlib.tif": tif(GREY, compression="zlib"),
    "lzw.tif": pillow(RGB, compression="tiff_lzw"),
    "grey.png": pillow(GREY),
    "rgb16.png": png(DEEP),
    "photo.jpg": pillow(RGB),
    "rgb.bmp": pillow(RGB),
}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", WHOLE)
def test_refuses_truncated_files(written, name, share):
    path = written(name, WHOLE[name])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match=r"truncated|cannot be decoded"):
        read_image(path)


@pytest.mark.parametrize("name", WHOLE)
def test_the_header_of_a_truncated_file_is_read_or_refused(written, name):
    path = written(name, WHOLE[name])
    content, told = path.read_bytes(), 0
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with contextlib.suppress(ImageError):
            assert read_header(path).shape == GREY.shape
            told += 1
    assert told >= 0.2 * len(content) / 7 or name == "lzw.tif"  # whose tags stand at its end


@pytest.mark.parametrize("name", WHOLE)
def test_flipped_bytes_raise_nothing_but_image_errors(written, name):
    path = written(name, WHOLE[name])
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(1)
    for _ in range(25):
        damaged = content.copy()
        damaged[rng.integers(0, min(400, len(content)), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ImageError):
                assert read_image(path).ndim in (2, 3)
            with contextlib.suppress(ImageError):
                assert min(read_header(path).shape) > 0


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpegs_are_near_what_was_saved(written, mode):
    smooth = np.add.outer(np.arange(24), np.arange(31)).astype(np.uint8) * 4
    image = read_image(written("photo.jpg", pillow(np.stack([smooth] * 3, axis=2), mode, quality=95)))
    expected = smooth if mode == "L" else np.stack([smooth] * 3, axis=2)
    assert image.shape == expected.shape
    assert abs(image.astype(int) - expected).max() < 12


def test_exif_orientation_is_not_applied(written):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(written("rotated.jpg", pillow(GREY, exif=exif))).shape == GREY.shape


def test_large_images_pass_pillows_limit(written, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(written("large.png", pillow(GREY))).shape == GREY.shape
    assert Image.MAX_IMAGE_PIXELS == 100


def test_claims_that_no_file_can_hold_are_refused(written, monkeypatch):
    monkeypatch.setattr(raster, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="expected at most 100 pixels"):
        read_image(written("large.png", pillow(GREY)))
    with pytest.raises(ImageError, match="got a header for"):
        check_claim(1 << 40, written("small.png", pillow(GREY)))
    with pytest.raises(ImageError, match="expected at most 100 pixels"):
        read_header(written("large.png", pillow(GREY)))
    path = written("large.tif", tif(GREY))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(1_000_000_000)
    assert read_header(path).shape == (1_000_000_000, 31)  # tiles of a TIFF may be left out
    with pytest.raises(ImageError, match="got a header for 31000000000"):
        read_image(path)


def test_running_out_of_memory_is_one_files_problem(written, monkeypatch):
    def fail(path, *, raw):
        raise MemoryError

    monkeypatch.setattr(raster, "read_whole", fail)
    with pytest.raises(ImageError, match="fits into memory"):
        read_image(written("large.png", pillow(GREY)))


def test_an_ome_tiff_names_no_other_files(tmp_path):
    tifffile.imwrite(tmp_path / "other.ome.tif", np.full((24, 31), 77, np.uint8), ome=True)
    secret = tifffile.TiffFile(tmp_path / "other.ome.tif").ome_metadata
    uuid = 'UUID="urn:uuid:' + secret.split('UUID="urn:uuid:')[1][:36]
    description = secret.replace(uuid, 'UUID="urn:uuid:00000000-0000-0000-0000-000000000000', 1)
    tifffile.imwrite(tmp_path / "lure.ome.tif", GREY, description=description.encode(), metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "lure.ome.tif"), GREY)


def test_a_header_with_more_rows_than_strips_is_refused(written):
    path = written("strips.tif", tif(GREY, rowsperstrip=4))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(13_000_000)
    with pytest.raises(ImageError, match=r"expected 3250000 strips or tiles, got 6"):
        read_image(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_luminance_of_a_crop_is_the_crop_of_the_luminance(dtype):
    image = DEEP.astype(dtype)
    grey = luminance(image)
    assert (grey.shape, grey.dtype) == ((24, 31, 1), np.float32)
    np.testing.assert_array_equal(luminance(image[3:9, 5:30]), grey[3:9, 5:30])
    np.testing.assert_allclose(grey[..., 0], image @ np.array([0.299, 0.587, 0.114]), rtol=1e-6)


def test_merged_channels_count_alike_whatever_their_scale():
    dim, bright = GREY.astype(np.uint16), DEEP[..., 0]
    swapped = merge_channels(np.stack([bright, 200 * dim], axis=2))
    np.testing.assert_allclose(merge_channels(np.stack([dim, bright], axis=2)), swapped, atol=1e-6)
    assert swapped.shape == GREY.shape
    assert 0 <= swapped.min() < swapped.max() <= 1


LABELS = (GREY // 60).astype(np.uint16)

LABEL_FILES = {
    "uint16.tif": (tif(LABELS), LABELS),
    "uint32.tif": (tif(LABELS.astype(np.uint32) + 70_000), LABELS.astype(np.uint32) + 70_000),
    "negative.tif": (tif(LABELS.astype(np.int32) - 1), LABELS.astype(np.int32) - 1),
    "uint64.tif": (tif(LABELS.astype(np.uint64)), LABELS.astype(np.int64)),
    "float32.tif": (tif(LABELS.astype(np.float32)), LABELS.astype(np.int32)),
    "bool.tif": (tif(BINARY), BINARY.astype(np.uint8)),
    "indices.png": (palette(COLORS), GREY % 4),
    "indices.tif": (tif(GREY % 4, photometric="palette", colormap=COLORMAP), GREY % 4),
    "inverted.tif": (tif(GREY, photometric="miniswhite"), GREY),
    "grey16.png": (pillow(LABELS), LABELS),
    "hw1.tif": (tif(LABELS[..., None]), LABELS),
}

NO_LABELS = {
    "rgb.png": (pillow(RGB), "got shape .* grey image of ids"),
    "la.png": (pillow(GREY, "LA"), "got shape"),
    "lossy.jpg": (pillow(GREY), "got a JPEG"),
    "fractions.tif": (tif(FLOAT), "got fractions or NaN"),
    "nan.tif": (tif(HOLED), "got fractions or NaN"),
    "complex.tif": (tif(FLOAT.astype(np.complex64)), "expected whole numbers"),
    "huge.tif": (tif(np.full((24, 31), 2**63, np.uint64)), "below 2\\*\\*63"),
    "stack.tif": (tif(STACK, photometric="minisblack"), "got a stack"),
    "missing.tif": (lambda path: None, "nothing there"),
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_reads_labels(written, name):
    writer, expected = LABEL_FILES[name]
    labels = read_labels(written(name, writer))
    assert labels.dtype == expected.dtype
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("name", NO_LABELS)
def test_refuses_what_are_no_labels(written, name):
    writer, message = NO_LABELS[name]
    with pytest.raises(ImageError, match=message):
        read_labels(written(name, writer))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.arange(5), r"expected an image with axes YX or YXC, got an array of shape \(5,\)"),
        (np.array(3.0), r"got an array of shape \(\)"),
        (np.zeros((0, 9)), r"expected an image of at least one pixel, got shape \(0, 9\)"),
        (np.array([[None, 1]]), "expected numbers, got Python objects; save an array of numbers"),
    ],
)
def test_an_npy_that_is_no_image_is_told_so(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    for read in (read_image, open_source, open_stack):
        with pytest.raises(ImageError, match=message):
            read(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (IndexError("list index out of range"), "cannot be decoded; copy"),
        (ValueError("bad strip"), r"cannot be decoded \(bad strip\); copy"),
    ],
)
def test_what_a_decoder_stumbles_over_is_told_unless_it_speaks_of_its_own_variables(error, told):
    with pytest.raises(ImageError, match=told), decoding("a.tif"):
        raise error
