from __future__ import annotations

import csv

import numpy as np
import pytest

from starpoly.errors import ImageError
from starpoly.io.writers.table import write_table


def test_writes_what_is_read_back(tmp_path):
    columns = {"label": np.array([1, 2]), "y": np.array([0.5, 100_000.123456]), "class": ["nucleus, ä", "=1+1"]}
    write_table(tmp_path / "t.csv", columns)
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"label": "1", "y": "0.5", "class": "nucleus, ä"},
        {"label": "2", "y": "100000.1235", "class": "'=1+1"},
    ]


def test_no_objects_leave_a_header_and_nan_an_empty_cell(tmp_path):
    write_table(tmp_path / "none.csv", {"label": [], "y": []})
    assert (tmp_path / "none.csv").read_text() == "label,y\n"
    write_table(tmp_path / "nan.csv", {"label": [1], "y": [np.nan]})
    assert (tmp_path / "nan.csv").read_text() == "label,y\n1,\n"


def test_errors_are_one_line(tmp_path):
    with pytest.raises(ImageError, match="columns of equal length"):
        write_table(tmp_path / "t.csv", {"a": [1], "b": []})
    with pytest.raises(ImageError, match="cannot be written"):
        write_table(tmp_path / "missing" / "t.csv", {"a": [1]})
