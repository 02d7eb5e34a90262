"""The learning rate over a training."""

from __future__ import annotations

import keras
import pytest

from starpoly.training.learning_rate import WarmupCosine


@pytest.mark.parametrize(("warmup", "steps"), [(0, 1), (0, 40), (10, 40), (30, 40), (100, 7)])
def test_is_the_cosine_decay_of_keras(warmup, steps):
    rise = min(warmup, steps // 2)
    expected = keras.optimizers.schedules.CosineDecay(
        2e-5, max(1, steps - rise), 0.01, warmup_target=1e-3, warmup_steps=max(1, rise)
    )
    found = WarmupCosine(1e-3, warmup, steps)
    for step in range(steps + 3):
        assert float(found(step)) == pytest.approx(float(expected(step)), rel=1e-4)


def test_the_same_from_its_configuration():
    schedule = WarmupCosine(1e-3, 30, 40)
    again = WarmupCosine.from_config(schedule.get_config())
    assert [float(again(step)) for step in (0, 5, 39)] == [float(schedule(step)) for step in (0, 5, 39)]
