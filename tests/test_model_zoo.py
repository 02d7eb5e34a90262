"""Finding models by name and by folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from starpoly import model_zoo as registry
from starpoly.errors import ModelError


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A place with two shipped models, a stray file, a stray folder, and a model outside of it."""
    root = tmp_path / "shipped"
    for folder in (root / "nuclei-fluo", root / "tissue", tmp_path / "outside"):
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
    (root / "notes").mkdir()
    (root / "README.md").write_text("")
    monkeypatch.setattr(registry, "_roots", lambda: [root])
    return root


def test_available(shipped):
    assert registry.available_models() == ["nuclei-fluo", "tissue"]


def test_by_name(shipped):
    assert registry.find_model("tissue") == shipped / "tissue"


def test_default_is_a_name():
    assert registry.default_model() == "cells-generalist"


@pytest.mark.parametrize("mark", ["model.json", "config.json"])
def test_by_folder(shipped, tmp_path, mark):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / mark).write_text("{}")
    assert registry.find_model(folder) == folder
    assert registry.find_model(str(folder)) == folder


def test_a_path_means_the_folder_even_if_a_model_has_that_name(shipped, tmp_path, monkeypatch):
    (tmp_path / "tissue").mkdir()
    (tmp_path / "tissue" / "model.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert registry.find_model("tissue") == shipped / "tissue"
    assert registry.find_model("./tissue") == Path("tissue")
    assert registry.find_model(Path("tissue")) == Path("tissue")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("tisue", r"available: nuclei-fluo, tissue; did you mean tissue\?"),
        ("somewhere/nuclei-flou", r"did you mean nuclei-fluo\?"),
        ("../outside", "no such model"),
        ("nuclei-fluo/../../outside", "no such model"),
        ("\0", "no such model"),
    ],
)
def test_unknown(shipped, tmp_path, monkeypatch, name, match):
    """A name is never joined to the place of the shipped models."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd" / "..")
    monkeypatch.chdir(tmp_path / "cwd")
    if name == "../outside":
        monkeypatch.chdir(shipped / "notes")
    with pytest.raises(ModelError, match=match):
        registry.find_model(name)


def test_a_folder_without_a_model(shipped):
    with pytest.raises(ModelError, match=r"neither model.json \(starpoly\) nor config.json \(StarDist 2D\)"):
        registry.find_model(shipped / "notes")


def test_nothing_ships(monkeypatch):
    monkeypatch.setattr(registry, "_roots", list)
    with pytest.raises(ModelError, match="no models ship"):
        registry.find_model("nuclei-fluo")


def test_the_checkout_or_the_wheel_has_a_place_for_models():
    assert registry._roots()


def test_finding_loads_no_network():
    code = "import sys; from starpoly import model_zoo; model_zoo.available_models(); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", [5, b"cells-fast", ["cells-fast"], ""])
def test_what_is_no_name_is_refused(wrong):
    with pytest.raises(ModelError, match="expected the name or folder of a model, got "):
        registry.find_model(wrong)


def test_names_are_suggested_whatever_their_case():
    with pytest.raises(ModelError, match="did you mean cells-fast"):
        registry.find_model("Cells-Fast")
