"""Registries: names at no cost, parts on first use."""

from __future__ import annotations

import sys

import pytest

from starpoly.errors import ConfigError
from starpoly.network.registry import Registry


def test_a_part_is_imported_when_it_is_used():
    sys.modules.pop("colorsys", None)
    parts = Registry("part", {"colour": "colorsys:rgb_to_hsv", "none": "no_such_module:x"})
    assert (list(parts), len(parts), "none" in parts) == (["colour", "none"], 2, True)
    assert "colorsys" not in sys.modules
    assert parts["colour"](1, 1, 1) == (0.0, 0.0, 1)


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="part: expected one of colour, got 'size'"):
        Registry("part", {"colour": "colorsys:rgb_to_hsv"})["size"]
