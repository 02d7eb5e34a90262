from __future__ import annotations

import numpy as np
import pytest

from starpoly.io.writers.cells import column_cells, number_cell, plain_text, text_cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (3, 3), (2.0, 2), (100_000.123456, 100_000.1235), (0.000123456789, 0.000123457), (1 / 3, 0.333333),
        (np.nan, ""), (np.inf, ""), (True, 1), (1e300, 1e300), (-2.5, -2.5), (0.0, 0),
    ],
)  # fmt: skip
def test_numbers_have_the_digits_that_matter(value, cell):
    found = number_cell(value)
    assert (found, type(found)) == (cell, type(cell))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\n=1", "\uff1d1", "a=1", "'a", "", "nucleus, ä"])
def test_no_text_is_a_formula_and_all_are_read_back(text):
    assert not text_cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    assert plain_text(text_cell(text)) == text


def test_columns_of_every_kind():
    assert list(column_cells(np.array([1, 2], np.uint32))) == [1, 2]
    assert list(column_cells(np.array([True, False]))) == [1, 0]
    assert list(column_cells(np.array([0.5, np.nan], np.float32))) == [0.5, ""]
    assert list(column_cells(["=a", "b"])) == ["'=a", "b"]
    assert list(column_cells([])) == []
