"""Labels expand into the foreground, each to what it reaches first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from starpoly.geometry.label_expansion import expand_labels

import reference

CASES = {
    "follows a bend": ("1....\n.....", "#####\n....#", 9, "11111\n....1"),
    "no further than it may": ("1......", "#######", 3, "1111..."),
    "half of what lies between goes to each": ("1...2", "#####", 9, "11122"),
    "a tie goes to the smaller label": ("2.1", "###", 1, "211"),
    "what is another's stays": ("1.2..", "#####", 9, "11222"),
    "a label outside the foreground stays": ("1..", ".##", 9, "111"),
    "not over a corner": ("1.\n..", "#.\n.#", 9, "1.\n.."),
    "what nobody reaches stays free": ("1....", "##.##", 9, "11..."),
    "no distance": ("1..", "###", 0, "1.."),
}


def drawn(picture: str) -> np.ndarray:
    """Digits are labels, # is 1."""
    return np.array([[int(pixel.replace(".", "0").replace("#", "1")) for pixel in row] for row in picture.split("\n")])


@pytest.mark.parametrize("name", CASES)
def test_catalogue(name):
    labels, foreground, distance, expected = CASES[name]
    np.testing.assert_array_equal(expand_labels(drawn(labels), drawn(foreground) > 0, distance), drawn(expected))


@given(
    arrays(np.int32, (9, 11), elements=st.sampled_from([0, 0, 0, 0, 1, 2, 70_000])),
    arrays(bool, (9, 11)),
    st.integers(0, 12),
)
def test_twin(labels, foreground, distance):
    given_labels = labels.copy()
    np.testing.assert_array_equal(
        expand_labels(labels, foreground, distance), reference.expand_labels(given_labels, foreground, distance)
    )
    np.testing.assert_array_equal(labels, given_labels)


@given(
    arrays(np.int32, (14, 15), elements=st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3])),
    arrays(bool, (14, 15)),
    st.integers(0, 4),
)
def test_what_lies_further_away_has_no_say(labels, foreground, distance):
    whole = expand_labels(labels, foreground, distance)
    y0, x0 = max(0, 5 - distance), max(0, 6 - distance)
    part = (slice(y0, 9 + distance), slice(x0, 10 + distance))
    inside = expand_labels(labels[part], foreground[part], distance)
    np.testing.assert_array_equal(inside[5 - y0 : 9 - y0, 6 - x0 : 10 - x0], whole[5:9, 6:10])
