"""Zarrs at URLs give the pixels of the same zarrs in a folder, and are read with the same distrust."""

from __future__ import annotations

import builtins
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from starpoly.errors import ImageError
from starpoly.io.files.find import find_images
from starpoly.io.files.identity import InputWatch, identify
from starpoly.io.files.naming import result_names
from starpoly.io.files.plates import fields_of, is_plate
from starpoly.io.files.url import UrlPath, as_path
from starpoly.io.readers import zarr_remote
from starpoly.io.readers.images import open_source, read_header, read_image
from starpoly.io.readers.planes import open_stack, scene_names
from starpoly.io.readers.zarr_chunks import sampled_keys
from starpoly.io.readers.zarr_remote import open_remote
from starpoly.prediction.description import describe_image

from support.web import serving, with_ranges

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

PIXELS = np.random.default_rng(5).integers(0, 255, (70, 90), np.uint8)


@pytest.fixture
def served(tmp_path):
    with serving(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Further tries come at once."""
    monkeypatch.setattr(zarr_remote, "_WAITS", (0.0, 0.0))


def save(path: Path, pixels=PIXELS, chunks=(32, 32), **options) -> Path:
    zarr.create_array(store=path, data=pixels, chunks=chunks, **options)
    return path


def save_ome(path: Path, pixels=PIXELS, axes="yx", inner="", version=3) -> Path:
    """An image of two levels."""
    group = zarr.open_group(path, mode="a", zarr_format=version)
    group = group.require_group(inner) if inner else group
    datasets = []
    for level, step in enumerate((1, 2)):
        data = pixels[..., ::step, ::step]
        chunks = (1,) * (data.ndim - 2) + (32, 32)
        group.create_array(str(level), data=data, chunks=chunks)
        scale = [1.0] * (pixels.ndim - 2) + [0.5 * step] * 2
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"t": "time", "c": "channel"}
    named = [{"name": axis, "type": kinds.get(axis, "space"), "unit": "micrometer"} for axis in axes]
    described = {"multiscales": [{"axes": named, "datasets": datasets}]}
    group.attrs.update({"ome": {"version": "0.5", **described}} if version == 3 else described)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "whole"])
@pytest.mark.parametrize("shards", [None, (64, 64)], ids=["chunks", "shards"])
def test_pixels_over_http(served, tmp_path, version, ranges, shards):
    if version == 2 and shards:
        pytest.skip("has no shards")
    save(tmp_path / "a.zarr", zarr_format=version, shards=shards)
    if ranges:
        served.answers.append(with_ranges(tmp_path))
    np.testing.assert_array_equal(read_image(f"{served.url}/a.zarr"), PIXELS)
    with open_source(f"{served.url}/a.zarr/") as source:
        np.testing.assert_array_equal(source[20:50, 10:80, 0], PIXELS[20:50, 10:80])
        assert source.name == f"{served.url}/a.zarr"


def test_a_chunk_that_is_not_stored_is_empty(served, tmp_path):
    save(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/c/0/0").unlink()
    np.testing.assert_array_equal(read_image(f"{served.url}/a.zarr"), read_image(tmp_path / "a.zarr"))


@pytest.mark.parametrize("version", [2, 3])
def test_an_ome_zarr(served, tmp_path, version):
    save_ome(tmp_path / "a.zarr", version=version)
    with open_source(f"{served.url}/a.zarr", level=1) as source:
        np.testing.assert_array_equal(source[:, :, 0], PIXELS[::2, ::2])
        assert source.pixel_size == (1.0, 1.0)
    assert read_header(f"{served.url}/a.zarr").shape == PIXELS.shape
    assert describe_image(as_path(f"{served.url}/a.zarr"))["format"] == "OME-Zarr"


def test_planes_and_scenes(served, tmp_path):
    stack = np.stack([PIXELS, PIXELS[::-1]])
    for name in "01":
        save_ome(tmp_path / "a.zarr", stack, "tyx", name)
    zarr.open_group(tmp_path / "a.zarr", mode="a").attrs["ome"] = {"bioformats2raw.layout": 3}
    url = f"{served.url}/a.zarr"
    assert scene_names(url) == ("0", "1")
    with open_stack(url, scene=1) as opened, opened.open_plane((1,)) as plane:
        np.testing.assert_array_equal(plane[:, :, 0], PIXELS[::-1])
        again = pickle.loads(pickle.dumps(plane))
        np.testing.assert_array_equal(again[:, :, 0], PIXELS[::-1])


def test_the_fields_of_a_plate(served, tmp_path):
    plate = zarr.open_group(tmp_path / "p.zarr", mode="w")
    plate.attrs["ome"] = {"plate": {"wells": [{"path": "A/1"}]}}
    plate.create_group("A/1").attrs["ome"] = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
    for name in "01":
        save_ome(tmp_path / "p.zarr", inner=f"A/1/{name}")
    url = as_path(f"{served.url}/p.zarr")
    assert is_plate(url, True)
    found = find_images([str(url)]).images
    assert [str(image.path) for image in found] == [f"{url}/A/1/0", f"{url}/A/1/1"]
    assert [image.place for image in found] == [place for _, place, _ in fields_of(tmp_path / "p.zarr")]


def test_memory():
    store = zarr.storage.FsspecStore.from_url("memory://folder/a.zarr")
    zarr.create_array(store=store, data=PIXELS, chunks=(32, 32))
    np.testing.assert_array_equal(read_image("memory://folder/a.zarr"), PIXELS)
    with pytest.raises(ImageError, match=r"memory://folder/b\.zarr: expected a zarr at a URL, got none"):
        read_image("memory://folder/b.zarr")


def test_a_file_url_is_a_path(tmp_path):
    path = save(tmp_path / "a b.zarr")
    assert as_path(path.as_uri()) == path
    np.testing.assert_array_equal(read_image(path.as_uri()), PIXELS)
    (path / "c/0/0").unlink()
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    (path / "c/0/0").symlink_to(outside)
    with pytest.raises(ImageError, match="a link that leads out of it"):
        read_image(path.as_uri())


def test_what_a_path_of_a_url_is(tmp_path):
    url = as_path("s3://bucket/folder/a.ome.zarr")
    assert isinstance(url, UrlPath)
    assert (str(url), url.name, url.scheme) == ("s3://bucket/folder/a.ome.zarr", "a.ome.zarr", "s3")
    assert url.absolute() is url.resolve() is as_path(url) is url
    assert str(url.parent / "b") == "s3://bucket/folder/b"
    assert as_path(Path("s3://bucket/folder/a.ome.zarr")) == url
    assert pickle.loads(pickle.dumps(url)) == url
    assert type(pickle.loads(pickle.dumps(url))) is UrlPath
    assert list(result_names(url))[:3] == ["a", "a.ome.zarr", "folder_a.ome.zarr"]
    for name in ("a.tif", "/data/a.tif", "c:/a.tif", "./odd: name.tif"):
        assert as_path(name) == Path(name)
        assert not isinstance(as_path(name), UrlPath)


def test_a_folder_whose_name_ends_with_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data:").mkdir()
    assert not isinstance(as_path(Path("data:/a.tif")), UrlPath)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://me:secret@host/a.zarr", "without a password"),
        ("https://host/a.zarr?key=1", "got one with ?"),
        ("simplecache::s3://bucket/a.zarr", "got one with ?"),
        ("s3://bucket/a.zip::https://host/a.zarr", "got one with ?"),
        ("file://host/a.zarr", "a file of this machine"),
    ],
)
def test_urls_that_are_refused(url, message):
    with pytest.raises(ImageError, match=re.escape(message)) as caught:
        as_path(url)
    assert "secret" not in str(caught.value)


def test_an_unknown_scheme():
    with pytest.raises(ImageError, match="expected a URL that fsspec can open"):
        read_image("nothing://bucket/a.zarr")


def test_without_fsspec(monkeypatch):
    found = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "fsspec":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImageError, match="to read URLs, it is not; pip install "):
        open_source("s3://bucket/a.zarr")


def test_nothing_there(served):
    with pytest.raises(ImageError, match="expected a zarr at a URL, got none there"):
        read_image(f"{served.url}/a.zarr")


def test_nobody_there(tmp_path):
    with serving(tmp_path) as server:
        url = server.url
    with pytest.raises(ImageError, match=r"a\.zarr: expected zarr\.json to be readable, got"):
        read_image(f"{url}/a.zarr")


def test_a_bucket_that_does_not_tell_what_is_missing(served, tmp_path):
    """403 in place of 404, as where objects may not be listed: metadata are then missing, a chunk is an error."""
    save(tmp_path / "a.zarr", zarr_format=2, chunks=(70, 90))
    served.answers.append(lambda one: not (tmp_path / one.path.lstrip("/")).exists() and one.send_simply(403))
    np.testing.assert_array_equal(read_image(f"{served.url}/a.zarr"), PIXELS)
    (tmp_path / "a.zarr/0.0").unlink()
    with pytest.raises(ImageError, match=r"expected 0\.0 to be readable, got: 403"):
        read_image(f"{served.url}/a.zarr")


def test_what_fails_once_is_asked_for_again(served, tmp_path):
    save(tmp_path / "a.zarr")
    served.answers.append(lambda one: served.asked[one.path] == 1 and one.send_simply(503))
    np.testing.assert_array_equal(read_image(f"{served.url}/a.zarr"), PIXELS)
    served.answers[:] = [lambda one: one.path.endswith("c/0/0") and one.send_simply(503)]
    with pytest.raises(ImageError, match="expected c/0/0 to be readable, got: 503"):
        read_image(f"{served.url}/a.zarr")


def test_codecs_are_looked_at(served, tmp_path):
    save(tmp_path / "a.zarr", zarr_format=2)
    described = json.loads((tmp_path / "a.zarr/.zarray").read_text())
    described["compressor"] = {"id": "pickle", "protocol": 5}
    (tmp_path / "a.zarr/.zarray").write_text(json.dumps(described))
    with pytest.raises(ImageError, match=r"expected codecs of .*, got 'pickle'"):
        open_source(f"{served.url}/a.zarr")


def test_an_answer_without_end_is_not_waited_for(served, tmp_path):
    save(tmp_path / "a.zarr", chunks=(70, 90))

    def endless(one) -> bool:
        if not one.path.endswith("c/0/0"):
            return False
        one.send_response(200)
        one.send_header("Connection", "close")
        one.end_headers()
        try:
            for _ in range(1000):
                one.wfile.write(bytes(1 << 20))
        except OSError:  # enough
            one.close_connection = True
            return True
        raise AssertionError("all was read")

    served.answers.append(endless)
    with pytest.raises(ImageError, match=r"expected at most \d+ bytes of c/0/0, got more"):
        read_image(f"{served.url}/a.zarr")


def test_a_large_object_of_another_place_is_not_read(monkeypatch):
    store = zarr.storage.FsspecStore.from_url("memory://large/a.zarr")
    zarr.create_array(store=store, data=PIXELS, chunks=(70, 90))
    fsspec.filesystem("memory").pipe_file("/large/a.zarr/c/0/0", bytes(100 << 20))
    with pytest.raises(ImageError, match=r"expected at most \d+ bytes of c/0/0, got more"):
        read_image("memory://large/a.zarr")


def test_a_shard_whose_index_claims_too_much(served, tmp_path):
    save(tmp_path / "a.zarr", shards=(64, 64), compressors=None)
    shard = tmp_path / "a.zarr/c/0/0"
    content = bytearray(shard.read_bytes())
    index = len(content) - 4 - 4 * 16
    content[index + 8 : index + 16] = (1 << 60).to_bytes(8, "little")
    shard.write_bytes(content)
    with pytest.raises(ImageError):
        read_image(f"{served.url}/a.zarr")


def test_identity_follows_metadata_and_chunks(served, tmp_path):
    save_ome(tmp_path / "a.zarr")
    url = f"{served.url}/a.zarr"

    def look():
        with open_source(url) as source:
            return identify(url, source)

    first = look()
    assert first["name"] == "a.zarr"
    assert look() == first
    watch = InputWatch(url)
    watch.check()
    chunk = tmp_path / "a.zarr/1/c/0/0"
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    with pytest.raises(ImageError, match="expected the image not to change"):
        watch.check()
    assert look() != first
    described = tmp_path / "a.zarr/zarr.json"
    second = look()
    described.write_text(described.read_text().replace("0.5", "0.6"))
    assert look() not in (first, second)


def test_chunks_that_identify_are_few(served, tmp_path):
    zarr.create_array(store=tmp_path / "a.zarr", shape=(512, 512), chunks=(8, 8), dtype="u1")
    array = zarr.open_array(store=open_remote(as_path(f"{served.url}/a.zarr")), mode="r")
    keys = sampled_keys(array, 256)
    assert len(keys) == len(set(keys)) == 256
    assert sampled_keys(array, 10**6)[-1] == "c/63/63"


def test_a_process_ends_quietly(served, tmp_path):
    save(tmp_path / "a.zarr")
    script = f"from starpoly.io import read_image; print(read_image('{served.url}/a.zarr').shape)"
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout == "(70, 90)\n"
    assert "nclosed" not in done.stderr


def test_find_names_urls_once(served, tmp_path):
    save(tmp_path / "a.zarr")
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "b.zarr")
    url = f"{served.url}/a.zarr"
    found = find_images([url, f"{url}/", (tmp_path / "b.zarr").as_uri()])
    assert [str(image.path) for image in found.images] == [url, str(tmp_path / "b.zarr")]
