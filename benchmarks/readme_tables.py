"""The table of README.md's first screen: why starpoly, one line for each reason, measured against StarDist."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]

_FOLDER = "100 of 512 x 512"
_FASTEST = f"{_FOLDER}, nuclei-fluo-small, openvino, auto, at the size it is"
_SAME_NETWORK = f"{_FOLDER}, StarDist's network, tensorflow, float32"
_LONGER = "StarDist's network, all kinds, 16 400 steps"
_SIDE = 10240


def why(scores: list[Result], speed: Result, startup: Result, slides: Result) -> list[str]:
    """A reason, starpoly's figure and StarDist's."""
    ours, theirs, longer = (_part(_score(scores, label)["ap"]["0.9"]) for label in ("nuclei-fluo", "StarDist", _LONGER))
    times = {row["case"]: row["starpoly"] for row in speed["rows"] if row["part"] == "folder"}
    start = startup["sizes"]["1000"]["summary"]
    cases = slides["cases"]
    own, same, peer = (cases[f"{tool}/grey/{_SIDE}"] for tool in ("own", "imported", "stardist"))
    return [
        "| | starpoly | StarDist 0.9.2 |",
        "|---|---|---|",
        f"| **exact outlines**: AP at IoU 0.9, nuclei in fluorescence | {ours} | {theirs}; trained twice as long, {longer} |",
        f"| **fast**: 100 images of 512 x 512, file to label file | {times[_FASTEST]:.1f} s with `nuclei-fluo-small`; "
        f"with StarDist's network {times[_SAME_NETWORK]:.1f} s | {times[f'{_FOLDER}, StarDist']:.1f} s |",
        f"| **quick to start**: one 1 000 x 1 000 image, whole process | {start['own']['seconds'][0]:.1f} s | "
        f"{start['stardist']['seconds'][0]:.1f} s |",
        f"| **slides of any size**: peak memory at 10 240 x 10 240, `--memory 1.4G` | {own['peak_mb'] / 1000:.2f} GB; "
        f"with StarDist's network {same['peak_mb'] / 1000:.2f} GB | {peer['peak_mb'] / 1000:.2f} GB |",
        "| **no seams**: overlap of tiles | computed from the model | you choose it, larger than any object |",
        "| **restart** after a stop | continues, and ends with the same bytes | starts over |",
        "| **weights anyone may use** | in the package, trained on data under CC0, CC BY, MIT and BSD | downloaded at first use |",
    ]


def _score(scores: list[Result], label: str) -> Result:
    return next(row for row in scores if (row["label"], row["modality"]) == (label, "fluorescence"))


def _part(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
