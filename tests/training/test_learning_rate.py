"""The learning rate over a training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from starpoly.training.learning_rate import AdamW, WarmupCosine


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


def test_the_optimizer_takes_the_steps_of_keras_and_asks_for_the_rate_once_in_each():
    def stepped(kind) -> tuple[list[np.ndarray], int]:
        asked = []

        class Watched(WarmupCosine):
            def __call__(self, step):
                asked.append(1)
                return super().__call__(step)

        optimizer = kind(Watched(1e-1, 2, 6), weight_decay=0.5, global_clipnorm=5.0, use_ema=True)
        variables = [keras.Variable(np.full(3, value)) for value in (1.0, -2.0)]
        optimizer.build(variables)
        for step in range(5):
            optimizer.apply([step - variable for variable in variables], variables)
        assert float(optimizer.learning_rate) == pytest.approx(float(WarmupCosine(1e-1, 2, 6)(5)))
        return [keras.ops.convert_to_numpy(variable) for variable in optimizer.variables + variables], len(asked) - 1

    (found, once), (expected, _) = stepped(AdamW), stepped(keras.optimizers.AdamW)
    assert once == 5
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
