"""Constant windows cost no network, and results are the same bit for bit as if they did."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import Thresholds
from starpoly.detection import constant_windows
from starpoly.detection.constant_windows import ConstantWindows, is_constant
from starpoly.detection.pipeline import detect
from starpoly.images.normalization import Normalizer, fit_normalizer
from starpoly.labels.mask_growth import ForegroundMask
from starpoly.network.dense_output import DenseOutput
from starpoly.tiling import Box

from support.painted import Bright, BrightModel, Painted

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")

THRESHOLDS = Thresholds(0.5, 0.4)


class AnyAnswer(Painted):
    """A network that is no painting: what it finds in a constant window depends on the intensity and on the place."""

    def __init__(self, seed: int, finds: float, **settings):
        super().__init__(max_distance=6.0, halo=(4, 4), **settings)
        self._seed, self._finds = seed, finds

    def __call__(self, batch):
        self.windows.append(batch.shape)
        rng = np.random.default_rng([self._seed, *batch.shape[1:3]])
        place = rng.uniform(0, self._finds, batch.shape[1:3]).astype(np.float32)
        grey = batch.mean(axis=-1)
        edges = np.zeros(batch.shape[1:3], np.float32)
        edges[:2] = edges[:, -2:] = 0.3
        probability = np.clip(place * (0.4 + np.abs(np.sin(5 * grey))) + edges * (grey == 0), 0, 1)
        distances = np.full((*batch.shape[:3], self.n_rays), 2.5, np.float32)
        foreground = probability[..., None] if self.has_foreground else None
        return DenseOutput(probability=probability, distances=distances, foreground=foreground)


def found_in(image, network, normalizer, tile_size):
    mask = ForegroundMask(image.shape[:2], 3, 0.6) if network.has_foreground else None
    found = detect(image, network, normalizer, THRESHOLDS, tile_size=tile_size, foreground=mask)
    pixels = None if mask is None else mask.region(Box(0, 0, *image.shape[:2]))
    return found.polygons, found.n_candidates, pixels


@given(
    seed=st.integers(0, 99),
    finds=st.sampled_from([0.2, 0.9, 1.2]),
    has_foreground=st.booleans(),
    dtype=st.sampled_from(["uint8", "float32"]),
    fitted=st.booleans(),
)
def test_the_same_bits_with_and_without(seed, finds, has_foreground, dtype, fitted):
    rng = np.random.default_rng(seed)
    image = np.kron(rng.choice([0, 0, 0, 40, 90], (3, 4, 1)), np.ones((16, 16, 1))).astype(dtype)
    image[:16, :16] += rng.integers(0, 2, (16, 16, 1)).astype(dtype)
    if dtype == "float32":
        image[20, 20] = np.nan
    network = AnyAnswer(seed, finds, has_foreground=has_foreground)
    normalizer = fit_normalizer(image, warn=False) if fitted else Normalizer((0.0,), (90.0,))
    found = found_in(image, network, normalizer, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstantWindows, "is_empty", lambda self, key: False)
        network.windows.clear()
        wanted = found_in(image, network, normalizer, 20)
    for have, want in zip(found, wanted, strict=True):
        if hasattr(have, "points"):
            for name in ("points", "distances", "probabilities"):
                np.testing.assert_array_equal(getattr(have, name), getattr(want, name), strict=True)
        else:
            np.testing.assert_array_equal(have, want, strict=True)


def asked(image, **settings):
    """How many windows of an image a network is asked about."""
    model = BrightModel()
    network = model._predictor = Counting()
    model.detect(image, tile_size=32, scale=1.0, **settings)
    return len(network.windows), len(model.plan(image.shape, 32))


class Counting(Bright):
    def __call__(self, batch):
        self.windows.append(batch.shape)
        return super().__call__(batch)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_slide_of_one_intensity_asks_the_network_once(value, monkeypatch):
    monkeypatch.setattr("starpoly.detection.pipeline._BESIDE_READERS", 0)  # else two threads may meet the first window
    n_asked, n_tiles = asked(np.full((200, 300), value, np.uint8))
    assert (n_asked, n_tiles > 50) == (1, True)


def test_only_what_is_not_constant_is_asked_for(monkeypatch):
    monkeypatch.setattr("starpoly.detection.pipeline._BESIDE_READERS", 0)
    image = np.zeros((200, 300), np.uint8)
    image[100:104, 100:104] = 200
    n_asked, n_tiles = asked(image)
    assert 2 <= n_asked < 12 < n_tiles


def test_windows_that_hold_something_are_always_asked_for():
    constants, answer = ConstantWindows(), DenseOutput(probability=np.eye(4, dtype=np.float32))
    key = constants.key_of(np.zeros((4, 4, 1)))
    constants.note(key, answer, 0.5, None)
    assert not constants.is_empty(key)
    constants.note(key, answer, 1.0, None)
    assert constants.is_empty(key)
    assert not constants.is_empty(constants.key_of(np.zeros((4, 8, 1))))
    assert not constants.is_empty(constants.key_of(np.ones((4, 4, 1))))
    assert not constants.is_empty(None)
    assert not pickle.loads(pickle.dumps(constants)).is_empty(key)
    foreground = DenseOutput(probability=np.zeros((4, 4), np.float32), foreground=np.ones((4, 4, 1), np.float32))
    other = constants.key_of(np.ones((4, 4, 1)))
    constants.note(other, foreground, 0.5, 0.5)
    assert not constants.is_empty(other)


def test_memory_for_intensities_is_bounded(monkeypatch):
    monkeypatch.setattr(constant_windows, "_MOST", 3)
    constants, nothing = ConstantWindows(), DenseOutput(probability=np.zeros((2, 2), np.float32))
    for value in range(9):
        constants.note(constants.key_of(np.full((2, 2, 1), value)), nothing, 0.5, None)
    assert len(constants._empty) == 3


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.zeros((200, 3, 2)), True),
        (np.full((200, 3, 2), [1, 2]), True),
        (np.eye(3)[..., None], False),
        (np.pad(np.zeros((198, 1, 1)), ((1, 1), (0, 0), (0, 0)), constant_values=1), False),
        (np.full((4, 4, 1), np.nan), False),
    ],
)
def test_constant_in_every_channel(image, expected):
    assert is_constant(image) == expected
