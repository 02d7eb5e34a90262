"""What scores are worth: measured, told, and asked for."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import ConfigError, StarpolyWarning
from starpoly.evaluation.scored import ScoredMatches
from starpoly.labels.confidence import confidence
from starpoly.labels.measurements import with_confidence
from starpoly.training.calibration import fit_calibration

from support.painted import PaintedModel, disks, paint

KNOWN = ((0.2, 0.1), (0.6, 0.5), (0.8, 0.9))


def matches(n: int = 4000) -> ScoredMatches:
    """Objects that are right with a chance equal to their score."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 1, n).astype(np.float32)
    return ScoredMatches(scores, np.where(rng.random(n) < scores, 0.8, 0.3), n)


def test_chances_are_linear_between_and_constant_beyond_what_was_measured():
    np.testing.assert_allclose(confidence([0.0, 0.4, 0.8, 1.0], KNOWN), [0.1, 0.3, 0.9, 0.9])


def test_a_model_that_was_not_calibrated_says_so():
    with pytest.raises(ConfigError, match="calibrated"):
        confidence([0.5], ())


def test_calibration_finds_the_chance_and_never_falls():
    calibration = fit_calibration(matches())
    scores, chances = np.transpose(calibration)
    np.testing.assert_allclose(chances, scores, atol=0.07)
    assert (np.diff(chances) >= 0).all()
    assert (np.diff(scores) > 0).all()


def test_what_is_kept_at_nine_tenths_is_right_nine_times_in_ten():
    calibration = fit_calibration(matches())
    other = matches(9000)
    kept = confidence(other.scores, calibration) >= 0.9
    assert (other.ious[kept] >= 0.5).mean() > 0.88


def test_few_objects_make_few_groups_and_none_makes_nothing():
    few = ScoredMatches(np.array([0.3, 0.7], np.float32), np.array([0.2, 0.9]), 2)
    assert fit_calibration(few) == ((0.5, 0.5),)
    assert fit_calibration(ScoredMatches(np.empty(0, np.float32), np.empty(0), 3)) == ()


def test_doubtful_objects_can_be_left_out():
    image = paint(disks((80, 60), 0))
    model = PaintedModel()
    with pytest.raises(ConfigError, match="calibrated"):
        model.predict_instances(image, min_confidence=0.5)
    _, every = model.predict_instances(image)
    middle = float(np.median(every["prob"]))
    model.spec = model.spec.replace(calibration=((0.0, 0.0), (middle, 0.9), (1.0, 0.95)))
    labels, details = model.predict_instances(image, min_confidence=0.9)
    np.testing.assert_array_equal(details["prob"], every["prob"][every["prob"] >= np.float32(middle)])
    assert labels.max() == len(details["prob"]) < len(every["prob"])
    assert details["confidence"].min() >= 0.9
    with pytest.warns(
        StarpolyWarning, match=f"at least 1; {len(every['prob'])} have a lower one; lower min_confidence"
    ):
        assert not model.predict_instances(image, min_confidence=1.0)[0].any()


def test_tables_get_a_column():
    columns = {"label": np.array([1, 2]), "score": np.array([0.6, 0.8])}
    assert with_confidence(columns, KNOWN)["confidence"].tolist() == [0.5, 0.9]
    assert with_confidence(columns, ()) is columns


def test_a_calibration_that_falls_is_refused():
    with pytest.raises(ConfigError, match="ascending"):
        ModelSpec("m", NetworkConfig(), max_distance=9.0, calibration=((0.5, 0.9), (0.6, 0.8)))
