"""Groups of images, such as modalities. Rare groups are drawn more often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..io.files.naming import key
from ..io.text_tables import read_rows
from .data import Pair


def read_groups(path: Path) -> dict[str, str]:
    """Read the group of each image from a CSV table.

    Parameters
    ----------
    path : Path
        Has the columns ``name`` (file name, with or without extension) and ``group`` (or ``kind``).

    Raises
    ------
    DataError
        If the file is no such table, or assigns an image to two groups.
    """
    try:
        table = read_rows(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a CSV table with the columns name and group, got: {error}") from error
    columns = list(table[0]) if table else []
    column = "group" if "group" in columns else "kind"
    if "name" not in columns or column not in columns:
        got = f"the columns {', '.join(map(str, columns))[:80]}" if table else "no rows"
        raise DataError(f"{path}: expected a CSV table with the columns name and group, got {got}")
    rows = [(key(PureWindowsPath(row["name"]).name), row[column]) for row in table]
    if empty := [name for name, group in rows if not (name and group)]:
        raise DataError(
            f"{path}: expected a CSV table with the columns name and group, got {len(empty)} rows that lack one: {', '.join(empty[:5])}"
        )
    groups = dict(rows)
    if unclear := sorted({name for name, group in rows if groups[name] != group}):
        raise DataError(f"{path}: expected one group for each image, got several for {', '.join(unclear[:5])}")
    return groups


def with_known_groups(pairs: Sequence[Pair], groups: dict[str, str]) -> list[Pair]:
    """Assign each pair its group if all have one, otherwise none."""
    known = all(pair.name in groups for pair in pairs)
    return with_groups(pairs, groups, "") if known else list(pairs)


def with_groups(pairs: Sequence[Pair], groups: dict[str, str], where: str) -> list[Pair]:
    """Assign each pair its group.

    Raises
    ------
    DataError
        If a pair has no group.
    """
    if missing := [pair.name for pair in pairs if pair.name not in groups]:
        raise DataError(
            f"{where}: expected a group for each image, got none for {len(missing)}: {', '.join(missing[:5])}; add their rows"
        )
    return [replace(pair, group=groups[pair.name]) for pair in pairs]


def group_factors(groups: Sequence[str], balance: float) -> NDArray[np.float64]:
    """Sampling weight of each image, relative to the commonest group.

    Parameters
    ----------
    groups : sequence of str
        Group of each image.
    balance : float
        The weight is ``(n_commonest / n_its_group) ** balance``: 0 weighs images equally, 1 groups.

    Returns
    -------
    (n,) float64
    """
    counts = Counter(groups)
    return np.array([(max(counts.values()) / counts[group]) ** balance for group in groups])


def object_weights(groups: Sequence[str], n_objects: Sequence[float]) -> NDArray[np.float64]:
    """How much each object of an image counts, so that all groups count alike; 1 in the mean over objects.

    Parameters
    ----------
    groups : sequence of str
        Group of each image.
    n_objects : sequence of float
        Number of true objects of each image.

    Returns
    -------
    (n,) float64
        1 for groups without objects.
    """
    totals: Counter[str] = Counter()
    for group, n in zip(groups, n_objects, strict=True):
        totals[group] += n  # type: ignore[assignment]
    present = sum(total > 0 for total in totals.values())
    share = sum(totals.values()) / max(present, 1)
    return np.array([share / totals[group] if totals[group] else 1.0 for group in groups])
