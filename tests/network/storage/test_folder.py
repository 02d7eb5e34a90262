"""Model folders: what is written comes back, and what is not ours is refused in one line."""

from __future__ import annotations

import hashlib
import json
import shutil

import h5py
import keras
import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ModelError
from starpoly.network.architectures.registry import build_network
from starpoly.network.architectures.unet import build_unet
from starpoly.network.storage import folder as storage
from starpoly.network.storage.folder import SPEC_FILE, load_model, load_spec, save_model, save_spec
from starpoly.network.storage.weights import load_weights, save_weights

CONFIG = NetworkConfig(depth=1, base_filters=2, head_filters=2, n_rays=4)
SPEC = ModelSpec("tiny", CONFIG, max_distance=40.0, licence="CC0-1.0")
KERNEL = "down_0_0.kernel"


@pytest.fixture(scope="module")
def model():
    return build_unet(CONFIG)


@pytest.fixture
def folder(tmp_path, model):
    save_model(tmp_path / "tiny", SPEC, model)
    return tmp_path / "tiny"


def edit_weights(folder, edit):
    """Change the weights file as someone might who also mends the checksum."""
    with h5py.File(folder / "weights.h5", "a") as file:
        edit(file)
    edit_json(folder, {"weights_sha256": hashlib.sha256((folder / "weights.h5").read_bytes()).hexdigest()})


def edit_json(folder, changes):
    content = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(content))


def test_nothing_but_the_two_files(folder, model):
    save_model(folder, SPEC, model)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.h5"]


def test_the_same_model_gives_the_same_bytes(folder, model, tmp_path):
    save_model(tmp_path / "again", SPEC, model)
    for name in ("model.json", "weights.h5"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_spec_alone(folder):
    assert load_spec(folder) == SPEC


def test_another_description_leaves_the_weights(folder):
    before = (folder / "weights.h5").read_bytes()
    save_spec(folder, SPEC.replace(licence="MIT"))
    assert load_model(folder)[0].licence == "MIT"
    assert (folder / "weights.h5").read_bytes() == before
    with pytest.raises(ModelError, match="no such model folder"):
        save_spec(folder / "nowhere", SPEC)


def test_a_model_from_before_there_was_a_foreground(tmp_path):
    config = NetworkConfig(n_rays=4, depth=1, base_filters=2, head_filters=2, foreground_filters=0)
    spec = ModelSpec("old", config, max_distance=9.0)
    save_model(tmp_path, spec, build_network(spec.network))
    content = json.loads((tmp_path / SPEC_FILE).read_text())
    del content["network"]["foreground_filters"]
    (tmp_path / SPEC_FILE).write_text(json.dumps(content))
    assert load_model(tmp_path)[0] == spec


def test_half_precision_is_near_and_smaller(tmp_path):
    config = CONFIG.replace(base_filters=16)
    model = build_unet(config)
    save_model(tmp_path / "full", SPEC.replace(network=config), model)
    save_model(tmp_path / "half", SPEC.replace(network=config), model, half_precision=True)
    _, loaded = load_model(tmp_path / "half")
    for stored, original in zip(loaded.weights, model.weights, strict=True):
        assert stored.dtype == "float32"
        np.testing.assert_allclose(np.asarray(stored), np.asarray(original), rtol=1e-3, atol=1e-6)
    sizes = {name: (tmp_path / name / "weights.h5").stat().st_size for name in ("full", "half")}
    assert sizes["half"] < 0.8 * sizes["full"]


def test_what_float16_cannot_hold_stays_float32(tmp_path):
    model = build_unet(CONFIG)
    model.get_layer("down_0_0").kernel.assign(np.full(model.get_layer("down_0_0").kernel.shape, 1e6))
    save_model(tmp_path, SPEC, model, half_precision=True)
    assert np.asarray(load_model(tmp_path)[1].get_layer("down_0_0").kernel).max() == 1e6


def test_a_model_trained_in_bfloat16_loads_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_unet(CONFIG)
        save_model(tmp_path, SPEC, model)
        _, loaded = load_model(tmp_path)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    for stored, original in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(stored), np.asarray(original))


def test_weights_alone(tmp_path, model):
    other = build_unet(CONFIG)
    save_weights(tmp_path / "w.h5", model)
    load_weights(tmp_path / "w.h5", other)
    for mine, theirs in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_a_diverged_model_is_neither_written_nor_replaces_a_good_one(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = build_unet(CONFIG)
    model.get_layer("down_0_0").kernel.assign(np.full(model.get_layer("down_0_0").kernel.shape, np.nan))
    with pytest.raises(ModelError, match="diverged"):
        save_model(folder, SPEC, model)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written(tmp_path, model):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write"):
        save_model(tmp_path / "file" / "model", SPEC, model)


def refused(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_files(folder, tmp_path):
    refused(tmp_path / "nowhere", "no such model folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "model.json: not found")
    (folder / "weights.h5").unlink()
    refused(folder, "weights.h5: not found")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("\xff", "format 1, got None|JSON"),
        ("[1]", "expected a JSON object"),
        ("{}", "format 1, got None"),
        ('{"format": 2}', "format 1, got 2"),
        ('{"format": 1, "nam": "x"}', "did you mean name?"),
        ('{"format": 1, "name": "x"}', "missing"),
        ('{"format": 1, "name": "x", "max_distance": NaN, "network": {}}', "max_distance"),
    ],
)
def test_foreign_json(folder, text, match):
    (folder / "model.json").write_text(text, encoding="latin-1")
    refused(folder, match)


@pytest.mark.parametrize(
    "network", [{"base_filters": 10**9, "max_filters": 10**9}, {"n_rays": 10**9}, {"kernel_size": 10**5 + 1}]
)
def test_an_absurd_network_is_not_built(folder, network):
    edit_json(folder, {"network": network})
    refused(folder, "expected at most")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"network": {"activation": "exec"}}, "activation: expected one of relu"),
        ({"network": {"activation": ["relu"]}}, "network.activation: expected text"),
        ({"network": {"grid": 2}}, "network.grid: expected a list"),
        ({"network": {"settings": [1]}}, "settings: expected a table"),
        ({"training": 5}, "training: expected a table"),
        ({"max_distance": 10**400}, "too large"),
        ({"max_distance": float("inf")}, "max_distance"),
        ({"object_diameter": [1.0, float("nan"), 2.0]}, "object_diameter"),
        ({"sizes": {"target": float("inf"), "largest": float("inf")}}, "sizes"),
        ({"class_names": "ab"}, "class_names: expected a list"),
    ],
)
def test_settings_of_the_wrong_kind(folder, changes, match):
    edit_json(folder, changes)
    refused(folder, match)


@pytest.mark.parametrize(
    "network",
    [
        {"kernel_size": 31, "base_filters": 4096, "max_filters": 4096, "depth": 8},
        {"convolutions_per_level": 32},
        {"n_channels": 4096},
        {"grid": [64, 64], "stem": "conv"},
        {"architecture": "efficientnet_unet", "n_channels": 3, "depth": 3, "base_filters": 4096, "max_filters": 4096},
    ],
)
def test_a_network_is_built_only_if_the_file_has_its_weights(folder, network, monkeypatch):
    monkeypatch.setattr(storage, "build_network", lambda config: pytest.fail("is built"))
    edit_json(folder, {"network": CONFIG.to_dict() | network})
    refused(folder, r"expected \d+ numbers, which the described network needs, got \d+")


def test_weights_that_are_not_the_described_ones(folder):
    with (folder / "weights.h5").open("r+b") as file:
        file.truncate(2000)
    refused(folder, "checksum")


def test_weights_that_are_no_hdf5(folder):
    (folder / "weights.h5").write_bytes(b"not HDF5")
    edit_json(folder, {"weights_sha256": hashlib.sha256(b"not HDF5").hexdigest()})
    refused(folder, "cannot be read as HDF5")


def replace(name, make):
    def edit(file):
        del file[name]
        make(file)

    return edit


def float_dataset_elsewhere(file):
    file.create_dataset(KERNEL, (3, 3, 2, 2), "f4", external=[("weights.raw", 0, 144)])


def virtual_dataset(file):
    layout = h5py.VirtualLayout((3, 3, 2, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 3, 2, 2))
    file.create_virtual_dataset(KERNEL, layout)


def no_such_float(file):
    """A dataset of floats whose exponents no type holds."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(10**6)
    group, _, name = KERNEL.rpartition("/")
    space = h5py.h5s.create_simple((3, 3, 2, 2))
    h5py.h5d.create((file.require_group(group) if group else file).id, name.encode(), kind, space)


HOSTILE = {
    "bits": (no_such_float, "not an array of floats"),
    "missing": (lambda file: None, r"expected \d+ numbers, .* another network"),
    "shape": (lambda file: file.create_dataset(KERNEL, data=np.zeros((3, 3, 2, 5), "f4")), r"expected \d+ numbers"),
    "turned": (lambda file: file.create_dataset(KERNEL, data=np.zeros((2, 2, 3, 3), "f4")), "network needs"),
    "empty": (lambda file: file.create_dataset(KERNEL, (3, 3, 2, 2), "f4"), "stored elsewhere"),
    "huge": (lambda file: file.create_dataset(KERNEL, (10**6, 10**6), "f4", chunks=(1, 8)), "packed"),
    "packed": (lambda file: file.create_dataset(KERNEL, (3, 3, 2, 2), "f4", compression="gzip"), "packed"),
    "objects": (lambda file: file.create_dataset(KERNEL, (1,), h5py.string_dtype()), "not an array of floats"),
    "integers": (lambda file: file.create_dataset(KERNEL, data=np.zeros((3, 3, 2, 2), int)), "not an array of floats"),
    "group": (lambda file: file.create_group(KERNEL), "not an array of floats"),
    "soft link": (lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/nowhere")), "link"),
    "name that is no text": (lambda file: file.create_dataset(b"\xff\xfe", data=np.zeros(3, "f4")), "names of text"),
    "external link": (lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("other.h5", "/x")), "link"),
    "external storage": (float_dataset_elsewhere, "stored elsewhere"),
    "virtual": (virtual_dataset, "stored elsewhere"),
    "nan": (lambda file: file.create_dataset(KERNEL, data=np.full((3, 3, 2, 2), np.nan, "f4")), "not finite"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_weights(folder, case):
    make, match = HOSTILE[case]
    edit_weights(folder, replace(KERNEL, make))
    refused(folder, match)


def test_a_weight_by_a_second_name_does_not_count_twice(folder):
    def share(file):
        names = list(file)
        file["more"] = file[names[0]]

    edit_weights(folder, share)
    refused(folder, "is another one's by a second name")


def test_foreign_weights(folder):
    edit_weights(folder, lambda file: file.create_dataset("stranger.kernel", data=np.zeros(3, "f4")))
    refused(folder, r"expected \d+ numbers, .* another network")


@pytest.mark.parametrize("value", [2, "x", [1, 1]])
def test_weights_of_another_format(folder, value):
    edit_weights(folder, lambda file: file.attrs.__setitem__("format", value))
    refused(folder, "format 1")


def test_a_refused_file_leaves_the_model_as_it_was(folder):
    model = build_unet(CONFIG)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in model.weights]
    with h5py.File(folder / "weights.h5", "a") as file:
        del file["probability.bias"]
    with pytest.raises(ModelError, match="missing"):
        load_weights(folder / "weights.h5", model)
    for variable, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


def test_a_copied_folder_is_the_same_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert load_spec(tmp_path / "copy") == SPEC
