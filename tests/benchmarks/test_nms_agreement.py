"""Suppression held against StarDist's on the same candidates, through the script that does so in benchmarks/."""

from __future__ import annotations

import json
import os

import pytest

# its threads would otherwise spin, on a busy machine for many times as long as they work
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
pytest.importorskip("stardist.nms", reason="needs the extra 'peer' (stardist)")

from benchmarks import nms_agreement


def check(result: nms_agreement.Comparison, at_least: int) -> None:
    assert min(result.starpoly_kept, result.stardist_kept) >= at_least
    assert result.agreement >= 0.995
    # what differs is explained by vertices cut to whole pixels, one way or the other
    assert result.rest == 0
    assert abs(result.starpoly_kept - result.stardist_kept) <= 0.005 * result.starpoly_kept


@pytest.mark.parametrize("nms_threshold", [0.3, 0.4, 0.5])
def test_agrees_on_drawn_ellipses(nms_threshold):
    images = (nms_agreement.drawn_ellipses(400, seed) for seed in range(2))
    check(nms_agreement.compare(images, nms_threshold=nms_threshold, grid=2), 300)


def test_agrees_on_real_masks(shared):
    images = nms_agreement.label_images(shared / "data" / "labels", 120)
    check(nms_agreement.compare(images, grid=2), 1000)


def test_script_prints_a_table_and_writes_json(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert nms_agreement.main(["--drawn", "--limit", "1", "--mosaic", "300", "--json", str(path)]) == 0
    assert "agreement" in capsys.readouterr().out
    assert json.loads(path.read_text())["agreement"] >= 0.99


def test_explanation_names_what_is_not_explained():
    candidates = nms_agreement.candidates_of(nms_agreement.drawn_ellipses(128, 1))
    ours = set(nms_agreement.starpoly_kept(candidates, 0.4).tolist())
    first = min(ours)
    # the best of all cannot have been suppressed
    assert nms_agreement.explain(candidates, ours, ours - {first}, 0.4) == ([], 0, 1)
