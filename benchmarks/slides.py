"""Whole slides: time, memory and seams, by size and side by side with StarDist.

    python benchmarks/slides.py [--sizes 2000,5000,10000,20000] [--compare 10240] [--only PATTERN,...] [--json FILE]

Every case is the real command, `starpoly predict SLIDE.tif -o OUT --format geojson`, or `peer.py` with StarDist's
`predict_instances_big`, in a process of its own, on a synthetic slide of real nuclei (`mosaic.py`). Small runs before the
first case compile what is compiled once. After each case the figures are written to --json, and cases that are in there
are not run again: a long run can be stopped, or split with --only. At the end stand the tables and what was aimed at.

Cases are named TOOL/KIND/SIDE: `own/grey/10000` (starpoly's own model, by size), and at the side of --compare
`own/...`, `imported/...` (the network of --peer in starpoly), `stardist/...`, `stardist-lean/...` (the same without image
and labels in memory) and `seams/TOOL/grey/SIDE` (objects cut, lost or doubled at seams, see `seams.py`). --list shows them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mosaic import add_mosaic_arguments, bank_of, default_images, written_slide
from process import machine, measure

ROOT = Path(__file__).resolve().parents[1]
STARPOLY, STARDIST = ("own", "imported"), ("stardist", "stardist-lean")
#: What is aimed at: peak memory at 10 000 x 10 000, its growth to 20 000 x 20 000, and the spread of seconds per megapixel
PEAK_MB, GROWTH, SPREAD = 1500, 1.10, 1.10
FLAT_FROM, FLAT_TO = 25, 400  # megapixels
#: Cores that others may keep busy meanwhile
OTHERS = 0.15

_STAGE = re.compile(r"^ *([\d.]+) s  (.+)$", re.MULTILINE)
_START = ("imports", "model")  # stages that do not depend on the slide


@dataclass(frozen=True)
class Case:
    """One thing to run."""

    tool: str
    kind: str
    side: int
    seams: bool = False

    @property
    def name(self) -> str:
        return f"{'seams/' if self.seams else ''}{self.tool}/{self.kind}/{self.side}"


class Bench:
    """Runs cases and keeps their figures in a file."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.bank = bank_of(args)
        self.figures: dict[str, Any] = {"machine": machine(), "slides": self.bank.origin, "cases": {}}
        if args.json.exists():
            self.figures["cases"] = json.loads(args.json.read_text(encoding="utf-8"))["cases"]
        self._warm: set[str] = set()
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._environment = {"PYTHONPATH": os.pathsep.join(path), "TF_CPP_MIN_LOG_LEVEL": "3"}

    def run(self, case: Case) -> bool:
        """Run a case and keep its figures; False if it failed."""
        say(f"{case.name} ...")
        figures = self._seams(case) if case.seams else self._predict(case)
        self.figures["cases"][case.name] = figures
        self.save()
        if figures["status"]:
            say(f"{case.name} failed with status {figures['status']}: {figures['said']}")
        return not figures["status"]

    def save(self) -> None:
        temporary = self.args.json.with_name(f".{self.args.json.name}.part")
        temporary.write_text(json.dumps(self.figures, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.args.json)

    def slide(self, side: int, kind: str) -> Path:
        return written_slide(self.args.work, side, kind, self.args.seed, bank=self.bank)

    def folder(self, case: Case) -> Path:
        return self.args.work / case.name.removeprefix("seams/").replace("/", "_")

    def _predict(self, case: Case) -> dict[str, Any]:
        if case.tool not in self._warm:
            self._measure(case, self.slide(512, "grey"), self.args.work / f"warm_{case.tool}")
            self._warm.add(case.tool)
        runs = []
        for _ in range(self.args.repeats):
            runs.append(self._measure(case, self.slide(case.side, case.kind), self.folder(case)))
            if runs[-1]["status"]:
                return runs[-1]
        middle = statistics.median_low([run["seconds"] for run in runs])
        chosen = next(run for run in runs if run["seconds"] == middle)
        return chosen | {
            "peak_mb": max(run["peak_mb"] for run in runs),
            "all_seconds": [run["seconds"] for run in runs],
        }

    def _measure(self, case: Case, slide: Path, folder: Path) -> dict[str, Any]:
        # what an earlier run has left must not be gone on from
        shutil.rmtree(folder, ignore_errors=True)
        command = self._stardist(case, slide, folder) if case.tool in STARDIST else self._starpoly(case, slide, folder)
        taken = measure(command, folder, environment=self._environment)
        said = (taken.stderr.strip().splitlines() or [""])[-1]
        figures: dict[str, Any] = {
            "status": taken.status, "said": said, "command": taken.command, "side": case.side, "kind": case.kind,
            "seconds": taken.seconds, "cpu_seconds": taken.cpu_seconds, "peak_mb": taken.peak_mb,
            "anonymous_mb": taken.anonymous_mb, "rusage_mb": taken.rusage_mb, "others": taken.others, "memory": taken.memory,
        }  # fmt: skip
        if taken.status:
            return figures | {"stderr": taken.stderr[-2000:]}
        if case.tool in STARDIST:
            summary = json.loads((folder / "summary.json").read_text())
            return figures | {
                "objects": summary["objects"],
                "stages": summary["seconds"],
                "stage_peaks": summary["peak_mb"],
            }
        summary = json.loads((folder / "summary.json").read_text())
        stages = {name: float(seconds) for seconds, name in _STAGE.findall(taken.stderr)}
        return figures | {
            "objects": summary["images"][0]["objects"],
            "stages": stages,
            "tiles": summary["images"][0].get("tiles"),
        }

    def _starpoly(self, case: Case, slide: Path, folder: Path) -> list[str]:
        args = self.args
        command = [
            sys.executable,
            "-m",
            "starpoly",
            "predict",
            slide,
            "-o",
            folder,
            "--timings",
            "--json",
            folder / "summary.json",
        ]
        command += (
            ["--model", args.peer if case.tool == "imported" else args.model]
            if case.tool == "imported" or args.model
            else []
        )
        command += ["--format", args.formats] if args.formats else []
        command += ["--scale", args.scale] if args.scale else []
        command += ["--tile-size", args.tile_size] if args.tile_size else []
        command += ["--tissue", "auto"] if case.kind == "sparse" else []
        return [str(word) for word in command + args.extra]

    def _stardist(self, case: Case, slide: Path, folder: Path) -> list[str]:
        words = [
            sys.executable,
            ROOT / "benchmarks" / "peer.py",
            slide,
            folder,
            "--model",
            self.args.peer,
            *self._blocks(),
        ]
        return [str(word) for word in words + (["--lean"] if case.tool == "stardist-lean" else [])]

    def _blocks(self) -> list[Any]:
        args = self.args
        return ["--block", args.block, "--min-overlap", args.min_overlap, "--context", args.context]

    def _seams(self, case: Case) -> dict[str, Any]:
        """Look at the seams of a result that is there already."""
        args, folder, slide = self.args, self.folder(case), self.slide(case.side, case.kind)
        labels, outlines = self._results(case.tool, folder, slide)
        if not labels.exists() or not outlines.exists():
            return {
                "status": 1,
                "said": f"expected the results of {case.tool}/{case.kind}/{case.side} in {folder}; run it first",
            }
        target = folder / "seams.json"
        command = [
            sys.executable, ROOT / "benchmarks" / "seams.py", "stardist" if case.tool in STARDIST else "starpoly",
            slide, labels, outlines, "--model", args.peer if case.tool != "own" else args.model or "nuclei-fluo",
            "--windows", args.windows, "--truth", "--json", target, "--seed", args.seed, "--scale", args.scale or 1,
            "--modality", args.modality, "--split", args.split, *self._blocks(),
        ]  # fmt: skip
        command += ["--images", args.images] if args.images else []
        command += ["--tile-size", args.tile_size] if args.tile_size else []
        taken = measure([str(word) for word in command], folder / "seams", environment=self._environment)
        said = (taken.stderr.strip().splitlines() or [""])[-1]
        figures: dict[str, Any] = {"status": taken.status, "said": said, "seconds": taken.seconds}
        return figures if taken.status else figures | json.loads(target.read_text())

    def _results(self, tool: str, folder: Path, slide: Path) -> tuple[Path, Path]:
        if tool in STARDIST:
            return folder / ("labels.tif" if tool == "stardist" else "labels.zarr"), folder / "outlines.npz"
        return folder / f"{slide.stem}_label.tiff", folder / f"{slide.stem}.geojson"


def cases_of(args: argparse.Namespace) -> list[Case]:
    """All cases, in the order in which they run."""
    cases = [Case("own", kind, side) for kind in args.kind for side in args.sizes]
    if args.compare:
        tools = [*STARDIST[:1], *STARPOLY, *STARDIST[1:]] if args.peer else ["own"]
        cases += [Case(tool, "grey", args.compare) for tool in tools]
        cases += [Case(tool, "grey", args.compare, seams=True) for tool in tools if tool != "stardist-lean"]
    cases = list(dict.fromkeys(cases))
    return [case for case in cases if not args.only or any(fnmatch(case.name, pattern) for pattern in args.only)]


def own_seconds(figures: dict[str, Any]) -> float:
    """Seconds without the start: imports and loading the model."""
    return figures["seconds"] - sum(figures["stages"].get(stage, 0.0) for stage in _START)


def megapixels(figures: dict[str, Any]) -> float:
    return figures["side"] ** 2 / 1e6


def series_table(cases: dict[str, Any], kind: str) -> list[str]:
    """Time and memory by size."""
    rows = [figures for figures in _done(cases, f"own/{kind}/*")]
    if not rows:
        return []
    first = next((row for row in rows if megapixels(row) >= FLAT_FROM), rows[0])
    base = own_seconds(first) / megapixels(first)
    lines = [
        f'starpoly, {kind}, by size (ratios to {first["side"]} x {first["side"]}; "without start": less imports and loading the model)',
        "",
        "| side | objects | seconds | s/Mpx | s/Mpx without start | ratio | peak MB | ratio | network s | geometry s | reading s | writing s | network busy |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        stage = row["stages"]
        rate = own_seconds(row) / megapixels(row)
        network, geometry, reading, writing = (stage.get(name, stage.get(f"detection: {name}", 0.0)) for name in
                                               ("network", "geometry", "reading", "writing"))  # fmt: skip
        lines.append(
            f"| {row['side']} | {row['objects']} | {row['seconds']:.1f} | {row['seconds'] / megapixels(row):.3f} | {rate:.3f} | "
            f"{rate / base:.2f} | {row['peak_mb']:.0f} | {row['peak_mb'] / first['peak_mb']:.2f} | {network:.1f} | {geometry:.1f} | "
            f"{reading:.1f} | {writing:.1f} | {100 * network / own_seconds(row):.0f} % |"
        )
    return [*lines, ""]


def comparison_table(cases: dict[str, Any], side: int) -> list[str]:
    """The tools on one slide; ratios to StarDist."""
    tools = [tool for tool in (*STARDIST, *STARPOLY) if _done(cases, f"{tool}/grey/{side}")]
    if len(tools) < 2:
        return []
    figures = {tool: cases[f"{tool}/grey/{side}"] for tool in tools}
    base = figures[tools[0]]
    lines = [
        f"{side} x {side} grey, ratios to {_title(tools[0])}",
        "",
        "| | objects | seconds | ratio | without start | ratio | peak MB | ratio | processor s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for tool, row in figures.items():
        lines.append(
            f"| {_title(tool)} | {row['objects']} | {row['seconds']:.1f} | {row['seconds'] / base['seconds']:.2f} | {own_seconds(row):.1f} | "
            f"{own_seconds(row) / own_seconds(base):.2f} | {row['peak_mb']:.0f} | {row['peak_mb'] / base['peak_mb']:.2f} | {row['cpu_seconds']:.0f} |"
        )
    return [*lines, ""]


def seam_table(cases: dict[str, Any], side: int) -> list[str]:
    """Objects at seams, and half-way between them."""
    tools = [tool for tool in (*STARDIST, *STARPOLY) if _done(cases, f"seams/{tool}/grey/{side}")]
    if not tools:
        return []
    lines = [
        f"seams, {side} x {side} grey (changed, lost, extra: against the same tool's answer with the line in the middle)",
        "",
        "| | where | seams px | looked at | changed | lost | extra | doubled pairs | per 1 000 objects | true nuclei across | found | in pieces |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for tool in tools:
        for where in ("seams", "between"):
            row = cases[f"seams/{tool}/grey/{side}"][where]
            again, double, true = row["looked_at_again"], row["doubled"], row["true_nuclei"]
            wrong = again["changed"] + again["lost"] + again["extra"]
            found = (
                ""
                if true is None
                else f"{true['nuclei']} | {100 * true['found'] / max(1, true['nuclei']):.1f} % | {true['in_pieces']}"
            )
            lines.append(
                f"| {_title(tool)} | {where} | {row['length_px']} | {again['objects']} | {again['changed']} | {again['lost']} | {again['extra']} | "
                f"{double['pairs']} of {double['objects']} | {1000 * wrong / max(1, again['objects']):.1f} | {found or ' | | '} |"
            )
    return [*lines, ""]


def _title(tool: str) -> str:
    return {
        "own": "starpoly, own model", "imported": "starpoly, StarDist's network", "stardist": "StarDist",
        "stardist-lean": "StarDist, lean",
    }[tool]  # fmt: skip


def _done(cases: dict[str, Any], pattern: str) -> list[dict[str, Any]]:
    """Figures of the cases that went well, by size."""
    chosen = [figures for name, figures in cases.items() if fnmatch(name, pattern) and not figures["status"]]
    return sorted(chosen, key=lambda figures: figures.get("side", 0))


def targets(cases: dict[str, Any], kinds: list[str]) -> list[tuple[str, bool]]:
    """What was aimed at, and whether it was reached, as far as it was measured."""
    checks = []
    for kind in kinds:
        rows = {figures["side"]: figures for figures in _done(cases, f"own/{kind}/*")}
        if 10_000 in rows:
            peak = rows[10_000]["peak_mb"]
            checks.append((f"{kind}: peak memory at 10 000 x 10 000 {peak:.0f} MB (below {PEAK_MB})", peak < PEAK_MB))
        if 10_000 in rows and 20_000 in rows:
            growth = rows[20_000]["peak_mb"] / rows[10_000]["peak_mb"]
            checks.append(
                (f"{kind}: peak memory from 10 000 to 20 000 squared x {growth:.3f} (below {GROWTH})", growth < GROWTH)
            )
        rates = [own_seconds(row) / megapixels(row) for row in rows.values() if FLAT_FROM <= megapixels(row) <= FLAT_TO]
        if len(rates) > 1:
            spread = max(rates) / min(rates)
            text = f"{kind}: seconds per megapixel without start, {FLAT_FROM} to {FLAT_TO} Mpx, largest / smallest {spread:.3f} (at most {SPREAD})"
            checks.append((text, spread <= SPREAD))
    return checks


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _list_of(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [kind(part) for part in text.split(",") if part]


def default_peer() -> Path | None:
    """StarDist's model folder, where there is one."""
    images = default_images()
    folder = None if images is None else images.parent / "peer" / "stardist-fluo"
    return folder if folder is not None and folder.is_dir() else None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    out.add_argument(
        "--sizes",
        type=_list_of(int),
        default=[2000, 5000, 10_000, 20_000],
        help="sides in pixels (default: 2000,5000,10000,20000)",
    )
    out.add_argument(
        "--kind", type=_list_of(str), default=["grey"], help="some of grey, rgb, sparse, for the sizes (default: grey)"
    )
    out.add_argument(
        "--compare",
        type=int,
        default=10_240,
        metavar="SIDE",
        help="side at which tools are compared, 0 for none (default: %(default)s)",
    )
    out.add_argument(
        "--only",
        type=_list_of(str),
        default=[],
        metavar="PATTERN,...",
        help="run only these cases, e.g. 'own/*,seams/*'",
    )
    out.add_argument("--again", action="store_true", help="run cases again that are in the file already")
    out.add_argument("--list", action="store_true", help="list the cases and end")
    out.add_argument(
        "--json", type=Path, default=Path("slides.json"), help="file of the figures (default: %(default)s)"
    )
    out.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "starpoly-slides",
        help="folder for slides and results (default: %(default)s)",
    )
    out.add_argument(
        "--repeats", type=int, default=1, help="runs per case; the median time and the largest memory count"
    )
    out.add_argument(
        "--formats", default="geojson", help="further sinks: geojson, zarr, rois, or '' (default: %(default)s)"
    )
    out.add_argument("--model", help="starpoly's model (default: its default)")
    out.add_argument("--scale", type=int, default=1, help="0 lets the model decide (default: 1, so that sizes compare)")
    out.add_argument("--tile-size", type=int)
    out.add_argument(
        "--extra", type=str.split, default=[], metavar="'OPTION ...'", help="further options for starpoly predict"
    )
    out.add_argument(
        "--peer",
        type=Path,
        default=default_peer(),
        help="StarDist's model folder (default: ../shared/peer/stardist-fluo)",
    )
    out.add_argument("--block", type=int, default=2048, help="StarDist's block_size (default: %(default)s)")
    out.add_argument("--min-overlap", type=int, default=128, help="StarDist's min_overlap (default: %(default)s)")
    out.add_argument("--context", type=int, default=128, help="StarDist's context (default: %(default)s)")
    out.add_argument(
        "--windows",
        type=int,
        default=60,
        help="windows looked at again at seams, and as many between (default: %(default)s)",
    )
    add_mosaic_arguments(out)
    return out


def main(arguments: list[str] | None = None) -> int:
    """Run what is not there yet, print the tables; 0 if all ran and reached what was aimed at."""
    args = parser().parse_args(arguments)
    cases = cases_of(args)
    if args.list:
        print("\n".join(case.name for case in cases))
        return 0
    args.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(args)
    done = bench.figures["cases"]
    todo = [case for case in cases if args.again or case.name not in done or done[case.name]["status"]]
    ran = [bench.run(case) for case in todo]
    print(f"{bench.bank.origin}; {bench.figures['machine']}\n")
    for kind in args.kind:
        print("\n".join(series_table(done, kind)))
    print("\n".join(comparison_table(done, args.compare) + seam_table(done, args.compare)))
    checks = targets(done, args.kind)
    for text, reached in checks:
        print(f"{'PASS' if reached else 'FAIL'}  {text}")
    shared = [
        f"{name} ({figures['others']:.1f} cores)" for name, figures in done.items() if figures.get("others", 0) > OTHERS
    ]
    if shared:
        print(f"\nothers were at work, so these times are no figures: {', '.join(shared)}")
    return 0 if all(ran) and all(reached for _, reached in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
