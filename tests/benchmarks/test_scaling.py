"""benchmarks/scaling.py runs, in small, and sees what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import scaling


@pytest.mark.slow
def test_drivers_in_small(tmp_path, capsys):
    pytest.importorskip("distributed")
    words = ["--only", "driver,overhead,images", "--tiles", "64", "--small-images", "20", "--tile-seconds", "10"]
    assert scaling.main([*words, "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["driver"]["many"]["tiles"] >= 64
    few, many = (found["images"][name] for name in ("few", "many"))
    assert many["objects"] == 10 * few["objects"] > 0
    assert capsys.readouterr().out.count("PASS") == 4


def test_overhead_is_a_share_of_a_real_tile():
    driver = {"few": {"seconds": 1.0, "tiles": 100}, "many": {"seconds": 2.0, "tiles": 1100}}
    (row,) = scaling.overhead({"driver": driver}, 0.1)
    assert row.passed
    assert "1.0 %" in row.detail
    (row,) = scaling.overhead({"driver": driver}, 0.01)
    assert not row.passed
    weak = {"one": {"seconds": 4.0, "tiles": 100}}
    (row,) = scaling.overhead({"driver": driver, "weak": weak}, None)
    assert not row.passed
