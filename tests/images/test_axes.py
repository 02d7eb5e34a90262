"""Images of any order of axes become YX or YXC, and results go back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import ImageError
from starpoly.images.axes import to_yxc

LENGTHS = {"Y": 4, "X": 5, "C": 3, "S": 1, "T": 1, "Z": 1}


@given(st.sampled_from(["YX", "YXC"]), st.sets(st.sampled_from("STZ")), st.randoms())
def test_any_order_of_axes_is_the_same_image(wanted, singletons, random):
    image = np.arange(60).reshape(4, 5, 3)[..., : 3 if "C" in wanted else 1].squeeze()
    axes = random.sample(wanted + "".join(sorted(singletons)), len(wanted) + len(singletons))
    stored = image.reshape(image.shape + (1,) * len(singletons)).transpose(
        [(wanted + "".join(sorted(singletons))).index(letter) for letter in axes]
    )
    found, restore = to_yxc(stored, "".join(axes))
    np.testing.assert_array_equal(found, image)
    plane = image if image.ndim == 2 else image[..., 0]
    expected = plane if axes.index("Y") < axes.index("X") else plane.T
    np.testing.assert_array_equal(restore(plane), expected)


@pytest.mark.parametrize("axes", ["".join(order) for order in itertools.permutations("CYX")])
def test_nothing_is_copied(axes):
    stored = np.zeros([LENGTHS[letter] for letter in axes])
    assert np.shares_memory(to_yxc(stored, axes.lower())[0], stored)


def test_nested_lists_are_images():
    assert to_yxc([[1, 2, 3]], "XY")[0].tolist() == [[1], [2], [3]]


class Lazy:
    """Must not be read."""

    shape = (4, 5, 3)


def test_an_image_on_disk_is_left_as_it_is():
    lazy = Lazy()
    assert to_yxc(lazy, "YXC")[0] is lazy
    with pytest.raises(ImageError, match="expected YX or YXC of an image that is not in memory, got CYX; convert"):
        to_yxc(lazy, "CYX")


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((4, 5), "YQ", "each once .* got 'YQ'; name the axes"),
        ((4, 5), "YY", "each once"),
        ((4, 5), "CY", "expected Y, X"),
        ((4, 5), "", "expected Y, X"),
        ((4, 5), "YXC", r"each of the image's 2 axes, got 'YXC' for shape \(4, 5\); name them all"),
        ((7, 4, 5), "ZYX", r"a single 2D image, got Z of length 7 in shape \(7, 4, 5\); predict the planes one by one"),
        ((7, 4, 5, 2), "TYXS", "T of length 7 and S of length 2"),
    ],
)
def test_other_axes_are_refused(shape, axes, message):
    with pytest.raises(ImageError, match=message):
        to_yxc(np.zeros(shape), axes)
