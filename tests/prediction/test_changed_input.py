"""An image that is overwritten while it is read gives no results."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.errors import ImageError
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide

from support.painted import Painted, PaintedModel, disks, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")

PIXELS = paint(disks((60, 70), seed=4, n=8)).astype(np.float32)


def overwriting(path, change):
    """A model during whose first tile the image is changed."""
    model = PaintedModel()

    class Overwriting(Painted):
        has_changed = False

        def __call__(self, batch):
            if not self.has_changed:
                self.has_changed = True
                change(path)
            return super().__call__(batch)

    model._predictor = Overwriting()
    return model


def write_tiff(path):
    tifffile.imwrite(path, PIXELS, tile=(32, 48), planarconfig="contig", photometric="minisblack")


def write_stack(path):
    tifffile.imwrite(path, np.moveaxis(np.stack([PIXELS] * 2), -1, 1), metadata={"axes": "TCYX"}, ome=True)


def write_zarr(path):
    array = zarr.create_array(
        store=path, shape=PIXELS.shape, chunks=(32, 32, PIXELS.shape[2]), dtype="f4", dimension_names=["y", "x", "c"]
    )
    array[...] = PIXELS


def flip_last_byte(path):
    """Change a byte in place; size and date of a file stay as they are."""
    chunks = sorted(found for found in path.rglob("*") if found.is_file() and found.name != "zarr.json")
    file = path if path.is_file() else chunks[0]
    status = file.stat()
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    with open(file, "r+b") as stream:
        stream.write(data)
    if path.is_file():
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def lengthen(path):
    """Add a byte, which no reader looks at."""
    with open(path, "ab") as stream:
        stream.write(b"\0")


def outputs(folder):
    return SlideOutputs(labels=folder / "labels.tiff", geojson=folder / "objects.geojson", table=folder / "table.csv")


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize(("name", "write"), [("a.tif", write_tiff), ("a.zarr", write_zarr), ("a.ome.tif", write_stack)])
def test_results_of_a_changed_image_get_no_names(tmp_path, monkeypatch, held, name, write):
    if not held:
        monkeypatch.setattr(opening, "LARGEST_HELD", 0)
    path, results = tmp_path / name, tmp_path / "out"
    results.mkdir()
    write(path)
    with pytest.raises(
        ImageError, match="expected the image not to change while it is read, got another content or date now"
    ):
        segment_slide(overwriting(path, flip_last_byte), path, outputs(results), tile_size=48)
    assert not list(results.iterdir())


@pytest.mark.parametrize(("name", "write"), [("a.tif", write_tiff), ("a.ome.tif", write_stack)])
def test_once_it_is_whole_the_same_command_predicts_a_changed_image(tmp_path, name, write):
    path, journal = tmp_path / name, tmp_path / "journal"
    write(path)
    with pytest.raises(ImageError, match="predict it again once it is written completely"):
        segment_slide(overwriting(path, lengthen), path, outputs(tmp_path), journal=journal, tile_size=48)
    assert segment_slide(overwriting(path, os.utime), path, outputs(tmp_path), journal=journal, tile_size=48).n_objects


def test_an_image_that_is_gone_gives_no_results(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path)
    with pytest.raises(ImageError, match="got nothing there"):
        segment_slide(overwriting(path, lambda path: path.unlink()), path, outputs(tmp_path))


def test_an_image_that_is_only_touched_is_the_same(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path)
    result = segment_slide(overwriting(path, lambda path: os.utime(path)), path, outputs(tmp_path))
    assert result.n_objects > 0
    assert (tmp_path / "labels.tiff").exists()


def test_results_beside_the_image_in_a_folder_of_its_name_do_not_change_it(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path)
    (tmp_path / "a").mkdir()
    segment_slide(PaintedModel(), path, outputs(tmp_path / "a"))
    assert (tmp_path / "a/labels.tiff").exists()
