"""The table of a run: the objects of all its images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..io.files.atomic import make_folder
from ..io.files.resolved import resolved
from ..io.text_tables import valid_text
from ..io.writers.run_table import ImageTable, check_run_table, write_run_table
from ..labels.measures.columns import LEADING_COLUMNS
from ..labels.measures.registry import find_column
from .outputs import Job

_WITH_TABLE = ("done", "exists")
"""Status of the images that have a table."""


def check_table_of_run(path: Path, jobs: Iterable[Job]) -> None:
    """Refuse a file that cannot be written, or that is an input or another output.

    Raises
    ------
    ConfigError
    """
    check_run_table(path)
    for job in jobs:
        if any(other.name == path.name and resolved(other) == resolved(path) for other in _files_of(job)):
            raise ConfigError(
                f"{path}: expected a name of its own for the table of all images, got that of another file"
            )


def _files_of(job: Job) -> tuple[Path, ...]:
    return job.image, *job.outputs.paths.values()


def write_table_of_run(path: Path, jobs: Sequence[Job], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Write the objects of all images of a run into one table.

    Parameters
    ----------
    path : Path
        CSV or Parquet.
    jobs : sequence of Job
        Each writes a table of its own.
    rows : iterable of mapping
        The rows of the :class:`~starpoly.prediction.summary.Summary`.

    Returns
    -------
    list of str
        What is missing in it.
    """
    finished = {row["table"] for row in rows if row["status"] in _WITH_TABLE and "table" in row}
    has_rows = [str(job.outputs.paths["table"]) in finished for job in jobs]
    tables = [
        ImageTable(job.outputs.paths["table"], {"image": valid_text(str(job.image)), **_valid(job.leading)})
        for job, done in zip(jobs, has_rows, strict=True)
        if done
    ]
    make_folder(path.parent)
    problems = write_run_table(path, tables, find_column, [column.name for column in LEADING_COLUMNS])
    missing = [str(job.image) for job, done in zip(jobs, has_rows, strict=True) if not done]
    return [*(f"{image}: has no objects in {path}, as it was not segmented" for image in missing), *problems]


def _valid(place: Mapping[str, Any]) -> dict[str, Any]:
    return {name: valid_text(value) if isinstance(value, str) else value for name, value in place.items()}
