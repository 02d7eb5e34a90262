"""Objects of neighbouring planes are linked as a slow search over all masks links them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ConfigError, ImageError, StarpolyWarning
from starpoly.labels import link_objects, linking
from starpoly.tiling import Box

import reference
from support.examples import LABELS, picture
from support.painted import disks


class Labels:
    """An array as labels by region."""

    def __init__(self, labels):
        self.labels, self.shape, self.dtype = labels, labels.shape, labels.dtype

    def region(self, box: Box, step: int = 1):
        return self.labels[box.slices][::step, ::step]


def link(before, after, min_iou=0.25):
    return link_objects(Labels(np.asarray(before)), Labels(np.asarray(after)), min_iou).tolist()


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.integers(1, 40))
def test_greedy_over_all_pairs(seed, min_iou, at_once):
    rng = np.random.default_rng(seed)
    before = disks((25, 31), seed)
    after = np.roll(before, rng.integers(-3, 4, 2), (0, 1)) if seed % 2 else disks((25, 31), seed + 1)
    patch = pytest.MonkeyPatch()
    patch.setattr(linking, "_AT_ONCE", at_once)
    found = dict(link(before, after, min_iou))
    patch.undo()
    wanted = reference.linked_stack(np.stack([before, after])[:, None], 0, min_iou)
    fresh = reference.linked_stack(np.stack([before, 0 * before])[:, None], 0, min_iou)[0, 0]
    for b in np.unique(after[after > 0]):
        (new,) = np.unique(wanted[1, 0][after == b])
        partners = {a for a, i in found.items() if i == b}
        assert partners == {int(a) for a in np.unique(before[fresh == new]) if a}


def test_ties_go_to_the_smaller_ids():
    assert link(picture("1122"), picture(".33.")) == [[1, 3]]
    assert link(picture(".33."), picture("1122")) == [[3, 1]]
    assert link(picture("1111"), picture("2233")) == [[1, 2]]


def test_the_best_pair_comes_first():
    # 2 and 1 share more of themselves than 1 and 1
    assert link(picture("11222222"), picture("11111111")) == [[2, 1]]


def test_a_weak_overlap_is_no_link():
    assert link(picture("11111..."), picture("....1111")) == []
    assert link(picture("11111..."), picture("....1111"), 0.125) == [[1, 1]]


@pytest.mark.parametrize("name", LABELS)
def test_a_plane_is_linked_to_itself(name):
    labels = LABELS[name].astype(np.uint32)
    assert link(labels, labels) == [[int(i), int(i)] for i in np.unique(labels) if i]


def test_planes_of_other_sizes_are_refused():
    with pytest.raises(ImageError, match="expected planes of one size"):
        link(np.zeros((3, 4), int), np.zeros((4, 3), int))


def test_axes_that_can_be_linked():
    linking.check_link("z", "TZ", "a")
    with pytest.warns(StarpolyWarning, match="a: expected planes along z to link, got one plane"):
        linking.check_link("z", "", "a")
    with pytest.raises(ConfigError, match="expected one of z, t"):
        linking.check_link("y", "TZ", "a")
    with pytest.raises(ImageError, match="use link t"):
        linking.check_link("z", "T", "a")


def test_ids_run_on_or_are_handed_on():
    ids = linking.StackIds([2, 0, 3])
    assert [ids.of(n).tolist() for n in range(3)] == [[0, 1, 2], [0], [0, 3, 4, 5]]
    assert (ids.n_objects, ids.dtype) == (5, np.uint16)
    ids.link([(None, np.zeros((0, 2), int)), (0, np.zeros((0, 2), int)), (0, np.array([[2, 1], [1, 3]]))])
    assert [ids.of(n).tolist() for n in range(3)] == [[0, 1, 2], [0], [0, 2, 3, 1]]
    assert ids.n_objects == 3
