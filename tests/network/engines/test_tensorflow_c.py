"""Serving without Keras: the same bits as with it, or Keras after all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig, NormalizationConfig
from starpoly.errors import ConfigError, ModelError
from starpoly.model import StarPoly2D
from starpoly.model_zoo import default_model, find_model
from starpoly.network.architectures.registry import build_network
from starpoly.network.engines import graph_cache, registry
from starpoly.network.engines.c_library import library_path
from starpoly.network.engines.engine import RunningNetwork
from starpoly.network.engines.source import NetworkSource
from starpoly.network.engines.tensorflow import frozen_network
from starpoly.network.engines.tensorflow_c import TENSORFLOW_C, SessionNetwork
from starpoly.network.predictor import Predictor
from starpoly.network.storage.folder import load_model, save_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or library_path() is None, reason="needs TensorFlow's C library"
)

TINY = {"n_rays": 6, "depth": 1, "base_filters": 4, "head_filters": 4, "grid": (2, 2), "foreground_filters": 0}
NETWORKS = {
    "plain": NetworkConfig(**TINY),
    "classes": NetworkConfig(**TINY, n_channels=3, n_classes=2),
    "activations": NetworkConfig(
        **TINY, activation="elu", normalization="none", distance_activation="linear", stem="conv"
    ),
    "foreground": NetworkConfig(**TINY | {"foreground_filters": 4}),
    "not residual": NetworkConfig(**TINY, residual=False, convolutions_per_level=1),
}
STARDIST = {"n_rays": 6, "depth": 1, "base_filters": 4, "features": 4, "batch_norm": True, "grid": [2, 2]}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache with nothing in it."""
    monkeypatch.setenv("STARPOLY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model folder, and a cache with its graph."""
    folder = tmp_path_factory.mktemp("written")
    write_model(folder / "model", ModelSpec("tiny", NETWORKS["plain"], max_distance=9.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARPOLY_CACHE", str(folder / "cache"))
        Predictor.load(folder / "model", "float32")
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A model folder; nothing is in the cache."""
    return shutil.copytree(written / "model", tmp_path / "model")


@pytest.fixture
def frozen(folder, written, tmp_path):
    """A model folder whose graph is in the cache."""
    shutil.copytree(written / "cache", tmp_path / "cache")
    return folder


def write_model(folder: Path, spec: ModelSpec) -> Path:
    """A model folder with random weights, those of normalisations too."""
    model = build_network(spec.network)
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.1, 0.6, weight.shape) * rng.choice([-1, 1, 1], weight.shape[-1:]) if weight.ndim > 1
                       else rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])  # fmt: skip
    save_model(folder, spec, model)
    return folder


def spec_of(name: str) -> ModelSpec:
    if name != "stardist":
        return ModelSpec(name, NETWORKS[name], max_distance=9.0)
    network = NetworkConfig(**TINY, architecture="stardist_unet", settings=STARDIST)
    return ModelSpec(name, network, max_distance=9.0)


def find_frozen(folder, precision="float32"):
    return TENSORFLOW_C.open(NetworkSource.of_folder(folder), precision, make=False)


def is_frozen(predictor: Predictor) -> bool:
    return isinstance(predictor._running.run, SessionNetwork)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", [*NETWORKS, "stardist"])
def test_the_same_bits_as_keras(tmp_path, name, precision):
    folder = write_model(tmp_path / "model", spec_of(name))
    first, again = (Predictor.load(folder, precision) for _ in range(2))
    assert (is_frozen(first), is_frozen(again)) == (False, True)
    for shape in [(1, 16, 16), (2, 32, 48), (1, 8, 64)]:
        batch = np.random.default_rng(1).normal(0, 2, (*shape, first.n_channels)).astype(np.float32)
        expected, got = first(batch).arrays, again(batch).arrays
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(got[key], value, strict=True)
    assert (first(batch).foreground is None) == (name != "foreground")
    assert again.halo == first.halo
    assert (again.stride, again.grid, again.tile_size, again.precision) == (
        first.stride,
        first.grid,
        first.tile_size,
        precision,
    )


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A cache with the graph of the default model, and the model of which TensorFlow made it."""
    cache = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARPOLY_CACHE", str(cache))
        return cache, StarPoly2D.from_pretrained(default_model())


def test_the_same_labels_and_fingerprint_from_a_shipped_model(shipped, monkeypatch):
    image = np.random.default_rng(5).poisson(20, (120, 150)).astype(np.uint8)
    yy, xx = np.mgrid[:120, :150]
    for y, x in [(30, 30), (34, 60), (80, 90), (85, 118)]:
        image[(yy - y) ** 2 + (xx - x) ** 2 < 160] += 120
    cache, first = shipped
    monkeypatch.setenv("STARPOLY_CACHE", str(cache))
    again = StarPoly2D.from_pretrained(default_model())
    assert (is_frozen(first._predictor), is_frozen(again._predictor)) == (False, True)
    (labels, details), (same, equal) = (model.predict_instances(image) for model in (first, again))
    assert labels.max() > 2
    np.testing.assert_array_equal(same, labels)
    np.testing.assert_array_equal(equal["coord"], details["coord"])
    assert again.fingerprint() == first.fingerprint()


def test_the_keras_model_is_there_when_asked_for(frozen, tmp_path):
    model = StarPoly2D.from_pretrained(frozen, precision="float32")
    assert is_frozen(model._predictor)
    model.save(tmp_path / "copy")
    for weight, same in zip(
        load_model(frozen)[1].get_weights(), load_model(tmp_path / "copy")[1].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, same)


def test_a_folder_that_changed_meanwhile_is_refused(frozen):
    predictor = Predictor.load(frozen, "float32")
    spec, model = load_model(frozen)
    model.set_weights([2 * weight for weight in model.get_weights()])
    save_model(frozen, spec, model)
    with pytest.raises(ModelError, match="load the model anew"):
        predictor.model.get_weights()


def test_other_weights_or_settings_are_another_network(frozen, tmp_path):
    spec, model = load_model(frozen)
    shutil.copytree(frozen, tmp_path / "same")
    save_model(tmp_path / "bound", spec.replace(max_distance=3.0), model)
    model.set_weights([2 * weight for weight in model.get_weights()])
    save_model(tmp_path / "weights", spec, model)
    assert is_frozen(Predictor.load(tmp_path / "same", "float32"))
    assert not is_frozen(Predictor.load(frozen, "bfloat16"))
    for name in ("bound", "weights"):
        assert not is_frozen(Predictor.load(tmp_path / name, "float32"))
    # what serving does not depend on
    save_model(
        tmp_path / "named", spec.replace(name="other", normalization=NormalizationConfig(2, 98)), load_model(frozen)[1]
    )
    assert is_frozen(Predictor.load(tmp_path / "named", "float32"))


def test_a_network_without_refinement_is_another(tmp_path):
    folder = write_model(tmp_path / "model", spec_of("foreground"))
    batch = np.ones((1, 16, 16, 1), np.float32)
    for refine in (True, False, True):
        predictor = Predictor.load(folder, "float32", refine_outlines=refine)
        assert (predictor(batch).foreground is not None) == predictor.has_foreground == refine
    assert is_frozen(predictor)


def test_damaged_weights_are_refused_whatever_the_cache_holds(frozen):
    weights = frozen / "weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match="checksum"):
        Predictor.load(frozen, "float32")


DAMAGES = {
    "damaged": ["cut", "changed", "empty", "header", "reach", "another key"],
    "with a new checksum": ["version", "operations", "tensor", "reach", "text", "stride", "grid", "outputs"],
    "of somebody else": ["others may write", "the group may write", "another user", "link", "pipe"],
}


@pytest.mark.parametrize("damage", DAMAGES["damaged"])
def test_a_damaged_network_is_made_anew(frozen, cache, damage):
    expected = Predictor.load(frozen, "float32")
    (path,) = cache.glob("*.graph")
    content = path.read_bytes()
    changed = {
        "cut": content[:-9],
        "changed": content[:-9] + bytes(9),
        "empty": b"",
        "header": b"[" * 10**5,
        "reach": content.replace(b'"before": [', b'"before": [1'),
        "another key": graph_cache.find(path.stem).to_bytes("0" * 64),
    }[damage]
    assert changed != content
    path.write_bytes(changed)
    check_made_anew(frozen, expected)


@pytest.mark.parametrize("damage", DAMAGES["of somebody else"])
def test_a_network_that_somebody_else_may_have_written_is_made_anew(frozen, cache, damage, tmp_path):
    expected = Predictor.load(frozen, "float32")
    (path,) = cache.glob("*.graph")
    assert not path.stat().st_mode & 0o022
    if damage in ("link", "pipe"):
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere") if damage == "link" else os.mkfifo(path)
        assert find_frozen(frozen) is None
        return  # what is no file is not replaced, either
    if damage == "another user":
        if os.geteuid():
            pytest.skip("files cannot be given away")
        os.chown(path, 12345, -1)
    else:
        path.chmod(0o646 if damage == "others may write" else 0o664)
    check_made_anew(frozen, expected)


def check_made_anew(folder, expected):
    assert find_frozen(folder) is None
    again = Predictor.load(folder, "float32")
    batch = np.ones((1, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(again(batch).distances, expected(batch).distances)
    assert is_frozen(Predictor.load(folder, "float32"))


@pytest.mark.parametrize("damage", DAMAGES["with a new checksum"])
def test_a_network_that_does_not_fit_is_made_anew(frozen, cache, damage):
    expected = Predictor.load(frozen, "float32")
    (path,) = cache.glob("*.graph")
    _, line, graph = path.read_bytes().split(b"\n", 2)
    header = json.loads(line)
    geometry = header["geometry"]
    if damage == "version":
        header["tensorflow"] = "1.15.0"
    elif damage == "tensor":
        header["input_name"] = "elsewhere:0"
    elif damage == "reach":
        geometry["y"]["before"] = [0 for _ in geometry["y"]["before"]]
    elif damage == "text":
        geometry["y"]["before"] = [10**9, "x"]
    elif damage == "stride":
        geometry["x"] |= {side: 2 * geometry["x"][side] for side in ("before", "after")}
    elif damage == "grid":
        geometry["x"]["spacing"] *= 2
    elif damage == "outputs":
        del header["output_names"]["distances"]
    elif damage == "operations":
        graph = graph_that_writes(header)
    line = json.dumps(header).encode() + b"\n"
    path.write_bytes(
        hashlib.sha256(f"{path.stem}\n".encode() + line + graph).hexdigest().encode() + b"\n" + line + graph
    )
    check_made_anew(frozen, expected)


def graph_that_writes(header: dict) -> bytes:
    """A graph with the right tensors that would write a file."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        batch = tf.compat.v1.placeholder(tf.float32, (None, None, None, 1), name=header["input_name"].partition(":")[0])
        with tf.control_dependencies([tf.io.write_file("evil.txt", "evil")]):
            for tensor in header["output_names"].values():
                tf.identity(batch, name=tensor.partition(":")[0])
    return graph.as_graph_def().SerializeToString()


def test_ways_around_it(frozen, monkeypatch):
    assert find_frozen(frozen) is not None
    monkeypatch.setenv("STARPOLY_SERVING", "keras")
    assert find_frozen(frozen) is None
    assert TENSORFLOW_C.open(NetworkSource.of_folder(frozen), "float32") is not None  # where it is asked for
    with pytest.raises(ConfigError, match="precision"):
        find_frozen(frozen, "float64")


class Picky:
    """An engine that parses the graph, as OpenVINO and ONNX Runtime do."""

    def open(self, source, precision, *, make=True):
        network = frozen_network(source, precision)
        if network.graph.content == b"garbage":
            raise ModelError("engine: it cannot be parsed")
        return RunningNetwork(None, precision, network.geometry, network.weights_digest)


def test_a_graph_of_the_cache_that_an_engine_cannot_run_is_made_anew(frozen, monkeypatch):
    source = NetworkSource.of_folder(frozen)
    key = graph_cache.key_of(source.spec, source.checksum, "float32")
    sound = graph_cache.find(key)
    graph_cache.keep(key, replace(sound, graph=replace(sound.graph, content=b"garbage")))
    monkeypatch.setattr(registry, "ENGINES", {"picky": Picky()})
    monkeypatch.setattr(registry, "check_engine", lambda *args: None)
    assert registry.open_network(source, "picky", "float32").weights_digest == sound.weights_digest
    assert graph_cache.find(key).graph.content != b"garbage"


def test_a_cache_that_cannot_be_written_costs_time_alone(folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STARPOLY_CACHE", str(tmp_path / "file"))
    assert not is_frozen(Predictor.load(folder, "float32"))
    assert not is_frozen(Predictor.load(folder, "float32"))


def test_the_oldest_of_many_go(frozen, cache, monkeypatch):
    network = graph_cache.find(next(cache.glob("*.graph")).stem)
    for number in range(20):
        graph_cache.keep(f"{number:064}", network)
        os.utime(cache / f"{number:064}.graph", (number, number))
    names = sorted(path.stem for path in cache.glob("*.graph"))
    assert len(names) == graph_cache._MOST
    assert f"{19:064}" in names


def test_segmenting_an_image_imports_neither_keras_nor_tensorflow(tmp_path, shipped, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("STARPOLY_CACHE", str(shipped[0]))

    Image.fromarray(np.random.default_rng(0).integers(0, 99, (64, 70), np.uint8)).save(tmp_path / "a.png")
    probe = """
import json, sys
from starpoly.cli.main import main
status = main(sys.argv[1:])
heavy = {"tensorflow", "keras", "h5py", "matplotlib", "csbdeep", "skimage", "zarr", "pandas"}
print(json.dumps([status, sorted(heavy & {name.partition(".")[0] for name in sys.modules})]))
"""
    model = str(find_model(default_model()))
    command = [
        sys.executable,
        "-c",
        probe,
        "predict",
        str(tmp_path / "a.png"),
        "-o",
        str(tmp_path / "out"),
        "--model",
        model,
    ]
    said = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    assert said[0][0] == 0
    assert said[1] == [0, []]


_ANSWER = """
import hashlib, sys
import numpy as np
from starpoly import use_threads
from starpoly.network.predictor import Predictor
use_threads(int(sys.argv[2]))
batch = np.random.default_rng(0).random((1, 96, 80, 1), np.float32)
print(hashlib.sha256(Predictor.load(sys.argv[1], "float32")(batch).distances.tobytes()).hexdigest())
"""


def test_the_number_of_threads_changes_no_bit(folder, cache):
    Predictor.load(folder, "float32")  # freezes the network
    answers = [
        subprocess.run(
            [sys.executable, "-c", _ANSWER, str(folder), threads],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for threads in ("1", "2", "7")
    ]
    assert len(set(answers)) == 1
