"""Test-time augmentation against the same average taken pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import TTA, Thresholds
from starpoly.detection.pipeline import detect
from starpoly.detection.test_time import Averaged, symmetries
from starpoly.errors import ConfigError
from starpoly.images.normalization import Normalizer
from starpoly.network.dense_output import DenseOutput
from starpoly.network.footprint import Footprint
from starpoly.network.grid_cells import to_cells

from reference import average_over_symmetries
from support.painted import PaintedModel, disks, paint


class Lopsided:
    """A network that looks to one side: what it says differs from mirror image to mirror image.

    At (y, x) it answers with weighted sums over the 3 x 3 pixels that begin there, reflected at the far ends.
    """

    stride, max_distance, n_classes, ray_context, tile_size = (4, 4), 9.0, 1, (), 64

    def __init__(self, grid=(1, 1), n_rays=8, has_foreground=True):
        self.grid, self.n_rays, self.has_foreground = grid, n_rays, has_foreground
        self.footprints = tuple(Footprint.of_radius(2, 4, step) for step in grid)
        rng = np.random.default_rng(5)
        self.weights = rng.uniform(0, 1, (3, 3, n_rays + 3)).astype(np.float32)

    def sums(self, image):
        """(y, x) to (y, x, n_rays + 3): probability, foreground, class, distances."""
        padded = np.pad(image, (0, 2), mode="reflect")
        height, width = image.shape
        return sum(
            padded[dy : dy + height, dx : dx + width, None] * self.weights[dy, dx] for dy in range(3) for dx in range(3)
        )

    def __call__(self, batch):
        every = (slice(None), slice(None, None, self.grid[0]), slice(None, None, self.grid[1]))
        said = np.stack([self.sums(image[..., 0]) for image in batch])
        on_grid = said[every]
        classes = np.stack([on_grid[..., 2], 1 - on_grid[..., 2]], -1)
        foreground = np.stack([to_cells(one[..., 1], self.grid) for one in said]) if self.has_foreground else None
        return DenseOutput(
            probability=on_grid[..., 0], distances=on_grid[..., 3:], classes=classes, foreground=foreground
        )


@given(
    grid=st.sampled_from([(1, 1), (2, 2), (4, 4), (1, 2), (4, 2)]),
    tta=st.sampled_from(list(TTA)),
    rows=st.integers(2, 5),
    columns=st.integers(2, 5),
    n_rays=st.sampled_from([4, 8, 12]),
    seed=st.integers(0, 99),
)
def test_equals_the_average_taken_pixel_by_pixel(grid, tta, rows, columns, n_rays, seed):
    if tta == "all" and grid[0] != grid[1]:
        tta = "flips"
    network = Lopsided(grid, n_rays)
    batch = np.random.default_rng(seed).uniform(size=(2, 4 * rows, 4 * columns, 1)).astype(np.float32)
    answer = Averaged(network, tta)(batch)
    expected = average_over_symmetries(network, batch, TTA[tta])
    for name in ("probability", "distances", "classes", "foreground"):
        np.testing.assert_allclose(getattr(answer, name), expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_without_augmentation_the_answer_is_the_networks_own():
    network, batch = Lopsided((2, 2)), np.random.default_rng(0).uniform(size=(1, 16, 16, 1)).astype(np.float32)
    once, plain = Averaged(network, "none")(batch), network(batch)
    for name in ("probability", "distances", "classes", "foreground"):
        np.testing.assert_array_equal(getattr(once, name), getattr(plain, name))


def test_what_is_not_there_stays_away():
    network = Lopsided(has_foreground=False)
    assert Averaged(network, "all")(np.zeros((1, 8, 8, 1), np.float32)).foreground is None


@pytest.mark.parametrize("tta", ["flips", "all"])
@pytest.mark.parametrize("grid", [(1, 1), (2, 2)])
def test_labels_do_not_depend_on_the_tiles(tta, grid):
    image = disks((90, 110), 3, 20)[..., None]
    network = Averaged(Lopsided(grid, has_foreground=False), tta)
    dim = (image > 0).astype(np.float32) / 5  # sums over nine pixels stay within the bounds of probabilities
    plain = Normalizer((0.0,), (1.0,))
    found = [detect(dim, network, plain, Thresholds(0.7, 0.3), tile_size=size).polygons for size in (128, 48, 36)]
    assert len(found[0]) > 3
    for other in found[1:]:
        np.testing.assert_array_equal(other.points, found[0].points)
        np.testing.assert_array_equal(other.distances, found[0].distances)


@pytest.mark.parametrize(
    ("tta", "settings", "said"),
    [
        ("twice", {}, "expected one of none, flips, all, got 'twice'"),
        ("flips", {"n_rays": 9}, "a multiple of 2, got 9"),
        ("all", {"n_rays": 10}, "a multiple of 4, got 10"),
        ("all", {"grid": (1, 2)}, "the same grid along y and x"),
    ],
)
def test_what_cannot_be_is_refused(tta, settings, said):
    with pytest.raises(ConfigError, match=said):
        symmetries(tta, Lopsided(**settings))


def test_a_model_asks_eight_times():
    model = PaintedModel()
    image = paint(disks((40, 32), 1, 3))
    model.detect(image)
    once = len(model._predictor.windows)
    model.detect(image, tta="all")
    assert len(model._predictor.windows) == 9 * once
