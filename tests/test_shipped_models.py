"""The models that ship: found, sound, and as good as their cards say."""

from __future__ import annotations

import json
import pickle
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly import model_zoo as registry
from starpoly.config import Thresholds
from starpoly.errors import ModelError, StarpolyWarning
from starpoly.evaluation.metrics import matching, matching_dataset
from starpoly.io.readers.images import read_image
from starpoly.io.readers.labels import read_labels
from starpoly.model import StarPoly2D
from starpoly.network.storage.folder import load_model, load_spec

from support.valsplit import val_pairs

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = registry.available_models()


@lru_cache
def loaded(name: str) -> StarPoly2D:
    """A shipped model, loaded once."""
    return StarPoly2D.from_pretrained(name)


@pytest.fixture
def fluo() -> StarPoly2D:
    return loaded("nuclei-fluo")


def blurred_disks() -> tuple[np.ndarray, np.ndarray]:
    """A made fluorescence image of 25 nuclei, and its labels."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:250, :270]
    labels = np.zeros(y.shape, np.int32)
    centres = [(cy, cx) for cy in range(25, 240, 48) for cx in range(27, 260, 52)]
    for label, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy - rng.normal(0, 3), x - cx - rng.normal(0, 3)) < rng.uniform(8, 14)] = label
    image = ndimage.gaussian_filter((labels > 0) * rng.uniform(0.6, 1.0, len(centres) + 1)[labels], 1.2)
    return (20 + 150 * image + rng.normal(0, 3, y.shape)).clip(0, 255).astype(np.uint8), labels


@pytest.mark.parametrize("name", ["cells-fast", "nuclei-fluo-small"])
def test_a_hot_pixel_costs_no_object(name):
    image, labels = blurred_disks()
    hot = np.asarray(image * (4000 / image.max()), np.uint16)
    hot[5, 5:8] = 65535
    found, _ = loaded(name).predict_instances(hot)
    assert matching(labels, found).tp == labels.max()


def test_the_default_model_ships():
    assert registry.default_model() in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_folder_is_small_and_says_what_it_is(name):
    folder = MODELS / name
    files = {path.name for path in folder.iterdir()}
    assert files == {"model.json", "weights.h5", "README.md", "figures.json"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    spec = load_spec(folder)
    assert spec.name == name
    assert spec.licence
    assert spec.object_diameter[1] > 0
    card = (folder / "README.md").read_text(encoding="utf-8")
    for value in json.loads((folder / "figures.json").read_text())["average_precision"].values():
        assert f"{value:.3f}"[1:] in card


def test_made_nuclei_are_found(fluo):
    image, labels = blurred_disks()
    found, details = fluo.predict_instances(image)
    assert matching(labels, found, thresh=0.7).f1 > 0.9
    assert details["prob"].min() > fluo.thresholds.prob


def test_tiles_do_not_show(fluo):
    image, _ = blurred_disks()
    image = np.tile(image, (3, 3))
    whole, _ = fluo.predict_instances(image, tile_size=4096)
    tiled, _ = fluo.predict_instances(image, tile_size=512)
    score = matching(whole, tiled, thresh=0.9)
    assert score.fp == score.fn == 0


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["dark", "bright", "photons", "shaded"])
def test_an_empty_field_with_the_noise_of_a_camera_is_empty(name, field):
    rng = np.random.default_rng(1)
    noise = {
        "dark": lambda: rng.normal(100, 10, (200, 220)),
        "bright": lambda: rng.normal(2000, 40, (200, 220)),
        "photons": lambda: rng.poisson(3, (200, 220)),
        "shaded": lambda: rng.normal(150, 3, (200, 220)) + np.linspace(0, 40, 220),
    }
    labels, _ = loaded(name).predict_instances(noise[field]().astype(np.uint16))
    assert labels.max() <= 2


@pytest.mark.parametrize("name", ["nuclei-fluo-small", "cells-fast"])
@pytest.mark.parametrize("n", [2, 5])
def test_a_file_that_names_its_stains_is_segmented_by_that_of_the_nuclei(tmp_path, name, n):
    nuclei, _ = blurred_disks()
    noise = np.random.default_rng(0).integers(0, 90, (n - 1, *nuclei.shape), dtype=np.uint8)
    stains = np.stack([noise[0], nuclei, *noise[1:]])
    names = ["BF", "DAPI", "GFP", "Cy5", "far red"][:n]
    tifffile.imwrite(tmp_path / "a.ome.tif", stains, metadata={"axes": "CYX", "Channel": {"Name": names}})
    with pytest.warns(StarpolyWarning, match="DAPI is used"):
        labels, _ = loaded(name).predict_instances(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(labels, loaded(name).predict_instances(nuclei)[0])


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (17, 33)])
def test_tiny_images_go_through(fluo, shape):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    labels, _ = fluo.predict_instances(image)
    assert labels.shape == shape


def check_average_precision(name: str, pairs: list[tuple[Path, Path]], figures: dict[str, float], atol: float) -> None:
    predicted = [loaded(name).predict_instances(read_image(image))[0] for image, _ in pairs]
    thresholds = [float(iou) for iou in figures]
    scores = matching_dataset([read_labels(mask) for _, mask in pairs], predicted, thresholds)
    # kernels of other processors round differently, which moves an object or two across a threshold
    np.testing.assert_allclose([score.accuracy for score in scores], list(figures.values()), atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_average_precision_of_every_third_image(name, shared):
    figures = json.loads((MODELS / name / "figures.json").read_text())["average_precision_of_every_third"]
    check_average_precision(name, val_pairs(shared)[::3], figures, atol=0.012)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NAMES)
def test_average_precision_is_that_of_the_card(name, shared):
    figures = json.loads((MODELS / name / "figures.json").read_text())["average_precision"]
    check_average_precision(name, val_pairs(shared), figures, atol=0.004)


def test_a_model_pickles_by_its_folder_and_keeps_its_settings():
    model = StarPoly2D.from_pretrained("nuclei-fluo-small", precision="float32", refine_outlines=False)
    model.spec = model.spec.replace(thresholds=Thresholds(0.61, 0.33))
    content = pickle.dumps(model)
    again = pickle.loads(content)
    assert len(content) < 10_000
    assert (type(again), again.spec, again.precision, again.engine) == (StarPoly2D, model.spec, "float32", model.engine)
    assert again.fingerprint() == model.fingerprint()
    image, _ = blurred_disks()
    first, second = (one.predict_instances(image)[0] for one in (model, again))
    assert first.max() > 10
    np.testing.assert_array_equal(first, second)


def test_a_model_of_a_network_in_memory_does_not_pickle():
    folder = MODELS / "nuclei-fluo-small"
    model = StarPoly2D.of_network(*load_model(folder))
    with pytest.raises(ModelError, match=r"nuclei-fluo-small: expected a model from a folder to be pickled.*save it"):
        pickle.dumps(model)
