"""Any region of any source is the same crop of the whole image, for a table of layouts."""

from __future__ import annotations

import contextlib
import json
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io.readers import array as array_reader
from starpoly.io.readers import blocks, channels, view
from starpoly.io.readers import zarr as zarr_reader
from starpoly.io.readers.block_cache import BlockCache
from starpoly.io.readers.images import open_source, read_image
from starpoly.io.readers.planes import open_stack
from starpoly.io.readers.source import Source
from starpoly.tiling import Box

RNG = np.random.default_rng(3)
SHAPE = (70, 83)
GREY = RNG.integers(0, 256, SHAPE, dtype=np.uint8)
DEEP = RNG.integers(0, 65536, SHAPE, dtype=np.uint16)
RGB = RNG.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
RGBA = np.concatenate([RGB, np.full((*SHAPE, 1), 255, np.uint8)], axis=2)
STACK = RNG.integers(0, 65536, (6, *SHAPE), dtype=np.uint16)
FLOAT = RNG.normal(size=SHAPE).astype(np.float32)
HALF = RGB[::2, ::2]
COLORMAP = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)


def tif(array, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


def pyramid(levels, **options):
    def write(path):
        with tifffile.TiffWriter(
            path, **{key: options.pop(key) for key in ("ome", "bigtiff") if key in options}
        ) as writer:
            writer.write(levels[0], subifds=len(levels) - 1, tile=(32, 16), **options)
            for level in levels[1:]:
                writer.write(level, subfiletype=1, tile=(16, 16), metadata=None, photometric="rgb")

    return write


def pages(arrays, **options):
    def write(path):
        with tifffile.TiffWriter(path) as writer:
            for array in arrays:
                writer.write(array, contiguous=False, metadata=None, **options)

    return write


def npy(array):
    return lambda path: np.save(path, array)


def zarr_array(array, **options):
    def write(path):
        stored = zarr.create_array(store=path, shape=array.shape, dtype=array.dtype, **options)
        stored[...] = array

    return write


def moved(stack):
    return np.moveaxis(stack, 0, 2)


TILES = {"tile": (32, 16)}

LAYOUTS = {
    # name of the file: (how it is written, what is to be read); written once, read at random places
    "plain.tif": (tif(GREY), GREY),
    "plain_rgb.tif": (tif(RGB, photometric="rgb"), RGB),
    "big_endian.tif": (tif(DEEP, byteorder=">"), DEEP),
    "big_endian_strips.tif": (tif(DEEP, byteorder=">", compression="zlib", predictor=True, rowsperstrip=9), DEEP),
    "strips.tif": (tif(RGB, rowsperstrip=7), RGB),
    "strips_zlib.tif": (tif(DEEP, rowsperstrip=7, compression="zlib"), DEEP),
    "one_strip_zlib.tif": (tif(RGB, compression="zlib"), RGB),
    "tiles.tif": (tif(GREY, **TILES), GREY),
    "tiles_rgb_lzw.tif": (tif(RGB, compression="lzw", predictor=True, **TILES), RGB),
    "tiles_zstd_float.tif": (tif(FLOAT, compression="zstd", **TILES), FLOAT),
    "tiles_bool.tif": (tif(GREY > 99, **TILES), GREY > 99),
    "bigtiff.tif": (tif(RGB, bigtiff=True, compression="zlib", **TILES), RGB),
    "planar.tif": (tif(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"), RGB),
    "planar_tiles.tif": (
        tif(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate", compression="zlib", **TILES),
        RGB,
    ),
    "alpha.tif": (tif(RGBA, photometric="rgb", extrasamples=["unassalpha"], **TILES), RGB),
    "inverted.tif": (tif(GREY, photometric="miniswhite", **TILES), 255 - GREY),
    "palette.tif": (tif(GREY, photometric="palette", colormap=COLORMAP, **TILES), None),
    "cmyk.tif": (tif(RGBA, photometric="separated", **TILES), None),
    "jpeg.tif": (tif(RGB, compression="jpeg", photometric="rgb", **TILES), None),
    "jpeg_ycbcr.tif": (tif(RGB, compression="jpeg", photometric="ycbcr", subsampling=(2, 2), **TILES), None),
    "jpeg2000.tif": (tif(RGB, compression="jpeg2000", **TILES), RGB),
    "subifds.ome.tif": (pyramid([RGB, HALF], ome=True, photometric="rgb", compression="zlib"), RGB),
    "subifds_big.tif": (pyramid([RGB, HALF], bigtiff=True, photometric="rgb"), RGB),
    "channels.ome.tif": (tif(STACK, metadata={"axes": "CYX"}, compression="zlib", **TILES), moved(STACK)),
    "channels_plain.ome.tif": (tif(STACK, metadata={"axes": "CYX"}), moved(STACK)),
    "channels_last.ome.tif": (
        tif(moved(STACK), metadata={"axes": "YXC"}, photometric="minisblack", planarconfig="contig", **TILES),
        None,
    ),
    "channels_imagej.tif": (tif(STACK, imagej=True, metadata={"axes": "CYX"}), moved(STACK)),
    "single_z.ome.tif": (tif(STACK[None, :, None], metadata={"axes": "TCZYX"}, **TILES), moved(STACK)),
    "grey.npy": (npy(DEEP), DEEP),
    "rgb.npy": (npy(RGB), RGB),
    "fortran.npy": (npy(np.asfortranarray(RGB)), RGB),
    "big_endian.npy": (npy(DEEP.astype(">u2")), DEEP),
    "three.zarr": (zarr_array(DEEP, chunks=(32, 16)), DEEP),
    "three_rgb.zarr": (zarr_array(RGB, chunks=(32, 16, 2)), RGB),
    "three_named.zarr": (zarr_array(STACK, chunks=(4, 32, 16), dimension_names=("c", "y", "x")), moved(STACK)),
    "three_sharded.zarr": (zarr_array(DEEP, chunks=(8, 16), shards=(32, 32)), DEEP),
    "two.zarr": (zarr_array(DEEP, chunks=(32, 16), zarr_format=2), DEEP),
    "two_one_chunk.zarr": (zarr_array(RGB, chunks=RGB.shape, zarr_format=2), RGB),
    "grey.png": (lambda path: Image.fromarray(GREY).save(path), GREY),
    "rgb.bmp": (lambda path: Image.fromarray(RGB).save(path), RGB),
}

ASSUMED = {
    "cyx.npy": (npy(STACK[:3]), moved(STACK[:3])),
    "cyx.zarr": (zarr_array(STACK[:3], chunks=(1, 32, 16)), moved(STACK[:3])),
}
"""The same with a warning: unnamed axes are taken for channels."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Sources of all layouts, with what they are to hold."""
    folder = tmp_path_factory.mktemp("layouts")
    found = {}
    patch = pytest.MonkeyPatch()
    patch.setattr(zarr_reader, "_BLOCK_LENGTH", 40)
    for name, (write, expected) in {**LAYOUTS, **ASSUMED}.items():
        path = folder / name
        write(path)
        with warnings.catch_warnings():
            if name in ASSUMED:
                warnings.simplefilter("ignore", StarpolyWarning)
            whole = read_image(path) if expected is None else expected
            found[name] = open_source(path), whole if whole.ndim == 3 else whole[..., None]
    yield found
    patch.undo()
    for source, _ in found.values():
        source.close()


def spans(length):
    return st.tuples(st.integers(0, length - 1), st.integers(1, length)).map(
        lambda pair: (pair[0], min(length, sum(pair)))
    )


@pytest.mark.parametrize("name", [*LAYOUTS, *ASSUMED])
@given(data=st.data())
def test_a_region_is_a_crop(opened, name, data):
    source, whole = opened[name]
    assert isinstance(source, Source)
    assert (source.shape, source.dtype) == (whole.shape, whole.dtype)
    (y0, y1), (x0, x1) = data.draw(spans(whole.shape[0])), data.draw(spans(whole.shape[1]))
    region = source[y0:y1, x0:x1]
    assert region.dtype.isnative
    np.testing.assert_array_equal(region, whole[y0:y1, x0:x1])


@pytest.mark.parametrize("name", ["planar_tiles.tif", "cmyk.tif", "channels.ome.tif", "three_named.zarr", "cyx.npy"])
@given(data=st.data())
def test_views_are_crops_of_crops(opened, name, data):
    source, whole = opened[name]
    (y0, y1), (x0, x1) = data.draw(spans(whole.shape[0])), data.draw(spans(whole.shape[1]))
    channels = data.draw(st.lists(st.integers(0, whole.shape[2] - 1), min_size=1, max_size=4))
    part = open_source(source, roi=Box(y0, x0, y1, x1), channels=channels)
    expected = whole[y0:y1, x0:x1][..., channels]
    assert part.shape == expected.shape
    assert part.offset == (y0, x0)
    np.testing.assert_array_equal(part[:, :], expected)
    channel = data.draw(st.integers(-len(channels), len(channels) - 1))
    np.testing.assert_array_equal(part[1:, 2:7, channel], expected[1:, 2:7, channel])


def test_what_is_made_of_a_source_says_the_same(opened, monkeypatch):
    source, _ = opened["tiles_rgb_lzw.tif"]
    said = {
        "pixel_size": (0.5, 0.25),
        "level": 1,
        "levels": ((140, 166), SHAPE),
        "offset": (3, 4),
        "block": (32, 16),
        "read_warning": "dear",
    }
    for name, value in said.items():
        monkeypatch.setattr(source, name, value)
    with pytest.warns(StarpolyWarning, match="luminance"):
        grey = channels.match_channels(source, 1)
    for made in (grey, view.SourceView(source)):
        assert {name: getattr(made, name) for name in said} == said
        assert made.name == source.name
    assert grey.shape == (*SHAPE, 1)


def test_a_pixel_size_that_is_given_counts(opened):
    source, whole = opened["tiles_rgb_lzw.tif"]
    given = open_source(source, pixel_size=(0.2, 0.3))
    assert given.pixel_size == (0.2, 0.3)
    np.testing.assert_array_equal(given[:, :], whole)


@pytest.mark.parametrize("name", ["tiles_rgb_lzw.tif", "jpeg.tif", "two.zarr", "fortran.npy"])
def test_threads_read_the_same(opened, name, monkeypatch):
    source, whole = opened[name]
    boxes = [Box(y, x, y + 20, x + 30) for y in range(0, 50, 7) for x in range(0, 50, 11)]
    with ThreadPoolExecutor(8) as pool:
        for box, region in zip(boxes, pool.map(lambda box: source[box.slices], boxes), strict=True):
            np.testing.assert_array_equal(region, whole[box.slices])


def test_indexing_is_numpys():
    source = open_source(RGB)
    for key in [slice(3, 9), (slice(-9, None), slice(5)), (slice(9, 3), slice(5)), (slice(0, 4), slice(0, 5), [2, 0])]:
        np.testing.assert_array_equal(source[key], RGB[key])
    np.testing.assert_array_equal(np.asarray(source), RGB)
    with pytest.raises(ImageError, match="without step"):
        source[::2]
    with pytest.raises(ImageError, match="expected slices"):
        source[3, 4]


def test_lazy_arrays_are_sliced_not_loaded():
    class Lazy:
        shape, dtype = (10**6, 10**6), np.dtype(np.uint8)

        def __getitem__(self, key):
            return np.full([index.stop - index.start for index in key], 5)

    source = open_source(Lazy())
    assert source.shape == (10**6, 10**6, 1)
    assert (source[10:20, 900_000:900_007] == 5).all()


@pytest.mark.parametrize(
    "wrong", [[[1, 2]], np.zeros(5), np.zeros((2, 3, 4, 5)), np.zeros((0, 5)), np.zeros((3, 3), complex)]
)
def test_what_is_no_image_is_refused(wrong):
    with pytest.raises(ImageError, match="expected"):
        open_source(wrong)


@pytest.mark.parametrize(
    "options",
    [{"level": 1}, {"level": -1}, {"channels": [3]}, {"channels": []}, {"channels": [-1]},
     {"roi": Box(0, 0, 71, 9)}, {"roi": Box(5, 5, 5, 9)}, {"roi": Box(-1, 0, 9, 9)}],
)  # fmt: skip
def test_what_is_not_there_is_refused(options, tmp_path):
    np.save(tmp_path / "rgb.npy", RGB)
    for image in (RGB, tmp_path / "rgb.npy"):
        with pytest.raises(ImageError, match="expected"):
            open_source(image, **options)


# --- cache and cost


def test_the_cache_is_bounded_and_keeps_what_was_used_last():
    cache, made = BlockCache(300), []

    def make(key):
        made.append(key)
        return np.zeros(100, np.uint8)

    for key in [0, 1, 2, 0, 3, 0, 1]:
        cache.get(key, lambda key=key: make(key))
        assert cache.n_bytes <= 300
    assert made == [0, 1, 2, 3, 1]


def test_a_block_is_made_once_however_many_wait_for_it():
    cache, made, gate = BlockCache(1000), [], threading.Event()

    def make():
        gate.wait(5)
        made.append(1)
        return np.zeros(3)

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(cache.get, "key", make) for _ in range(4)]
        gate.set()
        assert all(future.result().shape == (3,) for future in futures)
    assert made == [1]


def test_a_failure_is_not_kept():
    cache = BlockCache(1000)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 / 0)
    assert cache.get("key", lambda: np.zeros(3)).shape == (3,)


@pytest.mark.parametrize("name", ["one_strip_zlib.tif", "two_one_chunk.zarr", "rgb.bmp"])
def test_what_cannot_be_read_in_part_is_said_with_its_cost(opened, name, monkeypatch):
    path = opened[name][0].name
    for module in (blocks, array_reader):
        monkeypatch.setattr(module, "EXPENSIVE_BYTES", 9000)
    with pytest.warns(StarpolyWarning, match=r"0 MB are decoded and held in memory; save it"):
        source = open_source(path)
    assert "MB" in source.read_warning
    np.testing.assert_array_equal(source[3:9, 2:70], RGB[3:9, 2:70])


@pytest.mark.parametrize("name", ["tiles_rgb_lzw.tif", "strips_zlib.tif", "plain_rgb.tif", "rgb.npy"])
def test_what_is_read_in_part_costs_nothing(opened, name, monkeypatch):
    monkeypatch.setattr(blocks, "EXPENSIVE_BYTES", 9000)
    assert open_source(opened[name][0].name).read_warning is None


def test_overlapping_windows_decode_once(opened, monkeypatch):
    source = open_source(opened["tiles_rgb_lzw.tif"][0].name)
    decoded = []
    decode = source._pixels._stored.decode
    source._pixels._stored.decode = lambda *index: decoded.append(index) or decode(*index)
    source[0:40, 0:40], source[20:60, 20:40], source[:, :, 1]
    assert len(decoded) == len(set(decoded)) == 3 * 6
    source.close()


# --- files from outside


DAMAGED = {
    "tiles.tif": tif(RGB, compression="zlib", tile=(32, 32)),
    "strips.tif": tif(RGB, compression="zlib", rowsperstrip=16),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_corrupt_block_is_named_and_costs_itself_alone(tmp_path, name):
    path = tmp_path / name
    DAMAGED[name](path)
    with tifffile.TiffFile(path) as file:
        last = file.pages[0].dataoffsets[-1]
    with open(path, "r+b") as file:
        file.seek(last)
        file.write(b"\xff" * 50)
    source = open_source(path)
    np.testing.assert_array_equal(source[:60, :60], RGB[:60, :60])
    with pytest.raises(
        ImageError, match=rf"{name}: expected a whole (tile|strip) at row \d, column \d \(pixel 64, \d+\)"
    ):
        source[60:70, 60:83]


def test_a_corrupt_chunk_is_named(tmp_path):
    path = tmp_path / "image.zarr"
    zarr_array(DEEP, chunks=(32, 32))(path)
    (path / "c" / "1" / "1").write_bytes(b"nonsense")
    with pytest.raises(ImageError, match=r"a whole chunk at row \d, column \d"):
        open_source(path)[40:50, 40:50]


@pytest.mark.parametrize("name", ["plain.tif", "tiles.tif", "grey.npy"])
def test_truncated_files_are_refused_at_once(tmp_path, name):
    path = tmp_path / name
    LAYOUTS[name][0](path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ImageError, match=r"truncated|cannot be decoded"):
        open_source(path)


def test_sparse_tiles_are_empty(tmp_path):
    tiles = iter([np.ones((16, 16), np.uint8), None, None, np.full((16, 16), 2, np.uint8)])
    tifffile.imwrite(tmp_path / "sparse.tif", tiles, shape=(32, 32), dtype=np.uint8, tile=(16, 16))
    expected = np.kron([[1, 0], [0, 2]], np.ones((16, 16), np.uint8))
    np.testing.assert_array_equal(open_source(tmp_path / "sparse.tif")[:, :, 0], expected)


@pytest.mark.parametrize("name", ["jpeg.tif", "strips.tif", "channels.ome.tif", "three_rgb.zarr", "fortran.npy"])
def test_flipped_bytes_raise_nothing_but_image_errors(tmp_path, name):
    path = tmp_path / name
    LAYOUTS[name][0](path)
    target = path / "zarr.json" if path.is_dir() else path
    content = np.frombuffer(target.read_bytes(), np.uint8)
    rng = np.random.default_rng(5)
    for _ in range(15):
        damaged = content.copy()
        damaged[rng.integers(0, min(500, len(content)), 3)] = rng.integers(0, 256, 3)
        target.write_bytes(damaged.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ImageError), open_source(path) as source:
                box = Box(0, 0, 40, 40).clip(source.shape[:2])
                assert source[box.slices].shape[:2] == box.shape


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(ImageError, match="expected numbers, got Python objects"):
        open_source(tmp_path / "objects.npy")


REFUSED = {
    "z.tif": tif(STACK, photometric="minisblack"),
    "pages.tif": pages(STACK[:3], compression="zlib", rowsperstrip=16),
    "pages_plain.tif": pages(STACK[:2]),
    "z.npy": npy(STACK),
    "z.zarr": zarr_array(STACK[:3], chunks=(1, 32, 16), dimension_names=("z", "y", "x")),
    "rgb_pages.tif": tif(np.stack([RGB, RGB]), photometric="rgb"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_stacks_are_refused(tmp_path, name):
    REFUSED[name](tmp_path / name)
    with pytest.raises(ImageError, match=r"got a stack with axes"):
        open_source(tmp_path / name)


def test_missing_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "text.tif").write_text("nothing of the kind")
    (tmp_path / "folder").mkdir()
    for name in ("missing.tif", "text.tif", "folder"):
        with pytest.raises(ImageError, match=rf"{name}: expected"):
            open_source(tmp_path / name)


def test_png_of_16_bit_colour_is_not_cut(tmp_path):
    deep = np.ascontiguousarray(moved(STACK[:3]))
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_array_equal(open_source(str(tmp_path / "deep.png"))[5:9, 1:70], deep[5:9, 1:70])


def test_a_closed_source_says_so(tmp_path):
    LAYOUTS["tiles.tif"][0](tmp_path / "tiles.tif")
    with open_source(tmp_path / "tiles.tif") as source:
        pass
    with pytest.raises(ImageError, match="closed"):
        source[:3, :3]


@pytest.mark.parametrize("kind", ["shaped", "ome"])
def test_planes_that_no_file_of_this_size_holds_are_refused(tmp_path, kind):
    n, path = 99_999_999_999_999, tmp_path / f"{kind}.tif"
    pixels = f'SizeX="20" SizeY="10" SizeC="1" SizeZ="1" SizeT="{n}" Type="uint8" DimensionOrder="XYCZT"'
    description = {
        "shaped": json.dumps({"shape": [n, 10, 20]}),
        "ome": f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" {pixels}>'
        "<TiffData/></Pixels></Image></OME>",
    }
    tifffile.imwrite(path, np.zeros((10, 20), np.uint8), description=description[kind], metadata=None)
    for read in (open_source, open_stack):
        with pytest.raises(ImageError, match=r"expected planes that .*, got a header for .*; save it again"):
            read(path)
