"""Pictures of images and objects: what is drawn, not how it looks."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from starpoly import matching, plot
from starpoly.errors import ImageError
from starpoly.io.writers.overlay import draw_overlay, inner_outlines
from starpoly.plot.matches import MATCH_COLORS

from support.examples import LABELS, POLYGONS, picture, stars, with_discs

GREY = np.linspace(0, 1000, 20 * 24).reshape(20, 24)


@pytest.fixture
def axes():
    return Figure().add_subplot()


def shown(axes):
    """The picture on the axes."""
    return np.asarray(axes.images[0].get_array())


def test_colors_depend_on_the_id_alone():
    colors = plot.label_colors([5, 1, 5])
    assert colors.shape == (3, 3)
    assert colors.dtype == np.uint8
    assert (colors[0] == colors[2]).all()
    assert (plot.label_colors(np.arange(1, 9).reshape(2, 4))[1, 0] == colors[0]).all()


@pytest.mark.parametrize("dark", [True, False])
def test_neighbours_differ_and_hues_are_the_same_on_dark_and_bright(dark):
    colors = plot.label_colors(np.arange(1, 2000), dark=dark).astype(int)
    assert colors.max(axis=1).min() > 170
    assert np.abs(np.diff(colors, axis=0)).sum(axis=1).min() > 100
    hues = [colorsys.rgb_to_hsv(*color)[0] for color in plot.label_colors([3, 4, 5], dark=dark) / 255]
    assert hues == pytest.approx([3 * 0.618034 % 1, 4 * 0.618034 % 1, 5 * 0.618034 % 1], abs=0.01)


def test_outlines_are_the_inner_boundaries():
    labels = np.kron(np.random.default_rng(0).integers(0, 4, (8, 9)), np.ones((4, 5), int))
    assert (inner_outlines(labels) == find_boundaries(labels, connectivity=1, mode="inner")).all()
    assert not inner_outlines(np.ones((4, 4), int)).any()


def test_outlines_are_those_of_the_overlay_but_never_reduced():
    labels = LABELS["border_cut"]
    assert (plot.outlines_on_image(GREY, labels) == draw_overlay(GREY, labels)).all()
    wide = np.zeros((2, 5000), np.uint8)
    assert plot.outlines_on_image(wide, wide).shape == (2, 5000, 3)


def test_outlines_are_drawn_in_the_objects_color():
    labels = np.zeros((20, 24), int)
    labels[5:10, 5:10] = 7
    drawn = plot.outlines_on_image(GREY**2, labels)  # dark
    assert (drawn[5, 5] == plot.label_colors(7)).all()
    assert np.ptp(drawn[7, 7]) == 0


def test_image_and_labels_of_different_shape_are_refused():
    with pytest.raises(ImageError, match=r"\(5, 4\) and \(4, 5\)"):
        plot.outlines_on_image(np.zeros((5, 4)), np.zeros((4, 5), int))


def test_plot_outlines(axes):
    plot.plot_outlines(axes, np.zeros((4, 5)), np.eye(4, 5, dtype=int), "title")
    assert shown(axes).shape == (4, 5, 3)
    assert axes.get_title() == "title"


def test_probability_lies_on_the_pixels_that_it_is_about(axes):
    probability = np.zeros((5, 6), np.float32)
    probability[2, 3] = 0.8
    drawn = plot.plot_probability(axes, GREY, probability, grid=(4, 4))
    left, right, bottom, top = drawn.get_extent()
    height, width = (bottom - top) / 5, (right - left) / 6
    assert (top + 2.5 * height, left + 3.5 * width) == (8, 12)  # (2, 3) on a grid of 4
    alpha = np.asarray(drawn.get_alpha())
    assert alpha[2, 3] > 0.5
    assert alpha.sum() == pytest.approx(alpha[2, 3])
    assert axes.get_xlim() == (-0.5, 23.5)
    assert axes.get_ylim() == (19.5, -0.5)


def test_rays_go_from_the_centres_to_the_vertices(axes):
    polygons = POLYGONS["apart"]
    plot.plot_rays(axes, GREY, polygons)
    rays, rings = (collection for collection in axes.collections[:2])
    segments = np.array(rays.get_segments())
    assert segments.shape == (2 * polygons.n_rays, 2, 2)
    np.testing.assert_allclose(segments[:, 0, ::-1], np.repeat(polygons.points, polygons.n_rays, axis=0))
    np.testing.assert_allclose(segments[:, 1, ::-1].reshape(2, -1, 2), polygons.vertices().transpose(0, 2, 1))
    assert len(rings.get_paths()) == 2
    colors = {to_rgba(color) for color in plot.label_colors([1, 2]) / 255}
    assert {tuple(color) for color in rings.get_edgecolor()} == colors


def test_no_polygons_can_be_drawn(axes):
    plot.plot_rays(axes, GREY, POLYGONS["empty"])
    plot.plot_candidates(axes, GREY, POLYGONS["empty"], POLYGONS["empty"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0 candidates", "0 kept"]


def test_candidates_are_thin_and_the_kept_stand_out(axes):
    candidates = stars(*[(8, 8 + 0.1 * k, 5) for k in range(30)])
    plot.plot_candidates(axes, GREY, candidates, candidates.take(np.array([0])), most=10)
    before, after = axes.collections
    assert (len(before.get_paths()), len(after.get_paths())) == (10, 1)
    assert before.get_linewidth()[0] < after.get_linewidth()[0]
    assert tuple(before.get_edgecolor()[0]) != tuple(after.get_edgecolor()[0])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["30 candidates", "1 kept"]


def test_matches_are_told_apart(axes):
    true = picture("11..33", "11..33", "......", "22....", "22....")
    pred = picture("55....", "55....", "....77", "22..77", "22....")
    ids = plot.plot_matches(axes, np.zeros(true.shape), true, pred)
    assert {kind: list(value) for kind, value in ids.items()} == {"matched": [2, 5], "false": [7], "missed": [3]}

    def at(y, x):
        return to_hex(shown(axes)[y, x] / 255).upper()

    assert (at(0, 1), at(3, 0)) == (MATCH_COLORS["matched"],) * 2
    assert at(2, 4) == MATCH_COLORS["false"]
    assert at(0, 4) == MATCH_COLORS["missed"]
    assert at(2, 2) == "#000000"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["2 matched", "1 false", "1 missed"]


@pytest.mark.parametrize("thresh", [0.3, 0.5, 0.9])
def test_matches_are_those_of_matching(axes, thresh):
    rng = np.random.default_rng(3)
    discs = [(y + 8, x + 8, 6) for y in range(0, 60, 15) for x in range(0, 60, 15)]
    true = with_discs((70, 70), *discs)
    pred = with_discs(
        (70, 70), *[(y + rng.normal(0, 2), x, r + rng.normal(0, 1)) for y, x, r in discs[2:]], (66, 66, 3)
    )
    ids = plot.plot_matches(axes, np.zeros(true.shape), true, pred, thresh)
    stats = matching(true, pred, thresh)
    assert tuple(map(len, ids.values())) == (stats.tp, stats.fp, stats.fn)


def test_matches_of_different_shapes_are_refused(axes):
    with pytest.raises(ImageError, match="one size"):
        plot.plot_matches(axes, np.zeros((4, 5)), np.zeros((4, 5), int), np.zeros((5, 4), int))
