"""Tables of what several machines bring and cost, from the figures of scaling.py."""

from __future__ import annotations

import math
from typing import Any

from scaling import seconds_per_tile

#: An archive: so many slides, each of so many pixels a side, all of which are segmented.
SLIDES, SIDE = 1_000, 40_000
WORKERS = (1, 16, 256)
_NOT_YET = ["Not measured yet: `python benchmarks/scaling.py --json`, then `python benchmarks/tables.py`."]

Found = dict[str, Any]


def measured(found: Found) -> list[str]:
    """What was measured."""
    lines = [*_of_weak(found.get("weak")), *_of_driver(found.get("driver")), *_of_images(found.get("images"))]
    return ["| | |", "|---|---|", *lines] if lines else _NOT_YET


def _of_weak(weak: Found | None) -> list[str]:
    if weak is None:
        return []
    one, two = (weak[name]["tiles"] / weak[name]["seconds"] for name in ("one", "two"))
    return [
        f"| `{weak['model']}`, tiles of {weak['tile_size']} pixels, one worker of one thread | {one:.1f} tiles/s |",
        f"| two workers | {two:.1f} tiles/s, {two / one:.2f} times as many |",
        f"| seams, labels and outlines, in the process that you start | {1e3 * weak['one']['driver_seconds']:.1f} ms a tile |",
    ]


def _of_driver(driver: Found | None) -> list[str]:
    if driver is None:
        return []
    memory = [
        f"| its peak memory, {_count(one['tiles'])} tiles | {one['peak_mb']:.0f} MB, {_count(one['objects'])} objects |"
        for one in driver["slides"]
    ]
    scheduler, own = (1e3 * seconds_per_tile(driver, name) for name in ("scheduler_seconds", "cpu_seconds"))
    return [*memory, f"| a tile that takes no time: scheduler, and that process | {scheduler:.2f} and {own:.2f} ms |"]


def _of_images(images: Found | None) -> list[str]:
    if images is None:
        return []
    (few, driver, *workers), (many, driver_at_end, *workers_at_end) = images["peaks"]
    rate = images["images"] / images["seconds"]
    return [
        f"| {_count(many)} images of 32 x 32 pixels, two workers | {rate:.0f} images/s |",
        f"| memory after {_count(few)} and after all: process, a worker | {driver:.0f} and {driver_at_end:.0f} MB, "
        f"{max(workers):.0f} and {max(workers_at_end):.0f} MB |",
    ]


def archive(found: Found) -> list[str]:
    """What an archive of slides costs, by the number of workers."""
    if not {"weak", "driver"} <= found.keys():
        return _NOT_YET
    lines = [
        "| workers | hours, one process that shares out | such processes that keep up | hours with these | core hours | read, RGB |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    return lines + [_archive_row(n, found["weak"], found["driver"]) for n in WORKERS]


def _archive_row(workers: int, weak: Found, driver: Found) -> str:
    one, two = weak["one"], weak["two"]
    tiles = SLIDES * SIDE**2 * one["tiles"] / one["pixels"]
    loss = 1.0 if workers == 1 else max(1.0, two["seconds"] / two["tiles"] * 2 / (one["seconds"] / one["tiles"]))
    by_workers = loss * one["seconds"] / one["tiles"] / workers
    by_driver = max(one["driver_seconds"], seconds_per_tile(driver, "scheduler_seconds"))
    drivers = math.ceil(by_driver / by_workers)
    alone, together = (tiles * max(by_workers, by_driver / n) / 3600 for n in (1, drivers))
    megabytes = 3 * one["window"] ** 2 / max(by_workers, by_driver / drivers) / 1e6
    return (
        f"| {workers} | {alone:,.0f} | {drivers} | {together:,.0f} | {(workers + drivers) * together:,.0f} | {_rate(megabytes)} |"
    ).replace(",", " ")


def _rate(megabytes: float) -> str:
    return f"{megabytes:.0f} MB/s" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB/s"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
