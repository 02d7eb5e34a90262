"""The program around the commands: help, versions, models, what reaches stderr."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import warnings

import pytest

from starpoly import __version__
from starpoly import model_zoo as registry
from starpoly.cli import info
from starpoly.cli.common import about, byte_size, describe, log_as_lines, warnings_as_lines
from starpoly.cli.main import COMMANDS, main
from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ImageError, warn
from starpoly.network import quiet
from starpoly.network.memory import format_size


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    assert f"usage: starpoly {command}" in told
    assert "\nexample: " in told
    assert "starpoly " in told.rpartition("example: ")[2]


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"starpoly {__version__}\n"


def test_runs_as_a_module():
    process = subprocess.run([sys.executable, "-m", "starpoly", "--help"], capture_output=True, text=True, check=True)
    assert all(command in process.stdout for command in COMMANDS)
    assert process.stderr == ""


@pytest.fixture
def two_models(monkeypatch, tmp_path):
    """A good model named ``good`` and a broken one named ``torn``."""
    spec = ModelSpec("good", NetworkConfig(), 60.0, description="Nuclei.", object_diameter=(8, 20, 40))
    for name in ("good", "torn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text(
            "{" if name == "torn" else json.dumps({"format": 1, **spec.to_dict()})
        )
    monkeypatch.setattr(registry, "available_models", lambda: ["good", "torn"])
    monkeypatch.setattr(registry, "default_models", lambda: ("good",))
    monkeypatch.setattr(registry, "find_model", lambda name: tmp_path / name)


@pytest.mark.usefixtures("two_models")
def test_models_list(capsys):
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "* good  (grey)  Nuclei."
    assert lines[1].startswith("  torn  (?)  cannot be read")
    assert main(["models", "list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["good", "torn"]


@pytest.mark.usefixtures("two_models")
def test_models_info(capsys):
    assert main(["models", "info", "good"]) == 0
    assert "20 px wide (8 to 40)" in capsys.readouterr().out
    assert main(["models", "info", "good", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["network"]["n_rays"] == 32
    assert main(["models", "info", "torn"]) == 2
    assert capsys.readouterr().err.startswith("starpoly: error: ")


def test_info_tells_versions_and_devices(capsys, monkeypatch):
    monkeypatch.setattr(info, "_backend", lambda: {"backend": "painted", "devices": "cpu:0"})
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["starpoly"] == __version__
    assert facts["backend"] == "painted"
    assert main(["info"]) == 0
    assert "numpy" in capsys.readouterr().out


def test_info_survives_a_broken_backend(monkeypatch):
    def fail():
        raise ImportError("no\nlibrary")

    monkeypatch.setattr(quiet, "quiet_import", fail)
    assert info.collect()["backend"] == "cannot be imported (ImportError: no library)"


def test_other_warnings_are_for_verbose_runs(capsys):
    for verbose in (False, True):
        with warnings_as_lines(verbose=verbose):
            warn("ours\nof two lines")
            warnings.warn("theirs", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == [
        "starpoly: warning: ours of two lines",
        "starpoly: warning: ours of two lines",
        "starpoly: DeprecationWarning: theirs",
    ]


def test_news_of_the_run_names_no_image(capsys):
    log = logging.getLogger("starpoly.tests")
    with log_as_lines(), about("a.tif"):
        log.info("wide")
        log.info("kernels are compiled", extra={"of_run": True})
    assert capsys.readouterr().err.splitlines() == ["starpoly: a.tif: wide", "starpoly: kernels are compiled"]


def test_errors_become_one_line():
    assert describe(ImageError("a\nb")) == "a b"
    assert "smaller --tile-size" in describe(MemoryError())
    for error in (
        ImportError("libcublas.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
    ):
        assert describe(error).startswith("out of memory; use a smaller --tile-size")
    assert describe(ImportError("No module named x")).startswith("unexpected ImportError")
    assert describe(KeyError("x")) == "unexpected KeyError: 'x'; run with -v for the traceback"


@pytest.mark.parametrize(
    ("text", "size"),
    [("8G", 8 << 30), ("2.5 GiB", 5 << 29), ("500M", 500 << 20), ("1kb", 1024), ("7700000", 7_700_000)],
)
def test_sizes(text, size):
    assert byte_size(text) == size


def test_a_few_bytes_are_not_taken_for_gigabytes():
    with pytest.raises(argparse.ArgumentTypeError, match="got 8 bytes; name the unit, as in 8G"):
        byte_size("8")


def test_sizes_for_people():
    assert [format_size(n) for n in (10, 2048, 3 << 30, 5 << 40)] == ["10 B", "2 KB", "3 GB", "5 TB"]


CHATTER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1.1 10723 port.cc:153] oneDNN custom operations are on.\n"
    "W0000 00:00:1.1 10723 gpu_device.cc:1] Could not find cuda drivers on your machine.\n"
    "E0000 00:00:1.1 10723 cuda_fft.cc:1] Unable to register cuFFT factory\n"
)


def test_ctrl_c_while_tensorflow_loads_shows_no_chatter():
    code = f"""
import os
from starpoly.network.quiet import filtered_stderr
try:
    with filtered_stderr():
        os.write(2, {CHATTER!r}.encode())
        raise KeyboardInterrupt
except KeyboardInterrupt:
    os.write(2, b"stopped")
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stderr == "stopped"


@pytest.mark.parametrize("fails", [False, True])
def test_chatter_is_dropped_and_errors_are_kept(fails):
    code = f"""
import os, sys
from starpoly.network.quiet import filtered_stderr
with filtered_stderr():
    os.write(2, {CHATTER + "E0000 real error" + chr(10)!r}.encode())
    if {fails}: raise ImportError("broken")
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == int(fails)
    assert "E0000 real error" in process.stderr
    assert ("oneDNN" in process.stderr) == fails
    assert ("ImportError: broken" in process.stderr) == fails


def test_verbose_and_the_environment_choose_tensorflows_log_level(monkeypatch, tmp_path):
    for before, arguments, after in ((None, [], "3"), (None, ["-v"], "0"), ("1", [], "1")):
        monkeypatch.delenv(quiet.LEVEL, raising=False)
        if before is not None:
            monkeypatch.setenv(quiet.LEVEL, before)
        main([*arguments, "predict", str(tmp_path / "missing"), "-o", str(tmp_path)])
        assert os.environ[quiet.LEVEL] == after
    monkeypatch.delenv(quiet.LEVEL)


def test_the_plotting_backend_of_another_project_is_not_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "module://not_installed_here")
    assert main(["models", "list"]) == 0
    assert os.environ["MPLBACKEND"] == "agg"
