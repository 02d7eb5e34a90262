"""Every block of code in the documents is run, or says why not; the documentation builds without a warning."""

from __future__ import annotations

import configparser
import contextlib
import importlib.util
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly import plot
from starpoly.cli.main import build_parser, main
from starpoly.config import ModelSpec, NetworkConfig
from starpoly.io.writers.label_tiff import write_labels
from starpoly.model import StarPoly2D
from starpoly.network.architectures.registry import build_network
from starpoly.network.storage.folder import save_model
from starpoly.plot import viewer
from starpoly.training import run as training_run
from starpoly.training.rendering import kind_names
from starpoly.training.samples import generate_nuclei
from starpoly.training.settings import TABLES

from support import plates, vendor_files
from support.documents import DOCUMENTS, NOT_RUN, ROOT, Block, blocks, imported_names, reference_names, why_not
from support.painted import BrightModel

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
#: In place of what a document says, since the data here are small.
SMALL = {"2000,4000,6000,9000": "8,16,40,48"}
#: ... and in place of the model to start from, a tiny one.
TINY_MODEL = "path/to/stardist-model"
TINY = """
[network]
depth = 1
base_filters = 4
head_filters = 4
n_rays = 8
[training]
patch_size = [32, 32]
"""


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind and not block.reason]


def where(block: Block) -> str:
    return f"{block.document}:{block.line}"


def test_blocks_are_found():
    assert {block.kind for block in BLOCKS} == {"shell", "python", "toml"}
    assert sum(len(block.commands) for block in BLOCKS if block.kind == "shell" and not block.reason) > 30


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The files that the documents speak of."""
    folder = tmp_path_factory.mktemp("world")
    names = ("cells", "second", "third")
    made = dict(
        zip(names, (generate_nuclei(seed, (64, 64), n_objects=6, diameter=14) for seed in range(3)), strict=True)
    )
    for place in (
        "images",
        "train/images",
        "val/images",
        "my-images",
        "more_images",
        "others",
        "unlabelled/images",
        "plate_1",
        ".",
    ):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name, one in made.items():
            tifffile.imwrite(folder / place / f"{name}.tif", one.image)
    for place in (
        "masks",
        "train/masks",
        "train/labels",
        "val/masks",
        "val/labels",
        "my-masks",
        "my-labels",
        "results",
    ):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name, one in made.items():
            write_labels(folder / place / f"{name}_label.{'tiff' if place == 'results' else 'tif'}", one.labels)
    (folder / "cellpose").mkdir()
    for name, one in made.items():
        tifffile.imwrite(folder / "cellpose" / f"{name}.tif", one.image)
        write_labels(folder / "cellpose" / f"{name}_masks.tif", one.labels)
    shutil.copy(folder / "cells.tif", folder / "a.tif")
    from PIL import Image

    Image.fromarray((made["cells"].image // 4).astype(np.uint8)).save(folder / "plate_1" / "b.png")
    shutil.copy(folder / "plate_1" / "b.png", folder / "images" / "fourth.png")
    for name in ("slide.ome.tif", "slide.svs", "slide.tif"):
        with tifffile.TiffWriter(folder / name) as writer:
            pixels = np.tile(made["cells"].image, (2, 2))
            writer.write(pixels, tile=(64, 64), subifds=1, resolution=(20000, 20000), resolutionunit="CENTIMETER")
            writer.write(pixels[::2, ::2], tile=(64, 64), subfiletype=1)
    slices = np.stack([[one.image for one in made.values()]] * 2)
    tifffile.imwrite(folder / "stack.tif", slices, imagej=True, metadata={"axes": "TZYX"})
    write_microscopes(folder, np.stack([one.image for one in made.values()])[None, None])
    tissue = np.ones((16, 16), np.uint8)
    tifffile.imwrite(folder / "tissue.tif", tissue)
    table = [
        f"{path.stem},{'rare' if index else 'common'}"
        for index, path in enumerate(sorted((folder / "train" / "images").iterdir()))
    ]
    (folder / "groups.csv").write_text("\n".join(["name,group", *table]) + "\n")
    parts = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
    for name in ("settings", "challenge", *parts, "small", "tiny"):
        (folder / f"{name}.toml").write_text(TINY)
    spec = ModelSpec("tiny", NetworkConfig(**tomllib.loads(TINY)["network"]), 20.0)
    for place in (TINY_MODEL, "models/my-model"):
        (folder / place).mkdir(parents=True)
        save_model(folder / place, spec, build_network(spec.network))
    return folder


def write_microscopes(folder: Path, stack: np.ndarray) -> None:
    """Files of microscopes, and plates; ``stack`` has axes TZCYX and three channels."""
    names = ("GFP", "DAPI", "EGFP")
    vendor_files.write_nd2(folder / "experiment.nd2", [stack], names)
    if importlib.util.find_spec("pylibCZIrw"):
        vendor_files.write_czi(folder / "a.czi", [stack], names)
    plates.write_plate_zarr(folder / "plate.zarr")
    for name in ("plate", "folder_with_an_HTD_file"):
        plates.write_imagexpress(folder / name)


@pytest.fixture
def world(template, tmp_path, monkeypatch) -> Path:
    shutil.copytree(template, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    return tmp_path / "world"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_python_run(document, world, monkeypatch, capsys, request):
    if document != "docs/gallery.md":  # whose training takes many steps
        request.getfixturevalue("eager_steps")
    for package in ("nd2", "pylibCZIrw") if document == "docs/formats.md" else ():
        pytest.importorskip(package)
    monkeypatch.setattr(viewer, "why_not_napari", lambda: "a test")
    monkeypatch.setattr(training_run, "_draw_losses", lambda *_: None)
    names = {"Path": Path, "image": "slide.ome.tif"}
    trained: dict[frozenset[str], str] = {}
    for block in blocks(document):
        if block.reason:
            continue
        if block.kind == "python":
            exec(compile(block.text, f"{document}:{block.line}", "exec"), names)
        elif block.kind == "shell":
            for words in block.commands:
                if not why_not(words):
                    assert words[0] == "starpoly", (
                        f"{document}:{block.line}: expected a command, a reason, or a kind of block, got {words}"
                    )
                    run(words[1:], monkeypatch, capsys, f"{document}:{block.line}: {' '.join(words)}", trained)


def run(words, monkeypatch, capsys, where, trained):
    """Run a command as it stands but for the size of things. A further training with the same options is parsed alone."""
    if words[0] == "train":
        kind, output = frozenset(word for word in words if word.startswith("-")), words[words.index("-o") + 1]
        if kind in trained:
            build_parser().parse_args(words)
            shutil.copytree(trained[kind], output, dirs_exist_ok=True)
            return
        trained[kind] = output
        words = [TINY_MODEL if word in ("nuclei-fluo", "cells-generalist") else word for word in words]
        shutil.rmtree(words[words.index("-o") + 1], ignore_errors=True)
        words += ["--epochs", "2", "--steps", "1", "--batch-size", "1", "--patch-size", "32", "--inspect-every", "0"]
        words += [] if {"--config", "--init"} & set(words) else ["--config", "tiny.toml"]
    words = [SMALL.get(word, word) for word in words]
    with monkeypatch.context() as patch, contextlib.suppress(SystemExit):
        if words[0] == "predict":
            patch.setattr(StarPoly2D, "from_pretrained", lambda *_, **__: BrightModel())
        status = main(words)
        assert status == 0, f"{where}: {capsys.readouterr().err[-600:]}"


@pytest.mark.parametrize("block", of_kind("toml"), ids=where)
def test_settings_are_known(block: Block):
    tables = tomllib.loads(block.text)
    assert set(tables) <= set(TABLES)
    for name, table in tables.items():
        TABLES[name].from_dict(table)


@pytest.mark.parametrize("block", of_kind("python"), ids=where)
def test_what_python_uses_is_in_the_reference(block: Block):
    assert imported_names(block.text) <= reference_names()


def test_commands_that_are_not_run_are_there_at_least():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = set(config["options.extras_require"])
    used = set()
    for block in BLOCKS:
        for words in block.commands if block.kind == "shell" and not block.reason else ():
            used |= {prefix for prefix in NOT_RUN if " ".join(words).startswith(prefix)}
            for word in words:
                for asked in re.findall(r"^(?:\.|starpoly)\[(.+)\]$", word):
                    assert set(asked.split(",")) <= extras, f"{block.document}:{block.line}"
                if re.fullmatch(r"[\w/-]+\.(py|sh)", word):
                    assert (ROOT / word).exists(), f"{block.document}:{block.line}: {word}"
    assert {"pip install", "sh predict.sh", "sh run-tests.sh"} <= used


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.startswith("docs/")])
def test_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_page_is_in_the_contents():
    lines = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    for path in (ROOT / "docs").glob("*.md"):
        # the last two may be reached through other pages
        assert path.stem in {*lines, "index", "quality", "speed"}, f"{path.name}: add it to docs/index.md"


def test_the_gallery_shows_every_plot_and_has_every_picture():
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert [name for name in plot.__all__ if name.startswith("plot_") and f"plot.{name}(" not in page] == []
    linked = re.findall(r"!\[[^\]]+\]\(images/gallery/([\w-]+\.png)\)", page)
    assert sorted(linked) == sorted(path.name for path in (ROOT / "docs" / "images" / "gallery").iterdir())
    drawn = [name for _, name in runpy.run_path(str(ROOT / "docs" / "gallery.py"))["blocks"](page) if name]
    assert [name for name in linked if name not in drawn] == ["report.png"]  # a screenshot


def test_the_page_of_rendered_images_shows_every_kind_in_one_small_picture():
    page = (ROOT / "docs" / "rendered.md").read_text(encoding="utf-8")
    names = [name for _, name in runpy.run_path(str(ROOT / "docs" / "gallery.py"))["blocks"](page) if name]
    assert names == ["rendered.png"]
    assert (ROOT / "docs" / "images" / "rendered.png").stat().st_size < 500_000
    rows, columns = map(int, re.search(r"subplots\((\d+), (\d+)", page).groups())
    assert rows * columns == len(kind_names())


def test_the_first_picture_is_of_three_demo_images_and_small():
    shown = runpy.run_path(str(ROOT / "docs" / "result.py"))["SHOWN"]
    assert {name.partition("_")[0] for name in shown} == {"fluorescence", "stained", "brightfield"}
    assert set(shown) <= {path.stem for path in (ROOT / "starpoly" / "demo_images").glob("*.png")}
    assert (ROOT / "docs" / "images" / "result.png").stat().st_size < 300_000
    for document in ("README.md", "docs/index.md"):
        assert "images/result.png)" in (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.slow
def test_documentation_builds_without_a_warning(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        str(tmp_path / "doctrees"),
    ]
    inline = {
        name: value for name, value in os.environ.items() if name != "MPLBACKEND"
    }  # so that figures go into the pages
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "html")], capture_output=True, text=True, check=False, env=inline
    )
    assert done.returncode == 0, done.stderr[-3000:]
    how = (tmp_path / "html" / "how.html").read_text(encoding="utf-8")
    assert how.count('src="_images/') >= 4
    models = (tmp_path / "html" / "models.html").read_text(encoding="utf-8")
    assert "nuclei-fluo" in models
    assert "<table" in models
