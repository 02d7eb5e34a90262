"""Summary of files ignored in the search for images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .naming import is_mask, is_overlay, may_be_image

_EXAMPLES = 3


@dataclass(frozen=True)
class Ignored:
    """Ignored files of one kind.

    Attributes
    ----------
    kind : str
        Suffix in lower case, "without suffix", "masks" for label images of other programs, or "overlays" for names that
        results have, where there is no such image.
    count : int
        Number of files.
    examples : tuple of Path
        The first few.
    """

    kind: str
    count: int
    examples: tuple[Path, ...]

    def __str__(self) -> str:
        names = ", ".join(path.name for path in self.examples)
        return f"{self.count} {self.kind} ({names}{', ...' if self.count > len(self.examples) else ''})"


def group_ignored(paths: Iterable[Path]) -> tuple[Ignored, ...]:
    """Group files by kind, sorted by kind."""
    groups: dict[str, list[Path]] = {}
    counts: dict[str, int] = {}
    for path in paths:
        kind = path.suffix.lower() or "without suffix"
        if may_be_image(path):
            kind = "masks" if is_mask(path) else "overlays" if is_overlay(path) else kind
        counts[kind] = counts.get(kind, 0) + 1
        examples = groups.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(path)
    return tuple(Ignored(kind, counts[kind], tuple(groups[kind])) for kind in sorted(groups))


def describe_ignored(ignored: Iterable[Ignored]) -> str:
    """One line that lists all kinds; empty if nothing is ignored.

    Examples
    --------
    >>> describe_ignored(group_ignored([Path("a.txt"), Path("b.txt"), Path("c.csv")]))
    'passed over, no images: 1 .csv (c.csv), 2 .txt (a.txt, b.txt)'
    """
    listed = ", ".join(map(str, ignored))
    return f"passed over, no images: {listed}" if listed else ""
