"""One table for many images, as CSV and as Parquet."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from starpoly.errors import ConfigError, DataError, OutputError
from starpoly.io.writers import run_table
from starpoly.io.writers.run_table import ImageTable, check_run_table, write_run_table
from starpoly.io.writers.table import write_table
from starpoly.labels.measures.registry import find_column

from support.sinks import file_size_limit


@pytest.fixture
def tables(tmp_path):
    write_table(tmp_path / "a.csv", {"label": [1, 2], "area": [9, 4], "mean_DAPI": [0.5, np.nan], "class": ["=x", "y"]})
    write_table(tmp_path / "b.csv", {"label": [1], "area": [7], "mean_GFP": [3.0]})
    write_table(tmp_path / "none.csv", {"label": [], "area": []})
    return [
        ImageTable(tmp_path / "a.csv", {"image": "=a.tif", "well": "B2", "t": 0}),
        ImageTable(tmp_path / "b.csv", {"image": "b.tif", "well": "B3", "t": 1}),
        ImageTable(tmp_path / "none.csv", {"image": "c.tif", "well": "B4", "t": 2}),
    ]


COLUMNS = ["image", "well", "t", "label", "area", "mean_DAPI", "class", "mean_GFP"]


def test_csv_has_the_rows_of_all_images(tmp_path, tables):
    assert write_run_table(tmp_path / "all.csv", tables, find_column) == []
    with open(tmp_path / "all.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        COLUMNS,
        ["'=a.tif", "B2", "0", "1", "9", "0.5", "'=x", ""],
        ["'=a.tif", "B2", "0", "2", "4", "", "y", ""],
        ["b.tif", "B3", "1", "1", "7", "", "", "3"],
    ]


@pytest.mark.parametrize("at_once", [1, 2, 1 << 14])
def test_parquet_has_types_and_units(tmp_path, tables, monkeypatch, at_once):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(run_table, "_AT_ONCE", at_once)
    assert write_run_table(tmp_path / "all.parquet", tables, find_column) == []
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names == COLUMNS
    assert [str(kind) for kind in table.schema.types] == [
        "string", "string", "int64", "int64", "int64", "double", "string", "double",
    ]  # fmt: skip
    assert table.to_pylist()[0] == {
        "image": "=a.tif", "well": "B2", "t": 0, "label": 1, "area": 9, "mean_DAPI": 0.5, "class": "=x", "mean_GFP": None,
    }  # fmt: skip
    assert table["mean_DAPI"].to_pylist() == [0.5, None, None]
    assert table.schema.field("area").metadata == {b"unit": "px²".encode(), b"definition": b"number of pixels"}


@pytest.mark.parametrize("name", ["all.csv", "all.parquet"])
def test_no_images_leave_a_table(tmp_path, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    assert write_run_table(tmp_path / name, [], find_column) == []
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    "text", ["", "label,area\n1\n", "label,label\n1,2\n", "\n1,2\n", None, "label,area\n1,\xff\n".encode("latin-1")]
)
def test_a_damaged_table_costs_its_rows_alone(tmp_path, tables, text):
    damaged = tmp_path / "a.csv"
    if text is None:
        damaged.unlink()
    else:
        damaged.write_bytes(text if isinstance(text, bytes) else text.encode())
    (problem,) = write_run_table(tmp_path / "all.csv", tables, find_column)
    assert "a.csv: expected a table of objects" in problem
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 2


def test_a_text_in_a_column_of_numbers_is_told(tmp_path, tables):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text("label,area\none,2\n")
    with pytest.raises(DataError, match="label: expected numbers"):
        write_run_table(tmp_path / "all.parquet", tables, find_column)
    assert not (tmp_path / "all.parquet").exists()


def test_an_earlier_table_stays_if_the_disk_is_full(tmp_path, tables):
    (tmp_path / "all.csv").write_text("before")
    tables = [*tables] * 100
    with file_size_limit(4000), pytest.raises(OutputError, match=r"all\.csv: cannot be written"):
        write_run_table(tmp_path / "all.csv", tables, find_column)
    assert (tmp_path / "all.csv").read_text() == "before"
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("name", ["all.xlsx", "folder.csv", "file/all.csv", "file/more/all.csv"])
def test_names_that_cannot_be_written(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises((ConfigError, OutputError), match="expected a"):
        check_run_table(tmp_path / name)
