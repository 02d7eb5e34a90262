"""Registry of measurements, one line each.

A new group of columns is one module of this package with ``COLUMNS`` and ``measure(window) -> columns``, and one line in
:data:`MEASURES`. ``--measure``, the tables and their documentation derive from it. The table is light: it loads a module when
it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ...errors import ConfigError, suggestion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .columns import Column
    from .window import Window


@dataclass(frozen=True)
class Measure:
    """One group of columns.

    Attributes
    ----------
    module : str
        Of this package.
    margin : int
        Pixels around an object that it depends on; the module's largest reach.
    needs_image : bool
        Whether it reads intensities.
    help : str
        For ``--measure``; empty for a group that is always measured.
    """

    module: str
    margin: int = 0
    needs_image: bool = False
    help: str = ""

    def columns(self) -> tuple[Column, ...]:
        """Its columns."""
        return import_module(f".{self.module}", __package__).COLUMNS

    def measure(self, window: Window) -> dict[str, NDArray]:
        """Its columns of the objects of a window."""
        return import_module(f".{self.module}", __package__).measure(window)


MEASURES: Mapping[str, Measure] = {
    "basic": Measure("basic"),
    "shape": Measure("shape", help="bounding box, perimeter, axes, solidity, Feret diameter ..."),
    "intensity": Measure("intensity", margin=5, needs_image=True, help="of every channel of the file"),
    "neighbours": Measure("neighbours", margin=5, help="number of other objects nearby"),
}
"""All groups, in the order of their columns."""

SELECTABLE = {name: measure for name, measure in MEASURES.items() if measure.help}
DEFAULT = ("shape", "intensity")
"""What is measured unless something else is asked for."""


def select_measures(asked: str | Iterable[str] | None = None) -> tuple[str, ...]:
    """Names of groups, in the order of the registry.

    Parameters
    ----------
    asked : str or iterable of str, optional
        Some of :data:`SELECTABLE`, in a text divided by commas; ``all``, or ``none``. Default: :data:`DEFAULT`.

    Raises
    ------
    ConfigError
        If there is no such group.
    """
    if asked is None:
        return DEFAULT
    names = [name.strip() for name in asked.split(",")] if isinstance(asked, str) else list(asked)
    if unknown := [name for name in names if name not in (*SELECTABLE, "all", "none")]:
        remedy = suggestion(unknown[0], SELECTABLE)
        raise ConfigError(
            f"measure: expected some of {', '.join(SELECTABLE)}, or all, or none, got {unknown[0]!r}{remedy}"
        )
    if "none" in names and len(set(names)) > 1:
        raise ConfigError(f"measure: expected none alone, got {', '.join(names)}")
    return tuple(name for name in SELECTABLE if name in names or "all" in names)


def needs_image(groups: Iterable[str]) -> bool:
    """Whether any of some groups reads intensities."""
    return any(MEASURES[name].needs_image for name in groups)


def find_column(name: str) -> Column | None:
    """What is known of a column of a table by its name; also with the prefix of a label image. None if it is of no group."""
    from .columns import LEADING_COLUMNS, OBJECT_COLUMNS

    known = [
        *LEADING_COLUMNS,
        *OBJECT_COLUMNS,
        *(column for measure in SELECTABLE.values() for column in measure.columns()),
    ]
    exact = next((column for column in known if column.name == name), None)
    return exact or next((column for column in known if column.fits(name)), None)
