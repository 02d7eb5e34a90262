from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from starpoly.errors import ImageError
from starpoly.io.writers import ome_zarr as module
from starpoly.io.writers.ome_zarr import write_ome_zarr

from support.sinks import ArrayLabels, FullDisk, file_size_limit, slide

zarr = pytest.importorskip("zarr", minversion="3")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 32)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_levels_are_strided_pixels_in_chunks(tmp_path):
    whole = slide()[:, :]
    write_ome_zarr(tmp_path / "a.ome.zarr", slide())
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    (multiscale,) = group.attrs["ome"]["multiscales"]
    assert [dataset["path"] for dataset in multiscale["datasets"]] == ["0", "1", "2"]
    for index, dataset in enumerate(multiscale["datasets"]):
        array = group[dataset["path"]]
        assert array.dtype == np.uint16
        assert array.metadata.dimension_names == ("y", "x")
        np.testing.assert_array_equal(array[:], whole[:: 2**index, :: 2**index])
        assert dataset["coordinateTransformations"] == [{"type": "scale", "scale": [2.0**index] * 2}]
    assert group["0"].chunks == (32, 32)
    assert group["2"].chunks == (18, 23)


def test_metadata_are_those_of_the_specification(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05", reason="needs ome-zarr-models")
    write_ome_zarr(tmp_path / "a.ome.zarr", slide(), pixel_size=(0.5, 0.25))
    label = models.ImageLabel.from_zarr(zarr.open_group(tmp_path / "a.ome.zarr", mode="r"))
    multiscale = label.attributes.ome.multiscales[0]
    assert [(axis.name, axis.type, axis.unit) for axis in multiscale.axes] == [
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    assert multiscale.datasets[1].coordinateTransformations[0].scale == [1.0, 0.5]


@pytest.mark.parametrize("shape", [(1, 1), (32, 33), (100, 3)])
def test_small_and_odd_shapes(tmp_path, shape):
    labels = np.arange(1, 1 + shape[0] * shape[1], dtype=np.uint32).reshape(shape) + 70_000
    write_ome_zarr(tmp_path / "a.zarr", ArrayLabels(labels))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr" / "0", mode="r")[:], labels)


def test_background_is_not_stored(tmp_path):
    labels = np.zeros((64, 64), np.uint16)
    labels[40, 40] = 1
    write_ome_zarr(tmp_path / "a.zarr", ArrayLabels(labels))
    assert [name for name in contents(tmp_path / "a.zarr") if name.startswith("0/c")] == ["0/c/1/1"]


def test_equal_labels_give_equal_bytes(tmp_path):
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        write_ome_zarr(tmp_path / name / "a.zarr", slide())
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_regions_are_pulled_a_chunk_at_a_time(tmp_path):
    labels = ArrayLabels(slide()[:, :])
    write_ome_zarr(tmp_path / "a.zarr", labels)
    assert max(labels.asked) == (32, 32)


def test_an_older_zarr_is_replaced_whole(tmp_path):
    write_ome_zarr(tmp_path / "a.zarr", ArrayLabels(np.ones((200, 200), np.uint16)))
    write_ome_zarr(tmp_path / "a.zarr", ArrayLabels(np.ones((3, 3), np.uint16)))
    assert sorted(contents(tmp_path)) == ["a.zarr/0/c/0/0", "a.zarr/0/zarr.json", "a.zarr/zarr.json"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_a_full_disk_leaves_the_old_folder_and_nothing_else(tmp_path):
    path = tmp_path / "a.zarr"
    write_ome_zarr(path, ArrayLabels(np.ones((3, 3), np.uint16)))
    before = contents(path)
    with pytest.raises(ImageError, match=r"a\.zarr: cannot be written \(No space left on device\); free space"):
        write_ome_zarr(path, FullDisk(slide(), after=5))
    with file_size_limit(100), pytest.raises(ImageError, match=r"a\.zarr: cannot be written"):
        write_ome_zarr(path, slide())
    assert contents(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("kind", ["folder", "file", "link", "image"])
def test_what_is_no_zarr_of_labels_is_never_touched(tmp_path, kind):
    path = tmp_path / "results"
    if kind == "folder":
        path.mkdir()
        (path / "precious.txt").write_text("keep")
    elif kind == "file":
        path.write_text("keep")
    elif kind == "image":
        zarr.create_array(path, data=np.ones((4, 4), np.uint8))
    else:
        path.symlink_to(tmp_path / "elsewhere")
    before = contents(path)
    with pytest.raises(ImageError, match="expected a new name or a zarr of labels to replace"):
        write_ome_zarr(path, slide())
    assert [entry.name for entry in tmp_path.iterdir()] == ["results"]
    assert contents(path) == before


def test_a_name_that_is_too_long_is_told_with_its_remedy(tmp_path):
    with pytest.raises(ImageError, match=r"cannot be written \(File name too long\); give the image a shorter name"):
        write_ome_zarr(tmp_path / f"{'x' * 251}.zarr", slide())


def test_without_zarr_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImageError, match=r"pip install 'zarr>=3'"):
        write_ome_zarr(tmp_path / "a.zarr", slide())


def test_group_is_plain_json(tmp_path):
    write_ome_zarr(tmp_path / "a.zarr", slide())
    group = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert group["zarr_format"] == 3
    assert group["attributes"]["ome"]["version"] == "0.5"
    assert "image-label" in group["attributes"]["ome"]
