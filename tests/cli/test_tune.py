"""``starpoly tune``: from two folders to a model that says what changed."""

from __future__ import annotations

import tifffile

import starpoly.network.engines.tensorflow  # noqa: F401  before other tests patch what it imports
from starpoly.cli.main import main
from starpoly.network.storage.folder import load_spec
from starpoly.training import generate_nuclei


def test_a_model_is_tuned_from_folders(tmp_path, capsys):
    for seed in range(2):
        one = generate_nuclei(seed, shape=(96, 96), n_objects=12)
        for name, pixels in (("images", one.image), ("masks", one.labels)):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{seed}.tif", pixels)
    where = ["--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks"), "-o", str(tmp_path / "mine")]
    assert main(["tune", "nuclei-fluo-small", *where]) == 0
    said = capsys.readouterr().err
    spec = load_spec(tmp_path / "mine")
    assert f"thresholds prob {spec.thresholds.prob}" in said
    assert "untouched: AP at IoU 0.5" in said
    assert "judge it on others" in said
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["model.json", "weights.h5"]
    assert main(["tune", "no-such-model", *where]) == 2


def test_a_place_where_no_model_can_be_is_told_before_the_work(tmp_path, capsys):
    (tmp_path / "mine").touch()
    where = ["--images", str(tmp_path), "--masks", str(tmp_path), "-o", str(tmp_path / "mine")]
    assert main(["tune", "nuclei-fluo-small", *where]) == 2
    assert "mine: expected a folder to write the model to, got a file" in capsys.readouterr().err
