"""``starpoly train``: from folders to a model that predicts; what is wrong is said in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main

CONFIG = """
[network]
n_rays = 16
depth = 2
base_filters = 8
head_filters = 16

[training]
warmup_steps = 2
validate_every = 1
validation_patches = 2
learning_rate = 1e-2
ema = 0.5

[training.augment]
warp_probability = 0.0
blur = 0.0
"""
SHORT = ["--epochs", "2", "--steps", "12", "--batch-size", "2", "--patch-size", "48"]


def write_pairs(folder, names, seed=0):
    """Bright disks on a dim, noisy ground; masks with the suffix _label."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    for sub in ("images", "masks"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    for name in names:
        labels = np.zeros((64, 64), np.uint16)
        for label, (cy, cx) in enumerate([(16, 16), (16, 46), (46, 16), (46, 46)], start=1):
            cy, cx = cy + rng.integers(-3, 4), cx + rng.integers(-3, 4)
            labels[np.hypot(y - cy, x - cx) < rng.uniform(6, 9)] = label
        image = rng.normal(20 + 150 * (labels > 0), 5).clip(0, 255).astype(np.uint8)
        tifffile.imwrite(folder / "images" / f"{name}.tif", image)
        tifffile.imwrite(folder / "masks" / f"{name}_label.tif", labels)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    write_pairs(folder, "abcd")
    (folder / "settings.toml").write_text(CONFIG)
    argv = ["train", "--images", folder / "images", "--masks", folder / "masks", "-o", folder / "model"]
    argv += ["--config", folder / "settings.toml", "--val-fraction", "0.25", "--licence", "CC0-1.0", *SHORT]
    assert main([str(a) for a in argv]) == 0
    return folder


def test_model_folder_holds_model_log_and_picture(trained):
    names = {path.name for path in (trained / "model").iterdir()}
    assert {"model.json", "weights.h5", "training.csv", "losses.png"} <= names


def test_trained_model_predicts_and_its_result_is_evaluated(trained, tmp_path, capsys):
    labels, scores = tmp_path / "labels", tmp_path / "scores.csv"
    argv = [
        "predict",
        trained / "images",
        "-o",
        labels,
        "--model",
        trained / "model",
        "--table",
        "--prob-threshold",
        "0.3",
    ]
    assert main([str(a) for a in argv]) == 0
    assert main(["evaluate", str(labels), str(trained / "masks"), "--iou", "0.5", "-o", str(scores)]) == 0
    assert "4 images, 16 true objects" in capsys.readouterr().out
    assert scores.read_text().count("\n") > 4


def test_resuming_a_finished_training_changes_nothing(trained, capsys):
    before = (trained / "model" / "weights.h5").read_bytes()
    argv = ["train", "--images", trained / "images", "--masks", trained / "masks", "-o", trained / "model"]
    argv += ["--config", trained / "settings.toml", "--val-fraction", "0.25", "--licence", "CC0-1.0", *SHORT]
    assert main([str(a) for a in argv]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([str(a) for a in [*argv, "--resume"]]) == 0
    assert (trained / "model" / "weights.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--config", "missing.toml"], "expected a TOML file"),
        (["--epochs", "0"], "epochs: expected at least 1"),
        (["--rendered", "2"], "rendered: expected 0 to 1"),
        (["--val-images", "x"], "both --val-images and --val-masks"),
        (["--val-fraction", "1.5"], "--val-fraction between 0 and 1"),
        (["--classes", "x"], "--class-names"),
        (["--class-names", "round", "square"], "--class-names: expected --classes with it"),
        (["--images", "nowhere"], "nowhere"),
        (["--unlabelled", "nowhere"], "nowhere"),
        (["--groups", "nowhere"], "columns name and group"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_status_2(trained, tmp_path, capsys, extra, message):
    argv = [
        "train",
        "--images",
        str(trained / "images"),
        "--masks",
        str(trained / "masks"),
        "-o",
        str(tmp_path / "m"),
        *extra,
    ]
    assert main(argv) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert message in lines[-1]
    assert not any("Traceback" in line for line in lines)


def test_unknown_setting_in_the_file_names_the_nearest(trained, tmp_path, capsys):
    (tmp_path / "bad.toml").write_text("[training]\nepoch = 3\n")
    argv = [
        "train",
        "--images",
        trained / "images",
        "--masks",
        trained / "masks",
        "-o",
        tmp_path / "m",
        "--config",
        tmp_path / "bad.toml",
    ]
    assert main([str(a) for a in argv]) == 2
    assert "did you mean epochs?" in capsys.readouterr().err


def test_objects_with_classes(tmp_path, capsys):
    write_pairs(tmp_path, "ab")
    (tmp_path / "classes").mkdir()
    for name in "ab":
        (tmp_path / "classes" / f"{name}.csv").write_text("label,class\n1,1\n2,1\n3,2\n")
    (tmp_path / "settings.toml").write_text(CONFIG)
    folders = [f"--{kind}={tmp_path / kind}" for kind in ("images", "masks", "classes")]
    argv = ["train", *folders, "-o", str(tmp_path / "model"), "--config", str(tmp_path / "settings.toml")]
    argv += ["--class-names", "round", "square", "--val-fraction", "0.5", *SHORT]
    assert main(argv) == 0
    argv = ["predict", tmp_path / "images" / "a.tif", "-o", tmp_path / "out", "--model", tmp_path / "model", "--table"]
    assert main([str(a) for a in [*argv, "--prob-threshold", "0.2"]]) == 0
    header, first, *_ = (tmp_path / "out" / "a_table.csv").read_text().splitlines()
    assert "class" in header.split(",")
    assert any(name in first for name in ("round", "square", ",1", ",2"))


def test_another_network_starts_from_what_fits_of_the_initial_model(trained, tmp_path):
    (tmp_path / "settings.toml").write_text("[network]\nn_channels = 3\n" + CONFIG[CONFIG.index("[training]") :])
    argv = [
        "train",
        "--images",
        trained / "images",
        "--masks",
        trained / "masks",
        "-o",
        tmp_path / "colour",
        "--init",
        trained / "model",
    ]
    assert main([str(a) for a in [*argv, "--config", tmp_path / "settings.toml", *SHORT]]) == 0
    grey, colour = (
        json.loads((folder / "model.json").read_text()) for folder in (trained / "model", tmp_path / "colour")
    )
    assert colour["network"] == grey["network"] | {"n_channels": 3}
    assert colour["training"]["initial_model"] == "model"


def test_unlabelled_images_of_a_folder(tmp_path, capsys):
    write_pairs(tmp_path, "abcd")
    for name in "cd":
        (tmp_path / "masks" / f"{name}_label.tif").unlink()
    (tmp_path / "images" / "broken.tif").write_bytes(b"")
    (tmp_path / "settings.toml").write_text(CONFIG + "\n[training.unlabelled]\nconfidence = 0.05\nrounds = 1\n")
    argv = ["train", "--images", tmp_path / "images", "--masks", tmp_path / "masks", "-o", tmp_path / "model"]
    argv += [
        "--config",
        tmp_path / "settings.toml",
        "--val-fraction",
        "0.5",
        "--unlabelled",
        tmp_path / "images",
        *SHORT,
    ]
    argv += ["--steps", "60"]  # enough that there is something to be sure of, whatever the processor's rounding
    assert main([str(a) for a in argv]) == 0
    err = capsys.readouterr().err
    # the two with masks are not among them
    assert "1 training and 1 validation pairs, 3 unlabelled images" in err
    assert "broken.tif: left out of the unlabelled images" in err
    (row,) = json.loads((tmp_path / "model" / "model.json").read_text())["training"]["unlabelled"]
    assert (row["images"], row["images_unreadable"]) == (3, 1)
