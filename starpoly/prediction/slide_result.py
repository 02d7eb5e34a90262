"""What came of segmenting an image or a stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import OutputError


@dataclass(frozen=True)
class SlideResult:
    """Result of segmenting an image.

    Attributes
    ----------
    n_objects : int
        Objects visible in the labels; of linked planes, those that differ.
    shape : (int, int, int)
        Rows, columns and channels of the segmented part.
    n_tiles, n_skipped : int
        Number of tiles, and of tiles outside the mask or tissue.
    fraction : float
        Share of the image inside the mask or tissue.
    seconds : dict of str to float
        Time per stage. Stages overlap.
    axes : str
        Axes of the stack that was segmented beside Y and X, letters of ``"TZ"``; empty for one plane.
    lengths : tuple of int
        Planes along each of them.
    look : dict of JSON types
        How model, channels and scale of an image were chosen, with the runners-up.
    incomplete : str
        Why a file beside the labels is missing; empty if all are there.
    """

    n_objects: int
    shape: tuple[int, int, int]
    n_tiles: int
    seconds: dict[str, float]
    n_skipped: int = 0
    fraction: float = 1.0
    axes: str = ""
    lengths: tuple[int, ...] = ()
    look: dict[str, Any] = field(default_factory=dict)
    incomplete: str = ""

    def checked(self) -> SlideResult:
        """This result, if all files are there.

        Raises
        ------
        OutputError
        """
        if self.incomplete:
            raise OutputError(self.incomplete)
        return self

    def __repr__(self) -> str:
        (height, width), n_done = self.shape[:2], self.n_tiles - self.n_skipped
        planes = "".join(f"{axis}{length} x " for axis, length in zip(self.axes, self.lengths, strict=True))
        return (
            f"SlideResult({self.n_objects} objects in {planes}{height} x {width} px, {n_done} of {self.n_tiles} tiles)"
        )
