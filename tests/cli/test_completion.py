"""``starpoly completion``: scripts for shells, and what they cost the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from starpoly.cli.main import COMMANDS, main
from starpoly.model_zoo import available_models


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_commands_options_and_models_are_completed(capsys, shell):
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, *available_models(), "prob-threshold"))


@pytest.mark.skipif(sys.platform != "linux", reason="needs bash")
def test_bash_completes(capsys):
    pytest.importorskip("shtab")
    main(["completion", "bash"])
    script = capsys.readouterr().out
    ask = 'COMP_WORDS=({0}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _shtab_starpoly; echo "${{COMPREPLY[*]}}"'
    for words, answer in (
        ("starpoly pred", "predict"),
        ("starpoly predict a.tif --model nuclei-fluo-s", "nuclei-fluo-small"),
    ):
        told = subprocess.run(["bash", "-c", script + ask.format(words)], capture_output=True, text=True, check=True)
        assert told.stdout.split() == [answer]


def test_without_the_package_the_remedy_is_said(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert 'expected the package shtab, got none; pip install "shtab>=' in capsys.readouterr().err
