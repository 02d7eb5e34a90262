"""The comparison with scikit-image finds no difference, on a small image."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from support.documents import ROOT


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("measurements_benchmark", ROOT / "benchmarks" / "measurements.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_both_measure_the_same(benchmark, tmp_path, monkeypatch, capsys):
    pytest.importorskip("skimage", "0.26", reason="an older scikit-image measures no medians")
    monkeypatch.setattr(benchmark, "LEAST_RATIO", 0)
    arguments = ["--side", "300", "--objects", "100", "--peer-side", "150", "--json", str(tmp_path / "m.json")]
    assert benchmark.main(arguments) == 0
    result = json.loads((tmp_path / "m.json").read_text())
    assert (result["objects"], result["quarter"]["objects"]) == (100, 25)
    assert result["with_hull"]["objects"] == result["without_hull"]["objects"] == 25
    assert "columns that differ: none" in capsys.readouterr().out
