"""What ``starpoly train`` says around a training, without one."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.errors import ModelError
from starpoly.network.engines import forked
from starpoly.training import run as run_module


@pytest.fixture
def argv(tmp_path, monkeypatch):
    labels = np.zeros((40, 40), np.uint16)
    labels[5:15, 5:15] = 1
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", labels)
    monkeypatch.chdir(tmp_path)
    return ["train", "--images", "images", "--masks", "masks", "-o", "model"]


def stopped(*args, **settings):
    raise KeyboardInterrupt


def checkpoint(progress: dict) -> None:
    settings = {"training": {"epochs": 80, "steps_per_epoch": 100, "learning_rate": 0.002}, "network": {}, "images": []}
    state = {"settings": settings, "progress": {"best_epoch": 0, **progress}}
    with open("model/checkpoint.npz", "wb") as file:
        np.savez(file, state=np.array(json.dumps(state)))


@pytest.mark.parametrize(
    ("progress", "message"),
    [
        (None, "stopped before the first checkpoint, nothing is saved; repeat the command to start anew"),
        ({"epoch": 0, "step": 31}, "after epoch 0 of 80 and 31 of 100 steps of the next, and no model yet"),
        (
            {"epoch": 12, "best_epoch": 8},
            "after epoch 12 of 80, and the best model so far, of epoch 8; repeat the command",
        ),
    ],
)
def test_a_stopped_training_says_what_is_saved(argv, capsys, monkeypatch, progress, message):
    if progress is not None:
        os.mkdir("model")
        checkpoint(progress)
    monkeypatch.setattr(run_module, "run_training", stopped)
    assert main(argv) == 130
    err = capsys.readouterr().err
    assert message in err
    assert progress is None or "with --resume to continue" in err


def test_what_is_not_stated_is_resumed_as_it_was(argv, monkeypatch):
    os.mkdir("model")
    checkpoint({"epoch": 3})
    seen = []
    monkeypatch.setattr(run_module, "run_training", lambda *args, **settings: seen.append(settings) or stopped())
    main([*argv, "--resume", "--seed", "5"])
    training = seen[0]["training"]
    assert (training.epochs, training.learning_rate, training.seed) == (80, 0.002, 5)


def test_minutes_and_epochs_exclude_each_other(argv, capsys):
    with pytest.raises(SystemExit):
        main([*argv, "--minutes", "5", "--epochs", "3"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_fork_of_a_process_with_a_network_does_not_train(argv, capsys, monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [os.getpid() + 1])
    assert main(argv) == 2
    assert "multiprocessing.get_context('spawn')" in capsys.readouterr().err


def test_the_error_is_the_package_s_own(monkeypatch):
    monkeypatch.setattr(forked, "_opened_in", [os.getpid() + 1])
    with pytest.raises(ModelError):
        forked.check_process()
