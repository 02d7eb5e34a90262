"""``starpoly advise``: settings for masks, without a network."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.config import NetworkConfig
from starpoly.evaluation.reconstruction import Reconstruction
from starpoly.network import quiet
from starpoly.training import advice
from starpoly.training.data import array_pairs
from starpoly.training.settings import read_settings


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Masks of discs and their colour images; the network's receptive field is 150 pixels wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    monkeypatch.setattr(advice, "receptive_field_side", lambda grid: 150)
    y, x = np.mgrid[:90, :90]
    labels = np.zeros((90, 90), np.uint16)
    for label, (cy, cx) in enumerate([(20, 20), (20, 65), (65, 20), (65, 65)], start=1):
        labels[np.hypot(y - cy, x - cx) < 12] = label
    for name in ("images", "masks"):
        Path(name).mkdir()
    tifffile.imwrite("masks/a_label.tif", labels)
    tifffile.imwrite(
        "images/a.tif", np.stack([labels > 0, labels > 1, labels > 2], -1).astype(np.uint8), photometric="rgb"
    )
    return labels


def test_advice_is_a_settings_file(capsys):
    assert main(["advise", "--masks", "masks", "--images", "images", "-o", "settings.toml"]) == 0
    out, err = capsys.readouterr()
    assert "4 objects, 23.6 px wide" in out
    assert "patch_size 160, 160: a pixel's answer depends on 150 px across" in out
    assert "settings.toml: settings for starpoly train --config" in err
    written = tomllib.loads(Path("settings.toml").read_text())
    assert written["network"]["n_channels"] == 3
    assert written["training"]["patch_size"] == [160, 160]
    settings = read_settings(Path("settings.toml"))
    assert (settings.network.grid, settings.training.patch_size) == ((4, 4), (160, 160))


def test_masks_alone_say_nothing_of_channels(capsys):
    assert main(["advise", "--masks", "masks"]) == 0
    assert "n_channels" not in capsys.readouterr().out
    assert main(["advise", "--masks", "nowhere"]) == 2
    assert "expected a folder of label images" in capsys.readouterr().err


def test_what_a_model_would_start_afresh(capsys, monkeypatch):
    from starpoly.network.storage import folder as storage

    given = storage.load_spec(advice_model()).network
    monkeypatch.setattr("starpoly.training.initial.layers_afresh", lambda init, network: ["dist", "dist_conv"])
    assert main(["advise", "--masks", "masks", "--init", "nuclei-fluo-small"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("--init nuclei-fluo-small: 2 layers start afresh (dist, dist_conv); none does with ")
    assert f"grid = {list(given.grid)}" in told or given.grid == (4, 4)


def advice_model() -> Path:
    from starpoly.model_zoo import find_model

    return find_model("nuclei-fluo-small")


def test_the_fewest_rays_within_a_hundredth_of_the_best(folders, monkeypatch):
    class Score:
        def __init__(self, value):
            self.mean_true_score = value

    qualities = {8: 0.80, 16: 0.931, 32: 0.94, 64: 0.939}
    monkeypatch.setattr(
        advice, "reconstruction_scores", lambda masks, rays: [Reconstruction(n, (Score(qualities[n]),)) for n in rays]
    )
    assert advice.advise([folders]).n_rays == 16
    qualities[16] = 0.92
    assert advice.advise([folders]).n_rays == 32


@pytest.mark.parametrize("field", [10, 400, 700])
def test_a_patch_is_at_least_as_large_as_the_receptive_field(folders, monkeypatch, field):
    monkeypatch.setattr(advice, "receptive_field_side", lambda grid: field)
    found = advice.advise([folders])
    unit = found.grid[0] * 2 ** NetworkConfig().depth
    assert found.patch_size[0] >= max(field, 3 * 23)
    assert found.patch_size[0] % unit == 0


def test_grey_stored_as_colour_is_one_channel(folders):
    grey = np.repeat(folders[..., None], 3, axis=2)
    colour = grey.copy()
    colour[..., 1] = 0
    assert advice.channels_of(array_pairs([grey, folders], [folders, folders])) == 1
    assert advice.channels_of(array_pairs([colour], [folders])) == 3


def test_settings_replace_no_other_kind_of_file(capsys):
    Path("a.tif").write_bytes(b"an image")
    assert main(["advise", "--masks", "masks", "-o", "a.tif"]) == 2
    assert "-o: expected a file name that ends in .toml, got a.tif" in capsys.readouterr().err
    assert Path("a.tif").read_bytes() == b"an image"


@pytest.mark.parametrize(("name", "got"), [("empty", "a folder without images"), ("nowhere", "no folder")])
def test_a_folder_without_masks_is_told_from_none(capsys, name, got):
    Path("empty").mkdir()
    assert main(["advise", "--masks", name]) == 2
    assert f"{name}: expected a folder of label images, got {got}" in capsys.readouterr().err
