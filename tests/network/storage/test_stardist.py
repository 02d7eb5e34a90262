"""Folders that StarDist itself wrote answer as StarDist does; what cannot be read is refused in one line."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from starpoly.errors import ModelError
from starpoly.network.architectures.registry import build_network
from starpoly.network.architectures.stardist_unet import StarDistNetwork, build_stardist_unet, visible_radius
from starpoly.network.predictor import Predictor
from starpoly.network.receptive_field import receptive_field
from starpoly.network.storage.folder import load_model, load_spec, save_model

SHARED = Path(os.environ.get("STARPOLY_SHARED", Path(__file__).parents[4] / "shared"))
PEER = SHARED / "peer" / "stardist-fluo"

needs_stardist = pytest.mark.skipif(importlib.util.find_spec("stardist") is None, reason="stardist is not installed")
needs_peer = pytest.mark.skipif(not PEER.is_dir(), reason=f"no {PEER.name} in {SHARED.name}/peer")

SMALL = {"unet_n_depth": 2, "unet_n_filter_base": 8, "net_conv_after_unet": 16, "n_rays": 16}
VARIANTS = {
    "grid 1": {},
    "grid 2, 64 rays": {"grid": (2, 2), "n_rays": 64},
    "grid 4 2, RGB": {"grid": (4, 2), "n_channel_in": 3},
    "classes": {"n_classes": 3, "grid": (2, 2)},
    "classes, no features layer": {"n_classes": 2, "net_conv_after_unet": 0},
    "batch norm, dropout": {"unet_batch_norm": True, "unet_dropout": 0.2, "grid": (2, 2)},
    "other": {"unet_kernel_size": (3, 5), "unet_n_conv_per_depth": 3, "unet_activation": "elu", "unet_last_activation": "linear",
              "unet_pool": (2, 4), "unet_expansion": 1.5, "unet_prefix": "my_"},
}  # fmt: skip


def write_stardist(folder, **settings):
    """Let StarDist write a model folder with random weights; returns its model."""
    from stardist.models import Config2D, StarDist2D

    theirs = StarDist2D(Config2D(**{**SMALL, **settings}), folder.name, str(folder.parent))
    random = np.random.default_rng(3)
    for variable in theirs.keras_model.weights:
        # neither vanishing nor past max_distance
        spread = 1.4 / np.sqrt(np.prod(variable.shape[:-1])) if "kernel" in variable.path else 0.2
        value = random.normal(0, spread, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.path else value)
    theirs.keras_model.save_weights(str(folder / "weights_best.h5"))
    return theirs


def assert_equal_outputs(ours, theirs, image):
    """Equal to 1e-4, StarDist's own lower bound of the distances included."""
    answer = ours(image[None])
    expected = theirs.predict(image)
    np.testing.assert_allclose(answer.probability[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(answer.distances[0], expected[1], atol=1e-4)
    if len(expected) == 3:
        np.testing.assert_allclose(answer.classes[0], expected[2], atol=1e-4)
    else:
        assert answer.classes is None


@needs_stardist
@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_written_by_stardist(variant, tmp_path):
    theirs = write_stardist(tmp_path / "theirs", **VARIANTS[variant])
    predictor = Predictor.load(tmp_path / "theirs")
    height, width = 3 * predictor.stride[0], 2 * predictor.stride[1]
    image = np.random.default_rng(0).random((height, width, predictor.n_channels)).astype(np.float32)
    assert_equal_outputs(predictor, theirs, image)
    assert predictor.grid == theirs.config.grid
    assert predictor.stride == theirs._axes_div_by("YX")

    # and as a folder of our own
    save_model(tmp_path / "ours", predictor.spec, predictor.model)
    spec, model = load_model(tmp_path / "ours")
    assert spec == predictor.spec
    assert_equal_outputs(Predictor(spec, model), theirs, image)


@needs_stardist
def test_old_sparse_configuration(tmp_path):
    """Old versions wrote neither grid nor the features layer; weights of the last epoch only."""
    folder = tmp_path / "old"
    theirs = write_stardist(folder, net_conv_after_unet=128, unet_n_depth=3, unet_n_filter_base=32, n_rays=32)
    config = {"n_dim": 2, "axes": "YXC", "n_channel_in": 1, "n_rays": 32, "unet_n_depth": 3}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "weights_best.h5").rename(folder / "weights_last.h5")
    image = np.random.default_rng(0).random((16, 24, 1)).astype(np.float32)
    assert_equal_outputs(Predictor.load(folder), theirs, image)


@needs_peer
@needs_stardist
@pytest.mark.slow
def test_real_model_on_real_images():
    from skimage.io import imread
    from stardist.models import StarDist2D

    theirs = StarDist2D(None, PEER.name, str(PEER.parent))
    ours = Predictor.load(PEER)
    with (SHARED / "data" / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val" and row["modality"] == "fluorescence"]
    for row in rows[:: len(rows) // 3][:3]:
        image = imread(SHARED / "data" / "images" / f"{row['name']}.png").astype(np.float32)
        image = image[: image.shape[0] // 16 * 16, : image.shape[1] // 16 * 16, None]
        low, high = np.percentile(image, (1, 99.8))
        assert_equal_outputs(ours, theirs, ((image - low) / (high - low)).astype(np.float32))


@needs_peer
def test_what_the_folder_says():
    spec = load_spec(PEER)
    assert (spec.name, spec.network.n_rays, spec.network.grid, spec.network.n_classes) == (
        "stardist-fluo",
        32,
        (2, 2),
        0,
    )
    assert spec.thresholds.prob == pytest.approx(0.48, abs=1e-3)
    assert (spec.normalization.low, spec.normalization.high) == (1.0, 99.8)


def test_max_distance_is_far_beyond_what_the_network_sees():
    network = StarDistNetwork(grid=(2, 2), base_filters=1)
    assert all(
        2 * ours <= 4 * rough
        for ours, rough in zip(receptive_field(_model(network)), visible_radius(network), strict=True)
    )


def _model(network):
    return build_stardist_unet(network)


# --- what is refused; these folders are made by hand -------------------------------------------------

TINY = {"n_dim": 2, "axes": "YXC", "n_rays": 4, "unet_n_depth": 1, "unet_n_filter_base": 2, "net_conv_after_unet": 2}


def write_by_hand(folder, config=TINY, name="weights_best.h5"):
    """A StarDist folder in Keras's legacy layout, old names (``kernel:0``) and top group included."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    network = StarDistNetwork(n_rays=4, depth=1, base_filters=2, features=2)
    model = _model(network)
    with h5py.File(folder / name, "w") as file:
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = root.create_group(layer.name)
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = np.array([n.encode() for n in names], dtype="S") if names else []
            for weight, variable in zip(names, layer.weights, strict=True):
                group.create_dataset(weight, data=np.asarray(variable))
    return model


@pytest.fixture
def folder(tmp_path):
    write_by_hand(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_layout_of_old_keras(tmp_path):
    written = write_by_hand(tmp_path / "tiny")
    _, model = load_model(tmp_path / "tiny")
    for mine, theirs in zip(model.weights, written.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_best_weights_go_first_then_last_then_any(tmp_path):
    folder = tmp_path / "tiny"
    for name in ("weights_now.h5", "weights_last.h5", "weights_best.h5"):
        model = write_by_hand(folder, name=name)
        loaded = load_model(folder)[1]
        np.testing.assert_array_equal(np.asarray(loaded.weights[0]), np.asarray(model.weights[0]))


def refused(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_dim": 3}, "3D"),
        ({"axes": "ZYXC"}, "3D"),
        ({"backbone": "resnet"}, "backbone"),
        ({"grid": [3, 3]}, "grid"),
        ({"grid": [2, 2, 2]}, "grid: expected 2 values"),
        ({"unet_activation": "exec"}, "activation"),
        ({"unet_n_filter_base": 10**9}, "base_filters"),
        ({"unet_expansion": 16, "unet_n_depth": 8}, "channels"),
        ({"n_rays": "many"}, "n_rays"),
        ({"unet_n_filter_base": 4}, "numbers"),
        ({"unet_n_depth": 2}, "numbers"),
        ({"unet_batch_norm": True}, "numbers"),
    ],
)
def test_other_networks(folder, changes, match):
    (folder / "config.json").write_text(json.dumps(TINY | changes))
    refused(folder, match)


def test_foreign_configuration(folder):
    (folder / "config.json").write_text('{"unet_residual": true, "probabilistic": false}')
    refused(folder, "not a StarDist configuration")


def test_bad_thresholds(folder):
    (folder / "thresholds.json").write_text('{"prob": 7, "nms": 0.4}')
    refused(folder, "thresholds")


def test_missing_thresholds_are_the_defaults(folder):
    assert load_spec(folder).thresholds.prob == 0.5


def test_missing_and_ambiguous_weights(folder):
    (folder / "weights_best.h5").rename(folder / "a.h5")
    (folder / "b.h5").write_bytes(b"")
    refused(folder, "got a.h5, b.h5")
    (folder / "a.h5").unlink()
    (folder / "b.h5").unlink()
    refused(folder, "got none")


def test_damaged_weights(folder):
    with (folder / "weights_best.h5").open("r+b") as file:
        file.truncate(3000)
    refused(folder, "cannot be read as HDF5")


def test_weights_of_another_layout(folder):
    with h5py.File(folder / "weights_best.h5", "w") as file:
        file.create_group("layers")
    refused(folder, "legacy HDF5 layout")


@pytest.mark.parametrize(
    ("link", "match"),
    [(h5py.SoftLink("/x"), "link"), (h5py.ExternalLink("other.h5", "/x"), "link"), (None, "missing")],
)
def test_links_and_holes(folder, link, match):
    with h5py.File(folder / "weights_best.h5", "a") as file:
        del file["model_weights/features/features"]
        if link is not None:
            file["model_weights/features/features"] = link
    refused(folder, match)


def test_an_imported_spec_builds_its_own_network(folder):
    spec = load_spec(folder)
    assert build_network(spec.network).name == "stardist_unet"
