from __future__ import annotations

import pytest

from starpoly.errors import ConfigError
from starpoly.labels.measures.columns import LEADING_COLUMNS, OBJECT_COLUMNS, channel_labels
from starpoly.labels.measures.registry import DEFAULT, MEASURES, SELECTABLE, find_column, select_measures

from support.documents import ROOT


@pytest.mark.parametrize(
    ("names", "n", "expected"),
    [
        ((), 2, ("0", "1")),
        (("DAPI", "GFP"), 2, ("DAPI", "GFP")),
        (("DAPI",), 2, ("DAPI", "1")),
        (("GFP", "", "GFP"), 3, ("GFP_0", "1", "GFP_2")),
        (("two\nlines\x1b[1m", " a  b "), 2, ("two lines [1m", "a b")),
        (("1", ""), 2, ("0", "1")),
        ((), 0, ()),
    ],
)
def test_channels_are_told_apart(names, n, expected):
    assert channel_labels(names, n) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, DEFAULT),
        ("all", tuple(SELECTABLE)),
        ("none", ()),
        ((), ()),
        ("neighbours, shape", ("shape", "neighbours")),
        (["intensity", "intensity"], ("intensity",)),
    ],
)
def test_groups_are_chosen(asked, expected):
    assert select_measures(asked) == expected


@pytest.mark.parametrize("asked", ["texture", "", "none,shape", "basic"])
def test_other_groups_are_refused(asked):
    with pytest.raises(ConfigError, match="measure: expected"):
        select_measures(asked)


def test_margins_are_those_of_the_modules():
    from starpoly.labels.measures import intensity, neighbours

    assert MEASURES["intensity"].margin == intensity.REACH
    assert MEASURES["neighbours"].margin == neighbours.REACH


def test_columns_are_found_by_name():
    assert find_column("area_um2").unit == "um²"
    assert find_column("mean_DAPI").definition == "mean in the object"
    assert find_column("cell_bbox_y0").kind == "int"
    assert find_column("ring_median_far red").kind == "float"
    assert find_column("class").kind == "text"
    assert find_column("elephant") is None


def test_no_column_is_there_twice():
    names = [column.name for measure in MEASURES.values() for column in measure.columns()]
    assert len(set(names)) == len(names)


def test_the_documentation_has_every_column():
    page = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8").splitlines()
    groups = [measure.columns() for measure in SELECTABLE.values()]
    documented = [line for line in page if line.startswith("| `") and line.count("|") == 5]
    assert sorted(documented) == sorted(
        column.row() for columns in (LEADING_COLUMNS, OBJECT_COLUMNS, *groups) for column in columns
    )
