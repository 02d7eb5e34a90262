from __future__ import annotations

import pytest

from starpoly.prediction.throughput import Throughput


def test_rates_are_of_the_images_that_were_done():
    rows = [
        {"status": "done", "shape": [1000, 500, 3], "seconds": 0.5},
        {"status": "done", "shape": [1000, 1500], "seconds": 1.5},
        {"status": "blank", "shape": [9000, 9000], "seconds": 9.0},
        {"status": "error", "seconds": 7.0},
    ]
    throughput = Throughput.of(rows)
    assert throughput.to_dict() == {
        "images": 2, "megapixels": 2.0, "seconds": 2.0, "images_per_second": 1.0, "megapixels_per_second": 1.0,
    }  # fmt: skip
    assert str(throughput) == "1 images/s, 1 megapixels/s (2 megapixels in 2 s)"


@pytest.mark.parametrize(
    "rows", [[], [{"status": "error", "seconds": 1.0}], [{"status": "done", "shape": [1, 1], "seconds": 0.0}]]
)
def test_nothing_done_is_no_division_by_zero(rows):
    assert Throughput.of(rows).images_per_second == 0


def test_slow_images_are_told_in_seconds_and_minutes():
    assert str(Throughput(2, 0.5, 8.0)) == "4 s an image, 0.0625 megapixels/s (0.5 megapixels in 8 s)"
    assert str(Throughput(1, 10_000, 5000)) == "1 h 23 min an image, 2 megapixels/s (10000 megapixels in 1 h 23 min)"


def test_every_plane_counts():
    rows = [{"status": "done", "shape": [1000, 500], "planes": {"t": 3, "z": 2}, "seconds": 3.0}]
    assert Throughput.of(rows).megapixels == 3
