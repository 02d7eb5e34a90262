"""A label map with what looks need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...geometry.fields import blurred, smooth_noise
from ...geometry.painting import signed_distances


@dataclass(frozen=True)
class Scene:
    """Objects to be drawn.

    Parameters
    ----------
    labels : (Y, X) int32
        0 background, 1..n objects.
    n : int
        Number of objects.
    diameter : float
        Typical diameter in pixels.
    """

    labels: NDArray[np.int32]
    n: int
    diameter: float

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.labels.shape  # type: ignore[return-value]

    @cached_property
    def _distances(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        return signed_distances(self.labels)

    @property
    def signed(self) -> NDArray[np.float32]:
        """Distance from the outline: positive inside, negative outside, pixels."""
        return self._distances[0]

    @property
    def near(self) -> NDArray[np.int32]:
        """The object of each pixel, or the nearest one."""
        return self._distances[1]

    @cached_property
    def deepest(self) -> NDArray[np.float32]:
        """Largest distance from the outline in each object (n + 1,); at least 1."""
        inside = np.flatnonzero(self.labels)
        found = np.ones(self.n + 1, np.float32)
        np.maximum.at(found, self.labels.reshape(-1)[inside], self.signed.reshape(-1)[inside])
        return found

    @cached_property
    def narrow(self) -> float:
        """Median width of the objects in pixels."""
        return 2 * float(np.median(self.deepest[1:])) if self.n else self.diameter

    def inset(self, width: float) -> Scene:
        """The same objects without a rim of this width in pixels; those that are all rim stay as they are."""
        kept = (self.signed > width) | (self.deepest <= width)[self.labels]
        return Scene(np.where(kept, self.labels, 0).astype(np.int32), self.n, self.diameter)

    def flat(self, edge: float) -> NDArray[np.float32]:
        """1 in objects, down to 0 over ``edge`` pixels at the outlines, between touching objects too."""
        return np.clip((self.signed + np.float32(0.5)) * np.float32(1 / edge), 0, 1)

    @cached_property
    def cover(self) -> NDArray[np.float32]:
        """Share of each pixel that objects cover, with soft outlines."""
        return np.clip(self.signed + np.float32(0.5), 0, 1)

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """Distance from the outline over the largest one of the object, 0 outside."""
        return np.clip(self.signed / self.deepest[self.labels], 0, 1)

    @cached_property
    def dome(self) -> NDArray[np.float32]:
        """Height of lens-shaped objects: 0 at the outline, 1 in the middle."""
        return np.sqrt(1 - (1 - self.depth) ** 2)

    def each(self, values: NDArray) -> NDArray[np.float32]:
        """A value of each object (n,) at the pixels that are nearest to it; 0 where there is none."""
        return np.concatenate([[0.0], values]).astype(np.float32)[self.near]

    def defocused(self, rng: Generator, field: NDArray[np.floating]) -> NDArray[np.floating]:
        """The field with some of the objects out of focus, as in a thick section."""
        if self.n < 2 or rng.random() > 0.3:
            return field
        sharp = self.each((rng.random(self.n) > rng.uniform(0.1, 0.6)).astype(float)) * self.cover
        rest = (field * (1 - sharp)).astype(np.float32)
        return field * sharp + blurred(rest, float(np.clip(0.08 * self.diameter, 0.8, 4)))

    def noise(self, rng: Generator, part: float) -> NDArray[np.float32]:
        """Smooth noise whose scale is this part of the diameter."""
        return smooth_noise(rng, self.size, max(1.0, part * self.diameter))

    def nuclei(self, rng: Generator) -> NDArray[np.float32]:
        """A nucleus in each cell, as a share of each pixel: round, in the middle, with a soft outline."""
        bend = blurred(self.depth, 0.12 * self.diameter) + 0.06 * self.noise(rng, 0.5)
        level = self.each(rng.uniform(0.35, 0.65, self.n))
        return np.clip((bend - level) * 0.35 * self.diameter + 0.5, 0, 1) * self.cover
