"""What a run says of its images while it goes on."""

from __future__ import annotations

from starpoly.prediction.summary import Summary, is_flagged

ROWS = [
    {"status": "exists"},
    {"status": "done", "objects": 2},
    {"status": "done", "objects": 0},
    {"status": "error"},
    {"status": "done", "objects": 1, "warnings": ["constant"]},
    {"status": "done", "objects": 1},
]


def test_each_row_counts_once_whenever_it_is_asked():
    often, once = Summary("m", "out"), Summary("m", "out")
    for row in ROWS:
        often.rows.append(row)
        once.rows.append(row)
        said = often.so_far
        assert said == often.so_far
        flagged, failed = sum(map(is_flagged, often.rows)), sum(each["status"] == "error" for each in often.rows)
        assert (f"{flagged} to look at" in said, f"{failed} failed" in said) == (flagged > 0, failed > 0)
    assert once.so_far == often.so_far == "4 objects, 2 to look at, 1 failed"


def test_a_row_that_was_counted_is_not_looked_at_again():
    class Row(dict):
        looks = 0

        def __getitem__(self, name):
            self.looks += 1
            return super().__getitem__(name)

    first, summary = Row(status="error"), Summary("m", "out")
    summary.rows.append(first)
    assert summary.so_far == "0 objects, 1 failed"
    looks = first.looks
    summary.rows += [{"status": "error"}] * 3
    assert summary.so_far == "0 objects, 4 failed"
    assert first.looks == looks
