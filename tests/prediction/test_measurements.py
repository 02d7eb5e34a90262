"""What is measured in an image is the same by every way, and in all of its channels."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile

from starpoly.errors import ConfigError
from starpoly.io.readers.images import open_source
from starpoly.io.writers.cells import column_cells
from starpoly.labels.object_table import measure_objects
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide
from starpoly.tiling import Box

from support.inputs import stack
from support.painted import BrightModel


@pytest.fixture(params=[True, False], ids=["held", "streamed"])
def held(monkeypatch, request):
    monkeypatch.setattr(opening, "LARGEST_HELD", 32_000_000 if request.param else 0)


@pytest.fixture
def image(tmp_path):
    """A file of five channels."""
    path = tmp_path / "five.tif"
    tifffile.imwrite(
        path,
        np.tile(stack(5), (3, 2, 1)),
        tile=(32, 48),
        photometric="minisblack",
        planarconfig="contig",
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )
    return path


def segmented(tmp_path, image, **settings):
    """The table as written, and the labels."""
    paths = {"labels": tmp_path / "l.tiff", "table": tmp_path / "t.csv"}
    segment_slide(BrightModel(), image, SlideOutputs(**paths), **settings)
    with open(paths["table"], newline="") as file:
        return list(csv.DictReader(file)), tifffile.imread(paths["labels"])


def rows_of(columns):
    cells = {name: [str(cell) for cell in column_cells(column)] for name, column in columns.items()}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("measure", ["all", None, "shape", "intensity"])
def test_the_table_is_that_of_the_labels(tmp_path, image, measure):
    rows, labels = segmented(tmp_path, image, channels=[0], tile_size=48, measure=measure)
    assert len(rows) > 30
    expected = rows_of(measure_objects(labels, image, measure=measure))
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected
    assert ("mean_4" in rows[0]) == (measure != "shape")


@pytest.mark.usefixtures("held")
def test_a_region_is_measured_in_its_own_pixels(tmp_path, image):
    roi = Box(50, 60, 190, 200)
    rows, labels = segmented(tmp_path, image, channels=[3], roi=roi, expand_into_foreground=0)
    part = open_source(image, roi=roi)
    expected = rows_of(measure_objects(labels, part))
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected


@pytest.mark.usefixtures("held")
def test_arrays_in_any_order_of_axes(tmp_path):
    pixels = np.tile(stack(3), (2, 1, 1))
    rows, labels = segmented(tmp_path, np.moveaxis(pixels, 2, 0), axes="CYX", channels=[1])
    expected = rows_of(measure_objects(labels, pixels))
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected


@pytest.mark.usefixtures("held")
def test_names_of_channels_reach_the_columns(tmp_path):
    pixels, names = np.tile(stack(5), (2, 1, 1)), ["DAPI", "GFP", "", "GFP", "far red"]
    tifffile.imwrite(
        tmp_path / "five.ome.tif", np.moveaxis(pixels, 2, 0), metadata={"axes": "CYX", "Channel": {"Name": names}}
    )
    rows, _ = segmented(tmp_path, tmp_path / "five.ome.tif", channels=["DAPI"])
    assert {"mean_DAPI", "mean_GFP_1", "mean_2", "mean_GFP_3", "mean_far red"} < set(rows[0])


@pytest.mark.usefixtures("held")
def test_unknown_measurements_are_refused(tmp_path, image):
    with pytest.raises(ConfigError, match="measure: expected some of"):
        segmented(tmp_path, image, channels=[0], measure="texture")
    assert not (tmp_path / "t.csv").exists()
