"""TIFF files that are made to harm: chains of pages without end, tiles that claim to be huge."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile

from starpoly.errors import ImageError
from starpoly.io.readers import tiff_chain
from starpoly.io.readers.images import open_source, read_header, read_image
from starpoly.io.readers.registry import find_reader
from starpoly.io.readers.stream_size import check_stream

GREY = np.random.default_rng(1).integers(0, 255, (32, 48), np.uint8)
LARGE = np.zeros((640, 800), np.uint8)


def write_pages(path, n=3, **options):
    with tifffile.TiffWriter(path, **options) as writer:
        for _ in range(n):
            writer.write(GREY, metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as tiff:
        return [page.offset for page in tiff.pages]


def set_next(path, page, target, *, big=False):
    """Let the page at an offset be followed by the one at another."""
    data = bytearray(path.read_bytes())
    count, size, pointer = ("<Q", 20, "<Q") if big else ("<H", 12, "<I")
    (n_tags,) = struct.unpack_from(count, data, page)
    struct.pack_into(pointer, data, page + struct.calcsize(count) + n_tags * size, target)
    path.write_bytes(data)


def every_way(path):
    """All that is done with an image file."""
    reader = find_reader(path)
    return [
        lambda: read_header(path),
        lambda: read_image(path),
        lambda: open_source(path).close(),
        lambda: open_source(path, channels=[0]).close(),
        lambda: reader.stack(path).close(),
        lambda: reader.scene_names(path),
    ]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_a_chain_of_pages_that_leads_back_is_refused(tmp_path, big, back_to):
    path = tmp_path / "ring.tif"
    offsets = write_pages(path, bigtiff=big)
    set_next(path, offsets[2], offsets[back_to], big=big)
    for way in every_way(path):
        with pytest.raises(ImageError, match=r"ring\.tif: expected pages in a chain that ends, got one whose page 3"):
            way()


def test_levels_that_lead_back_are_refused(tmp_path):
    path = tmp_path / "levels.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY, subifds=2, metadata=None)
        writer.write(GREY[::2, ::2], subfiletype=1, metadata=None)
        writer.write(GREY[::4, ::4], subfiletype=1, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        first, second = (page.offset for page in tiff.pages[0].pages)
    set_next(path, first, second)
    set_next(path, second, first)
    with pytest.raises(ImageError, match="chain that ends"):
        read_image(path)


def test_more_pages_than_a_file_has_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "many.tif"
    write_pages(path, 5)
    assert read_header(path).shape == GREY.shape
    monkeypatch.setattr(tiff_chain, "MOST_PAGES", 4)
    with pytest.raises(ImageError, match="at most 4 pages"):
        read_header(path)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sound_chains_end(tmp_path, byteorder):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, byteorder=byteorder) as writer:
        for _ in range(3):
            writer.write(GREY, subifds=1, metadata=None, contiguous=False)
            writer.write(GREY[::2, ::2], subfiletype=1, metadata=None)
    tiff_chain.check_chain(path)


@pytest.mark.parametrize("big", [False, True])
def test_levels_that_are_listed_a_million_times_are_refused_unseen(tmp_path, big):
    path, n = tmp_path / "levels.tif", 1 << 20
    offsets = struct.pack("<Q" if big else "<I", 1 << 30) * n
    tag = struct.pack("<HHQQ", 330, 16, n, 200) if big else struct.pack("<HHII", 330, 4, n, 200)
    page = (struct.pack("<Q", 1) if big else struct.pack("<H", 1)) + tag + bytes(8 if big else 4)
    start = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II*\0" + struct.pack("<I", 8)
    path.write_bytes((start + page).ljust(200, b"\0") + offsets)
    with pytest.raises(ImageError, match=r"levels\.tif: expected at most 4096 levels of a page"):
        tiff_chain.check_chain(path)


def test_levels_of_all_pages_count(tmp_path, monkeypatch):
    path = tmp_path / "levels.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(GREY, subifds=2, metadata=None, contiguous=False)
            for _ in range(2):
                writer.write(GREY[::2, ::2], subfiletype=1, metadata=None)
    tiff_chain.check_chain(path)
    monkeypatch.setattr(tiff_chain, "MOST_PAGES", 5)
    with pytest.raises(ImageError, match="at most 5 pages"):
        tiff_chain.check_chain(path)


ENCODERS = {
    7: imagecodecs.jpeg_encode,
    33003: imagecodecs.jpeg2k_encode,
    34712: lambda array: imagecodecs.jpeg2k_encode(array, codecformat="jp2"),
    34887: imagecodecs.lerc_encode,
    34933: imagecodecs.png_encode,
    34934: imagecodecs.jpegxr_encode,
    50001: lambda array: imagecodecs.webp_encode(np.stack([array] * 3, axis=2), lossless=True),
    50002: imagecodecs.jpegxl_encode,
}


@pytest.mark.parametrize("compression", ENCODERS)
def test_the_size_in_a_stream_is_that_of_its_image(compression):
    stream = ENCODERS[compression](LARGE)
    check_stream(stream, compression, 640, 800, 1)
    for rows, columns in ((639, 800), (640, 799), (64, 64)):
        with pytest.raises(ImageError, match=rf"expected {rows} x {columns} pixels, got a stream of 640 x 800"):
            check_stream(stream, compression, rows, columns, 1)


@pytest.mark.parametrize("shape", [(1, 1), (8, 16), (256, 256), (257, 1000), (9000, 3), (1200, 1000), (300, 600)])
def test_sizes_of_jpeg_xl_are_read_in_all_their_forms(shape):
    stream = imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8))
    check_stream(stream, 50002, *shape, 1)
    with pytest.raises(ImageError, match="got a stream"):
        check_stream(stream, 50002, shape[0] - 1, shape[1], 1)


@pytest.mark.parametrize("compression", sorted(ENCODERS.keys() - {7}))  # tables of a JPEG may stand apart
def test_a_header_that_is_cut_off_is_refused(compression):
    stream = ENCODERS[compression](LARGE)
    for length in (0, 3):
        with pytest.raises(ImageError, match="stream"):
            check_stream(stream[:length], compression, 640, 800, 1)


@pytest.mark.parametrize("stray", [b"\0", b"\0\xff\0", b"\xff\xff", b"abc"])
def test_stray_bytes_in_a_jpeg_do_not_hide_its_size(stray):
    stream = imagecodecs.jpeg_encode(LARGE)
    frame = stream.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="got a stream of 640 x 800"):
        check_stream(stream[:frame] + stray + stream[frame:], 7, 64, 64, 1)


@pytest.mark.parametrize(("kind", "encode"), [(1, imagecodecs.zlib_encode), (2, imagecodecs.zstd_encode)])
def test_lerc_that_is_packed_unpacks_no_more_than_its_tile(kind, encode):
    stream = imagecodecs.lerc_encode(LARGE)
    check_stream(encode(stream), 34887, 640, 800, 1, kind)
    with pytest.raises(ImageError, match="got a stream of 640 x 800"):
        check_stream(encode(stream), 34887, 640, 799, 1, kind)
    for bomb in (encode(bytes(1 << 24)) + stream, encode(bytes(1 << 24)) + encode(stream)):
        with pytest.raises((ImageError, RuntimeError)):
            check_stream(bomb, 34887, 640, 800, 1, kind)


def test_packed_lerc_is_read_and_a_bomb_is_not(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression="lerc", compressionargs={"compression": "deflate"}, tile=(32, 48))
    np.testing.assert_array_equal(read_image(path), GREY)
    with tifffile.TiffFile(path) as tiff:
        place, length = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
        counts = tiff.pages[0].tags["TileByteCounts"].valueoffset
        offsets = tiff.pages[0].tags["TileOffsets"].valueoffset
    data = bytearray(path.read_bytes())
    bomb = imagecodecs.zlib_encode(bytes(1 << 24)) + bytes(data[place : place + length])
    struct.pack_into("<I", data, counts, len(bomb))
    struct.pack_into("<I", data, offsets, len(data))
    path.write_bytes(bytes(data) + bomb)
    with pytest.raises(ImageError, match=r"a\.tif: expected at most \d+ bytes in a packed part, got more"):
        read_image(path)


def test_animated_and_many_layered_jpeg_xl_is_refused():
    stream = imagecodecs.jpegxl_encode(np.zeros((9, 64, 64), np.uint8), planar=True)
    check_stream(stream, 50002, 64, 64, 9)
    with pytest.raises(ImageError, match="got a stream of 64 x 64 x 9"):
        check_stream(stream, 50002, 64, 64, 1)
    frames = imagecodecs.jpegxl_encode(np.zeros((5, 64, 64), np.uint8))
    with pytest.raises(ImageError, match="animation"):
        check_stream(frames, 50002, 64, 64, 1)


def tile_of(path, compression, payload):
    """A TIFF of one tile of 64 x 64 pixels with any content."""
    tags = [(256, 64), (257, 64), (258, 8), (259, compression), (262, 1), (277, 1), (322, 64), (323, 64)]
    tags += [(324, 8 + 2 + 12 * 10 + 4), (325, len(payload))]
    listed = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + listed + bytes(4) + payload)
    return path


@pytest.mark.parametrize("compression", [7, 34712, 34887, 34933, 34934, 50002])
def test_a_tile_that_claims_more_than_its_place_is_not_decoded(tmp_path, compression):
    path = tile_of(tmp_path / "tile.tif", compression, ENCODERS[compression](LARGE))
    with pytest.raises(ImageError, match=r"tile\.tif: .*got a stream of 640 x 800"):
        read_image(path)
    with open_source(path) as source, pytest.raises(ImageError, match=r"tile\.tif: .*got a stream of 640 x 800"):
        source[:8, :8]


@pytest.mark.parametrize(
    ("compression", "encode"),
    [(8, imagecodecs.zlib_encode), (50000, imagecodecs.zstd_encode), (34925, imagecodecs.lzma_encode)],
)
def test_a_tile_unpacks_no_more_than_its_place(tmp_path, compression, encode):
    path = tile_of(tmp_path / "tile.tif", compression, encode(bytes(1 << 24)))
    try:
        pixels = read_image(path)
    except ImageError:
        return
    assert pixels.shape == (64, 64)


def test_a_tile_of_broken_pixels_is_refused(tmp_path):
    path = tile_of(tmp_path / "tile.tif", 8, imagecodecs.zlib_encode(bytes(64 * 64)))
    whole, broken = struct.pack("<HHII", 323, 4, 1, 64), struct.pack("<HHIf", 323, 11, 1, 64.0)
    path.write_bytes(path.read_bytes().replace(whole, broken))
    with pytest.raises(ImageError, match=r"tile\.tif: "), open_source(path) as source:
        source[:8, :8]


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_a_tile_that_is_not_there_takes_no_memory(tmp_path):
    path = tile_of(tmp_path / "absent.tif", 8, b"")
    data = bytearray(path.read_bytes())
    for number, value in ((0, 1 << 16), (1, 1 << 16), (6, 1 << 16), (7, 1 << 16)):
        struct.pack_into("<I", data, 10 + 12 * number + 8, value)
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.shape == (1 << 16, 1 << 16, 1)
        assert not source[60_000:60_004, :5].any()


def test_a_large_strip_of_little_is_not_decoded_for_a_corner(tmp_path, monkeypatch):
    from starpoly.io.readers import blocks, tiff_pixels

    monkeypatch.setattr(blocks, "SPARE_BYTES", 1 << 16)
    monkeypatch.setattr(tiff_pixels, "SPARE_BYTES", 1 << 16)
    path = tmp_path / "strip.tif"
    tifffile.imwrite(path, np.zeros((600, 800), np.uint8), compression="zlib", rowsperstrip=600)
    with open_source(path) as source:
        with pytest.raises(ImageError, match="save it in smaller strips"):
            source[:8, :8]
        assert source[:, :].shape == (600, 800, 1)


@pytest.mark.parametrize(("tile", "is_read"), [((16, 1 << 20), True), ((48, 1 << 20), False), ((4096, 8192), True)])
def test_a_large_tile_that_hardly_touches_its_image(tmp_path, tile, is_read):
    tifffile.imwrite(tmp_path / "a.tif", GREY, tile=tile, compression="zlib")

    def corner_of_plane(path):
        with find_reader(path).stack(path) as stack, stack.open_plane(()) as source:
            return source[:5, :5]

    readers = {read_image: GREY.shape, (lambda path: open_source(path)[:5, :5]): (5, 5), corner_of_plane: (5, 5)}
    for read, shape in readers.items():
        if is_read:
            assert read(tmp_path / "a.tif").shape[:2] == shape
        else:
            with pytest.raises(ImageError, match=r"a\.tif: expected tiles that fit an image of"):
                read(tmp_path / "a.tif")
