"""A training's length from the minutes that there are."""

from __future__ import annotations

import pytest

from starpoly.config import TrainingConfig
from starpoly.errors import StarpolyWarning
from starpoly.training import time_budget
from starpoly.training.time_budget import fit_length, time_steps


@pytest.mark.parametrize(
    ("seconds", "step", "epochs", "per_epoch", "every"),
    [
        (3600, 0.36, 78, 100, 4),
        (600, 1.0, 4, 100, 1),
        (60, 1.0, 4, 12, 1),
        (5, 1.0, 4, 1, 1),
        (36_000, 0.1, 2842, 100, 4),
    ],
)
def test_as_many_epochs_as_fit(seconds, step, epochs, per_epoch, every):
    found = fit_length(TrainingConfig(), seconds, step)
    assert (found.epochs, found.steps_per_epoch, found.validate_every) == (epochs, per_epoch, every)
    assert found.epochs * found.steps_per_epoch * step <= 0.8 * seconds
    assert found.replace(epochs=80, steps_per_epoch=100, validate_every=4) == TrainingConfig()


def test_too_little_time_is_said_and_the_least_is_trained():
    with pytest.warns(
        StarpolyWarning, match=r"4 steps of 30 s after 40 s of preparation, got 60 s; these few are taken"
    ):
        least = fit_length(TrainingConfig(), 60, 30.0, preparation=40.0)
    assert (least.epochs, least.steps_per_epoch, least.validate_every) == (4, 1, 1)


def test_short_epochs_leave_time_for_their_validation():
    short = fit_length(TrainingConfig(steps_per_epoch=2, validation_patches=240, validate_every=1), 100, 1.0)
    assert short.epochs * (2 + 240 / 8 / 3) <= 0.8 * 100


@pytest.mark.parametrize(("seconds", "steps"), [(0.5, 11), (6.0, 3), (20.0, 2)])
def test_slow_steps_are_timed_less_often_and_the_first_apart(monkeypatch, seconds, steps):
    class Slow:
        clock, n = 0.0, 0

        def train_on_batch(self, images, targets):
            self.clock += seconds if self.n else 99.0
            self.n += 1

    model = Slow()
    monkeypatch.setattr(time_budget.time, "monotonic", lambda: model.clock)
    assert time_steps(model, ((None, None) for _ in range(11))) == (seconds, 99.0)
    assert model.n == steps
