"""Summary of a run: one row per image or failed input, as JSON types.

Each row has ``input`` and ``status``. Rows of segmented images (``done``) add the files by format name and the counts.
Rows of failed inputs add ``error``, and those of segmented images that lack a file beside the labels (``incomplete``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._version import __version__
from .throughput import Throughput

if TYPE_CHECKING:
    from .outputs import Job

#: Wording of each status in the last line.
_SAID = {
    "incomplete": "of these without all files",
    "exists": "skipped",
    "blank": "damaged or unusable",
    "unreadable": "no images",
    "error": "failed",
}
#: Statuses of images with an error.
_FAILED = ("error", "incomplete")


def image_row(job: Job, status: str) -> dict[str, Any]:
    """Row of an image with its files, and with plate, well and field where it has them. Status: ``done``, ``exists`` or ``planned``."""
    return (
        {"input": str(job.image), "status": status}
        | dict(job.leading)
        | {kind: str(path) for kind, path in job.outputs.paths.items()}
    )


def error_row(given: object, message: str, status: str = "error") -> dict[str, Any]:
    """Row of an input without results. Status: ``error``; with ``--tolerant`` also ``empty`` or ``unreadable``."""
    return {"input": str(given), "status": status, "error": message}


def is_flagged(row: Mapping[str, Any]) -> bool:
    """Whether a person should look at a segmented image first: there was a warning, or nothing was found."""
    return row["status"] == "done" and bool(row.get("warnings") or not row.get("objects"))


@dataclass
class Summary:
    """Summary of a run or of a dry run.

    Parameters
    ----------
    model : str
        The model of all images, or the rule of choice.
    output : str
        Output folder.
    rows : list of dict
        One row per input, in order.
    """

    model: str
    output: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    @property
    def has_errors(self) -> bool:
        """Whether an image failed, or a file of one."""
        return any(row["status"] in _FAILED for row in self.rows)

    @property
    def throughput(self) -> Throughput:
        """Throughput of the finished images."""
        return Throughput.of(self.rows)

    def to_dict(self, *, planned: bool = False) -> dict[str, Any]:
        """The summary as JSON types. A plan has no throughput."""
        summary = {"starpoly": __version__, "model": self.model, "output": self.output, "images": self.rows}
        return summary if planned else summary | {"throughput": self.throughput.to_dict()}

    @property
    def so_far(self) -> str:
        """What was found until now, for a progress bar. Each row is counted once, as a row that was there does not change."""
        counts, new = self._counts, self.rows[self._counts["rows"] :]
        counts["rows"] += len(new)
        counts["objects"] += sum(row.get("objects", 0) for row in new)
        counts["flagged"] += sum(map(is_flagged, new))
        counts["failed"] += sum(row["status"] in _FAILED for row in new)
        said = {"to look at": counts["flagged"], "failed": counts["failed"]}
        return ", ".join([_counted(counts["objects"], "object"), *(f"{n} {what}" for what, n in said.items() if n)])

    def lines(self) -> list[str]:
        """Closing lines for the user."""
        counts = Counter(row["status"] for row in self.rows)
        objects = sum(row.get("objects", 0) for row in self.rows)
        segmented = counts["done"] + counts["incomplete"]
        parts = [f"{_counted(segmented, 'image')} segmented, {_counted(objects, 'object')}"]
        parts += [f"{counts[status]} {said}" for status, said in _SAID.items() if counts[status]]
        speed = [str(self.throughput)] if counts["done"] else []
        return [*self._flagged(), *speed, *chosen_lines(self.rows), *channel_lines(self.rows), ", ".join(parts)]

    def _flagged(self, most: int = 3) -> list[str]:
        names = [row["input"] for row in self.rows if is_flagged(row)]
        more = f" and {len(names) - most} more" if len(names) > most else ""
        return [f"{len(names)} to look at (a warning, or no objects): {', '.join(names[:most])}{more}"] if names else []


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def chosen_lines(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was chosen for the images of a run, in one line; none where nothing was."""
    looks = [row["look"] for row in rows if row.get("look")]
    chosen = [look for look in looks if look.get("runners_up")]
    models = Counter(look["model"] for look in looks)  # those that were sure at once, too
    compared = any(other["model"] != look["model"] for look in chosen for other in look["runners_up"])
    parts = [", ".join(f"{model} for {count}" for model, count in models.most_common())] if compared else []
    rescaled = sum(look["scale"] != 1 for look in chosen)
    channels = sum(bool(look["channels"]) for look in chosen)
    parts += [f"{rescaled} at another scale"] if rescaled else []
    parts += [f"{channels} by some of their channels"] if channels else []
    return [f"chosen by a look at each image: {'; '.join(parts)} (--json tells all)"] if parts else []


def channel_lines(rows: Iterable[Mapping[str, Any]], most: int = 3) -> list[str]:
    """Which channels were taken for the images of a run, in one line; none where there was no choice."""
    counts = Counter(_channels_of(row["channels"]) for row in rows if row.get("channels"))
    parts = [f"{channels} in {_counted(n, 'image')}" for channels, n in counts.most_common(most)]
    parts += ["others in others"] if len(counts) > most else []
    return [f"took {', '.join(parts)}; --channels takes others, by index or name"] if parts else []


def _channels_of(channels: Mapping[str, Any]) -> str:
    """Such as ``channels 0 and 2 (GFP, DAPI) of 3``."""
    taken, names = channels["taken"], [name for name in channels["names"] if name]
    named = f" ({', '.join(names)})" if names and names != taken else ""
    return f"channel{'s' if len(taken) > 1 else ''} {' and '.join(map(str, taken))}{named} of {channels['of']}"
