"""Flags: reasons to inspect an image."""

from __future__ import annotations

from dataclasses import dataclass

from ..detection.sizes import UNUSUAL_SIZE

#: Share of objects at the border, or with low scores, above which an image is flagged.
MANY = 0.5
#: Smallest number of objects for these two flags.
FEW = 4
#: A score is low if it lies within this margin above the probability threshold.
LOW_MARGIN = 0.05

#: Flags and their meanings, worst first.
MEANINGS = {
    "failed": "no labels: the image could not be segmented",
    "no objects": "nothing was found",
    "constant": "the image has no contrast",
    "unlike training": f"the median object is more than {UNUSUAL_SIZE:g} times larger or smaller than those that the model learnt from",
    "border": f"more than {MANY:.0%} of the objects touch the image's border",
    "low scores": f"more than {MANY:.0%} of the objects score less than {LOW_MARGIN:g} above the probability threshold",
    "warning": "something else was said about it when it was segmented",
}


@dataclass(frozen=True)
class Facts:
    """Facts that determine the flags of an image. Unknown facts are None."""

    n_objects: int = 0
    constant: bool = False
    diameter: float | None = None
    known_diameter: float | None = None
    border: float | None = None
    low: float | None = None
    problem: str = ""
    warned: bool = False


def flags_of(facts: Facts) -> list[str]:
    """The flags of an image, worst first."""
    if facts.problem:
        return ["failed"]
    many = facts.n_objects >= FEW
    ratio = facts.diameter / facts.known_diameter if facts.diameter and facts.known_diameter else 1.0
    raised = {
        "no objects": facts.n_objects == 0,
        "constant": facts.constant,
        "unlike training": not 1 / UNUSUAL_SIZE < ratio < UNUSUAL_SIZE,
        "border": many and (facts.border or 0.0) > MANY,
        "low scores": many and (facts.low or 0.0) > MANY,
    }
    flags = [flag for flag, is_raised in raised.items() if is_raised]
    # most warnings repeat another flag
    return flags or (["warning"] if facts.warned else [])
