"""The engine that takes the least time, by a clock that is set."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.network.engines import fastest, registry
from starpoly.network.engines.engine import RunningNetwork
from starpoly.network.engines.fastest import fastest_engine
from starpoly.network.engines.frozen_graph import NetworkGeometry
from starpoly.network.footprint import Footprint

AXIS = Footprint.of_radius(6, 16, 2)
ENGINES = {"tensorflow": (), "openvino": ("openvino",), "onnx": ("onnxruntime",)}


class Bench:
    """Engines whose windows take given seconds."""

    def __init__(self, monkeypatch, **seconds):
        self.now, self.seconds, self.calls = 0.0, seconds, []
        monkeypatch.setattr(fastest, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def open(self, engine):
        if self.seconds[engine] is None:
            raise RuntimeError("does not run here")

        def run(batch):
            self.calls.append(engine)
            self.now += self.seconds[engine]
            return {}

        return RunningNetwork(run, "float32", NetworkGeometry(AXIS, AXIS))


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("STARPOLY_CACHE", str(tmp_path / "cache"))
    spec = ModelSpec(name="cells", network=NetworkConfig(), max_distance=100.0)
    return SimpleNamespace(
        spec=spec, weights=tmp_path / "weights.h5", checksum="ab", choose_precision=lambda *_, **__: "float32"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"tensorflow": 1.0, "openvino": 0.5, "onnx": 0.7}, "openvino"),
        ({"tensorflow": 1.0, "openvino": 0.95, "onnx": 0.99}, "tensorflow"),
        ({"tensorflow": 1.0, "openvino": None, "onnx": 0.7}, "onnx"),
        ({"tensorflow": None, "openvino": 3.0, "onnx": None}, "openvino"),
        ({"tensorflow": None, "openvino": None, "onnx": None}, "tensorflow"),
    ],
)
def test_an_engine_is_taken_if_it_saves_a_tenth(monkeypatch, source, seconds, expected):
    bench = Bench(monkeypatch, **seconds)
    assert fastest_engine(source, "float32", ENGINES, bench.open) == expected


def test_it_is_measured_once_for_each_model_and_number_of_threads(monkeypatch, source):
    bench = Bench(monkeypatch, tensorflow=1.0, openvino=0.5, onnx=0.7)
    assert fastest_engine(source, "float32", ENGINES, bench.open) == "openvino"
    bench.seconds["openvino"], bench.calls = 9.0, []
    assert fastest_engine(source, "float32", ENGINES, bench.open) == "openvino"
    assert not bench.calls
    monkeypatch.setenv("NUMBA_NUM_THREADS", "97")
    assert fastest_engine(source, "float32", ENGINES, bench.open) == "onnx"
    source.checksum = "cd"
    bench.calls = []
    fastest_engine(source, "float32", ENGINES, bench.open)
    assert bench.calls


@pytest.mark.parametrize("damage", ["another text", "others may write"])
def test_a_choice_that_somebody_else_may_have_written_is_made_anew(monkeypatch, source, tmp_path, damage):
    bench = Bench(monkeypatch, tensorflow=1.0, openvino=0.5, onnx=0.7)
    fastest_engine(source, "float32", ENGINES, bench.open)
    (note,) = tmp_path.rglob("*.note")
    if damage == "another text":
        note.write_bytes(note.read_bytes().replace(b"openvino", b"onnx"))
    else:
        note.chmod(0o666)
    bench.calls = []
    assert fastest_engine(source, "float32", ENGINES, bench.open) == "openvino"
    assert bench.calls


def test_where_one_engine_is_installed_nothing_is_measured(monkeypatch, source):
    bench = Bench(monkeypatch, tensorflow=1.0)
    assert fastest_engine(source, "float32", {"tensorflow": ()}, bench.open) == "tensorflow"
    assert not bench.calls


def test_auto_names_an_engine(monkeypatch, source):
    monkeypatch.setattr(registry, "is_installed", lambda name: name != "onnx")
    asked = []
    monkeypatch.setattr(
        registry, "fastest_engine", lambda _, precision, engines, __: asked.append(engines) or "openvino"
    )
    assert registry.resolve_engine("auto", source, "auto") == "openvino"
    assert list(asked[0]) == ["tensorflow", "openvino"]
    assert registry.resolve_engine("onnx", source, "auto") == "onnx"
