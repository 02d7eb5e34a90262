"""Tables of scores: rows, summaries, files."""

from __future__ import annotations

import csv
import json
from statistics import mean, median

import numpy as np
import pytest

from starpoly.errors import DataError, OutputError
from starpoly.evaluation.metrics import matching, matching_dataset
from starpoly.evaluation.report import Report, Row, Sample, evaluate

RNG = np.random.default_rng(0)
TRUE = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((6, 6), int)) * np.kron(
    np.ones((3, 3), int), np.pad(np.ones((4, 4), int), 1)
)
CLOSE = np.where(RNG.random(TRUE.shape) < 0.85, TRUE, 0)
FEW = TRUE * (TRUE < 3)
SAMPLES = [Sample("a", TRUE, CLOSE), Sample("b", TRUE, FEW), Sample("c", TRUE, TRUE)]


def test_rows_are_the_scores_of_matching():
    report = evaluate(iter(SAMPLES), (0.5, 0.9))
    assert [(row.image, row.iou) for row in report.scope("image")] == [
        (name, iou) for name in "abc" for iou in (0.5, 0.9)
    ]
    expected = matching(TRUE, CLOSE, 0.9)
    row = report.rows[1]
    assert (row.tp, row.fp, row.fn, row.n_true, row.n_pred) == (
        expected.tp,
        expected.fp,
        expected.fn,
        expected.n_true,
        expected.n_pred,
    )
    assert (row.precision, row.recall, row.f1, row.ap) == (
        expected.precision,
        expected.recall,
        expected.f1,
        expected.accuracy,
    )
    assert (row.pq, row.mean_matched_iou) == (expected.panoptic_quality, expected.mean_matched_score)


def test_pooled_mean_and_median():
    report = evaluate(SAMPLES, (0.5, 0.9))
    for k, thresh in enumerate((0.5, 0.9)):
        pooled = matching_dataset([TRUE] * 3, [CLOSE, FEW, TRUE], thresh)
        assert (report.scope("pooled")[k].ap, report.scope("pooled")[k].pq) == (
            pooled.accuracy,
            pooled.panoptic_quality,
        )
        f1 = [row.f1 for row in report.scope("image") if row.iou == thresh]
        assert report.scope("mean")[k].f1 == pytest.approx(mean(f1))
        assert report.scope("median")[k].f1 == median(f1)
        assert report.scope("mean")[k].tp is None


def test_missing_prediction_counts_as_all_missed():
    for protocol in ("stardist", "neurips"):
        report = evaluate([*SAMPLES, Sample("d", TRUE, None)], (0.5,), protocol)
        row = report.scope("image")[-1]
        assert (row.status, row.tp, row.n_pred, row.f1) == ("missing prediction", 0, 0, 0.0)
        assert row.fn == row.n_true > 0
        assert report.scope("mean")[0].f1 == pytest.approx(mean(row.f1 for row in report.scope("image")))
        assert (report.problems(), report.failed) == ({"d": "missing prediction"}, False)


@pytest.mark.parametrize("protocol", ["stardist", "neurips"])
def test_bad_prediction_is_an_error_and_finds_nothing(protocol):
    bad = [
        Sample("shape", TRUE, TRUE[1:]),
        Sample("unread", TRUE, None, "x.tif: truncated"),
        Sample("sign", TRUE, -TRUE),
    ]
    report = evaluate([*bad, *SAMPLES], (0.5, 0.9), protocol)
    problems = report.problems()
    assert list(problems) == ["shape", "unread", "sign"]
    assert "same shape" in problems["shape"]
    assert problems["unread"] == "error: x.tif: truncated"
    assert report.failed
    assert [row.tp for row in report.scope("image")[:6]] == [0] * 6
    assert report.scope("pooled")[0].n_true == 6 * report.scope("image")[0].n_true


def test_bad_truth_is_an_error_and_counts_nowhere():
    report = evaluate([Sample("x", None, None, "x.tif: gone"), Sample("y", -TRUE, TRUE), *SAMPLES], (0.5,))
    assert report.problems()["x"] == "error: x.tif: gone"
    assert "y_true" in report.problems()["y"]
    assert report.scope("image")[0] == Row("image", "x", 0.5, status="error: x.tif: gone")
    assert report.scope("pooled") == evaluate(SAMPLES, (0.5,)).scope("pooled")


def test_nothing_to_score_is_refused():
    with pytest.raises(DataError, match="no images"):
        evaluate([], (0.5,))
    with pytest.raises(DataError, match="broken"):
        evaluate([Sample("x", None, None, "broken")], (0.5,))
    with pytest.raises(DataError, match="stardist, neurips"):
        evaluate(SAMPLES, (0.5,), "coco")


def test_csv_and_json_hold_every_row(tmp_path):
    report = evaluate([*SAMPLES, Sample('d, "e"\n', TRUE, None), Sample("x", None, None, "gone")], (0.5, 0.75))
    report.save(tmp_path / "table.csv")
    report.save(tmp_path / "table.JSON")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    read = json.loads((tmp_path / "table.JSON").read_text(encoding="utf-8"))
    assert Report(read["protocol"], tuple(Row(**row) for row in read["rows"])) == report
    assert len(rows) == len(report.rows) == 5 * 2 + 3 * 2
    for row, expected in zip(rows, report.rows, strict=True):
        assert (row["image"], row["status"]) == (expected.image, expected.status)
        assert row["ap"] == ("" if expected.ap is None else repr(expected.ap))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.JSON", "table.csv"]


def test_tables_go_only_where_they_can(tmp_path):
    report = evaluate(SAMPLES, (0.5,))
    with pytest.raises(DataError, match=r"\.csv or \.json"):
        report.save(tmp_path / "table.xlsx")
    with pytest.raises(DataError, match="existing folder"):
        report.save(tmp_path / "nowhere" / "table.csv")
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(OutputError, match=r"taken\.csv: expected a file or a free name, got a folder"):
        report.save(tmp_path / "taken.csv")
