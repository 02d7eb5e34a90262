"""benchmarks/startup.py: programs in turn, as pairs, with what they took and said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def startup(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import startup

    return startup


def rows(seconds, stages=()):
    return [
        {"seconds": value, "cpu_seconds": value, "peak_mb": 100 * value, "others": 0.0, "stages": dict(stages)}
        for value in seconds
    ]


def test_ratios_are_those_of_pairs(startup):
    # the machine is slower in the second half, for both
    summary = startup.summarize({"own": rows([1, 1, 3, 3], {"imports": 0.5}), "stardist": rows([2, 2, 6, 6])})
    assert summary["own"]["seconds"] == [2, 1, 3]
    assert summary["own"]["seconds_ratio"] == [0.5, 0.5, 0.5]
    assert summary["own"]["stages"] == {"imports": 0.5}
    text = startup.table(512, summary)
    assert "| own | 2.00 | 1.00 to 3.00 | 0.50 |" in text
    assert "own, seconds: imports 0.50" in text


def test_without_the_peer_there_is_no_ratio(startup):
    summary = startup.summarize({"own": rows([1, 2])})
    assert "seconds_ratio" not in summary["own"]
    assert "| own | 1.50 | 1.00 to 2.00 |  |  |" in startup.table(512, summary)


def test_the_first_run_does_not_count_and_each_is_a_process(startup, tmp_path):
    count = "import pathlib; p = pathlib.Path('{output}.txt'); p.parent.mkdir(parents=True, exist_ok=True); p.open('a').write('x')"
    found = [
        startup.Way("own", (sys.executable, "-c", count), {}),
        startup.Way("stardist", (sys.executable, "-c", count), {}),
    ]
    taken = startup.compare(found, tmp_path / "image.tif", 2, tmp_path / "work")
    assert [len(taken[name]) for name in ("own", "stardist")] == [2, 2]
    assert (tmp_path / "work" / "out" / "own.txt").read_text() == "xxx"


def test_a_program_that_fails_is_no_figure(startup, tmp_path):
    failing = startup.Way("own", (sys.executable, "-c", "raise SystemExit('no image')"), {})
    with pytest.raises(RuntimeError, match="status 1: no image"):
        failing.start(tmp_path / "image.tif", tmp_path / "out", tmp_path / "said", {})


def test_goal_missed_without_a_peer(startup, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(startup, "ways", lambda *_: [startup.Way("own", (sys.executable, "-c", "pass"), {})])
    monkeypatch.setenv("STARPOLY_SHARED", str(tmp_path))  # where there are no images: some are drawn
    assert startup.main(["--sizes", "64", "--runs", "1", "--json", str(tmp_path / "f.json")]) == 1
    assert "FAIL" in capsys.readouterr().out
    assert set(json.loads((tmp_path / "f.json").read_text())["sizes"]) == {"64"}
