"""What comes from a worker has the paths that the user gave."""

from __future__ import annotations

from pathlib import Path

from starpoly.errors import OutputError
from starpoly.prediction import SlideOutputs
from starpoly.prediction.outputs import Job
from starpoly.prediction.tasks import ImageOutcome, _absolute_job, _as_given


def test_messages_name_files_as_the_user_did():
    job = Job(Path("in/a"), SlideOutputs(labels="in/a_label.tiff", overlay="out/a_overlay.png"))
    there = _absolute_job(job)
    said = f"{there.image}: {there.labels}, {there.outputs.overlay}"
    outcome = ImageOutcome(
        row={"input": str(there.image), "status": "incomplete", "error": said},
        error=OutputError(said),
        warnings=(said,),
    )
    found = _as_given(job, outcome, None)
    assert found.row["error"] == str(found.error) == found.warnings[0] == "in/a: in/a_label.tiff, out/a_overlay.png"
    assert found.row["input"] == "in/a"
