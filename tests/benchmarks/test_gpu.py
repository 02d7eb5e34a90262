"""The script that measures a GPU, tried where there is none."""

from __future__ import annotations

import json
import sys
import threading

import pytest


@pytest.fixture
def gpu(pytestconfig, monkeypatch):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "benchmarks"))
    monkeypatch.delitem(sys.modules, "gpu", raising=False)
    import gpu

    return gpu


def test_without_a_card_it_says_how_to_try_it(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "card", lambda: None)
    with pytest.raises(SystemExit):
        gpu.main([])
    assert "--cpu tries the script" in capsys.readouterr().err


def test_every_engine_and_set_of_images_has_a_row(gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "card", lambda: None)
    file = tmp_path / "gpu.json"
    more = ["--cpu", "--side", "128", "--files", "2", "--engine", "tensorflow", "--json", str(file)]
    status = gpu.main(["nuclei-fluo-small", *more])
    result = json.loads(file.read_text())
    assert result["card"] is None
    assert [row["case"] for row in result["rows"]] == ["128 x 128", "2 of 512 x 512"]
    assert all(row["windows"] and row["network_alone"] > 0 for row in result["rows"])
    assert status == (not all(row["passed"] for row in result["rows"]))
    assert capsys.readouterr().out.startswith("on the processor\n")


def test_the_name_and_the_memory_of_the_card(gpu, monkeypatch):
    answers = {"name,memory.total": ["NVIDIA A, B, 10240"], "memory.used": ["2048"]}
    monkeypatch.setattr(gpu, "_ask", answers.get)
    assert gpu.card() == ("NVIDIA A, B", 10.0)
    looked = threading.Event()
    monkeypatch.setattr(gpu, "_EVERY", 0.001)
    monkeypatch.setattr(gpu, "_ask", lambda what: (looked.set(), answers[what])[1])
    with gpu.peak_memory(True) as peak:
        assert looked.wait(60)
    assert peak == [2.0]


def test_no_driver_is_no_card(gpu, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert gpu.card() is None
