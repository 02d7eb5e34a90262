"""Throughput of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from ..io.console import duration


@dataclass(frozen=True)
class Throughput:
    """Number of images, megapixels of all their planes, and total seconds from opening to writing."""

    images: int
    megapixels: float
    seconds: float

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Throughput:
        """Throughput of the summary rows with status "done"."""
        done = [row for row in rows if row["status"] == "done"]
        megapixels = sum(row["shape"][0] * row["shape"][1] * prod(row.get("planes", {}).values()) for row in done) / 1e6
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
        fast = self.images_per_second >= 1 or not self.images
        pace = f"{self.images_per_second:.3g} images/s" if fast else f"{_time(self.seconds / self.images)} an image"
        return (
            f"{pace}, {self.megapixels_per_second:.3g} megapixels/s "
            f"({_number(self.megapixels)} megapixels in {_time(self.seconds)})"
        )


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 60 else duration(seconds)
