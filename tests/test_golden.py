"""The shipped models find on every processor what they found when they were released, within a stated tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly import model_zoo

from support.golden import NAMES, TOLERANCE, differences, objects_of, stored

MODELS = model_zoo.available_models()


def test_every_model_has_golden_objects():
    found = stored()
    assert sorted(found) == MODELS
    assert all(len(found[model][name]) > 5 for model in MODELS for name in NAMES)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")  # tissue in colour, and models for one channel
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_objects_are_those_of_the_release(model, name):
    expected = stored()[model][name]
    alone, apart = differences(expected, objects_of(model, name))
    # an object whose probability lies at the threshold, or two that compete, may go either way
    assert alone <= max(1, 0.02 * len(expected))
    assert (np.array(apart) <= TOLERANCE).all(), apart


def test_differences_are_seen():
    expected = np.array([[5.0, 5, 10, 0.9], [30, 30, 12, 0.8], [60, 60, 9, 0.7]])
    assert differences(expected, expected) == (0, (0, 0, 0, 0))
    moved = np.add(expected, [[0.5, 0, 1, -0.1], [0, 0, 0, 0], [5, 0, 0, 0]])
    alone, apart = differences(expected, moved)
    assert alone == 2
    np.testing.assert_allclose(apart, (0.5, 0, 0.1, 0.1))
    assert differences(expected, expected[:2])[0] == 1
