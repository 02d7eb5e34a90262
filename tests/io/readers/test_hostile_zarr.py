"""Zarrs that are made to harm: codecs that run code, chunks that claim to be huge, links, pipes."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import struct
import zlib

import numcodecs
import numpy as np
import pytest
import zarr

from starpoly.errors import ImageError
from starpoly.io.readers import blocks, zarr_chunks, zarr_store
from starpoly.io.readers.images import open_source, read_header, read_image
from starpoly.io.readers.zarr_codecs import check_codecs

PIXELS = np.random.default_rng(2).integers(0, 255, (64, 80), np.uint8)


def write_v2(path, files=None, **metadata):
    """A zarr of version 2 with any metadata and chunks."""
    path.mkdir()
    described = dict(zarr_format=2, shape=[64, 80], chunks=[64, 80], dtype="|u1", compressor=None, fill_value=0)
    described |= {"order": "C", "filters": None} | metadata
    (path / ".zarray").write_text(json.dumps(described))
    for name, content in (files or {}).items():
        (path / name).write_bytes(content)
    return path


def write_v3(path, codecs, shape=(64, 80), chunk=(64, 80)):
    """A zarr of version 3 with any codecs."""
    path.mkdir()
    grid = {"name": "regular", "configuration": {"chunk_shape": list(chunk)}}
    described = dict(zarr_format=3, node_type="array", shape=list(shape), data_type="uint8", chunk_grid=grid)
    described |= dict(chunk_key_encoding={"name": "default"}, fill_value=0, codecs=codecs, attributes={})
    (path / "zarr.json").write_text(json.dumps(described))
    return path


class Touch:
    """Unpickles by making a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_a_codec_that_unpickles_is_refused_before_a_chunk_is_read(tmp_path, place):
    codec = {"id": "pickle", "protocol": 5}
    settings = {"compressor": codec} if place == "compressor" else {"filters": [codec]}
    path = write_v2(tmp_path / "a.zarr", {"0.0": pickle.dumps(Touch(tmp_path / "made"))}, **settings)
    for read in (read_header, read_image, open_source):
        with pytest.raises(ImageError, match=r"a\.zarr: expected codecs of .*, got 'pickle'"):
            read(path)
    assert not (tmp_path / "made").exists()


BYTES, PICKLE = {"name": "bytes"}, {"name": "numcodecs.pickle", "configuration": {}}


def shard(codecs, index_codecs, chunk=(8, 8)):
    return {
        "name": "sharding_indexed",
        "configuration": {"chunk_shape": list(chunk), "codecs": codecs, "index_codecs": index_codecs},
    }


@pytest.mark.parametrize(
    "codecs",
    [
        [BYTES, PICKLE],
        [BYTES, "numcodecs.msgpack2"],
        [shard([BYTES, PICKLE], [BYTES])],
        [shard([BYTES], [BYTES, PICKLE])],
        [shard([shard([BYTES, PICKLE], [BYTES])], [BYTES])],
    ],
)
def test_codecs_of_version_3_are_looked_at_within_shards_too(tmp_path, codecs):
    path = write_v3(tmp_path / "a.zarr", codecs)
    with pytest.raises(ImageError, match="expected codecs of"):
        open_source(path)


def test_codecs_in_consolidated_metadata_are_looked_at(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(4, 4), dtype="u1")
    zarr.consolidate_metadata(tmp_path / "a.zarr", zarr_format=2)
    document = json.loads((tmp_path / "a.zarr/.zmetadata").read_text())
    check_codecs(document, "a")
    document["metadata"]["0/.zarray"]["compressor"] = {"id": "pickle"}
    with pytest.raises(ImageError, match="pickle"):
        check_codecs(document, "a")
    nested = {"consolidated_metadata": {"metadata": {"0": {"codecs": [BYTES, PICKLE]}}}}
    with pytest.raises(ImageError, match="pickle"):
        check_codecs(nested, "a")


def hide(path, **settings):
    """Make consolidated metadata of version 2 whose array has other settings, beside an empty one of version 3."""
    document = json.loads((path / ".zmetadata").read_text())
    document["metadata"]["0/.zarray"] |= settings
    (path / ".zmetadata").write_text(json.dumps(document | {"consolidated_metadata": {}}))


@pytest.fixture
def ome_v2(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.arange(256, dtype="u1").reshape(16, 16), compressors=None)
    axes = [{"name": name, "type": "space"} for name in "yx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    group.attrs["filters"] = ["DAPI", "GFP"]  # of the microscope
    zarr.consolidate_metadata(tmp_path / "a.zarr", zarr_format=2)
    return tmp_path / "a.zarr"


@pytest.mark.parametrize(
    "settings",
    [{"compressor": {"id": "pickle"}}, {"filters": [{"id": "zlib", "level": 1}]}, {"filters": [{"id": "pcodec"}]}],
    ids=str,
)
def test_codecs_hidden_by_a_second_kind_of_consolidated_metadata_are_found(ome_v2, settings):
    assert read_image(ome_v2).shape == (16, 16)
    hide(ome_v2, **settings)
    with pytest.raises(ImageError, match="expected codecs of"):
        open_source(ome_v2)


def test_codecs_of_an_open_array_are_looked_at_wherever_they_came_from(ome_v2, monkeypatch):
    monkeypatch.setattr(zarr_store, "check_metadata", lambda *args: None)
    hide(ome_v2, filters=[{"id": "zlib", "level": 1}])
    with pytest.raises(ImageError, match=r"a\.zarr: expected codecs of .*, got 'zlib'"):
        open_source(ome_v2)


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": "zlib", "level": 1}],
        [{"id": "zstd"}],
        [{"id": "astype", "encode_dtype": "|u1", "decode_dtype": "<U20000"}],
        [{"id": "fixedscaleoffset", "dtype": "<U20000", "astype": "|u1", "scale": 1, "offset": 0}],
        [{"id": "delta", "dtype": [["a", "<U9"]]}],
        [{"id": "packbits"}] * 2,
        [{"id": "shuffle"}] * 33,
        [{"id": "astype", "encode_dtype": "|u1", "decode_dtype": "<c16"}] * 2,
        [{"id": "fixedscaleoffset", "dtype": "<f8", "astype": "|u1", "scale": 1, "offset": 0}] * 2,
        [
            {"id": "delta", "dtype": "<i8", "astype": "|i1"},
            {"id": "shuffle"},
            {"id": "quantize", "dtype": "<f4", "digits": 1},
        ],
    ],
    ids=str,
)
def test_filters_that_would_unpack_without_a_bound_are_refused(tmp_path, filters):
    path = write_v2(tmp_path / "a.zarr", {"0.0": zlib.compress(bytes(64 * 80))}, filters=filters)
    with pytest.raises(ImageError, match=r"a\.zarr: expected "):
        read_header(path)
    if "<U20000" in filters[0].values():
        settings = {key: value for key, value in filters[0].items() if key != "id"}
        codec = {"name": f"numcodecs.{filters[0]['id']}", "configuration": settings}
        with pytest.raises(ImageError, match=r"b\.zarr: expected codecs of numbers, got"):
            read_header(write_v3(tmp_path / "b.zarr", [codec, BYTES]))


def test_a_filter_to_wider_numbers_gives_the_compressor_no_room(tmp_path):
    filters = [{"id": "astype", "encode_dtype": "|u1", "decode_dtype": "<f8"}]
    values = PIXELS.astype("<f8")
    for name, stored in (("a.zarr", PIXELS.tobytes()), ("b.zarr", values.tobytes())):
        path = write_v2(
            tmp_path / name, {"0.0": zlib.compress(stored)}, filters=filters, dtype="<f8", compressor={"id": "zlib"}
        )
        if name == "a.zarr":
            np.testing.assert_array_equal(read_image(path), values)
        else:
            with pytest.raises(ImageError, match=r"b\.zarr: expected at most \d+ bytes in a packed part"):
                read_image(path)


def test_a_pyramid_of_a_hundred_thousand_levels_is_refused(tmp_path):
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2).create_array("0", data=PIXELS)
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]
    for n, good in ((1, True), (100_000, False)):
        described = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": levels * n}]}
        (tmp_path / "a.zarr" / ".zattrs").write_text(json.dumps(described))
        if good:
            np.testing.assert_array_equal(read_image(tmp_path / "a.zarr"), PIXELS)
        else:
            with pytest.raises(ImageError, match="at most 64 levels, got 100000"):
                read_image(tmp_path / "a.zarr")


V2_CODECS = [
    numcodecs.Zlib(),
    numcodecs.GZip(),
    numcodecs.BZ2(),
    numcodecs.LZMA(),
    numcodecs.Zstd(),
    numcodecs.LZ4(),
    numcodecs.Blosc(),
    None,
]


@pytest.mark.parametrize("codec", V2_CODECS, ids=lambda codec: getattr(codec, "codec_id", "none"))
@pytest.mark.parametrize("filters", [[], [numcodecs.Delta("u1"), numcodecs.Shuffle(1)]], ids=["plain", "filtered"])
def test_allowed_codecs_of_version_2_give_the_pixels(tmp_path, codec, filters):
    options = dict(chunks=(16, 80), dtype="u1", zarr_format=2, compressors=codec, filters=filters)
    zarr.create_array(store=tmp_path / "a.zarr", shape=PIXELS.shape, **options)[...] = PIXELS
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr"), PIXELS)


@pytest.mark.parametrize("name", ["ZstdCodec", "GzipCodec", "BloscCodec", "Crc32cCodec"])
@pytest.mark.parametrize("shards", [None, (32, 80)])
def test_allowed_codecs_of_version_3_give_the_pixels(tmp_path, name, shards):
    codec = getattr(zarr.codecs, name)()
    array = zarr.create_array(
        store=tmp_path / "a.zarr", shape=PIXELS.shape, chunks=(16, 16), shards=shards, dtype="u1", compressors=codec
    )
    array[...] = PIXELS
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr"), PIXELS)


def zstd_of_zeros(n):
    """A frame of blocks that repeat a byte."""
    size, blocks_ = 1 << 17, n >> 17
    block = [struct.pack("<I", size << 3 | 1 << 1 | (k == blocks_ - 1))[:3] + b"\0" for k in range(blocks_)]
    return b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", n) + b"".join(block)


LARGE = bytes(1 << 24)
BOMBS = {
    "zlib": zlib.compress(LARGE),
    "gzip": gzip.compress(LARGE),
    "bz2": bz2.compress(LARGE),
    "lzma": lzma.compress(LARGE),
    "zstd": zstd_of_zeros(1 << 32),
    "lz4": struct.pack("<i", 0x7FFFFFF0) + bytes(100),
    "blosc": bytes([2, 1, 1, 1]) + struct.pack("<III", 0x7FFFFFEF, 1 << 20, 100) + bytes(84),
}


@pytest.mark.parametrize("codec", BOMBS)
def test_a_chunk_unpacks_no_more_than_it_holds(tmp_path, codec):
    path = write_v2(tmp_path / "a.zarr", {"0.0": BOMBS[codec]}, compressor={"id": codec})
    with pytest.raises(ImageError, match=r"a\.zarr: expected at most \d+ bytes in a packed part, got"):
        read_image(path)


def test_a_chunk_of_version_3_unpacks_no_more_than_it_holds(tmp_path):
    codecs = [BYTES, {"name": "zstd", "configuration": {"level": 0, "checksum": False}}]
    path = write_v3(tmp_path / "a.zarr", codecs)
    (path / "c/0").mkdir(parents=True)
    (path / "c/0/0").write_bytes(zstd_of_zeros(1 << 32))
    with pytest.raises(ImageError, match="bytes in a packed part, got 4294967296"):
        read_image(path)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_that_is_not_there_takes_no_memory(tmp_path, version):
    shape = (100_000, 100_000)
    if version == 2:
        path = write_v2(tmp_path / "a.zarr", shape=list(shape), chunks=list(shape), fill_value=7)
    else:
        path = write_v3(tmp_path / "a.zarr", [shard([BYTES], [BYTES], (50_000, 50_000))], shape, shape)
    with open_source(path) as source:
        assert (source[90_000:90_004, :5] == (7 if version == 2 else 0)).all()
    with pytest.raises(ImageError, match="bytes of pixels in a file of"):
        read_image(path)


def test_a_large_chunk_of_little_is_not_decoded_for_a_corner(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "SPARE_BYTES", 1 << 16)
    monkeypatch.setattr(zarr_chunks, "SPARE_BYTES", 1 << 16)
    path = write_v2(
        tmp_path / "a.zarr",
        {"0.0": zlib.compress(bytes(480_000))},
        compressor={"id": "zlib"},
        shape=[600, 800],
        chunks=[600, 800],
    )
    with open_source(path) as source:
        with pytest.raises(ImageError, match="save it in smaller chunks"):
            source[:8, :8]
        assert source[:, :].shape == (600, 800, 1)


def test_shards_of_too_many_chunks_and_tiny_chunks_are_refused(tmp_path):
    path = write_v3(tmp_path / "a.zarr", [shard([BYTES], [BYTES], (1, 1))], (60_000, 60_000), (60_000, 60_000))
    with pytest.raises(ImageError, match="chunks in a shard, got 3600000000"):
        open_source(path)
    path = write_v2(tmp_path / "b.zarr", shape=[1000, 1000], chunks=[1, 1])
    with pytest.raises(ImageError, match="262144 reads for a window"):
        open_source(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["0.0", ".zarray"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    path = write_v2(tmp_path / "a.zarr", {"0.0": PIXELS.tobytes()})
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(ImageError):
        read_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_an_image_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(ImageError, match="got a pipe or device"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("what", ["chunk", "array", "metadata"])
def test_links_that_lead_out_are_not_followed(tmp_path, what):
    secret = write_v2(tmp_path / "secret.zarr", {"0.0": PIXELS.tobytes()})
    group = tmp_path / "a.zarr"
    if what == "chunk":
        write_v2(group)
        (group / "0.0").symlink_to(secret / "0.0")
    elif what == "metadata":
        group.mkdir()
        (group / ".zarray").symlink_to(secret / ".zarray")
    else:
        group.mkdir()
        axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
        described = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
        (group / ".zgroup").write_text('{"zarr_format": 2}')
        (group / ".zattrs").write_text(json.dumps({"multiscales": described}))
        (group / "0").symlink_to(secret)
    with pytest.raises(ImageError, match="link that leads out of it"):
        read_image(group)


def test_links_within_and_to_the_folder_itself_are_followed(tmp_path):
    path = write_v2(tmp_path / "a.zarr", {"pixels": PIXELS.tobytes()})
    (path / "0.0").symlink_to("pixels")
    (tmp_path / "b.zarr").symlink_to(path)
    np.testing.assert_array_equal(read_image(tmp_path / "b.zarr"), PIXELS)
