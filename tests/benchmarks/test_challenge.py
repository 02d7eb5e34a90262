"""benchmarks/challenge.py: one process for each image, the organisers' two scores, nothing missing that counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from starpoly.io.writers.label_tiff import write_labels

ROOT = Path(__file__).parents[2]


@pytest.fixture
def challenge(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import challenge

    return challenge


def two_squares(shape=(40, 50)) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    labels[5:15, 5:15] = 1
    labels[20:30, 20:30] = 2
    return labels


@pytest.fixture
def data(tmp_path) -> Path:
    """Four images with the same two squares, and a manifest."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rows = ["name,modality,split"]
    for number, modality in enumerate(["light", "dark", "dark", "light"]):
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "images" / f"i{number}.png")
        write_labels(tmp_path / "masks" / f"i{number}_label.tiff", two_squares())
        rows.append(f"i{number},{modality},{'val' if number else 'train'}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("seconds", "n_pixels", "expected"),
    [(9.0, 500_000, 0), (12.0, 500_000, 2), (12.0, 1_000_000, 2), (25.0, 2_000_000, 5), (19.0, 2_000_000, 0)],
)
def test_ranked_time(challenge, seconds, n_pixels, expected):
    assert challenge.ranked(seconds, n_pixels) == pytest.approx(expected)


def test_images_of_a_split_evenly_from_each_modality(challenge, data):
    find = challenge.find_tasks
    assert [task.name for task in find(data / "images", data / "masks", None)] == ["i0", "i1", "i2", "i3"]
    tasks = find(data / "images", data / "masks", data / "manifest.csv", split="val", per_modality=1)
    assert [(task.name, task.modality) for task in tasks] == [("i1", "dark"), ("i3", "light")]


def test_labels_are_scored_and_whatever_is_missing_counts_nothing(challenge, data):
    truth = data / "masks" / "i0_label.tiff"
    answer = data / "answer.tiff"
    assert challenge.score(truth, answer) == (0.0, 2, 0, "no prediction")
    write_labels(answer, two_squares() * (two_squares() == 1))
    assert challenge.score(truth, answer)[:3] == (pytest.approx(2 / 3), 2, 1)
    write_labels(answer, two_squares((40, 51)))
    assert challenge.score(truth, answer)[0] == 0
    assert "expected labels of shape" in challenge.score(truth, answer)[3]
    answer.write_bytes(b"no image")
    assert challenge.score(truth, answer)[0] == 0


def test_container_gets_the_organisers_flags(challenge):
    args = challenge._parser().parse_args(["i", "m", "--image", "team"])
    words = challenge.command_for(args, Path("/in"), Path("/out"))
    assert words == [
        "docker", "container", "run", "--gpus", "device=0", "-m", "28G", "--name", "team", "--rm",
        "-v", "/in/:/workspace/inputs/", "-v", "/out/:/workspace/outputs/", "team:latest", "/bin/bash", "-c", "sh predict.sh",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_table_and_json(challenge, data, monkeypatch, capsys):
    # a `starpoly` that has learnt the answer by heart, but for the last image, where it fails
    program = data / "starpoly"
    program.write_text(
        f'#!/bin/sh\nfor f in "$2"/*; do n=$(basename "$f" .png); done\n[ "$n" != i3 ] && cp "{data}/masks/${{n}}_label.tiff" "$4"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(data), prepend=":")
    status = challenge.main(
        [str(data / "images"), str(data / "masks"), "--json", str(data / "f.json"), "-o", str(data / "kept")]
    )
    facts = json.loads((data / "f.json").read_text())
    assert status == 1
    assert [row["f1"] for row in facts["images"]] == [1, 1, 1, 0]
    assert facts["images"][3]["problem"] == "no prediction"
    assert facts["summary"]["light"]["f1"] == {"mean": 0.5, "median": 0.5}
    assert facts["summary"]["all"]["f1"] == {"mean": 0.75, "median": 1.0}
    assert facts["summary"]["all"]["images"] == 4
    assert str(ROOT) not in (data / "f.json").read_text()
    assert sorted(path.name for path in (data / "kept").iterdir()) == [f"i{n}_label.tiff" for n in range(3)]
    said = capsys.readouterr().out
    assert all(name in said for name in ("i3", "dark", "light", "all"))
