"""Tables as spreadsheets of several systems write them."""

from __future__ import annotations

import pytest

from starpoly.errors import DataError
from starpoly.io.files.plates import read_attributes
from starpoly.io.text_tables import decode_text, read_rows, valid_text, whole_number
from starpoly.training.data import _read_classes
from starpoly.training.groups import read_groups
from starpoly.training.settings import read_settings

ROWS = [("Name", "Group"), ("Zürich 1.tif", "stain, blue"), ("b.png", "stain, red")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_groups_of_any_spreadsheet(tmp_path, encoding, separator, end):
    lines = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in ROWS]
    (tmp_path / "g.csv").write_bytes((end.join([*lines, "", ""])).encode(encoding))
    assert read_groups(tmp_path / "g.csv") == {"Zürich 1": "stain, blue", "b": "stain, red"}


def test_cells_that_are_missing_or_surrounded_by_spaces(tmp_path):
    (tmp_path / "t.csv").write_text("\n label ; class \n 1; 2\n;\n3\n")
    assert read_rows(tmp_path / "t.csv") == [{"label": "1", "class": "2"}, {"label": "3", "class": ""}]


@pytest.mark.parametrize("first", ["sep=|", '"sep=|"', "SEP=|"])
def test_excels_line_that_names_the_separator(tmp_path, first):
    (tmp_path / "t.csv").write_text(f"{first}\nlabel|class\n1,5|2\n")
    assert read_rows(tmp_path / "t.csv") == [{"label": "1,5", "class": "2"}]


@pytest.mark.parametrize("cell", ["7", "7.0", "7.", " 7 "])
def test_whole_numbers_of_other_programs(cell):
    assert whole_number(cell) == 7


@pytest.mark.parametrize("cell", ["", "7.5", "a", "nan", "7.0.0"])
def test_what_is_no_whole_number(cell):
    with pytest.raises(ValueError):
        whole_number(cell)


def test_classes_that_are_stored_as_floats(tmp_path):
    (tmp_path / "a.csv").write_text("label,class\n1.0,2.0\n2.0,1.0\n")
    assert _read_classes(tmp_path / "a.csv") == {1: 2, 2: 1}


@pytest.mark.parametrize("content", ["", "\n", "name,group\n", "image,group\na,b\n"])
def test_what_is_no_table_of_groups(tmp_path, content):
    (tmp_path / "g.csv").write_text(content)
    with pytest.raises(DataError, match="columns name and group"):
        read_groups(tmp_path / "g.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # as Notepad and PowerShell's > write them
def test_settings_and_attributes_with_a_mark(tmp_path, encoding):
    (tmp_path / "s.toml").write_bytes("[training]\r\nepochs = 3\r\n".encode(encoding))
    assert read_settings(tmp_path / "s.toml").training.epochs == 3
    (tmp_path / ".zattrs").write_bytes('{"plate": {"wells": []}}'.encode(encoding))
    assert "plate" in read_attributes(tmp_path)


def test_text_of_no_known_encoding_is_read_all_the_same():
    assert decode_text(b"\x81\xff") == "�ÿ"


@pytest.mark.parametrize(
    ("text", "valid"),
    [("ä", "ä"), ("\udcc3\udca4", "ä"), ("Z\udcfcrich", "Z\\udcfcrich"), ("\ud800", "\\ud800"), ("", "")],
)
def test_names_look_the_same_in_every_locale(text, valid):
    assert valid_text(text) == valid
