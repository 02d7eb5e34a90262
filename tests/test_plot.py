"""Pictures: what is drawn, not how it looks."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from starpoly import plot
from starpoly.errors import DataError, ImageError


@pytest.fixture
def axes():
    return Figure().add_subplot()


def lines(axes):
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()), line.get_linestyle()) for line in axes.lines
    }


def test_colors_depend_on_the_id_alone():
    colors = plot.label_colors([5, 1, 5])
    assert colors.shape == (3, 3)
    assert colors.dtype == np.uint8
    assert (colors[0] == colors[2]).all()
    assert (plot.label_colors(np.arange(1, 9).reshape(2, 4))[1, 0] == colors[0]).all()


def test_colors_are_bright_and_neighbours_differ():
    colors = plot.label_colors(np.arange(1, 2000)).astype(int)
    assert colors.max(axis=1).min() > 190
    assert np.abs(np.diff(colors, axis=0)).sum(axis=1).min() > 100
    hues = [colorsys.rgb_to_hsv(*color)[0] for color in plot.label_colors([3, 4, 5]) / 255]
    assert hues == pytest.approx([3 * 0.618034 % 1, 4 * 0.618034 % 1, 5 * 0.618034 % 1], abs=0.01)


def test_outlines_are_the_inner_boundaries():
    labels = np.kron(np.random.default_rng(0).integers(0, 4, (8, 9)), np.ones((4, 5), int))
    assert (plot.inner_outlines(labels) == find_boundaries(labels, connectivity=1, mode="inner")).all()
    assert not plot.inner_outlines(np.ones((4, 4), int)).any()


def test_outlines_are_drawn_in_the_objects_color_on_a_grey_image():
    image, labels = np.linspace(0, 1000, 400).reshape(20, 20), np.zeros((20, 20), int)
    labels[5:10, 5:10] = 7
    picture = plot.outlines_on_image(image, labels)
    assert (picture[5, 5] == plot.label_colors(7)).all()
    assert np.ptp(picture[7, 7]) == 0
    assert (picture[0, 0], picture[-1, -1]) == (pytest.approx(0), pytest.approx(255))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5)),
        np.full((4, 5), np.nan),
        np.full((4, 5, 1), 9, np.uint16),
        np.ones((4, 5, 2), bool),
        np.random.default_rng(0).integers(0, 255, (4, 5, 4)).astype(np.uint8),
    ],
)
def test_any_image_can_be_shown(image):
    picture = plot.outlines_on_image(image, np.zeros((4, 5), int))
    assert (picture.shape, picture.dtype) == ((4, 5, 3), np.uint8)


def test_image_and_labels_of_different_shape_are_refused():
    with pytest.raises(ImageError, match=r"\(4, 5\), got \(5, 4\)"):
        plot.outlines_on_image(np.zeros((5, 4)), np.zeros((4, 5), int))


def test_plot_outlines(axes):
    plot.plot_outlines(axes, np.zeros((4, 5)), np.eye(4, 5, dtype=int), "title")
    assert axes.images[0].get_array().shape == (4, 5, 3)
    assert axes.get_title() == "title"


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
    with pytest.raises(ImageError, match="cannot write"):
        plot.save_figure(tmp_path / "nowhere" / "figure.png", lambda axes: None)
