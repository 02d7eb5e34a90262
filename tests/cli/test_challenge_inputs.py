"""Every kind of file that the inputs of a competition have been seen to hold, all in one folder, in one run.

A scene of bright squares is written in every format, dtype and layout; a network that sees brightness finds it. So a
label image shows whether the pixels were read as they are meant: not transposed, not inverted, the alpha not taken for
a cell.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from starpoly.cli.main import main
from starpoly.model import StarPoly2D

from support.painted import BrightModel

SHAPE = (44, 60)
SQUARES = np.zeros(SHAPE, bool)
for y, x in ((6, 8), (10, 40), (28, 20)):
    SQUARES[y : y + 8, x : x + 8] = True


# --- how the scene is stored ----------------------------------------------------------------------


def scene(dtype, dark=40, bright=200):
    """The squares on a background that is not quite even."""
    noise = np.random.default_rng(3).integers(0, 5, SHAPE)
    return (np.where(SQUARES, bright, dark) + noise).astype(dtype)


U8, U16 = scene(np.uint8), scene(np.uint16, 4000, 60000)
FULL = np.full(SHAPE, 255, np.uint8)
RGB, RGB16 = np.stack([U8, U8 // 2, U8], axis=2), np.stack([U16, U16 // 2, U16], axis=2)
LA, RGBA = np.stack([U8, FULL], axis=2), np.dstack([RGB, FULL])
HOLED = scene(np.float64, -3.5, 1e3)
HOLED[0, :3] = np.nan, np.inf, -np.inf
COLORS = np.zeros((256, 3), np.uint8)
COLORS[:2] = (10, 20, 30), (250, 240, 90)
STACK = np.stack([U8] * 7)


def tif(array, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


def pillow(array, mode=None, **options):
    return lambda path: (Image.fromarray(array).convert(mode) if mode else Image.fromarray(array)).save(path, **options)


def png(array):
    return lambda path: path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(array)))


def palette(**options):
    def write(path):
        picture = Image.fromarray(SQUARES.astype(np.uint8)).convert("P")
        picture.putpalette(COLORS.ravel().tolist())
        picture.save(path, **options)

    return write


def pages(*arrays):
    def write(path):
        first, *rest = map(Image.fromarray, arrays)
        first.save(path, save_all=True, append_images=rest)

    return write


def rotated(**options):
    """Marked in its EXIF data as standing on its side; the pixels are stored as ever."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return pillow(U8, exif=exif, **options)


def cut(writer, share):
    """The beginning of a file."""

    def write(path):
        writer(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return write


def damaged(writer, byte=0x55):
    """A file whose second half is overwritten."""

    def write(path):
        writer(path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + bytes([byte]) * (len(content) - len(content) // 2))

    return write


def png_header(height, width):
    """A PNG that claims a size and holds nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return content(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 50)) + chunk(b"IEND", b""))


def content(data):
    return lambda path: path.write_bytes(data)


def empty_like(height, width, dtype=np.uint8, value=0):
    return np.full((height, width), value, dtype)


# --- the table ------------------------------------------------------------------------------------

SEGMENTED = {
    # dtypes
    "bool.tif": tif(SQUARES),
    "uint8.tif": tif(U8),
    "uint16.tiff": tif(U16),
    "int8.tif": tif(scene(np.int8, -100, 90)),
    "int16.TIF": tif(scene(np.int16, -300, 900)),
    "int32.tif": tif(scene(np.int32, -70_000, 90_000)),
    "uint32.tif": tif(scene(np.uint32, 1000, 3_000_000_000)),
    "uint64.tif": tif(scene(np.uint64, 1000, 3_000_000_000)),
    "float16.tif": tif(scene(np.float16)),
    "float32.tif": tif(scene(np.float32) / 255),
    "float64_nan_inf.tif": tif(HOLED),
    "rgb_float64.tif": tif(RGB / 255, photometric="rgb"),
    "rgb_int32.tif": tif(RGB.astype(np.int32), photometric="rgb"),
    "one_bit_png.png": pillow(SQUARES),
    "one_bit_bmp.bmp": pillow(SQUARES),
    "one_bit_tif.tif": pillow(SQUARES),
    **({"fax.tif": pillow(SQUARES, compression="group4")} if hasattr(imagecodecs, "ccittfax4_decode") else {}),
    # channel layouts
    "hw1.tif": tif(U8[..., None]),
    "1hw.tif": tif(U8[None], metadata=None),
    "hw2.tif": tif(np.stack([U8, U8 // 3 + 7], axis=2), photometric="minisblack", planarconfig="contig"),
    "3hw.tif": tif(np.moveaxis(RGB, 2, 0), photometric="minisblack"),
    "3hw_float.tif": tif(np.moveaxis(RGB / 255, 2, 0), photometric="minisblack"),
    "5hw.tif": tif(STACK[:5], imagej=True, metadata={"axes": "CYX"}),
    "two_pages.tif": pages(U8, U8 // 2),
    "la_tif.tif": pillow(U8, "LA"),
    "rgb_tif.tif": tif(RGB, photometric="rgb"),
    "rgb16_tif.tif": tif(RGB16, photometric="rgb"),
    "rgba_tif.tif": tif(RGBA, photometric="rgb", extrasamples=["unassalpha"]),
    "cmyk_tif.tif": pillow(RGB, "CMYK"),
    "cmyk_jpeg.tif": tif(np.dstack([255 - RGB, 0 * FULL]), photometric="separated", compression="jpeg"),
    "beside_a_thumbnail.tif": pages(U8, U8[:20, :20]),
    "palette_tif.tif": tif(SQUARES.astype(np.uint8), photometric="palette", colormap=COLORS.T.astype(np.uint16) * 257),
    "ome.ome.tif": tif(U8[None, None, None], ome=True, metadata={"axes": "TCZYX"}),
    # how TIFF stores them
    "lzw.tif": tif(U16, compression="lzw", predictor=True),
    "deflate.tif": tif(RGB, compression="deflate", predictor=True),
    "jpeg.tif": tif(U8, compression="jpeg"),
    "jpeg_rgb_tiled.tif": tif(RGB, compression="jpeg", tile=(32, 32), photometric="rgb"),
    "jpeg_ycbcr.tif": pillow(RGB, "YCbCr", compression="jpeg"),
    "jpeg2000.tif": tif(U16, compression="jpeg2000"),
    "packbits.tif": tif(U8, compression="packbits"),
    "zstd.tif": tif(U8, compression="zstd"),
    "planar.tif": tif(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"),
    "planar_tiled.tif": tif(np.moveaxis(RGB16, 2, 0), photometric="rgb", planarconfig="separate", tile=(16, 16), compression="lzw"),
    "tiled.tif": tif(U16, tile=(16, 32)),
    "strips.tif": tif(U8, rowsperstrip=5),
    "big_endian.tif": tif(U16, byteorder=">"),
    "big_endian_float.tif": tif(HOLED, byteorder=">"),
    "bigtiff.tif": tif(U8, bigtiff=True),
    "min_is_white.tif": tif(255 - U8, photometric="miniswhite"),
    # PNG, JPEG, BMP
    "grey_png.png": pillow(U8),
    "grey16.png": pillow(U16),
    "la_png.png": pillow(U8, "LA"),
    "la16.png": png(np.stack([U16, U16[::-1]], axis=2)),
    "rgb_png.png": pillow(RGB),
    "rgb16_png.png": png(RGB16),
    "rgba_png.png": pillow(RGBA),
    "rgba16.png": png(np.dstack([RGB16, U16[::-1]])),
    "palette_png.png": palette(),
    "palette_one_bit.png": palette(bits=1),
    "palette_transparent.png": palette(transparency=0),
    "palette_bmp.bmp": palette(),
    "grey_bmp.bmp": pillow(U8),
    "rgb_bmp.bmp": pillow(RGB),
    "rgba_bmp.bmp": pillow(RGBA),
    "grey_jpg.jpg": pillow(U8, quality=95),
    "rgb_jpg.JPG": pillow(RGB, format="JPEG", quality=95),
    "cmyk_jpg.jpg": pillow(RGB, "CMYK", quality=95),
    "progressive.jpeg": pillow(RGB, quality=95, progressive=True),
    "rotated_jpg.jpg": rotated(quality=95),
    "rotated_png.png": rotated(),
    "rotated_tag.tif": pillow(U8, tiffinfo={274: 6}),
    "misnamed.bmp": pillow(U8, format="PNG"),
    # names
    "with spaces  and 細胞.png": pillow(U8),
    "composed_\u00e9.png": pillow(U8),
    "decomposed_e\u0301.png": pillow(U8),
    "-o.png": pillow(U8),
    "new\nline.png": pillow(U8),
    "*[?].png": pillow(U8),
    "one.two.three.png": pillow(U8),
    "%s{0}$HOME.png": pillow(U8),
    "x" * 230 + ".png": pillow(U8),
}  # fmt: skip
"""Files in which the squares are found."""

EMPTY = {
    "zeros.png": pillow(0 * U8),
    "zeros_float.tif": tif(0 * HOLED[5:]),
    "constant.tif": tif(empty_like(44, 60, np.uint16, 777)),
    "constant_rgb.png": pillow(0 * RGB + 9),
    "nan.tif": tif(empty_like(44, 60, np.float32, np.nan)),
    "1x1_png.png": pillow(empty_like(1, 1)),
    "1x1_tif.tif": tif(empty_like(1, 1, np.float64)),
    "1x1000.tif": tif(empty_like(1, 1000)),
    "3x1000_tif.tif": tif(empty_like(3, 1000)),
    "3x1000_png.png": pillow(empty_like(3, 1000)),
    "1000x3.tif": tif(empty_like(1000, 3)),
    "1000x4.tif": tif(empty_like(1000, 4, np.uint16)),
}
"""Images in which there is nothing to be found; the label image has their shape."""

STACKS = {
    "z_stack.tif": tif(STACK, photometric="minisblack"),
    "z_stack_of_imagej.tif": tif(STACK[:3], imagej=True, metadata={"axes": "ZYX"}),
    "time.tif": tif(STACK[:2], imagej=True, metadata={"axes": "TYX"}),
    "hyperstack.tif": tif(STACK[:6].reshape(3, 2, *SHAPE), imagej=True, metadata={"axes": "ZCYX"}),
    "multi_page.tif": pages(*STACK),
}
"""Stacks with the squares in every plane; the label image is one of as many planes."""

N_PLANES = {"z_stack.tif": 7, "z_stack_of_imagej.tif": 3, "time.tif": 2, "hyperstack.tif": 3, "multi_page.tif": 7}

BLANK = {
    "complex.tif": tif(HOLED.astype(np.complex64)),
    "lab.tif": pillow(RGB, "LAB"),
    "truncated_tif.tif": cut(tif(U8, compression="zlib", rowsperstrip=5), 0.7),
    "truncated_plain.tif": cut(tif(U16), 0.5),
    "truncated_png.png": cut(pillow(U8), 0.5),
    "truncated_deep.png": cut(png(RGB16), 0.5),
    "truncated_jpg.jpg": cut(pillow(U8, quality=95), 0.6),
    "truncated_bmp.bmp": cut(pillow(U8), 0.6),
    "overwritten_png.png": damaged(pillow(U8)),
    "overwritten_deep.png": damaged(png(RGB16)),
    "overwritten_tif.tif": damaged(tif(U16, compression="zlib")),
    "hollow.png": png_header(*SHAPE),
    "bytes_that_are_no_name\udcff.png": cut(pillow(U8), 0.5),
}
"""Files of which no more than the size can be used."""

NO_IMAGES = {
    "nothing_png.png": content(b""),
    "nothing_tif.tif": content(b""),
    "nothing_jpg.jpg": content(b""),
    "nothing_bmp.bmp": content(b""),
    "text.png": content(b"no image at all\n"),
    "html.tif": content(b"<html>404</html>"),
    "gif.jpg": pillow(U8, format="GIF"),
    "signature_tif.tif": content(b"II*\0"),
    "signature_png.png": content(b"\x89PNG\r\n\x1a\n"),
    "signature_jpg.jpg": content(b"\xff\xd8\xff\xe0"),
    "signature_bmp.bmp": content(b"BM"),
    "without_rows.png": png_header(0, 60),
    "bomb.png": png_header(2**31 - 1, 2**31 - 1),
    "bomb_below_the_limit.png": png_header(30_000, 30_000),
    "nowhere.png": lambda path: path.symlink_to("does_not_exist.png"),
}
"""Files with an image's name."""

PASSED_OVER = {
    ".DS_Store": content(b"\0\0\0\1Bud1"),
    "._uint8.tif": content(b"\0\5\26\7"),
    ".hidden.png": pillow(U8),
    "Thumbs.db": content(b"\xd0\xcf\x11\xe0"),
    "notes.txt": content(b"hello"),
    "uint8_label.tif": tif(U8),
    "folder.tif": Path.mkdir,
    "subfolder": lambda path: (path.mkdir(), pillow(U8)(path / "inner.png")),
}
"""Entries of the folder of which nothing is said."""

COLLIDING = {"a.b.c.tif": "a_label.tiff", "a.b.d.tif": "a.b.d_label.tiff"}


def label_name(name):
    return COLLIDING.get(name, f"{name.split('.')[0]}_label.tiff")


@dataclass
class Run:
    """A run over the folder with everything in it."""

    folder: Path
    out: Path
    status: int
    lines: list[str]
    rows: dict[str, dict]
    summary: dict

    def labels(self, name):
        return tifffile.imread(self.out / label_name(name))


def run_all(base, n_channels, *flags):
    folder, out, table = base / "in", base / "out", {}
    for part in (SEGMENTED, EMPTY, STACKS, BLANK, NO_IMAGES, PASSED_OVER, dict.fromkeys(COLLIDING, tif(U8))):
        table |= part
    folder.mkdir()
    for name, write in table.items():
        write(folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: BrightModel(n_channels)))
        patch.setattr("starpoly.network.quiet.quiet_import", lambda: None)  # what is bright needs no TensorFlow
        stderr = io.StringIO()
        patch.setattr("sys.stderr", stderr)
        (base / "model").mkdir()
        (base / "model" / "model.json").write_text("{}")
        argv = ["predict", str(folder), "-o", str(out), "--model", str(base / "model"), "--json", str(base / "s.json")]
        status = main([*argv, *flags])
    summary = json.loads((base / "s.json").read_text())
    rows = {Path(row["input"]).name: row for row in summary["images"]}
    return Run(folder, out, status, stderr.getvalue().splitlines(), rows, summary)


@pytest.fixture(scope="module", params=[1, 3], ids=["grey_model", "rgb_model"])
def tolerant(request, tmp_path_factory):
    return run_all(tmp_path_factory.mktemp("tolerant"), request.param, "--tolerant", "--names", "challenge")


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    return run_all(tmp_path_factory.mktemp("strict"), 1, "--names", "challenge")


def finds_the_squares(labels):
    found = labels > 0
    covered = found[SQUARES].mean()
    beyond = found & ~ndimage.binary_dilation(SQUARES, iterations=3)
    return covered > 0.6 and not beyond.any()


def test_the_run_ends_well_whatever_is_in_the_folder(tolerant):
    assert tolerant.status == 0
    written = {*SEGMENTED, *EMPTY, *STACKS, *BLANK, *COLLIDING}
    assert {path.name for path in tolerant.out.iterdir()} == {label_name(name) for name in written}
    assert {path.name for path in tolerant.folder.iterdir()} == {*written, *NO_IMAGES, *PASSED_OVER}


@pytest.mark.parametrize("name", SEGMENTED)
def test_the_squares_are_found(tolerant, name):
    labels = tolerant.labels(name)
    assert labels.dtype == np.uint16
    assert labels.shape == SHAPE
    assert finds_the_squares(labels)
    row = tolerant.rows[name]
    assert (row["status"], row["objects"]) == ("done", labels.max())
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))


@pytest.mark.parametrize("name", STACKS)
def test_every_plane_of_a_stack_is_segmented(tolerant, name):
    labels = tolerant.labels(name)
    assert labels.shape == (N_PLANES[name], *SHAPE)
    assert all(finds_the_squares(plane) for plane in labels)
    row = tolerant.rows[name]
    assert (row["status"], row["objects"]) == ("done", labels.max())


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_found_where_nothing_is(tolerant, name):
    labels = tolerant.labels(name)
    (height, width), row = labels.shape, tolerant.rows[name]
    assert labels.dtype == np.uint16
    assert row["shape"][:2] == [height, width]
    assert not labels.any()
    assert row["status"] == "done"
    assert row["warnings"]
    if name[0].isdigit():
        assert f"{height}x{width}" == name.split(".")[0].split("_")[0]


@pytest.mark.parametrize("name", BLANK)
def test_what_can_be_opened_in_part_gets_labels_without_objects(tolerant, name):
    labels = tolerant.labels(name)
    assert labels.dtype == np.uint16
    assert labels.shape == SHAPE
    assert not labels.any()
    row = tolerant.rows[name]
    assert (row["status"], row["shape"]) == ("blank", list(SHAPE))
    assert "expected" in row["error"]


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_is_said_and_gets_nothing(tolerant, name):
    assert not (tolerant.out / label_name(name)).exists()
    row = tolerant.rows[name]
    assert row["status"] == "unreadable"
    assert "expected" in row["error"]
    assert sum(name in line for line in tolerant.lines) == 1


def test_files_of_other_kinds_are_passed_over(tolerant):
    assert not tolerant.rows.keys() & PASSED_OVER.keys()
    said = [line for line in tolerant.lines if any(name in line for name in PASSED_OVER)]
    assert all(line.startswith("starpoly: passed over, no images: ") for line in said)
    assert len(said) == 1


def test_names_that_collide_keep_the_rule_for_the_first_and_are_said(tolerant):
    for name in COLLIDING:
        assert finds_the_squares(tolerant.labels(name))
    (line,) = [line for line in tolerant.lines if "the usual name of its labels is taken" in line]
    assert "a.b.d.tif" in line
    assert line.endswith("a.b.d_label.tiff")


def test_every_message_is_one_line(tolerant):
    assert tolerant.lines
    kinds = "warning: ", "passed over, no images: ", "kernels are compiled; "
    beginnings = (*(f"starpoly: {kind}" for kind in kinds), f"{tolerant.out}: ")
    assert not [line for line in tolerant.lines if not line.startswith(beginnings)]
    last = tolerant.lines[-1]
    done = len({*SEGMENTED, *EMPTY, *STACKS, *COLLIDING})
    assert last.startswith(f"{tolerant.out}: {done} images segmented")
    assert last.endswith(f"{len(BLANK)} damaged or unusable, {len(NO_IMAGES)} no images")


def test_throughput_is_said(tolerant):
    throughput = tolerant.summary["throughput"]
    assert throughput["images"] == len({*SEGMENTED, *EMPTY, *STACKS, *COLLIDING})
    assert throughput["megapixels"] > 0.1
    assert throughput["images_per_second"] > 0
    assert throughput["megapixels_per_second"] > 0
    assert any(("images/s" in line or "an image" in line) and "megapixels/s" in line for line in tolerant.lines)


def test_without_tolerance_bad_files_are_errors_and_cost_themselves_alone(strict):
    assert strict.status == 1
    assert {path.name for path in strict.out.iterdir()} == {
        label_name(name) for name in (*SEGMENTED, *EMPTY, *STACKS, *COLLIDING)
    }
    failed = {name for name, row in strict.rows.items() if row["status"] == "error"}
    assert failed == {*BLANK, *NO_IMAGES}
    for name in (*SEGMENTED, *STACKS):  # pages without names are planes
        assert all(finds_the_squares(plane) for plane in strict.labels(name).reshape(-1, *SHAPE))
    errors = [line for line in strict.lines if line.startswith("starpoly: error: ")]
    assert len(errors) == len(failed)
    assert all("expected" in line and "got" in line for line in errors)


@pytest.mark.parametrize("name", ["rotated_jpg.jpg", "rotated_png.png", "rotated_tag.tif"])
def test_labels_lie_on_the_pixels_as_the_organisers_readers_give_them(strict, name):
    skimage = pytest.importorskip("skimage.io")
    read = tifffile.imread if name.endswith("tif") else skimage.imread
    assert strict.labels(name).shape == read(strict.folder / name).shape[:2]
    np.testing.assert_array_equal(read(strict.folder / name) > 120, SQUARES)
