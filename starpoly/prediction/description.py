"""What a file holds, what reading it costs, and which model it gets: ``starpoly info FILE``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import ImageError, collected_warnings
from ..images.channels import list_channels, the_nuclei
from ..io.files.plates import place_of
from ..io.readers.array import DECODED_WHOLE
from ..io.readers.registry import Reader, find_reader
from ..io.readers.source import Source
from ..io.readers.stack import Stack
from ..model_zoo import default_models
from ..network.memory import format_size
from .channel_sets import MOST_TRIED

_UNNAMED = " (planes without a name; if they are channels, choose some with --channels)"


def describe_image(path: Path) -> dict[str, Any]:
    """Describe an image file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of JSON types
        ``file``, ``format``, ``axes`` (such as TZCYX) and their ``lengths``, ``unnamed`` (whether the file
        does not tell what its planes are), ``scenes`` (names), ``channels`` (names, empty
        where the file states none), ``dtype``, ``plane_bytes``, ``pixel_size_um`` (y, x), ``z_step_um``, ``t_step_s``,
        ``levels`` (rows, columns), ``block`` (rows and columns that are decoded at once), ``stored_as``, ``reading`` (what
        reading by region costs), ``models`` (that `starpoly predict` tries), ``model_reason`` and ``warnings``; plate, well and field where it has them.

    Raises
    ------
    ImageError
        If the file cannot be read.
    """
    reader = find_reader(path)
    with ExitStack() as opened, collected_warnings() as messages:
        scenes = reader.scene_names(path)
        stack = opened.enter_context(reader.stack(path))
        # a file of one plane is read as one image, also where its planes cannot be read one by one
        source = opened.enter_context(_middle(stack) if stack.axes or scenes else reader.open(path))
        found = _facts(reader, path, stack, source) | {"scenes": list(scenes)}
        found |= _model(source)
    place = place_of(path)
    return found | ({} if place is None else asdict(place)) | {"warnings": messages}


def _middle(stack: Stack) -> Source:
    """The plane by which `starpoly predict` chooses model and channels."""
    return stack.open_plane(tuple(length // 2 for length in stack.lengths))


def _facts(reader: Reader, path: Path, stack: Stack, source: Source) -> dict[str, Any]:
    height, width, n_channels = source.shape
    lengths = (
        dict(zip(stack.axes, stack.lengths, strict=True))
        | ({"C": n_channels} if n_channels > 1 else {})
        | {"Y": height, "X": width}
    )
    return {
        "file": str(path),
        "format": reader.title_of(path),
        "axes": "".join(lengths),
        "lengths": list(lengths.values()),
        "unnamed": stack.unnamed,
        "channels": list(source.channel_names),
        "dtype": str(source.dtype),
        "plane_bytes": source.nbytes,
        "pixel_size_um": None if source.pixel_size is None else list(source.pixel_size),
        "z_step_um": stack.z_step,
        "t_step_s": stack.t_step,
        "levels": [list(level) for level in source.levels],
        "block": list(source.block),
        "stored_as": source.stored_as,
        "reading": _reading(source),
    }


def _reading(source: Source) -> str:
    """What reading a region costs."""
    if source.read_warning is not None:
        return source.read_warning
    if source.stored_as == DECODED_WHOLE:
        return f"decoded whole and held in memory, {format_size(source.nbytes)}"
    if source.block == (1, 1):
        return "any region, straight from the file"
    if source.block == source.shape[:2]:
        return f"a plane is decoded at once, {format_size(source.nbytes)}"
    return f"by region, {source.block[0]} x {source.block[1]} pixels are decoded at once"


def _model(source: Source) -> dict[str, Any]:
    """The models that `starpoly predict` tries, and on which channels."""
    names, n = default_models(), source.shape[2]
    nuclei = the_nuclei(source.channel_names) if n > 1 else None
    reason = "the first that is sure of its objects, else whichever explains most of the middle of the image"
    if nuclei is not None:
        reason += f"; it gets channel {nuclei} {source.channel_names[nuclei]}, a stain of nuclei by its name"
    elif n > MOST_TRIED:
        reason += f"; of {n} channels choose some with --channels"
    elif n not in (1, 3):
        reason += "; each channel is tried, then the most telling ones together; --channels chooses"
    return {"models": list(names), "model_reason": reason}


def describe_lines(found: dict[str, Any]) -> list[str]:
    """The description for people, one fact per line."""
    facts = {
        "format": found["format"],
        "plate": f"{found['plate']}, well {found['well']}, field {found['field']}" if "plate" in found else "",
        "axes": f"{found['axes']}, {' x '.join(map(str, found['lengths']))}{_UNNAMED if found['unnamed'] and 'C' not in found['axes'] else ''}",
        "scenes": f"{len(found['scenes'])}: {_shortened(found['scenes'])}" if found["scenes"] else "",
        "channels": list_channels(_n_channels(found), found["channels"]),
        "pixels": f"{found['dtype']}, {format_size(found['plane_bytes'])} a plane",
        "pixel size": _calibration(found),
        "levels": ", ".join(f"{rows} x {columns}" for rows, columns in found["levels"]),
        "stored as": found["stored_as"],
        "reading": found["reading"],
        "model": f"{' or '.join(found['models'])}, {found['model_reason']}",
    }
    width = max(map(len, facts))
    lines = [f"  {name:{width}}  {value}" for name, value in facts.items() if value]
    return [found["file"], *lines, *(f"  {'warning':{width}}  {message}" for message in found["warnings"])]


def _n_channels(found: dict[str, Any]) -> int:
    return dict(zip(found["axes"], found["lengths"], strict=True)).get("C", 1)


def _shortened(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _calibration(found: dict[str, Any]) -> str:
    parts = []
    if found["pixel_size_um"] is not None:
        y, x = found["pixel_size_um"]
        parts.append(f"{y:.4g} um" if math.isclose(y, x, rel_tol=1e-4) else f"y {y:.4g} um, x {x:.4g} um")
    parts += [f"z {found['z_step_um']:.4g} um"] if found["z_step_um"] else []
    parts += [f"t {found['t_step_s']:.4g} s"] if found["t_step_s"] else []
    return ", ".join(parts) or "the file states none"


def describe_or_error(path: Path) -> dict[str, Any]:
    """The description, or ``file`` and ``error``."""
    try:
        return describe_image(path)
    except ImageError as error:
        return {"file": str(path), "error": " ".join(str(error).split())}
