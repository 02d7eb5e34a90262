"""Small plates of wells, as ImageXpress and OME-Zarr keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import zarr


def write_imagexpress(
    folder: Path,
    name: str = "Plate7",
    wells=("A01", "B02"),
    sites: int = 2,
    waves=("GFP", "DAPI"),
    *,
    mark: str = "",
    times: int = 1,
    slices: int = 1,
) -> dict[tuple[str, int], np.ndarray]:
    """Write a plate; return the stack TZCYX of each well and site."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['"HTSInfoFile", Version 1.0', f'"TimePoints", {times}', f'"NWavelengths", {len(waves)}']
    lines += [f'"WaveName{number}", "{wave}"' for number, wave in enumerate(waves, start=1)]
    (folder / f"{name}.HTD").write_text("\n".join([*lines, '"EndFile"', ""]))
    rng = np.random.default_rng(8)
    stacks = {}
    for well in wells:
        for site in range(1, sites + 1):
            stack = rng.integers(0, 60_000, (times, slices, len(waves), 20, 30), dtype=np.uint16)
            stacks[well, site] = stack
            for t, z, c in np.ndindex(*stack.shape[:3]):
                inside = folder / f"TimePoint_{t + 1}" if times > 1 or slices > 1 else folder
                inside = inside / f"ZStep_{z + 1}" if slices > 1 else inside
                inside.mkdir(parents=True, exist_ok=True)
                wave = f"_w{c + 1}{mark}" if len(waves) > 1 else ""
                tifffile.imwrite(inside / f"{name}_{well}_s{site}{wave}.TIF", stack[t, z, c])
    return stacks


def write_plate_zarr(path: Path, wells=("A/1", "B/12"), n_fields: int = 2, version: str = "0.5") -> None:
    """An OME-Zarr plate; the pixels of a field are all its number in the order of writing."""
    zarr_format = 3 if version == "0.5" else 2
    plate = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    number = 0

    def describe(group, attributes) -> None:
        group.attrs.update({"ome": {"version": version} | attributes} if version == "0.5" else attributes)

    describe(plate, {"plate": {"name": "p", "wells": [{"path": well} for well in wells]}})
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    for well in wells:
        group = plate.create_group(well)
        describe(group, {"well": {"images": [{"path": str(field)} for field in range(n_fields)]}})
        for field in range(n_fields):
            number += 1
            image = group.create_group(str(field))
            array = image.create_array("0", shape=(2, 16, 18), chunks=(1, 16, 18), dtype="uint16")
            array[:] = number
            omero = {"channels": [{"label": "GFP"}, {"label": "DAPI"}]}
            describe(image, {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}], "omero": omero})
