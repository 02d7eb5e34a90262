"""Kinds of images that are drawn more evenly than they are many."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..io.files.naming import key
from ..io.readers.registry import has_image_suffix
from .data import Pair


def read_kinds(path: Path) -> dict[str, str]:
    """The kind of each image: a CSV table with the columns ``name`` (of the file, with or without its extension) and ``kind``.

    Raises
    ------
    DataError
        If it is no such table, or gives one image two kinds.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(_key(row["name"].strip()), row["kind"].strip()) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, AttributeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV table with the columns name and kind, got {error!r}") from error
    kinds = dict(rows)
    if unclear := sorted({name for name, kind in rows if kinds[name] != kind}):
        raise DataError(f"{path}: expected one kind for each image, got several for {', '.join(unclear[:5])}")
    return kinds


def _key(name: str) -> str:
    return key(name) if has_image_suffix(Path(name)) else name


def with_kinds(pairs: Sequence[Pair], kinds: dict[str, str], where: str) -> list[Pair]:
    """Pairs that know the kind of their image.

    Raises
    ------
    DataError
        If one is not there.
    """
    if missing := [pair.name for pair in pairs if pair.name not in kinds]:
        raise DataError(
            f"{where}: expected a kind for each training image, got none for {len(missing)}: {', '.join(missing[:5])}; add their rows"
        )
    return [replace(pair, kind=kinds[pair.name]) for pair in pairs]


def kind_factors(kinds: Sequence[str], balance: float) -> NDArray[np.float64]:
    """How often each image is drawn relative to an image of the commonest kind.

    Parameters
    ----------
    kinds : sequence of str
        The kind of each image.
    balance : float
        0, every image alike; 1, every kind alike: an image counts ``(n_commonest / n_its_kind) ** balance``.

    Returns
    -------
    (n,) float64
    """
    counts = Counter(kinds)
    return np.array([(max(counts.values()) / counts[kind]) ** balance for kind in kinds])
