"""The trials of load, tiny: they run, and see what they are for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import load

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")


@pytest.mark.parametrize(
    ("trial", "n"), [("images", 7), ("predictions", 11), ("objects", 70_000), ("clock", 3), ("constant", 2600)]
)
def test_trials(trial, n, capsys, tmp_path):
    status = load.main([trial, "--n", str(n), "--folder", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    assert (status, found["good"]) == (0, True), found
    assert not list(tmp_path.iterdir())


def test_lost_objects_are_seen(monkeypatch, tmp_path):
    from starpoly.io.writers import geojson

    whole = geojson.write_results
    monkeypatch.setattr(geojson, "write_results", lambda path, results: (whole(path, results), path.write_text("{}")))
    assert not load.objects(tmp_path, 20)["good"]


@pytest.mark.slow
def test_processes_on_a_cold_cache(tmp_path):
    assert load.processes(tmp_path, 2)["good"]


@pytest.mark.slow
def test_training_in_small(tmp_path):
    found = load.training(tmp_path, 4)
    assert found["status"] == 0
    assert found["steps"] == 4
    assert found["peak_mb"] > 0


def test_noise_is_tried_by_every_shipped_model(monkeypatch, tmp_path):
    monkeypatch.setattr("starpoly.model_zoo.available_models", lambda: ["nuclei-fluo-small"])
    found = load.noise(tmp_path, 96)
    assert found["good"], found
    assert found["models"].keys() == {"nuclei-fluo-small, white", "nuclei-fluo-small, noise"}
