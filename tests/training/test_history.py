"""The log of a training can be read by others."""

from __future__ import annotations

import builtins

import pytest

from starpoly.errors import StarpolyWarning
from starpoly.plot import read_log
from starpoly.training.history import FILE_NAME, TENSORBOARD_FOLDER, TensorBoardLog, write_history

ROWS = [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25, "val_loss": 0.75}]


def test_table_has_a_row_per_epoch_and_gaps_where_nothing_was_measured(tmp_path):
    write_history(tmp_path, ROWS)
    assert (tmp_path / FILE_NAME).read_text().splitlines() == ["epoch,loss,val_loss", "1,0.5,", "2,0.25,0.75"]
    assert read_log(tmp_path / FILE_NAME)["val_loss"][1] == 0.75


def test_tensorboard_reads_the_scalars(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoardLog(tmp_path)
    for row in ROWS:
        board.add(row)
    events = accumulator.EventAccumulator(str(tmp_path / TENSORBOARD_FOLDER)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert [event.step for event in events.Scalars("val_loss")] == [2]


@pytest.mark.parametrize("run", ["", "unlabelled"])
def test_events_do_not_leave_the_folder_through_a_link(tmp_path, run):
    pytest.importorskip("tensorboard")
    (tmp_path / "elsewhere").mkdir()
    planted = tmp_path / "model" / "tensorboard" / run
    planted.parent.mkdir(parents=True)
    planted.rmdir() if planted.exists() else None
    planted.symlink_to(tmp_path / "elsewhere")
    with pytest.warns(StarpolyWarning, match="TensorBoard gets no events: expected a folder of ours, got a link"):
        TensorBoardLog(tmp_path / "model", run).add({"epoch": 1.0, "loss": 2.0})
    assert not list((tmp_path / "elsewhere").iterdir())


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    TensorBoardLog(tmp_path).add(ROWS[0])
    assert not list(tmp_path.iterdir())
