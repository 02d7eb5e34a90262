"""Throughput of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Throughput:
    """Number of images, megapixels, and total seconds from opening to writing."""

    images: int
    megapixels: float
    seconds: float

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Throughput:
        """Throughput of the summary rows with status "done"."""
        done = [row for row in rows if row["status"] == "done"]
        megapixels = sum(row["shape"][0] * row["shape"][1] for row in done) / 1e6
        return cls(len(done), megapixels, sum(row["seconds"] for row in done))

    @property
    def images_per_second(self) -> float:
        """0 where nothing was done."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def megapixels_per_second(self) -> float:
        """0 where nothing was done."""
        return self.megapixels / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, float]:
        """Totals and rates, as plain JSON types."""
        rates = {"images_per_second": self.images_per_second, "megapixels_per_second": self.megapixels_per_second}
        return {name: round(value, 6) for name, value in (asdict(self) | rates).items()}

    def __str__(self) -> str:
        return (
            f"{self.images_per_second:.3g} images/s, {self.megapixels_per_second:.3g} megapixels/s "
            f"({self.megapixels:.3g} megapixels in {self.seconds:.3g} s)"
        )
