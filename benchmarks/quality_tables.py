"""Tables of how good models are: by kind of image, by size, on each model's card, and with few labels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]

#: Networks of StarDist's, which stand beside every model.
PEERS = (
    "StarDist's network in starpoly",
    "StarDist's network, all kinds, 16 400 steps",
    "StarDist's network, kinds in balance, 25 400 steps",
    "StarDist",
)
_IN_SHORT = ("0.5", "0.7", "0.9")
_TRAININGS = {"supervised": "(a) labelled only", "unlabelled": "(b) and unlabelled"}


def quality(rows: list[Row]) -> list[str]:
    """Scores of models by kind of image, and what the network costs where it was counted."""
    ious = list(rows[0]["ap"])
    lines = [
        f"| images | model | AP at IoU {' | '.join(iou.lstrip('0') for iou in ious)} | mean | PQ | challenge F1, mean / median | GFLOP / megapixel |",
        "|---|---|" + "--:|" * (len(ious) + 2) + "---|--:|",
    ]
    for kind in dict.fromkeys(row["modality"] for row in rows):
        for row in rows:
            if row["modality"] == kind:
                values = [*(row["ap"][iou] for iou in ious), row["mean_ap"], row["pq"]]
                f1 = f"{_part(row['f1_mean'])} / {_part(row['f1_median'])}"
                cost = f"{row['gflop_per_megapixel']:.0f}" if "gflop_per_megapixel" in row else ""
                lines.append(
                    f"| {kind.replace('_', ' ')} ({row['images']}) | {row['label']} | {' | '.join(map(_part, values))} | {f1} | {cost} |"
                )
    return lines


def choices(rows: list[Row]) -> list[str]:
    """What choices of network and training bring, in the mean over seeds, and how far the seeds are apart."""
    lines = [
        "| choice | AP at IoU .5 | .75 | .9 | mean | seeds, from lowest to highest mean | challenge F1 | GFLOP / megapixel |",
        "|---|--:|--:|--:|--:|---|--:|--:|",
    ]
    for label in dict.fromkeys(row["label"] for row in rows):
        mine = [row for row in rows if row["label"] == label]
        shown = [np.mean([row["ap"][iou] for row in mine]) for iou in ("0.5", "0.75", "0.9")] + [
            np.mean([row["mean_ap"] for row in mine])
        ]
        means = sorted(row["mean_ap"] for row in mine)
        seeds = f"{len(mine)}: {_part(means[0])} to {_part(means[-1])}" if len(mine) > 1 else "1"
        f1 = np.mean([row["f1_mean"] for row in mine])
        lines.append(
            f"| {label} | {' | '.join(map(_part, shown))} | {seeds} | {_part(f1)} | {mine[0]['gflop_per_megapixel']:.0f} |"
        )
    return lines


def card(rows: list[Row], name: str) -> list[str]:
    """Scores of one model beside StarDist's, on the kinds of images that it is for."""
    own = [row["modality"] for row in rows if row["label"] == name]
    return quality([row for row in rows if row["label"] in (name, *PEERS) and row["modality"] in own])


def worst(rows: list[Row]) -> list[str]:
    """Images with the lowest AP: how many objects they have, how many were found, how many of these are right."""
    lines = [
        "| | image | kind | true | found | AP at IoU .5 | .7 | .9 | scale |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for rank, row in enumerate(rows, 1):
        values = " | ".join(_part(row["ap"][iou]) for iou in _IN_SHORT)
        lines.append(
            f"| {rank} | `{row['name']}` | {row['modality'].replace('_', ' ')} | {row['true']} | {row['found']} | {values} | x {row['scale']:g} |"
        )
    return lines


def sizes(rows: list[Row]) -> list[str]:
    """AP at IoU 0.5 of images resized by a factor."""
    factors = sorted({row["factor"] for row in rows})
    lines = [
        "| images | model | " + " | ".join(f"x {factor:g}" for factor in factors) + " |",
        "|---|---|" + "--:|" * len(factors),
    ]
    for kind, label in dict.fromkeys((row["modality"], row["label"]) for row in rows):
        of = {row["factor"]: row["ap"]["0.5"] for row in rows if (row["modality"], row["label"]) == (kind, label)}
        lines.append(
            f"| {kind.replace('_', ' ')} | {label} | "
            + " | ".join(_part(of[factor]) if factor in of else "" for factor in factors)
            + " |"
        )
    return lines


def models(rows: list[Row], folders: list[Path]) -> list[str]:
    """The models that ship: what for, of which data, and their scores on fluorescence."""
    lines = [
        f"| model | images | licence of its data | AP at IoU {' / '.join(iou.lstrip('0') for iou in _IN_SHORT)}, fluorescence |",
        "|---|---|---|---|",
    ]
    for folder in folders:
        spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        scores = [row["ap"] for row in rows if (row["label"], row["modality"]) == (folder.name, "fluorescence")]
        shown = " / ".join(_part(scores[0][iou]) for iou in _IN_SHORT) if scores else ""
        what = spec["description"].rstrip(".")
        lines.append(
            f"| [`{folder.name}`](models/{folder.name}/README.md) | {what[0].lower()}{what[1:]} | {spec['licence']} | {shown} |"
        )
    return lines


def unseen(rows: list[Row]) -> list[str]:
    """AP and F1 on kinds of images that were left out, by the share of rendered patches; the mean over kinds at the end."""
    shares = sorted({row["rendered"] for row in rows})
    lines = [
        "| images | " + " | ".join(f"{100 * share:g} % rendered" for share in shares) + " |",
        "|---|" + "---|" * len(shares),
    ]
    found = {
        (row["modality"], row["rendered"]): (row["ap"]["0.5"], row["f1_mean"], row["f1_median"], row["images"])
        for row in rows
    }
    kinds = list(dict.fromkeys(row["modality"] for row in rows))
    for kind in kinds:
        title = f"{kind.replace('_', ' ')} ({found[kind, shares[0]][3]})"
        lines.append(_both(title, (found[kind, share][:3] for share in shares)))
    means = [np.mean([found[kind, share][:3] for kind in kinds], axis=0) for share in shares]
    return [*lines, _both("mean over kinds", means)]


def networks(rows: list[Row]) -> list[str]:
    """AP at IoU 0.5 and F1 of networks trained alike, on kinds of images that they know and on kinds that they never saw, and what they cost."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    found = {(row["label"], row["known"], row["modality"]): row for row in rows}
    lines = ["| images | " + " | ".join(labels) + " |", "|---|" + "---|" * len(labels)]
    for known, what in ((True, "known kinds"), (False, "unseen kinds")):
        kinds = list(dict.fromkeys(kind for _, of_known, kind in found if of_known == known))
        scores = np.array([[_ap_and_f1(found[label, known, kind]) for label in labels] for kind in kinds])
        for kind, values in zip(kinds, scores, strict=True):
            title = f"{kind.replace('_', ' ')} ({found[labels[0], known, kind]['images']}{'' if known else ', unseen'})"
            lines.append(_both(title, values))
        lines.append(_both(f"**mean over {what}**", scores.mean(axis=0)))
    facts = [next(row for row in rows if row["label"] == label) for label in labels]
    lines.append("| million parameters | " + " | ".join(f"{row['parameters'] / 1e6:.2f}" for row in facts) + " |")
    return [
        *lines,
        "| seconds per megapixel | " + " | ".join(f"{row['network_seconds']:.3f}" for row in facts) + " |",
    ]


def rendered(rows: list[Row]) -> list[str]:
    """AP at IoU 0.5 and F1 of models on each kind of rendered images, and their means."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    found = {(row["modality"], row["label"]): _ap_and_f1(row) for row in rows}
    kinds = list(dict.fromkeys(row["modality"] for row in rows))
    scores = np.array([[found[kind, label] for label in labels] for kind in kinds])
    lines = [_both(kind, values) for kind, values in zip(kinds, scores, strict=True)]
    return [
        "| images | " + " | ".join(labels) + " |",
        "|---|" + "---|" * len(labels),
        *lines,
        _both("**mean over kinds**", scores.mean(axis=0)),
    ]


def _ap_and_f1(row: Row) -> tuple[float, float]:
    return row["ap"]["0.5"], row["f1_mean"]


def _both(title: str, values: Iterable[Iterable[float]]) -> str:
    """A line of cells that hold several scores each."""
    return f"| {title} | " + " | ".join(" / ".join(map(_part, pair)) for pair in values) + " |"


def pareto(rows: list[Row]) -> list[str]:
    """AP and seconds per megapixel, quickest first; bold is what nothing else beats in both."""
    lines = ["| model | s / megapixel | AP at IoU .5 | .75 | .9 | mean |", "|---|--:|--:|--:|--:|--:|"]
    for row in sorted(rows, key=_seconds):
        beaten = any(
            other["mean_ap"] >= row["mean_ap"] and _seconds(other) <= _seconds(row)
            for other in rows
            if other is not row
        )
        name = row["label"] if beaten else f"**{row['label']}**"
        values = [*(row["ap"][iou] for iou in ("0.5", "0.75", "0.9")), row["mean_ap"]]
        lines.append(f"| {name} | {_seconds(row):.2f} | {' | '.join(map(_part, values))} |")
    return lines


def _seconds(row: Row) -> float:
    return row["seconds_per_megapixel"]


def unlabelled(rows: list[Row]) -> list[str]:
    """What unlabelled images bring, by seed and in the mean."""
    lines = ["| | seed | AP .5 | AP .75 | AP .9 | mean .5 to .9 |", "|---|--:|--:|--:|--:|--:|"]
    for training, title in _TRAININGS.items():
        mine = [row for row in rows if row["training"] == training]
        values = [[*(row["ap"][iou] for iou in ("0.5", "0.75", "0.9")), row["mean_ap"]] for row in mine]
        for seed, one in [*zip((row["seed"] for row in mine), values, strict=True), ("mean", np.mean(values, axis=0))]:
            lines.append(f"| {title} | {seed} | {' | '.join(map(_part, one))} |")
    return lines


def _part(value: float) -> str:
    """A number from 0 to 1."""
    return f"{value:.3f}".removeprefix("0")
