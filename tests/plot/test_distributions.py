"""Histograms, precision and recall, reliability: the numbers that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from starpoly import plot
from starpoly.errors import DataError
from starpoly.evaluation.scored import ScoredMatches


@pytest.fixture
def axes():
    return Figure().add_subplot()


def matches(scores, ious, n_true):
    return ScoredMatches(np.array(scores, np.float32), np.array(ious, float), n_true)


def heights(axes):
    return [patch.get_height() for patch in axes.patches]


def test_sizes_are_counted_and_the_models_are_shown(axes):
    plot.plot_sizes(axes, [5, 10, 10, 20, 0, np.nan], known=(6.0, 11.0, 30.0))
    assert sum(heights(axes)[:30]) == 4
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["median 10", "training data, 5 to 95 %"]
    band = axes.patches[30]
    assert (band.get_x(), band.get_x() + band.get_width()) == (6.0, 30.0)


@pytest.mark.parametrize("diameters", [[], [0, np.nan]])
def test_no_sizes(axes, diameters):
    plot.plot_sizes(axes, diameters, known=(0.0, 0.0, 0.0), unit="µm")
    assert not axes.patches
    assert axes.get_xlabel() == "diameter (µm)"


def test_one_size(axes):
    plot.plot_sizes(axes, [7.0])
    assert sum(heights(axes)) == 1


def test_scores_are_counted(axes):
    plot.plot_score_histogram(axes, [0.1, 0.5, 0.51, 1.0, np.nan], threshold=0.4)
    assert sum(heights(axes)) == 4
    assert axes.lines[0].get_xdata()[0] == 0.4


def test_precision_over_recall(axes):
    found = matches([0.9, 0.8, 0.8, 0.3], [0.7, 0.1, 0.6, 0.9], 4)
    plot.plot_precision_recall(axes, found, threshold=0.5)
    curve, mark = axes.lines
    assert list(curve.get_xdata()) == [0.25, 0.5, 0.75]
    assert list(curve.get_ydata()) == pytest.approx([1, 2 / 3, 3 / 4])
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0.5, pytest.approx(2 / 3))
    assert axes.get_legend() is None


def test_precision_over_recall_of_several(axes):
    plot.plot_precision_recall(
        axes, {"a": matches([0.9], [0.7], 1), "nothing found": matches([], [], 1)}, threshold=0.5
    )
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "nothing found"]
    with pytest.raises(DataError, match="one true object"):
        plot.plot_precision_recall(axes, matches([0.9], [0.0], 0))


def test_reliability(axes):
    table = plot.plot_reliability(axes, matches([0.15, 0.85, 0.95, 0.91], [0.0, 0.8, 0.8, 0.2], 3), n_bins=10)
    assert heights(axes) == [0, 0.25, 0, 0, 0, 0, 0, 0, 0.25, 0.5]
    assert list(axes.lines[1].get_ydata()) == [0, 1, 0.5]
    assert axes.lines[1].get_xdata() == pytest.approx([0.15, 0.85, 0.93])
    assert table.error == pytest.approx((0.15 + 0.15 + 2 * 0.43) / 4)


def test_reliability_of_nothing(axes):
    assert np.isnan(plot.plot_reliability(axes, matches([], [], 3)).error)
    with pytest.raises(DataError, match=r"0\.5"):
        plot.plot_reliability(axes, matches([], [], 3), iou=0.3)
