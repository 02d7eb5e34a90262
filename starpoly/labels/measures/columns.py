"""Columns of a table of objects: name, unit, definition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        With ``{channel}`` for one column per channel.
    unit : str
        ``px``, ``px²``, ``um``, ``um²``, ``rad``, ``intensity``; empty for ids, counts and ratios.
    definition : str
    kind : {"int", "float", "text"}
        Of the values; of columns of kind ``int`` no cell is empty.
    when : str
        When the column is there; empty for always.
    """

    name: str
    unit: str
    definition: str
    kind: str = "float"
    when: str = ""

    def row(self) -> str:
        """A line of the table of columns in the documentation, as Markdown."""
        return f"| `{self.name}` | {self.unit} | {self.definition} | {self.when or 'always'} |"

    def fits(self, name: str) -> bool:
        """Whether a name is that of this column, for any channel and any label image."""
        pattern = re.escape(self.name).replace(re.escape("{channel}"), ".+")
        return re.fullmatch(rf"(.+_)?{pattern}", name) is not None


PIXEL_SIZE = "pixel size known"
SQUARE_PIXELS = "pixel size known, pixels square"

LEADING_COLUMNS = (
    Column("image", "", "input file, as given to the command", "text", "table of a run"),
    Column("plate", "", "plate", "text", "plates"),
    Column("well", "", "well", "text", "plates"),
    Column("field", "", "field of the well", "text", "plates"),
    Column("scene", "", "scene or position, from 0", "int", "files with several"),
    Column("t", "", "time point, from 0", "int", "stacks"),
    Column("z", "", "slice, from 0", "int", "stacks"),
)
"""Columns that tell where an object comes from."""

OBJECT_COLUMNS = (
    Column("label", "", "id of the object in the label image", "int"),
    Column("y", "px", "mean row of the object's pixels"),
    Column("x", "px", "mean column of the object's pixels"),
    Column("area", "px²", "number of pixels", "int"),
    Column("diameter", "px", "diameter of the circle of that area"),
    Column("score", "", "probability that the network gives the object", "float", "found by a model"),
    Column("class", "", "most probable class", "text", "model with classes"),
    Column("confidence", "", "probability that the object is right", "float", "calibrated model"),
    Column("area_um2", "um²", "area", "float", PIXEL_SIZE),
    Column("diameter_um", "um", "diameter of the circle of that area", "float", PIXEL_SIZE),
)
"""Columns that every table has, whatever is measured."""


def channel_labels(names: Sequence[str], n_channels: int) -> tuple[str, ...]:
    """What the columns of each channel end with: its name, or its number from 0; several of one name get their number, too.

    Parameters
    ----------
    names : sequence of str
        As the file gives them; may be shorter, or empty.
    n_channels : int
    """
    clean = [" ".join("".join(c if c.isprintable() else " " for c in name).split()) for name in names[:n_channels]]
    clean += [""] * (n_channels - len(clean))
    unique = [
        name if name and clean.count(name) == 1 else f"{name}_{index}".lstrip("_") for index, name in enumerate(clean)
    ]
    return tuple(unique) if len(set(unique)) == n_channels else tuple(map(str, range(n_channels)))
