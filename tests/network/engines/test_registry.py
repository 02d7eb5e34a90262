"""Other engines say what TensorFlow says, within rounding."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ConfigError
from starpoly.model import StarPoly2D
from starpoly.model_zoo import find_model
from starpoly.network.architectures.registry import build_network
from starpoly.network.architectures.stardist_unet import StarDistNetwork
from starpoly.network.engines import registry as engine
from starpoly.network.engines.c_library import library_path
from starpoly.network.predictor import Predictor
from starpoly.network.storage.folder import save_model

TINY = {"n_rays": 6, "depth": 1, "base_filters": 4, "head_filters": 4, "grid": (2, 2)}
NETWORKS = {
    "plain": NetworkConfig(**TINY),
    "classes": NetworkConfig(**TINY, n_channels=3, n_classes=2),
    "activations": NetworkConfig(
        **TINY, activation="elu", normalization="none", distance_activation="linear", stem="conv"
    ),
    "foreground": NetworkConfig(**TINY, foreground_filters=4),
}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the graph is frozen by TensorFlow")
OTHERS = [name for name in engine.ENGINES if name != "tensorflow"]
WAYS = [
    ("tensorflow_c", "float32"),
    ("keras", "float32"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("onnx", "float32"),
]


def needs(name):
    """Skip where an engine's packages are absent."""
    for package in engine.ENGINES[name].packages:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    if name == "tensorflow_c" and library_path() is None:
        pytest.skip("needs TensorFlow's C library")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache with nothing in it."""
    monkeypatch.setenv("STARPOLY_CACHE", str(tmp_path / "cache"))


def model_folder(folder, name):
    spec = ModelSpec("tiny", NETWORKS[name], max_distance=9.0)
    network = build_network(spec.network)
    rng = np.random.default_rng(3)
    # variances are positive, and answers stay away from their bounds
    kernels = (
        rng.normal(0, 0.3, w.shape) if w.ndim > 1 else rng.uniform(0.5, 1.5, w.shape) for w in network.get_weights()
    )
    network.set_weights(list(kernels))
    save_model(folder, spec, network)
    return folder


@pytest.fixture(scope="module")
def by_tensorflow(tmp_path_factory):
    """The folder of a network, a cache that has its graph, and what TensorFlow made of it; each network once."""

    @lru_cache
    def make(name):
        folder = tmp_path_factory.mktemp("networks")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STARPOLY_CACHE", str(folder / "cache"))
            return folder, Predictor.load(model_folder(folder / "model", name), "float32")

    return make


@pytest.fixture
def network(by_tensorflow, monkeypatch):
    """Opens a network: TensorFlow's predictor and the folder, whose graph is in the cache."""

    def open_network(name):
        folder, plain = by_tensorflow(name)
        monkeypatch.setenv("STARPOLY_CACHE", str(folder / "cache"))
        return plain, folder / "model"

    return open_network


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("other", "precision"), WAYS)
def test_says_what_tensorflow_says(name, other, precision, network):
    needs(other)
    plain, folder = network(name)
    fast = Predictor.load(folder, precision, engine=other)
    assert (fast.engine, fast.precision) == (other, precision)
    assert (fast.halo, fast.stride, fast.grid) == (plain.halo, plain.stride, plain.grid)
    assert fast.weights_digest == plain.weights_digest
    for shape in ((1, 16, 24), (1, 32, 16), (1, 16, 24)):
        batch = np.random.default_rng(0).random((*shape, plain.n_channels), np.float32)
        expected, got = plain(batch), fast(batch)
        for kind in ("probability", "distances", "classes", "foreground"):
            one, other = getattr(got, kind), getattr(expected, kind)
            assert (one is None) == (other is None)
            if one is None:
                continue
            if precision == "float32":  # to move the batch by its last bit moves distances by 2e-4 here
                np.testing.assert_allclose(one, other, atol=1e-3)
            else:  # random weights amplify what is rounded; on the whole it stays small
                assert np.abs(one - other).mean() < 0.02 * max(1.0, float(np.abs(other).mean()))


@pytest.mark.parametrize("other", OTHERS)
def test_threads_and_shapes_do_not_mix(other, network):
    needs(other)
    fast = Predictor.load(network("plain")[1], "float32", engine=other)
    batches = [np.full((1, 16 + 8 * (i % 6), 16, 1), i / 20, np.float32) for i in range(20)]
    alone = [fast(batch).distances for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = [answer.distances for answer in pool.map(fast, batches)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_shape_that_is_compiled_for_gives_the_same_bits_as_before(precision, network, monkeypatch):
    needs("openvino")
    from starpoly.network.engines import openvino as serving_openvino

    fast = Predictor.load(network("foreground")[1], precision, engine="openvino")
    shapes = [(1, 16, 16, 1), (1, 40, 104, 1), (2, 24, 16, 1), (1, 128, 96, 1), (1, 16, 16, 1), (1, 4, 4, 1)]
    batches = [np.random.default_rng(shape[1]).random(shape, np.float32) for shape in shapes]
    for_any = [fast(batch) for batch in batches]
    monkeypatch.setattr(serving_openvino, "_WORTHWHILE", 0)
    for batch, expected in zip(batches, for_any, strict=True):
        got = fast(batch)
        for kind in ("probability", "distances", "foreground"):
            np.testing.assert_array_equal(getattr(got, kind), getattr(expected, kind))


@pytest.mark.parametrize("other", OTHERS)
def test_an_answer_stays_what_it_was(other, network):
    needs(other)
    fast = Predictor.load(network("plain")[1], "float32", engine=other)
    batches = [np.full((1, 32, 8 * (1 + i % 3), 1), i / 9, np.float32) for i in range(9)]
    answers = [fast(batch).distances[0, :, 1:] for batch in batches]  # parts, which are all that is held
    copies = [answer.copy() for answer in answers]
    for batch in batches:
        fast(1 - batch)
    del fast
    for answer, copy in zip(answers, copies, strict=True):
        np.testing.assert_array_equal(answer, copy)


@pytest.mark.parametrize("other", OTHERS)
def test_a_shipped_network_is_within_the_tolerance_of_the_documentation(other):
    needs(other)
    plain, fast = (
        Predictor.load(find_model("nuclei-fluo-small"), "float32", engine=name) for name in ("tensorflow", other)
    )
    batch = np.random.default_rng(0).random((1, 96, 128, 1), np.float32)
    expected, got = plain(batch), fast(batch)
    for kind in ("probability", "distances", "foreground"):
        np.testing.assert_allclose(getattr(got, kind), getattr(expected, kind), rtol=0, atol=1e-4)


@pytest.mark.parametrize("other", OTHERS)
def test_a_network_of_stardist(other, tmp_path):
    needs(other)
    settings = StarDistNetwork(
        n_rays=8, grid=(2, 2), depth=2, base_filters=8, features=16, batch_norm=True, pool=(3, 2)
    )
    network = NetworkConfig(
        n_rays=8,
        grid=(2, 2),
        depth=2,
        base_filters=8,
        max_filters=32,
        head_filters=16,
        foreground_filters=0,
        stem="conv",
        residual=False,
    )
    network = network.replace(architecture="stardist_unet", settings=json.loads(json.dumps(settings.to_dict())))
    spec = ModelSpec("tiny", network, max_distance=50.0)
    save_model(tmp_path / "model", spec, build_network(spec.network))
    plain, fast = (Predictor.load(tmp_path / "model", engine=name) for name in ("tensorflow", other))
    assert (plain.precision, fast.precision) == ("float32", "float32")
    batch = np.random.default_rng(0).random((1, 5 * plain.stride[0], 3 * plain.stride[1], 1), np.float32)
    np.testing.assert_allclose(fast(batch).probability, plain(batch).probability, atol=1e-5)
    np.testing.assert_allclose(fast(batch).distances, plain(batch).distances, atol=1e-4)


def test_the_onnx_model_is_kept(tmp_path, monkeypatch):
    needs("onnx")
    folder = model_folder(tmp_path / "model", "classes")
    batch = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    first = Predictor.load(folder, engine="onnx")(batch)
    kept = {path.name for path in (tmp_path / "cache" / "graphs").iterdir()}
    assert len(kept) == 2  # TensorFlow's, and what was made of it
    monkeypatch.setattr("starpoly.network.engines.onnx_graph.to_onnx", None)
    np.testing.assert_array_equal(Predictor.load(folder, engine="onnx")(batch).distances, first.distances)
    assert {path.name for path in (tmp_path / "cache" / "graphs").iterdir()} == kept


def test_the_engine_is_part_of_what_a_result_depends_on(network):
    for name in OTHERS:
        needs(name)
    _, folder = network("plain")
    models = [StarPoly2D.from_pretrained(folder, precision="float32", engine=name) for name in engine.ENGINES]
    assert len({model.fingerprint() for model in models}) == len(engine.ENGINES)


def test_an_engine_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(
        ConfigError, match="expected one of tensorflow, tensorflow_c, keras, openvino, onnx, got 'abacus'"
    ):
        engine.check_engine("abacus")
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match='pip install "openvino'):
        engine.check_engine("openvino")
    with pytest.raises(
        ConfigError, match=r'ONNX Runtime to be installed, it is not; pip install "onnxruntime.* "tf2onnx'
    ):
        engine.check_engine("onnx")


def test_a_precision_that_an_engine_does_not_have_is_refused(network):
    needs("onnx")
    with pytest.raises(
        ConfigError, match=r"as ONNX Runtime computes, got bfloat16; or use another engine \(tensorflow, openvino\)"
    ):
        Predictor.load(network("plain")[1], "bfloat16", engine="onnx")


@pytest.mark.parametrize("name", ["auto", "tensorflow"])
def test_a_precision_that_there_is_not(name):
    with pytest.raises(ConfigError, match=r"precision: expected one of auto, float32, bfloat16, int8, got 'half'"):
        engine.check_engine(name, "half")
