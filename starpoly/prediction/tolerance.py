"""``--tolerant``: empty labels for unreadable images of known size; only failures of the run count."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..detection.journal import discard, held_journal, stack_journal
from ..errors import ImageError, OutputError, TooLargeError
from .outputs import Job

_log = logging.getLogger(__name__)


def is_to_blame(error: BaseException) -> bool:
    """Whether the image caused an error, rather than memory, disk or program."""
    return isinstance(error, ImageError) and not isinstance(error, (OutputError, TooLargeError))


def tolerate(job: Job, error: ImageError) -> dict[str, Any]:
    """Write empty labels, and cells where they are asked for, for an unreadable image of known size, with a warning.

    Parameters
    ----------
    job : Job
    error : ImageError
        The image's error.

    Returns
    -------
    dict
        ``status`` "blank" with the ``shape``, or "unreadable" if the size is unknown.

    Raises
    ------
    ImageError
        If the labels cannot be written or memory runs out.
    """
    from ..io.readers.images import read_header
    from ..io.readers.untrusted import check_claim

    message = " ".join(str(error).split())
    try:
        header = read_header(job.image)
        check_claim(header.n_bytes, job.image)
    except ImageError as worse:
        if not is_to_blame(worse):
            raise
        _log.warning("%s; nothing is written for it", message)
        return {"status": "unreadable", "error": message}
    written = {kind: path for kind, path in job.outputs.paths.items() if kind in ("labels", "cells")}
    for path in sorted(written.values(), key=job.labels.__eq__):  # the labels last, as always
        write_blank(path, header.shape)
    for journal in (job.journal, held_journal(job.journal), stack_journal(job.journal)):
        discard(journal)
    _log.warning("%s; its labels are written without objects", message)
    files = {kind: str(path) for kind, path in written.items()}
    return {"status": "blank", "error": message, **files, "shape": list(header.shape), "objects": 0}


def write_blank(path: Path, shape: tuple[int, int]) -> None:
    """Write empty labels of any size."""
    from ..io.files.atomic import make_folder
    from ..io.writers.label_tiff import write_labels
    from ..labels.lazy import LazyLabels
    from ..polygons import StarPolygons

    make_folder(path.parent)
    write_labels(path, LazyLabels(StarPolygons.empty(8), shape))
