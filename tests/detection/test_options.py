"""Options of a detection: checked once, handed down whole, recorded by stable names."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.config import Thresholds
from starpoly.detection.options import DetectionOptions
from starpoly.errors import ConfigError


def test_settings_change_options_by_name():
    options = DetectionOptions(prob_threshold=0.3)
    changed = DetectionOptions.of(options, {"scale": np.float32(2), "tile_size": np.int64(64)})
    assert changed == DetectionOptions(prob_threshold=0.3, scale=2.0, tile_size=64)
    assert options.scale is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prob_treshold": 0.5}, "did you mean prob_threshold"),
        ({"scale": 1.0, "diameter": 5.0}, "choose one"),
        ({"tta": "twice"}, "expected one of none, flips, all"),
        ({"min_confidence": 1.5}, "from 0 to 1"),
        ({"tile_size": 0}, "1 or more"),
        ({"readers": "many"}, "expected a whole number"),
        ({"readers": 10**8}, "expected 1 to"),
        ({"expand_into_foreground": 10**9}, "expected 0 to"),
    ],
)
def test_what_cannot_be_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        DetectionOptions.of(None, settings)


def test_thresholds_are_the_models_unless_told_otherwise():
    assert DetectionOptions(nms_threshold=0.2).thresholds(Thresholds(0.6, 0.4)) == Thresholds(0.6, 0.2)


def test_journals_record_what_results_depend_on_by_the_names_they_always_had():
    assert DetectionOptions(readers=3).identity() == {
        "prob_threshold": None,
        "nms_threshold": None,
        "scale": None,
        "diameter": None,
        "min_confidence": 0.0,
        "spread": None,
        "tile_size": None,
    }
    assert DetectionOptions(tta="flips", expand_into_foreground=4).identity().items() >= {
        ("tta", "flips"),
        ("spread", 4),
    }


@pytest.mark.parametrize("readers", [0, 1025])
def test_a_number_of_readers_has_bounds(readers):
    with pytest.raises(ConfigError, match="readers: expected 1 "):
        DetectionOptions(readers=readers)


def test_a_dictionary_of_settings_will_do():
    assert DetectionOptions.of({"scale": 2.0}, {"tile_size": 64}) == DetectionOptions(scale=2.0, tile_size=64)
    with pytest.raises(ConfigError, match="options: expected DetectionOptions or a dictionary of settings, got 'a'"):
        DetectionOptions.of("a", {})
