"""The predictor: shapes, bounds, repeatability and what it refuses."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ModelError
from starpoly.network.architectures.unet import build_unet
from starpoly.network.heads.distances import MIN_DISTANCE
from starpoly.network.predictor import Predictor
from starpoly.network.receptive_field import receptive_field
from starpoly.network.storage.folder import save_model

CONFIG = NetworkConfig(
    n_channels=2,
    n_classes=2,
    n_rays=6,
    grid=(2, 4),
    depth=1,
    base_filters=4,
    head_filters=4,
    distance_activation="linear",
)
MAX_DISTANCE = 9.0


@pytest.fixture(scope="module")
def predictor():
    return Predictor(ModelSpec("tiny", CONFIG, max_distance=MAX_DISTANCE), build_unet(CONFIG), "float32")


@pytest.fixture(scope="module")
def halved(predictor):
    """The same network in bfloat16."""
    return Predictor(predictor.spec, predictor.model, "bfloat16")


def windows(predictor, batch=1, seed=0):
    height, width = 3 * predictor.stride[0], 2 * predictor.stride[1]
    return np.random.default_rng(seed).normal(0, 3, (batch, height, width, 2)).astype(np.float32)


def test_what_it_knows_of_its_network(predictor):
    assert (predictor.grid, predictor.stride) == (CONFIG.grid, (4, 8))
    assert predictor.halo == receptive_field(predictor.model)
    assert (predictor.n_channels, predictor.n_classes, predictor.n_rays) == (2, 2, 6)
    assert predictor.max_distance == MAX_DISTANCE


def test_equals_the_model(predictor):
    batch = windows(predictor, batch=2)
    answer, plain = predictor(batch), predictor.model(batch, training=False)
    plain = {name: np.asarray(value) for name, value in plain.items()}
    assert answer.probability.shape == (2, 6, 4)
    np.testing.assert_allclose(answer.probability, plain["probability"][..., 0], atol=1e-5)
    np.testing.assert_allclose(answer.distances, np.clip(plain["distances"], MIN_DISTANCE, MAX_DISTANCE), atol=1e-4)
    np.testing.assert_allclose(answer.classes, plain["classes"], atol=1e-5)
    np.testing.assert_allclose(answer.foreground, plain["foreground"], atol=1e-5)
    assert {array.dtype for array in (answer.probability, answer.distances, answer.classes)} == {np.dtype("float32")}


def test_without_refinement_nothing_is_said_of_the_foreground(predictor):
    plain = Predictor(predictor.spec.replace(refine_outlines=False), predictor.model, "float32")
    assert predictor.has_foreground
    assert not plain.has_foreground
    answer = plain(windows(plain))
    assert answer.foreground is None
    np.testing.assert_array_equal(answer.distances, predictor(windows(predictor)).distances)


def test_distances_reach_both_bounds_and_no_further(predictor):
    distances = predictor(100 * windows(predictor)).distances
    assert (distances.min(), distances.max()) == (np.float32(MIN_DISTANCE), MAX_DISTANCE)


def test_the_same_window_gives_the_same_bits(predictor):
    batch = windows(predictor)
    first = predictor(batch)
    predictor(windows(predictor, batch=3))
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(predictor, [batch] * 8):
            np.testing.assert_array_equal(again.probability, first.probability)
            np.testing.assert_array_equal(again.distances, first.distances)


def assert_about_equal(half, single):
    """Equal to what eight bits leave of it, and not rounded to eight bits."""
    np.testing.assert_allclose(half.probability, single.probability, atol=0.02)
    np.testing.assert_allclose(half.distances, single.distances, atol=0.03 * MAX_DISTANCE)
    if single.classes is not None:
        np.testing.assert_allclose(half.classes, single.classes, atol=0.03)
    for values in (half.probability, half.distances):
        assert values.dtype == np.float32
        inside = values[(values > MIN_DISTANCE) & (values < MAX_DISTANCE)]  # a bound has few digits
        assert np.count_nonzero(inside.view(np.uint32) & 0xFFFF) > inside.size / 4


def test_bfloat16_agrees_with_float32(predictor, halved):
    assert (predictor.precision, halved.precision) == ("float32", "bfloat16")
    batch = windows(predictor)
    assert_about_equal(halved(batch), predictor(batch))


def test_bfloat16_of_a_trained_normalization(predictor, rng):
    model = build_unet(CONFIG)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    batch = windows(predictor)
    single, half = (Predictor(predictor.spec, model, precision) for precision in ("float32", "bfloat16"))
    assert_about_equal(half(batch), single(batch))


def test_bfloat16_of_a_stardist_network(rng):
    from starpoly.network.architectures.registry import build_network

    settings = {"n_rays": 6, "depth": 1, "base_filters": 4, "features": 4}
    network = NetworkConfig(
        n_rays=6,
        depth=1,
        base_filters=4,
        head_filters=4,
        foreground_filters=0,
        grid=(1, 1),
        architecture="stardist_unet",
        settings=settings,
    )
    spec = ModelSpec("theirs", network, max_distance=MAX_DISTANCE)
    model = build_network(spec.network)
    batch = rng.random((1, 16, 32, 1)).astype(np.float32)
    assert Predictor(spec, model).precision == "float32"
    assert_about_equal(Predictor(spec, model, "bfloat16")(batch), Predictor(spec, model, "float32")(batch))


def test_bfloat16_gives_the_same_bits_again_and_for_windows_of_any_size(halved):
    batch = windows(halved)
    first = halved(batch)
    for length in (1, 2, 3):
        halved(windows(halved)[:, : length * halved.stride[0]])
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(halved, [batch] * 8):
            np.testing.assert_array_equal(again.probability, first.probability)
            np.testing.assert_array_equal(again.distances, first.distances)


def test_a_part_of_the_image_answers_as_the_whole_beyond_the_halo(predictor):
    grid = predictor.grid
    # windows begin at multiples of the stride, so less than the radius is enough before them
    pad = [-(-axis.halo()[0] // axis.stride) * axis.stride for axis in predictor.footprints]
    image = np.random.default_rng(2).normal(size=(1, 4 * pad[0], 4 * pad[1], 2)).astype(np.float32)
    whole = predictor(image).distances
    part = predictor(image[:, pad[0] :, pad[1] :]).distances
    inner = [2 * length // step for length, step in zip(pad, grid, strict=True)]
    outer = [length // step for length, step in zip(pad, grid, strict=True)]
    np.testing.assert_allclose(part[:, outer[0] :, outer[1] :], whole[:, inner[0] :, inner[1] :], atol=1e-4)


@pytest.mark.parametrize(
    "shape", [(1, 8, 16), (1, 8, 16, 1), (1, 8, 16, 3), (0, 8, 16, 2), (1, 9, 16, 2), (1, 8, 12, 2)]
)
def test_windows_that_do_not_fit(predictor, shape):
    with pytest.raises(ModelError, match="expected windows"):
        predictor(np.zeros(shape, np.float32))


def test_a_model_in_memory_is_not_pickled(predictor):
    with pytest.raises(ModelError, match=r"expected a model from a folder to be pickled.*save it"):
        pickle.dumps(predictor)


def saved(folder, predictor):
    save_model(folder, predictor.spec, predictor.model)
    return Predictor.load(folder, "float32", refine_outlines=False)


def test_a_pickled_model_opens_its_folder_again(predictor, tmp_path):
    first = saved(tmp_path / "model", predictor)
    again = pickle.loads(pickle.dumps(first))
    assert (again.precision, again.engine, again.has_foreground) == ("float32", "tensorflow", False)
    assert again.spec == first.spec
    batch = windows(first)
    for name, values in first(batch).arrays.items():
        np.testing.assert_array_equal(again(batch).arrays[name], values)


def test_a_pickle_is_of_no_other_weights(predictor, tmp_path):
    content = pickle.dumps(saved(tmp_path / "model", predictor))
    other = build_unet(CONFIG)
    other.set_weights([2 * weight for weight in other.get_weights()])
    save_model(tmp_path / "model", predictor.spec, other)
    with pytest.raises(ModelError, match="pickle it anew"):
        pickle.loads(content)


@pytest.mark.slow
def test_a_spawned_process_gives_the_same_answer(predictor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = saved(Path("model"), predictor)
    monkeypatch.chdir(tmp_path.parent)
    batch = windows(first)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        answer = pool.submit(first, batch).result()
    np.testing.assert_array_equal(answer.distances, first(batch).distances)


def test_a_predictor_tells_what_it_is_in_one_line(predictor):
    assert repr(predictor) == f"Predictor({predictor.spec.name!r}, {predictor.engine}, {predictor.precision})"
