"""Pyramids, pixel sizes and the formats of slides, with files that the tests write themselves."""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io.readers.images import open_source
from starpoly.io.readers.openslide import OpenSlideSource
from starpoly.io.readers.pixel_size import in_micrometres, pixel_size_of_ome

RNG = np.random.default_rng(11)
RGB = RNG.integers(0, 256, (96, 128, 3), dtype=np.uint8)
LEVELS = [RGB, np.ascontiguousarray(RGB[::2, ::2]), np.ascontiguousarray(RGB[::4, ::4])]
GREY = np.ascontiguousarray(RGB[..., 0])
STACK = RNG.integers(0, 65536, (3, 48, 64), dtype=np.uint16)


def check_levels(path, levels, sizes):
    for number, (expected, size) in enumerate(zip(levels, sizes, strict=True)):
        with open_source(path, level=number) as source:
            assert source.levels == tuple(level.shape[:2] for level in levels)
            assert source.level == number
            assert source.pixel_size == (None if size is None else pytest.approx(size))
            np.testing.assert_array_equal(source[:, :], expected)
            np.testing.assert_array_equal(source[5:19, 7:23], expected[5:19, 7:23])
    with pytest.raises(ImageError, match=rf"expected a level .*, got {len(levels)}; `starpoly info` lists"):
        open_source(path, level=len(levels))


# --- TIFF


@pytest.mark.parametrize("bigtiff", [False, True])
def test_subifds_of_ome_tiff(tmp_path, bigtiff):
    path = tmp_path / "slide.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 500, "PhysicalSizeYUnit": "nm"}
    options = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
    with tifffile.TiffWriter(path, bigtiff=bigtiff, ome=True) as writer:
        writer.write(LEVELS[0], subifds=2, metadata=metadata, **options)
        for level in LEVELS[1:]:
            writer.write(level, subfiletype=1, **options)
    check_levels(path, LEVELS, [(0.5, 0.25), (1.0, 0.5), (2.0, 1.0)])


def test_subifds_of_channels(tmp_path):
    path = tmp_path / "channels.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(STACK, subifds=1, metadata={"axes": "CYX"}, tile=(32, 16), photometric="minisblack")
        writer.write(STACK[:, ::2, ::2], subfiletype=1, tile=(16, 16), photometric="minisblack")
    levels = [np.moveaxis(STACK, 0, 2), np.moveaxis(STACK[:, ::2, ::2], 0, 2)]
    check_levels(path, levels, [None, None])
    with open_source(path, level=1, channels=[2, 0]) as source:
        np.testing.assert_array_equal(source[3:9, 4:30], levels[1][3:9, 4:30, [2, 0]])


def test_aperio(tmp_path):
    """An SVS: baseline, thumbnail, level, label."""
    path = tmp_path / "slide.svs"
    options = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            LEVELS[0], tile=(32, 32), description="Aperio Image Library v1\r\n|AppMag = 20|MPP = 0.4990", **options
        )
        writer.write(LEVELS[2][:20], rowsperstrip=16, description="Aperio Image Library v1\r\nthumbnail", **options)
        writer.write(LEVELS[2], tile=(16, 16), description="Aperio Image Library v1\r\nlevel", **options)
        writer.write(
            LEVELS[2][:10], rowsperstrip=16, subfiletype=1, description="Aperio Image Library v1\r\nlabel 2", **options
        )
    check_levels(path, [LEVELS[0], LEVELS[2]], [(0.499, 0.499), (1.996, 1.996)])


def write_ndpi(path, image):
    """A Hamamatsu slide: one JPEG strip, its restart markers used as tiles; offsets with their high halves apart."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=0, restart_marker_blocks=4)
    jpeg = buffer.getvalue()
    scan = jpeg.index(b"\xff\xda")
    first = scan + 2 + struct.unpack(">H", jpeg[scan + 2 : scan + 4])[0]
    restarts = [at + 2 for at in range(first, len(jpeg) - 1) if jpeg[at] == 0xFF and 0xD0 <= jpeg[at + 1] <= 0xD7]
    starts = [first, *restarts]
    height, width = image.shape[:2]
    content = bytearray(b"II*\0" + bytes(8) + jpeg + bytes(len(jpeg) % 2))

    def put(data):
        content.extend(data)
        return len(content) - len(data)

    resolution = put(struct.pack("<II", 40_000, 1))
    make = put(b"Hamamatsu\0")
    bits = put(struct.pack("<3H", 8, 8, 8))
    places = put(np.asarray(starts, "<u4").tobytes())
    tags = [
        (254, 4, 1, 0), (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6),
        (271, 2, 10, make), (273, 4, 1, 12), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(jpeg)),
        (282, 5, 1, resolution), (283, 5, 1, resolution), (284, 3, 1, 1), (296, 3, 1, 3), (65420, 4, 1, 1),
        (65421, 11, 1, struct.unpack("<I", struct.pack("<f", 20.0))[0]), (65426, 4, len(starts), places),
    ]  # fmt: skip
    directory = put(
        struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(8 + 4 * len(tags))
    )
    content[4:12] = struct.pack("<Q", directory)
    path.write_bytes(content)
    return imagecodecs.jpeg_decode(jpeg)


def test_hamamatsu(tmp_path):
    smooth = np.add.outer(np.arange(40), np.arange(96))[..., None] * np.array([1, 2, 1]) % 251
    path = tmp_path / "slide.ndpi"
    expected = write_ndpi(path, smooth.astype(np.uint8))
    with open_source(path) as source:
        assert source.block == (8, 32)
        assert source.pixel_size == pytest.approx((0.25, 0.25))
        np.testing.assert_array_equal(source[:, :], expected)
        np.testing.assert_array_equal(source[5:30, 30:70], expected[5:30, 30:70])


RESOLUTIONS = {
    "cm": ({"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}, (0.5, 0.25)),
    "inch": ({"resolution": (50_800, 50_800), "resolutionunit": "INCH"}, (0.5, 0.5)),
    "no_unit": ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
    "printer": ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
    "imagej": ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "um"}}, (0.5, 0.25)),
    "imagej_pixels": ({"imagej": True, "resolution": (4, 2), "metadata": {"unit": "pixel"}}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("name", RESOLUTIONS)
def test_resolution_tags(tmp_path, name):
    options, expected = RESOLUTIONS[name]
    tifffile.imwrite(tmp_path / "image.tif", GREY, **options)
    with open_source(tmp_path / "image.tif", roi=None, channels=[0]) as source:
        assert source.pixel_size == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (("0.5", "0.25", "µm"), (0.5, 0.25)),
        (("500", 250, "nanometer"), (0.5, 0.25)),
        ((1, 1, "pixel"), None),
        ((0, 1, "um"), None),
        (("nan", 1, "um"), None),
        (("wide", 1, "um"), None),
        ((None, None, "um"), None),
    ],
)
def test_units(stated, expected):
    assert in_micrometres(*stated) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "xml", ["", "<OME>", "<OME/>", "<OME><Pixels/></OME>", "<OME><Pixels PhysicalSizeX='1'/></OME>"]
)
def test_incomplete_ome_states_no_size(xml):
    assert pixel_size_of_ome(xml) is None


def test_further_images_are_said(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(GREY[:40, :50], metadata=None)
    with pytest.warns(StarpolyWarning, match="expected one image, got 2; the first is used"):
        np.testing.assert_array_equal(open_source(tmp_path / "two.tif")[:, :], RGB)


def test_an_ome_tiff_names_no_other_files(tmp_path):
    tifffile.imwrite(tmp_path / "other.ome.tif", np.full(GREY.shape, 77, np.uint8), ome=True)
    other = tifffile.TiffFile(tmp_path / "other.ome.tif").ome_metadata
    uuid = 'UUID="urn:uuid:' + other.split('UUID="urn:uuid:')[1][:36]
    description = other.replace(uuid, 'UUID="urn:uuid:00000000-0000-0000-0000-000000000000', 1)
    tifffile.imwrite(tmp_path / "lure.ome.tif", GREY, description=description.encode(), metadata=None, tile=(32, 32))
    np.testing.assert_array_equal(open_source(tmp_path / "lure.ome.tif")[:, :, 0], GREY)


# --- OME-Zarr


def write_ome_zarr(path, levels, version, axes="cyx", unit="micrometer", **changes):
    """An image as the specification has it, 0.4 (zarr 2) or 0.5 (zarr 3)."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for number, level in enumerate(levels):
        chunks = tuple(1 if axis not in "yx" else 32 for axis in axes)
        array = group.create_array(f"s{number}", shape=level.shape, chunks=chunks, dtype=level.dtype)
        array[...] = level
        scale = [0.5 * 2**number if axis == "y" else 0.25 * 2**number if axis == "x" else 1.0 for axis in axes]
        datasets.append({"path": f"s{number}", "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space")} | ({"unit": unit} if axis in "zyx" else {}) for axis in axes
    ]
    multiscales = [{"version": version, "axes": described, "datasets": datasets} | changes]
    group.attrs.update(
        {"multiscales": multiscales} if version == "0.4" else {"ome": {"version": "0.5", "multiscales": multiscales}}
    )


@pytest.mark.parametrize(
    ("version", "axes"), list(itertools.product(["0.4", "0.5"], ["yx", "cyx", "yxc", "zyx", "tczyx"]))
)
def test_ome_zarr(tmp_path, version, axes):
    path = tmp_path / "image.ome.zarr"
    whole = STACK if "c" in axes else STACK[:1]
    levels = [np.moveaxis(level, 0, 2) for level in (whole, whole[:, ::2, ::2])]
    stored = {
        "yx": lambda level: level[..., 0],
        "cyx": lambda level: np.moveaxis(level, 2, 0),
        "yxc": lambda level: level,
        "zyx": lambda level: np.moveaxis(level, 2, 0),
        "tczyx": lambda level: np.moveaxis(level, 2, 0)[None, :, None],
    }[axes]
    write_ome_zarr(path, [stored(level) for level in levels], version, axes)
    check_levels(path, levels, [(0.5, 0.25), (1.0, 0.5)])


def test_scale_of_the_whole_pyramid(tmp_path):
    whole = [{"type": "scale", "scale": [1.0, 10.0, 10.0]}]
    write_ome_zarr(tmp_path / "image.zarr", [STACK], "0.4", unit="nanometer", coordinateTransformations=whole)
    assert open_source(tmp_path / "image.zarr").pixel_size == pytest.approx((0.005, 0.0025))


@pytest.mark.parametrize("axes", ["zyx", "tyx", "tczyx"])
def test_stacks_in_ome_zarr_are_refused(tmp_path, axes):
    stack = STACK if len(axes) == 3 else np.stack([STACK[:, None]] * 2)
    write_ome_zarr(tmp_path / "stack.zarr", [stack], "0.5", axes)
    with pytest.raises(ImageError, match="got a stack with axes"):
        open_source(tmp_path / "stack.zarr")


@pytest.mark.parametrize("inner", ["../other.zarr", "/etc", "", "s9", "..\\other", "a/../../other.zarr"])
def test_datasets_outside_the_folder_are_refused(tmp_path, inner):
    zarr.save_array(tmp_path / "other.zarr", GREY)
    write_ome_zarr(tmp_path / "image.zarr", [STACK], "0.5", datasets=[{"path": inner}])
    with pytest.raises(ImageError, match=r"expected (datasets inside|an array at)"):
        open_source(tmp_path / "image.zarr")


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": None},
        {"datasets": []},
        {"datasets": ["s0"]},
        {"axes": None},
        {"axes": [1, 2, 3]},
        {"axes": "cyx"},
        {"coordinateTransformations": {}},
        {"coordinateTransformations": [7, {"type": "scale"}, {"type": "scale", "scale": ["a", "b", "c"]}]},
    ],
)
def test_odd_metadata_end_in_an_image_or_an_image_error(tmp_path, changes):
    write_ome_zarr(tmp_path / "image.zarr", [STACK], "0.5")
    group = zarr.open_group(tmp_path / "image.zarr")
    ome = dict(group.attrs["ome"])
    group.attrs["ome"] = ome | {"multiscales": [ome["multiscales"][0] | changes]}
    try:
        source = open_source(tmp_path / "image.zarr")
    except ImageError:
        return
    np.testing.assert_array_equal(source[:, :], np.moveaxis(STACK, 0, 2))


@pytest.mark.parametrize("n_images", [1, 2])
def test_the_layout_of_bioformats2raw(tmp_path, n_images):
    zarr.open_group(tmp_path / "many.zarr", mode="w").attrs["ome"] = {"bioformats2raw.layout": 3}
    for number in range(n_images):
        write_ome_zarr(tmp_path / "many.zarr" / str(number), [STACK + number], "0.5")
    said = pytest.warns(StarpolyWarning, match="got several; .*0 is used") if n_images > 1 else contextlib.nullcontext()
    with said:
        source = open_source(tmp_path / "many.zarr")
    np.testing.assert_array_equal(source[:, :], np.moveaxis(STACK, 0, 2))


def test_plates_and_mere_groups_are_refused(tmp_path):
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    group.attrs["ome"] = {"plate": {}}
    with pytest.raises(ImageError, match="got a plate of images; name one"):
        open_source(tmp_path / "plate.zarr")
    zarr.open_group(tmp_path / "group.zarr", mode="w").create_array("inner", data=GREY)
    with pytest.raises(ImageError, match=r"got a group with \['inner'\]"):
        open_source(tmp_path / "group.zarr")
    np.testing.assert_array_equal(open_source(tmp_path / "group.zarr" / "inner")[:, :, 0], GREY)


def test_arrays_of_zarr_are_sources(tmp_path):
    array = zarr.create_array(tmp_path / "image.zarr", data=RGB, chunks=(32, 16, 3))
    source = open_source(array)
    assert source.block == (32, 16)
    np.testing.assert_array_equal(source[5:40, 60:90], RGB[5:40, 60:90])


# --- OpenSlide


def test_openslide(tmp_path):
    pytest.importorskip("openslide")
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, level in enumerate(LEVELS):
            writer.write(level, photometric="rgb", tile=(32, 32), metadata=None, subfiletype=int(number > 0))
    for number, expected in enumerate(LEVELS):
        with OpenSlideSource(path, number) as source:
            assert source.levels == tuple(level.shape[:2] for level in LEVELS)
            np.testing.assert_array_equal(source[7:20, 3:30], expected[7:20, 3:30])
            np.testing.assert_array_equal(source[:, :], expected)
    with pytest.raises(ImageError, match="closed"):
        source[:5, :5]
    with pytest.raises(ImageError, match="expected a level from 0 to 2"):
        OpenSlideSource(path, 3)


def test_slides_without_openslide_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    (tmp_path / "slide.mrxs").write_bytes(b"\xff\xd9 anything")
    with pytest.raises(
        ImageError, match=r'expected OpenSlide to read .mrxs slides, got none; pip install "openslide-python'
    ):
        open_source(tmp_path / "slide.mrxs")


def test_what_openslide_does_not_know_is_refused(tmp_path):
    pytest.importorskip("openslide")
    (tmp_path / "slide.mrxs").write_bytes(b"anything")
    with pytest.raises(ImageError, match=r"slide\.mrxs: expected a slide, got one that cannot be decoded"):
        open_source(tmp_path / "slide.mrxs")
