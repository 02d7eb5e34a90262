"""``starpoly info FILE``: what files hold, and damaged ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.cli.main import main
from starpoly.model_zoo import default_models

from support import vendor_files
from support.plates import write_plate_zarr

DARK = np.zeros((60, 70), np.uint16)
DARK[20:30, 20:40] = 900


def facts(capsys, *paths) -> list[dict]:
    status = main(["info", "--json", *map(str, paths)])
    found = json.loads(capsys.readouterr().out)
    assert status == sum("error" in row for row in found)
    return found


@pytest.fixture
def two_channels(tmp_path):
    path = tmp_path / "two.tif"
    metadata = {"axes": "CYX", "Labels": ["GFP", "DAPI"], "unit": "um"}
    tifffile.imwrite(path, np.stack([DARK, DARK]), imagej=True, resolution=(4, 4), metadata=metadata)
    return path


def test_facts_of_a_file(capsys, two_channels):
    (found,) = facts(capsys, two_channels)
    assert (found["format"], found["axes"], found["lengths"], found["dtype"]) == ("TIFF", "CYX", [2, 60, 70], "uint16")
    assert found["channels"] == ["GFP", "DAPI"]
    assert found["pixel_size_um"] == pytest.approx([0.25, 0.25])
    assert (found["levels"], found["scenes"], found["plane_bytes"]) == ([[60, 70]], [], 60 * 70 * 4)
    assert "not compressed" in found["stored_as"]
    assert "straight from the file" in found["reading"]
    assert found["models"] == list(default_models())
    assert found["model_reason"].endswith("it gets channel 1 DAPI, a stain of nuclei by its name")


def test_facts_for_people(capsys, two_channels):
    assert main(["info", str(two_channels)]) == 0
    out = capsys.readouterr().out
    for text in ("CYX, 2 x 60 x 70", "0 GFP, 1 DAPI", "uint16", "0.25 um", "cells-generalist", str(two_channels)):
        assert text in out


def test_tiles_levels_and_compression(capsys, tmp_path):
    big = np.tile(DARK, (4, 4))
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(big, subifds=1, tile=(64, 64), compression="zlib", metadata={"axes": "YX"})
        writer.write(big[::2, ::2], subfiletype=1, tile=(64, 64), compression="zlib")
    (found,) = facts(capsys, tmp_path / "a.ome.tif")
    assert found["levels"] == [[240, 280], [120, 140]]
    assert found["block"] == [64, 64]
    assert found["stored_as"] == "tiles of 64 x 64 pixels, ADOBE_DEFLATE"
    assert found["reading"] == "by region, 64 x 64 pixels are decoded at once"


def test_what_is_decoded_whole(capsys, tmp_path):
    Image.fromarray(DARK.astype(np.uint8)).save(tmp_path / "a.png")
    (found,) = facts(capsys, tmp_path / "a.png")
    assert found["reading"].startswith("decoded whole and held in memory")


def test_a_stack_of_a_microscope(capsys, tmp_path):
    pytest.importorskip("nd2")
    stack = vendor_files.example()
    vendor_files.write_nd2(tmp_path / "a.nd2", [stack, stack])
    (found,) = facts(capsys, tmp_path / "a.nd2")
    assert (found["axes"], found["lengths"]) == ("TZCYX", [2, 3, 2, 24, 32])
    assert (found["z_step_um"], found["t_step_s"], found["scenes"]) == (2.0, 1.5, ["site 0", "site 1"])


def test_a_damaged_file_fails_and_the_others_go_on(capsys, tmp_path, two_channels):
    (tmp_path / "bad.tif").write_bytes(b"II*\0nothing")
    assert main(["info", str(tmp_path / "bad.tif"), str(two_channels), str(tmp_path / "none.tif")]) == 1
    done = capsys.readouterr()
    assert "0 GFP, 1 DAPI" in done.out
    assert "bad.tif: expected" in done.err
    assert "none.tif: expected a file" in done.err
    assert main(["info", str(tmp_path / "bad.tif")]) == 2


def test_fields_of_a_plate(capsys, tmp_path):
    write_plate_zarr(tmp_path / "p.zarr", wells=("C/3",), n_fields=2)
    found = facts(capsys, tmp_path / "p.zarr")
    assert [(row["plate"], row["well"], row["field"]) for row in found] == [("p", "C3", "0"), ("p", "C3", "1")]
    assert "chunks of 16 x 18 pixels" in found[0]["stored_as"]


def test_a_plate_called_plate_is_named_once(capsys, tmp_path):
    write_plate_zarr(tmp_path / "plate.zarr", wells=("C/3",), n_fields=1)
    assert main(["info", str(tmp_path / "plate.zarr")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  plate"))
    assert line.split(maxsplit=1) == ["plate", "plate, well C3, field 0"]


@pytest.mark.parametrize(("names", "title"), [(None, "zarr"), (("y", "x"), "zarr")])
def test_a_plain_zarr_is_no_ome_zarr(capsys, tmp_path, names, title):
    import zarr

    zarr.create_array(str(tmp_path / "a.zarr"), shape=(40, 50), dtype="uint8", dimension_names=names)[...] = 7
    (found,) = facts(capsys, tmp_path / "a.zarr")
    assert found["format"] == title
    write_plate_zarr(tmp_path / "p.zarr", wells=("C/3",), n_fields=1)
    assert [row["format"] for row in facts(capsys, tmp_path / "p.zarr")] == ["OME-Zarr"]
