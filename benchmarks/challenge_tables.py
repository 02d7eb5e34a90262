"""Tables of what the challenge asks for: seconds from the start of a process, and F1 by kind of image."""

from __future__ import annotations

from typing import Any

_TOOLS = {
    "own": "starpoly, own model", "imported": "starpoly, StarDist's network", "own, by Keras": "starpoly, own model, by Keras",
    "stardist": "StarDist 0.9.2, `stardist-predict2d`",
}  # fmt: skip


def startup(result: dict[str, Any]) -> list[str]:
    """Seconds from the start of the process to written labels, and as a part of StarDist's."""
    sizes = {int(side): case["summary"] for side, case in result["sizes"].items()}
    largest = sizes[max(sizes)]
    heads = [f"{side} x {side}{_mark(summary)} | of StarDist" for side, summary in sorted(sizes.items())]
    lines = [f"| | {' | '.join(heads)} | processor | memory |", "|---|" + "--:|" * (2 * len(sizes) + 2)]
    for tool, title in _TOOLS.items():
        times = [
            f"{of[tool]['seconds'][0]:.1f} s | {of[tool]['seconds_ratio'][0]:.2f}" for _, of in sorted(sizes.items())
        ]
        lines.append(
            f"| {title} | {' | '.join(times)} | {largest[tool]['cpu_seconds'][0]:.1f} s | {largest[tool]['peak_mb'][0] / 1000:.1f} GB |"
        )
    return lines


def _mark(summary: dict[str, Any]) -> str:
    """Times of a machine that was busy with something else are marked."""
    return " \\*" if summary["own"]["others"] > 0.5 else ""


def challenge(result: dict[str, Any]) -> list[str]:
    """F1 by kind of image, and the time of an image in a process of its own."""
    lines = ["| | images | F1 mean | F1 median | seconds | ranked seconds |", "|---|--:|--:|--:|--:|--:|"]
    for kind, of in result["summary"].items():
        f1 = " | ".join(f"{of['f1'][part]:.3f}".removeprefix("0") for part in ("mean", "median"))
        times = " | ".join(f"{of[part]['mean']:.1f}" for part in ("seconds", "ranked_seconds"))
        lines.append(f"| {kind.replace('_', ' ')} | {of['images']} | {f1} | {times} |")
    return lines
