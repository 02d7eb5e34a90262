"""Curves over thresholds and epochs: the lines that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from starpoly import plot
from starpoly.errors import DataError, ImageError


@pytest.fixture
def axes():
    return Figure().add_subplot()


def lines(axes):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()), line.get_linestyle()) for line in axes.lines
    }


def test_plot_scores(axes):
    plot.plot_scores(axes, (0.5, 0.9), {"AP": [0.8, 0.2], "other": [None, 0.1]})
    assert lines(axes)["AP"][:2] == ([0.5, 0.9], [0.8, 0.2])
    assert np.isnan(lines(axes)["other"][1][0])
    assert axes.get_xlabel() == "IoU threshold"
    with pytest.raises(DataError, match="AP: expected 2 values"):
        plot.plot_scores(axes, (0.5, 0.9), {"AP": [0.8]})


def test_plot_losses_from_a_log(axes, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,val_loss,learning_rate\n1,2.0,,0.1\n2,1.0,1.5,0.1\n3,0.9\n")
    plot.plot_losses(axes, log)
    assert lines(axes) == {"loss": ([1, 2], [2, 1], "-"), "val_loss": ([2], [1.5], "--")}
    assert axes.lines[0].get_color() == axes.lines[1].get_color()
    assert axes.get_yscale() == "log"


def test_plot_losses_chosen_columns_and_mappings(axes):
    plot.plot_losses(axes, {"epoch": [1, 2], "a": [-1, 0], "b": [1, 2]}, ["a"])
    assert list(lines(axes)) == ["a"]
    assert axes.get_yscale() == "linear"
    with pytest.raises(DataError, match="column 'c'"):
        plot.plot_losses(axes, {"epoch": [1]}, ["c"])


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "epoch"])
def test_short_and_foreign_logs(axes, tmp_path, content):
    log = tmp_path / "log.csv"
    log.write_text(content)
    if content == "epoch":
        plot.plot_losses(axes, log)
        assert not axes.lines
    else:
        with pytest.raises(DataError, match="column 'epoch'"):
            plot.plot_losses(axes, log)


def test_missing_log_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        plot.read_log(tmp_path / "nowhere.csv")


def test_figures_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "figure.png"
    plot.save_figure(path, lambda axes: plot.plot_scores(axes, [0.5], {"AP": [0.3]}), size=(2, 1), dpi=50)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ImageError, match="cannot be written"):
        plot.save_figure(tmp_path / "nowhere" / "figure.png", lambda axes: None)
