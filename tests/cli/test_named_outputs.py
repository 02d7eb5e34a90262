"""Outputs named one by one: a pipe or device gets them and stays, a link or folder is refused in one line, before any work."""

from __future__ import annotations

import json
import os
import stat
import threading

import numpy as np
import pytest
from PIL import Image

from starpoly.cli.main import main
from starpoly.io.writers.label_tiff import write_labels
from starpoly.model import StarPoly2D

from support.examples import with_discs
from support.painted import BrightModel

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names"),
    pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning"),
]
LABELS = with_discs((40, 50), (10, 10, 5), (20, 30, 7))
#: Arguments of each command, before the name of its output; and how the output begins.
COMMANDS = {
    "json": (["predict", "a.png", "-o", "out", "--json"], "out.json", b"{"),
    "scores": (["evaluate", "results", "results2", "-o"], "out.csv", b"scope,"),
    "plot": (["evaluate", "results", "results2", "--plot"], "out.png", b"\x89PNG"),
    "view": (["view", "a.png", "results/a_label.tiff", "-o"], "out.png", b"\x89PNG"),
    "report": (["report", "results", "-o"], "out.html", b"<!doctype html>"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", lambda *_, **__: BrightModel())
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.where(LABELS > 0, 200, 20).astype(np.uint8)).save("a.png")
    for name in ("results", "results2"):
        (tmp_path / name).mkdir()
        write_labels(tmp_path / name / "a_label.tiff", LABELS)
    (tmp_path / "precious").write_text("keep")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_the_output(folder, command):
    arguments, name, start = COMMANDS[command]
    pipe, read = folder / name, []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert main([*arguments, name]) == 0
    reader.join(60)
    assert read[0].lower().startswith(start.lower())
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("kind", ["link", "folder"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_refused(folder, command, kind, capsys):
    arguments, name, _ = COMMANDS[command]
    if kind == "link":
        (folder / name).symlink_to("precious")
    else:
        (folder / name).mkdir()
    assert main([*arguments, name]) == 2
    said = capsys.readouterr().err
    assert "expected a file" in said
    assert said.count("\n") == 1
    assert (folder / "precious").read_text() == "keep"
    assert not (folder / "out").exists()


def test_a_plan_is_written_to_a_device_and_to_no_file(folder, capsys):
    assert main(["predict", "a.png", "-o", "out", "--dry-run", "--json", "/dev/null"]) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert main(["predict", "a.png", "-o", "out", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.rpartition("out/a_label.tiff\n")[2])["images"]
    assert not (folder / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_of_another_kind_of_file_is_refused_and_the_file_stays(folder, capsys, command):
    arguments, *_ = COMMANDS[command]
    other = folder / "b.tif"
    other.write_bytes(b"an image")
    assert main([*arguments, "b.tif"]) == 2
    assert f"expected a {'name' if command == 'scores' else 'file name'} that ends in " in capsys.readouterr().err
    assert other.read_bytes() == b"an image"


def test_a_summary_replaces_a_summary_alone(folder, capsys):
    (folder / "model.json").write_text('{"format": 1}')
    assert main([*COMMANDS["json"][0], "model.json"]) == 2
    assert "--json model.json: expected a summary that may be replaced, got another file" in capsys.readouterr().err
    assert (folder / "model.json").read_text() == '{"format": 1}'
    (folder / "out.json").touch()
    for _ in range(2):
        assert main([*COMMANDS["json"][0], "out.json"]) == 0
        assert json.loads((folder / "out.json").read_text())["starpoly"]
