"""What every head has to do: layers, target, loss and symmetry that fit one another."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from starpoly.config import NetworkConfig, TrainingConfig
from starpoly.errors import ConfigError
from starpoly.network.architectures.registry import build_network
from starpoly.network.heads.label_patch import LabelPatch
from starpoly.network.heads.registry import HEADS, heads_of
from starpoly.network.symmetry import Symmetry

TINY = NetworkConfig(
    n_rays=8, n_classes=2, grid=(2, 2), depth=1, base_filters=4, head_filters=4, foreground_filters=4,
    more_heads=tuple(set(HEADS) - {"probability", "distances", "classes", "foreground"}),
)  # fmt: skip
LABELS = np.zeros((16, 24), np.int32)
LABELS[2:9, 3:11] = 1
LABELS[8:14, 12:20] = 2
LABELS[:2, :2] = -1
CLASSES = np.array([0, 2, 0])


def target_of(head):
    patch = LabelPatch(LABELS, TINY.grid, CLASSES, object_balance=0.5)
    out = np.full((8, 12, head.target_channels(TINY)), np.nan, np.float32)
    head.fill_target(patch, out)
    return out


def test_a_network_has_the_heads_of_its_config():
    plain = TINY.replace(n_classes=0, foreground_filters=0, more_heads=())
    assert [head.name for head in heads_of(plain)] == ["probability", "distances"]
    assert [head.name for head in heads_of(TINY)] == list(HEADS)
    with pytest.raises(ConfigError, match="head: expected one of probability, distances"):
        heads_of(TINY.replace(more_heads=("nose",)))


def test_layers_answer_as_many_channels_as_the_head_says():
    outputs = build_network(TINY)(np.zeros((1, 16, 24, 1), np.float32))
    assert {name: value.shape[-1] for name, value in outputs.items()} == {
        head.name: head.channels(TINY) for head in heads_of(TINY)
    }


@pytest.mark.parametrize("name", HEADS)
def test_a_target_is_written_whole_and_its_loss_is_a_number(name):
    head = HEADS[name]
    assert head.name == name
    target = target_of(head)
    assert np.isfinite(target).all()
    predicted = np.full((1, 8, 12, head.channels(TINY)), 0.3, np.float32)
    loss = float(head.loss(TINY, TrainingConfig())(target[None], predicted))
    assert np.isfinite(loss)
    assert loss > 0


@pytest.mark.parametrize("name", HEADS)
def test_what_a_symmetry_left_is_where_it_belongs(name, rng):
    head = HEADS[name]
    values = rng.random((2, 4, 6, head.channels(TINY))).astype(np.float32)
    same, seen = head.realign(values, Symmetry(), TINY.grid)
    np.testing.assert_array_equal(same, values)
    assert seen == 1
    for transposed, flipped_y, flipped_x in itertools.product((False, True), repeat=3):
        aligned, seen = head.realign(values, Symmetry(transposed, flipped_y, flipped_x), TINY.grid)
        assert aligned.shape == ((2, 6, 4) if transposed else (2, 4, 6)) + values.shape[3:]
        seen = np.broadcast_to(seen, aligned.shape)
        # every value is there once, but for pixels beyond the mirror image, which are 0
        assert set(aligned[seen == 1]) <= set(values.ravel())
        assert not aligned[seen == 0].any()


def test_bounds_of_what_leaves_the_network():
    spec = SimpleNamespace(max_distance=9.0)
    values = np.array([[-1.0, 4.0, 20.0]], np.float32)
    bounded = np.asarray(HEADS["distances"].bound(values, spec))
    np.testing.assert_array_equal(bounded, np.array([[1e-3, 4, 9]], np.float32))
    assert HEADS["probability"].bound(values[..., None], spec).shape == values.shape
