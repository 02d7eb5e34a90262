"""StarDist's own network, on real images: the same maps and the same objects as StarDist finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.valsplit import val_pairs

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_same_objects_as_stardist_off_the_border(shared, monkeypatch):
    pytest.importorskip("stardist")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    sys.modules.pop("stardist_agreement", None)
    from stardist_agreement import compare

    figures = compare(shared / "peer" / "stardist-fluo", [image for image, _ in val_pairs(shared)][::6])
    assert figures["largest_difference_probability"] < 1e-4
    assert figures["largest_difference_distance"] < 1e-4
    assert figures["share_of_theirs_in_ours"] > 0.99
    assert figures["share_of_ours_in_theirs"] > 0.99
