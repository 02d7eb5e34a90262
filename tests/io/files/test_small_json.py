"""JSON beside images: read if it is a small regular file."""

from __future__ import annotations

import os

import pytest

from starpoly.io.files.naming import holds_labels
from starpoly.io.files.plates import read_attributes
from starpoly.io.files.small_json import read_small_json


def test_content_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1]}')
    assert read_small_json(tmp_path / "a.json", 100) == {"a": [1]}
    with pytest.raises(ValueError, match="more than 5 bytes"):
        read_small_json(tmp_path / "a.json", 5)


def test_deep_nesting_is_no_content(tmp_path):
    (tmp_path / "zarr.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested"):
        read_small_json(tmp_path / "zarr.json", 1 << 20)
    assert not holds_labels(tmp_path)
    assert read_attributes(tmp_path) == {}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "zarr.json")
    (tmp_path / ".zattrs").symlink_to(os.devnull)
    for name in ("zarr.json", ".zattrs"):
        with pytest.raises(OSError, match="no regular file"):
            read_small_json(tmp_path / name, 100)
    assert not holds_labels(tmp_path)
    assert read_attributes(tmp_path) == {}
