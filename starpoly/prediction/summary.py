"""The summary of a run: a row for every image, or input without images, as JSON types.

A row has ``input`` and ``status``. Of an image that was segmented (``done``) it has the files by name of their format and what
was found; of others ``error``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._version import __version__
from .throughput import Throughput

if TYPE_CHECKING:
    from .outputs import Job

#: What the last line says of images by status.
_SAID = {"exists": "skipped", "blank": "damaged or unusable", "unreadable": "no images", "error": "failed"}


def image_row(job: Job, status: str) -> dict[str, Any]:
    """An image and the files that are made of it, or were, or will be: ``done``, ``exists`` or ``planned``."""
    return {"input": str(job.image), "status": status} | {kind: str(path) for kind, path in job.outputs.paths.items()}


def error_row(given: object, message: str, status: str = "error") -> dict[str, Any]:
    """An input of which nothing came: ``error``; with ``--tolerant`` also ``empty``, ``unreadable``."""
    return {"input": str(given), "status": status, "error": message}


@dataclass
class Summary:
    """What a run did, or would do.

    Parameters
    ----------
    model : str
        The model of all images, or how it is chosen.
    output : str
        Folder.
    rows : list of dict
        Of every input, in order.
    """

    model: str
    output: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether an image failed."""
        return any(row["status"] == "error" for row in self.rows)

    @property
    def throughput(self) -> Throughput:
        """How fast the images were done."""
        return Throughput.of(self.rows)

    def to_dict(self, *, planned: bool = False) -> dict[str, Any]:
        """All of it as JSON types; of a plan there is no throughput."""
        summary = {"starpoly": __version__, "model": self.model, "output": self.output, "images": self.rows}
        return summary if planned else summary | {"throughput": self.throughput.to_dict()}

    def lines(self) -> list[str]:
        """What a person is told when all is done."""
        counts = Counter(row["status"] for row in self.rows)
        objects = sum(row.get("objects", 0) for row in self.rows)
        parts = [f"{counts['done']} images segmented, {objects} objects"]
        parts += [f"{counts[status]} {said}" for status, said in _SAID.items() if counts[status]]
        return [*([str(self.throughput)] if counts["done"] else []), ", ".join(parts)]
