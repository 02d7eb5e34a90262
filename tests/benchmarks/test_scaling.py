"""benchmarks/scaling.py runs, in small, and sees what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import scaling
import scaling_tables

ONE = {"tiles": 400, "seconds": 40.0, "pixels": 400 * 400**2, "window": 512, "driver_seconds": 0.002}
TWO = {"tiles": 800, "seconds": 42.0}
WEAK = {"model": "nuclei-fluo", "tile_size": 512, "one": ONE, "two": TWO}


def slide(tiles, seconds, peak_mb=200.0):
    """Figures of a driver's slide."""
    return {"tiles": tiles, "objects": 3, "peak_mb": peak_mb, "cpu_seconds": seconds, "scheduler_seconds": seconds / 4}


@pytest.mark.slow
def test_parts_in_small_are_added_to_one_file(tmp_path, capsys):
    pytest.importorskip("distributed")
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"weak": {**WEAK, "one": ONE | {"seconds": 4000.0}}}))
    assert scaling.main(["driver", "--size", "0.0007", "--json", str(file)]) == 0
    assert scaling.main(["images", "--size", "0.0002", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found.keys() == {"weak", "driver", "images", "machine"}
    assert [one["tiles"] >= least for one, least in zip(found["driver"]["slides"], (4, 4, 64), strict=True)] == [
        True
    ] * 3
    assert found["images"]["images"] == 20
    assert found["images"]["objects"] == 5 * 20  # the painted network sees five in each square
    assert [peak[0] for peak in found["images"]["peaks"]] == [2, 20]
    assert capsys.readouterr().out.count("PASS") == 5
    assert not any(line.startswith("Not") for line in scaling_tables.archive(found))


def test_two_workers_do_nearly_twice_as_much():
    assert scaling.rows_of_weak(WEAK)[0].passed
    assert not scaling.rows_of_weak(WEAK | {"two": TWO | {"seconds": 50.0}})[0].passed


def test_memory_is_flat():
    assert scaling.rows_of_driver({"slides": [slide(1000, 1.0), slide(100_000, 2.0, 220.0)]})[0].passed
    assert not scaling.rows_of_driver({"slides": [slide(1000, 1.0), slide(100_000, 2.0, 300.0)]})[0].passed
    peaks = [[1000, 200.0, 150.0, 160.0], [10_000, 220.0, 155.0, 170.0]]
    assert all(row.passed for row in scaling.rows_of_images({"peaks": peaks}))
    peaks[1][2] = 250.0
    assert [row.passed for row in scaling.rows_of_images({"peaks": peaks})] == [True, False]


def test_overhead_is_a_share_of_a_real_tile():
    found = {"weak": WEAK, "driver": {"slides": [slide(100, 1.0), slide(1100, 2.0)]}}
    (row,) = scaling.overhead(found)
    assert row.passed
    assert "1.25 ms a tile, 1.2 %" in row.detail
    found["weak"] = WEAK | {"one": ONE | {"seconds": 4.0}}
    assert not scaling.overhead(found)[0].passed
    assert scaling.overhead({"weak": WEAK}) == []


def test_an_unknown_part(capsys):
    with pytest.raises(SystemExit):
        scaling.parse(["week"])
    assert "expected parts of weak, driver, images, got week" in capsys.readouterr().err


def test_an_archive_by_hand():
    """10 million tiles of .1 s; two workers lose 5 %; the driver takes 2 ms a tile."""
    found = {"weak": WEAK, "driver": {"slides": [slide(100, 1.0), slide(1100, 2.0)]}}
    one, sixteen, many = scaling_tables.archive(found)[2:]
    assert one == "| 1 | 278 | 1 | 278 | 556 | 8 MB/s |"
    assert sixteen == "| 16 | 18 | 1 | 18 | 310 | 120 MB/s |"
    assert many == "| 256 | 6 | 5 | 1 | 297 | 1.9 GB/s |"
    assert scaling_tables.archive({"weak": WEAK})[0].startswith("Not measured yet")


def test_what_was_measured_is_shown():
    assert scaling_tables.measured({})[0].startswith("Not measured yet")
    lines = scaling_tables.measured({"driver": {"slides": [slide(100, 1.0), slide(1100, 2.0)]}})
    assert lines[2] == "| its peak memory, 100 tiles | 200 MB, 3 objects |"
    assert lines[-1].endswith("| 0.25 and 1.00 ms |")
