"""Which pixels an output of a network depends on, along one axis, exactly for each of its phases.

Windows and cores of tiles begin and end at multiples of the network's total stride. Within a stride the outputs see alternately
further back and further ahead, so what a whole core needs beyond its ends is less than the radius of its widest output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Halo = tuple[int, int]
"""Pixels before and after a stretch."""


@dataclass(frozen=True)
class Footprint:
    """Reach of the outputs of one total stride, along one axis.

    Parameters
    ----------
    spacing : int
        Pixels between two outputs.
    before, after : tuple of int
        Pixels on either side of each output of a stride that it depends on, from the stride's first output on.
    """

    spacing: int
    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of_radius(cls, radius: int, stride: int, spacing: int) -> Footprint:
        """Outputs that all see ``radius`` pixels on either side."""
        alike = (radius,) * (stride // spacing)
        return cls(spacing, alike, alike)

    @property
    def stride(self) -> int:
        """The network's total stride in pixels."""
        return len(self.before) * self.spacing

    @property
    def radius(self) -> int:
        """The furthest that any output sees, in pixels."""
        return max(*self.before, *self.after)

    def mirrored(self) -> Footprint:
        """A bound for the mean over mirror images: they exchange the sides, and miss all but one pixel of the last output's."""
        alike = self.of_radius(self.radius, self.stride, self.spacing)
        return replace(alike, after=tuple(pixels + self.spacing - 1 for pixels in alike.after))

    def halo(self, reach: int = 0) -> Halo:
        """Pixels beyond the ends of whole strides on which the outputs there, and up to ``reach`` pixels further, depend."""
        further = -(-reach // self.spacing)
        first, last = range(-further, len(self.before)), range(len(self.after) + further)
        before = max(self.before[output % len(self.before)] - output * self.spacing for output in first)
        after = max(self.after[output % len(self.after)] + output * self.spacing for output in last) - self.stride + 1
        return max(before, 0), max(after, 0)
