"""Every format writes the results of an image through one door, to the bytes of its own function."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from starpoly.io.frame import Frame
from starpoly.io.writers.geojson import write_geojson
from starpoly.io.writers.imagej_rois import write_rois
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.ome_zarr import write_ome_zarr
from starpoly.io.writers.table import write_table

from support.sinks import SHAPE, cells, slide

NAMES = ("benign", "malignant")
POLYGONS = cells(with_classes=True)
COLUMNS = {"label": np.arange(1, 41), "y": POLYGONS.points[:, 0], "area": np.linspace(3, 90, 40)}


class Parts:
    """Results in memory whose objects come some at a time."""

    shape, pixel_size, class_names, frame = SHAPE, (0.5, 0.25), NAMES, Frame()
    labels, cells, stack, cell_stack, hyperstack, origin = slide(), None, None, None, False, None

    def planes(self):
        yield self

    def objects(self):
        for rows in (np.arange(15), np.arange(15, 40)):
            yield POLYGONS.take(rows), {name: column[rows] for name, column in COLUMNS.items()}

    outlined = objects

    def measured(self, *, outlined=False):
        return self.objects()


OWN = {
    "table": lambda path: write_table(path, COLUMNS),
    "geojson": lambda path: write_geojson(path, POLYGONS, SHAPE, columns=COLUMNS, class_names=NAMES),
    "imagej_rois": lambda path: write_rois(path, POLYGONS, SHAPE),
    "label_tiff": lambda path: write_labels(path, slide(), pixel_size=(0.5, 0.25)),
    "ome_zarr": lambda path: write_ome_zarr(path, slide(), pixel_size=(0.5, 0.25)),
}


def contents(path):
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(file.name, file.read_bytes()) for file in files if file.is_file()]


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")  # a polygon without extent lies outside
@pytest.mark.parametrize("name", OWN)
def test_one_door_gives_the_bytes_of_the_other(tmp_path, name):
    if name == "imagej_rois":
        pytest.importorskip("roifile")
    for door in ("one", "own"):
        (tmp_path / door).mkdir()
    write_results = import_module(f"starpoly.io.writers.{name}").write_results
    write_results(tmp_path / "one" / "file", Parts())
    OWN[name](tmp_path / "own" / "file")
    assert contents(tmp_path / "one" / "file") == contents(tmp_path / "own" / "file")
