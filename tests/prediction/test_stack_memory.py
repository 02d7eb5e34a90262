"""The memory of a long time series is that of a frame."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


def segmented(n: int, side: int) -> dict[str, float]:
    process = subprocess.run(
        [sys.executable, str(TESTS / "support" / "frames.py"), str(n), str(side)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(process.stdout)
    return found


@pytest.mark.slow
def test_two_hundred_frames_take_the_memory_of_thirty():
    pytest.importorskip("resource")
    short, long = (segmented(n, 256) for n in (30, 200))
    assert long["objects"] > short["objects"]
    assert long["peak_mb"] < short["peak_mb"] + 15  # notes and offsets: kilobytes a frame; its labels are 256
