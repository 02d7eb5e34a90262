"""Tables as spreadsheets of several systems write them."""

from __future__ import annotations

import pytest

from starpoly.errors import DataError
from starpoly.io.files.plates import read_attributes
from starpoly.io.text_tables import decode_text, read_rows, valid_text
from starpoly.training.groups import read_groups
from starpoly.training.settings import read_settings

ROWS = [("Name", "Group"), ("Zürich 1.tif", "stain, blue"), ("b.png", "stain, red")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_groups_of_any_spreadsheet(tmp_path, encoding, separator, end):
    lines = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in ROWS]
    (tmp_path / "g.csv").write_bytes((end.join([*lines, "", ""])).encode(encoding))
    assert read_groups(tmp_path / "g.csv") == {"Zürich 1": "stain, blue", "b": "stain, red"}


def test_cells_that_are_missing_or_surrounded_by_spaces(tmp_path):
    (tmp_path / "t.csv").write_text("\n label ; class \n 1; 2\n;\n3\n")
    assert read_rows(tmp_path / "t.csv") == [{"label": "1", "class": "2"}, {"label": "3", "class": ""}]


@pytest.mark.parametrize("content", ["", "\n", "name,group\n", "image,group\na,b\n"])
def test_what_is_no_table_of_groups(tmp_path, content):
    (tmp_path / "g.csv").write_text(content)
    with pytest.raises(DataError, match="columns name and group"):
        read_groups(tmp_path / "g.csv")


def test_settings_and_attributes_with_a_mark(tmp_path):
    (tmp_path / "s.toml").write_bytes("[training]\nepochs = 3\n".encode("utf-8-sig"))
    assert read_settings(tmp_path / "s.toml").training.epochs == 3
    (tmp_path / ".zattrs").write_bytes('{"plate": {"wells": []}}'.encode("utf-8-sig"))
    assert "plate" in read_attributes(tmp_path)


def test_text_of_no_known_encoding_is_read_all_the_same():
    assert decode_text(b"\x81\xff") == "�ÿ"


@pytest.mark.parametrize(
    ("text", "valid"),
    [("ä", "ä"), ("\udcc3\udca4", "ä"), ("Z\udcfcrich", "Z\\udcfcrich"), ("\ud800", "\\ud800"), ("", "")],
)
def test_names_look_the_same_in_every_locale(text, valid):
    assert valid_text(text) == valid
