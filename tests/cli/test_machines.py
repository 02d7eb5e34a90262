"""`starpoly predict` on several machines: shares of a job array, and the workers of a cluster."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.cli.main import build_parser, main
from starpoly.config import ModelSpec, NetworkConfig
from starpoly.detection import cluster as cluster_module
from starpoly.model import StarPoly2D

from support.cluster import processes, wait_until
from support.documents import blocks
from support.inputs import grey
from support.painted import BrightModel
from support.web import serving

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(5):
        tifffile.imwrite(folder / f"{seed}.tif", grey(seed))
    tifffile.imwrite(folder / "slide.tif", np.tile(grey(5), (3, 3)), tile=(64, 64))
    return folder


@pytest.fixture
def bright(monkeypatch):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", lambda *_, **__: BrightModel())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_shards_make_up_the_whole(images, tmp_path, bright):
    assert main(["predict", str(images), "-o", str(tmp_path / "whole"), "--table"]) == 0
    parts = []
    for index in (1, 2, 3):
        words = ["predict", str(images), "-o", str(tmp_path / f"part{index}"), "--table", "--shard", f"{index}/3"]
        assert main(words) == 0
        parts.append(contents(tmp_path / f"part{index}"))
    assert [len(part) for part in parts] == [4, 4, 4]
    assert {name: content for part in parts for name, content in part.items()} == contents(tmp_path / "whole")


def test_a_shard_without_images_is_done(images, tmp_path, bright):
    assert main(["predict", str(images), "-o", str(tmp_path / "out"), "--shard", "7/7"]) == 0
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/3"])
def test_what_is_no_shard(images, tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        main(["predict", str(images), "-o", str(tmp_path / "out"), f"--shard={text}"])
    assert "I/N" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--report"], ["--table-all", "all.csv"]])
def test_a_shard_has_no_results_of_all_images(images, tmp_path, capsys, words):
    assert main(["predict", str(images), "-o", str(tmp_path / "out"), "--shard", "1/2", *words]) == 2
    assert "--skip-existing" in capsys.readouterr().err


def test_a_cluster_needs_the_extra(images, tmp_path, capsys, monkeypatch, bright):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["predict", str(images), "-o", str(tmp_path / "out"), "--workers", "2"]) == 2
    assert 'pip install "dask>=' in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--scheduler", "tcp://127.0.0.1:1"], ["--scheduler-file", "no.json"]])
def test_no_scheduler_there(images, tmp_path, capsys, monkeypatch, bright, words):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster_module, "_PATIENCE", 1.0)
    assert main(["predict", str(images), "-o", str(tmp_path / "out"), *words]) == 2
    assert "expected a scheduler of dask" in capsys.readouterr().err


def test_a_zarr_at_a_url(images, tmp_path, bright, capsys):
    pytest.importorskip("aiohttp")
    zarr.create_array(store=tmp_path / "slide.zarr", data=tifffile.imread(images / "slide.tif"), chunks=(64, 64))
    with serving(tmp_path) as server:
        url = f"{server.url}/slide.zarr"
        for given, out in ((str(tmp_path / "slide.zarr"), "here"), (url, "there")):
            assert main(["predict", given, "-o", str(tmp_path / out), "--table", "--mask", given]) == 0
        assert contents(tmp_path / "there") == contents(tmp_path / "here")
        assert main(["info", url]) == 0
        assert f"{url}\n" in capsys.readouterr().out
        assert main(["predict", url]) == 2
        assert "-o results" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", url, "-o", "s3://bucket/results"])
    assert "a folder of this machine" in capsys.readouterr().err


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A real network, of a few filters; with these weights it finds much."""
    import keras

    from starpoly.network.architectures.registry import build_network
    from starpoly.network.storage.folder import save_model

    folder = tmp_path_factory.mktemp("tiny")
    keras.utils.set_random_seed(0)
    spec = ModelSpec("tiny", NetworkConfig(n_rays=8, depth=1, base_filters=4, head_filters=4), 20.0)
    save_model(folder, spec, build_network(spec.network))
    return folder


@pytest.mark.slow
def test_workers_give_the_same_bytes(images, tiny, tmp_path):
    """Whole images, and with little memory tiles; the workers differ in their threads."""
    pytest.importorskip("distributed")
    words = ["--model", str(tiny), "--prob-threshold", "0.4", "--scale", "1", "--table", "--format", "geojson"]
    with processes(tmp_path) as found:
        found.worker("one")
        found.worker("two", "--nthreads", "2")
        for name, memory in (("images", []), ("tiles", ["--memory", "1M"])):
            here, there = tmp_path / f"{name}_here", tmp_path / f"{name}_there"
            assert main(["predict", str(images), "-o", str(here), *words, *memory]) == 0
            assert main(["predict", str(images), "-o", str(there), *words, *memory, "--scheduler", found.address]) == 0
            assert contents(there) == contents(here)
            assert any(tifffile.imread(path).any() for path in here.glob("*_label.tiff"))


@pytest.mark.slow
def test_workers_on_this_machine(images, tiny, tmp_path):
    pytest.importorskip("distributed")
    words = ["--model", str(tiny), "--prob-threshold", "0.4", "--scale", "1"]
    assert main(["predict", str(images / "1.tif"), "-o", str(tmp_path / "here"), *words]) == 0
    assert main(["predict", str(images / "1.tif"), "-o", str(tmp_path / "there"), *words, "--workers", "1"]) == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.mark.slow
def test_workers_on_this_machine_keep_no_profile():
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    with cluster_module._local_client(1) as client:
        (kept,) = client.run(dask.config.get, "distributed.worker.profile.enabled").values()
    assert kept is False


def commands_of_the_page() -> Iterator[tuple[str, list[str]]]:
    """Commands of docs/machines.md, also those that other commands start, with settings as words."""
    for block in blocks("docs/machines.md"):
        if block.kind != "shell":
            continue
        for words in block.commands:
            if words[0] == "sbatch":
                words = shlex.split(words[words.index("--wrap") + 1])
            words = [word for word in words if word not in ("srun", "&")]
            yield f"line {block.line}: {' '.join(words)}", [re.sub(r"\$SLURM_\w+", "1", word) for word in words]


COMMANDS = [pytest.param(words, id=where) for where, words in commands_of_the_page()]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_of_the_page_are_real(words):
    if words[:2] == ["pip", "install"]:
        return
    if words[0] == "starpoly":
        build_parser().parse_args(words[1:])
        return
    kind, *rest = words[1:]
    command = pytest.importorskip(f"distributed.cli.dask_{kind}").main
    command.make_context(f"dask {kind}", rest)


def test_the_page_shows_every_kind_of_command():
    firsts = {(words[0], words[1]) for words in (param.values[0] for param in COMMANDS)}
    assert {("starpoly", "predict"), ("dask", "scheduler"), ("dask", "worker"), ("starpoly", "train")} <= firsts


def test_wait_until_gives_up():
    with pytest.raises(AssertionError, match="in vain"):
        wait_until(lambda: False, 0)
