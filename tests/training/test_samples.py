"""Generated images: reproducible, labelled 1..n, of two kinds that can be told apart."""

from __future__ import annotations

import numpy as np
from skimage.measure import regionprops

from starpoly.training.samples import generate_nuclei


def test_the_same_for_the_same_seed():
    one, again, other = (generate_nuclei(seed, (64, 80), n_objects=6) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image, again.image)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert (one.image != other.image).any()
    assert one.image.shape == one.labels.shape == (64, 80)


def test_objects_are_numbered_bright_and_of_two_kinds():
    made = generate_nuclei(3, (300, 300), n_objects=60, elongated=0.5)
    ids = np.unique(made.labels)
    assert list(ids) == list(range(len(made.classes) + 1))
    assert len(ids) > 40
    assert made.image[made.labels > 0].mean() > 4 * made.image[made.labels == 0].mean()
    shapes = {kind: [] for kind in (1, 2)}
    for region in regionprops(made.labels):
        shapes[made.classes[region.label]].append(region.eccentricity)
    assert np.median(shapes[2]) > np.median(shapes[1]) + 0.2


def test_little_room_gives_few_objects():
    assert len(generate_nuclei(0, (30, 30), n_objects=50).classes) < 10
