"""Axes of pictures, and logarithmic axes with plain numbers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from starpoly.plot.axes import explain_colors, label_logarithmic, show_picture


@pytest.fixture
def axes():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def test_pictures_have_a_title_and_no_ticks(axes):
    show_picture(axes, np.zeros((4, 6, 3), np.uint8), "title")
    assert axes.get_title() == "title"
    assert not axes.axison
    assert axes.get_xlim() == (-0.5, 5.5)


def test_colors_are_explained_in_order(axes):
    explain_colors(axes, {"3 found": "red", "1 missed": "blue"})
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["3 found", "1 missed"]
    assert [line.get_color() for line in legend.get_lines()] == ["red", "blue"]


@pytest.mark.parametrize(
    ("low", "high", "some"),
    [(0.4, 1.3, {"0.4", "0.6", "1"}), (0.97, 1.9, {"1", "1.4"}), (3, 500, {"5", "10", "20", "100"})],
)
def test_there_are_plain_numbers_on_short_and_long_axes(axes, low, high, some):
    axes.plot([0, 1], [low, high])
    axes.set_yscale("log")
    label_logarithmic(axes.yaxis)
    axes.figure.canvas.draw()
    shown = {label.get_text() for label in axes.get_yticklabels()}
    assert some <= shown
    assert not any("$" in text for text in shown)
