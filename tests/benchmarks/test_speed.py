"""The table of how fast it is: made of what was measured, and nothing else."""

from __future__ import annotations

import argparse
import json
import runpy
import sys

import pytest


@pytest.fixture(scope="module")
def speed(pytestconfig):
    sys.path.insert(0, str(pytestconfig.rootpath / "benchmarks"))
    try:
        return runpy.run_path(str(pytestconfig.rootpath / "benchmarks" / "speed.py"))
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize("name", ["speed", "speed_amx", "speed_avx2"])
def test_the_document_shows_the_figures_that_were_measured(speed, pytestconfig, name):
    path = pytestconfig.rootpath / "benchmarks" / "results" / f"{name}.json"
    text = (pytestconfig.rootpath / "docs" / "speed.md").read_text(encoding="utf-8")
    assert speed["table"](json.loads(path.read_text(encoding="utf-8"))) in text


def test_a_table_has_a_line_for_each_row(speed):
    rows = [
        {"part": "a", "case": "b", "starpoly": 0.5, "peer": 2.0, "goal": 5, "note": "c"},
        {"part": "d", "case": "e", "starpoly": 3.0, "peer": None, "goal": None, "note": ""},
    ]
    lines = speed["table"]({"rows": rows}).splitlines()
    assert lines[2] == "| a | b | 500 ms | 2 s | **4.0** | 5 | c |"
    assert lines[3] == "| d | e | 3 s |  |  |  |  |"


def test_runs_are_in_turns_and_the_first_does_not_count(speed):
    calls = []
    best = speed["in_turns"](lambda: calls.append("a"), None, lambda: calls.append("b"), runs=2)
    assert "".join(calls) == "ab" + "ab" * 2
    assert best[1] is None
    assert best[0] >= 0


@pytest.mark.slow
@pytest.mark.parametrize("part", ["suppression", "distances", "rendering", "matching", "training"])
def test_fast_parts_are_ahead_of_stardist(speed, part, pytestconfig, monkeypatch):
    """Ratios, not seconds, of a fraction of what is measured on an idle machine: a loss of that much is no noise."""
    pytest.importorskip("stardist", reason="needs stardist")
    monkeypatch.syspath_prepend(pytestconfig.rootpath / "benchmarks")
    options = argparse.Namespace(quick=True)
    for _ in range(3):
        ratios = [row.ratio for row in speed["PARTS"][part](options)]
        if min(ratios) > 1.5:
            return
    pytest.fail(f"{part}: expected more than 1.5 times StarDist's speed, got {ratios}")
