"""The tables of the documents, from the figures in benchmarks/results.

    python benchmarks/tables.py [--slides FILE ...] [--slides-default FILE ...] [--exactness FILE ...] [--read-back FILE ...]
                                [--quality FILE ...] [--quality-peer FILE ...] [--quality-sizes FILE ...]
                                [--quality-worst FILE ...] [--quality-bent FILE ...] [--choices FILE ...] [--unseen FILE ...]
                                [--networks FILE ...] [--rendered FILE ...] [--pareto FILE ...] [--pareto-amx FILE ...] [--check]

First takes new figures into benchmarks/results: of `slides.py --json` those of the cases (a later file counts), of
`slide_exactness.py --json` and `read_back.py --json` the lines; without commands, paths and what processes said;
`scaling.py --json` writes there itself. Then writes each table between its marks, `<!-- benchmark: NAME -->` and
`<!-- /benchmark -->`. With --check nothing is written: exit status 1 if a document does not show what the figures say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import challenge_tables
import quality_tables
import readme_tables
import scaling_tables
from slides import OTHERS, megapixels, own_seconds

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MODELS = sorted(path.parent for path in ROOT.glob("models/*/model.json"))
_DOCS = ("challenge", "failures", "machines", "quality", "rendered", "slides", "speed", "unlabelled")
DOCUMENTS = (
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in _DOCS),
    *(folder / "README.md" for folder in MODELS),
)
_MARKS = re.compile(r"(<!-- benchmark: ([\w-]+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
_SECONDS = re.compile(r"\b\d+ s, ")
#: What is kept of a case
_KEPT = (
    "status", "side", "kind", "seconds", "cpu_seconds", "peak_mb", "anonymous_mb", "others", "objects", "tiles", "stages",
    "seams", "between",
)  # fmt: skip
_TOOLS = {
    "stardist": "StarDist, as documented", "stardist-lean": "StarDist, image and labels on disk",
    "imported": "starpoly, StarDist's network", "own": "starpoly, `nuclei-fluo`",
}  # fmt: skip

_KINDS = ("grey", "rgb", "sparse")

#: Files of rows that are kept as they are, with what to say of them.
_ROWS = {
    "quality": "by kind of image", "quality_peer": "of StarDist itself", "quality_sizes": "of resized images", "quality_worst": "the worst images",
    "quality_bent": "bent objects", "choices": "of network and training", "unseen": "kinds that were left out", "rendered": "rendered images",
    "networks": "under one budget", "pareto": "AP and seconds", "pareto_amx": "the same on a processor with AMX",
}  # fmt: skip

Cases = dict[str, dict[str, Any]]


def take_slides(files: list[Path], name: str = "slides") -> None:
    """Keep the figures of cases that went well."""
    target = RESULTS / f"{name}.json"
    kept: dict[str, Any] = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"cases": {}}
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        kept |= {"machine": found["machine"], "slides": found["slides"]}
        for name, case in found["cases"].items():
            if not case["status"]:
                kept["cases"][name] = {key: _rounded(case[key]) for key in _KEPT if key in case}
    _write(target, kept)


def take_lines(name: str, files: list[Path]) -> None:
    """Keep lines of PASS and FAIL, without their seconds: nothing was done to have the machine to themselves."""
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    _write(RESULTS / f"{name}.json", [row | {"detail": _SECONDS.sub("", row["detail"])} for row in rows])


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def sizes(cases: Cases) -> list[str]:
    """Time and memory by size."""
    lines = [
        "| slide | objects | seconds | s per megapixel, without start | processor s per megapixel | peak memory | in the network |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for case in _own(cases):
        rate, busy = own_seconds(case) / megapixels(case), _stage(case, "network") / own_seconds(case)
        lines.append(
            f"| {_size(case)} | {_count(case['objects'])} | {_seconds(case, 1)} | {rate:.3f}{_mark(case)} | "
            f"{case['cpu_seconds'] / megapixels(case):.3f} | {case['peak_mb'] / 1000:.2f} GB | {100 * busy:.0f} % |"
        )
    return lines


def short(cases: Cases) -> list[str]:
    """The same in few columns."""
    lines = ["| slide | objects | seconds | peak memory |", "|---|--:|--:|--:|"]
    for case in _own(cases):
        if case["side"] >= 5000:
            lines.append(
                f"| {_size(case)} | {_count(case['objects'])} | {_seconds(case)} | {case['peak_mb'] / 1000:.2f} GB |"
            )
    return lines


def comparison(cases: Cases) -> list[str]:
    """The tools on one slide."""
    lines = ["| | objects | seconds | processor seconds | peak memory |", "|---|--:|--:|--:|--:|"]
    for tool, title in _TOOLS.items():
        case = cases.get(f"{tool}/grey/10240")
        if case is not None:
            lines.append(
                f"| {title} | {_count(case['objects'])} | {_seconds(case)} | {case['cpu_seconds']:.0f} | {case['peak_mb'] / 1000:.2f} GB |"
            )
    return lines


def seams(cases: Cases) -> list[str]:
    """Objects at seams, and half-way between them."""
    lines = [
        "| | where | segmented again | changed | lost | extra | doubled pairs | true nuclei across | found | in pieces |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for tool, title in _TOOLS.items():
        case = cases.get(f"seams/{tool}/grey/10240")
        for where in ("seams", "between") if case is not None else ():
            again, double, true = (case[where][part] for part in ("looked_at_again", "doubled", "true_nuclei"))
            found = f"{100 * true['found'] / max(1, true['nuclei']):.1f} %"
            lines.append(
                f"| {title} | {where} | {again['objects']} | {again['changed']} | {again['lost']} | {again['extra']} | "
                f"{double['pairs']} of {_count(double['objects'])} | {_count(true['nuclei'])} | {found} | {true['in_pieces']} |"
            )
    return lines


def _own(cases: Cases) -> list[dict[str, Any]]:
    found = [case for name, case in cases.items() if re.fullmatch(r"own/(grey|rgb|sparse)/\d+000", name)]
    return sorted(found, key=lambda case: (_KINDS.index(case["kind"]), case["side"]))


def _size(case: dict[str, Any]) -> str:
    return f"{_count(case['side'])} x {_count(case['side'])}, {'RGB' if case['kind'] == 'rgb' else case['kind']}"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _seconds(case: dict[str, Any], decimals: int = 0) -> str:
    return f"{case['seconds']:.{decimals}f}{_mark(case)}"


def _mark(case: dict[str, Any]) -> str:
    """Times that others had a part in are marked."""
    return " \\*" if case["others"] > OTHERS else ""


def _stage(case: dict[str, Any], name: str) -> float:
    return case["stages"].get(name, case["stages"].get(f"detection: {name}", 0.0))


def checks(name: str) -> list[str]:
    """Lines of PASS and FAIL as a table."""
    rows = result(name)
    table = ["| check | | seen |", "|---|---|---|"]
    return table + [f"| {row['check']} | {'passed' if row['passed'] else 'FAILED'} | {row['detail']} |" for row in rows]


def result(name: str) -> Any:
    """Figures that are kept."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def tables() -> dict[str, Callable[[], list[str]]]:
    """All tables by name."""
    cases, of_default = (result(name)["cases"] for name in ("slides", "slides_default"))
    scores = [*result("quality"), *result("quality_peer")]
    scaling = result("scaling") if (RESULTS / "scaling.json").exists() else {}
    short_scores = [row for row in scores if row["modality"] == "fluorescence" and row["short"]]
    return {
        "why": lambda: readme_tables.why(scores, result("speed"), result("startup"), result("slides")),
        "slides": lambda: sizes(cases), "slides-default": lambda: sizes(of_default),
        "slides-short": lambda: short(cases), "comparison": lambda: comparison(cases),
        "seams": lambda: seams(cases), "exactness": lambda: checks("exactness"), "read-back": lambda: checks("read_back"),
        "quality": lambda: quality_tables.quality(scores), "quality-short": lambda: quality_tables.quality(short_scores),
        "quality-bent": lambda: quality_tables.quality(result("quality_bent")),
        "choices": lambda: quality_tables.choices(result("choices")),
        "unseen": lambda: quality_tables.unseen(result("unseen")),
        "rendered": lambda: quality_tables.rendered(result("rendered")),
        "networks": lambda: quality_tables.networks(result("networks")),
        "pareto": lambda: quality_tables.pareto(result("pareto")), "pareto-amx": lambda: quality_tables.pareto(result("pareto_amx")),
        "worst": lambda: quality_tables.worst(result("quality_worst")),
        "quality-sizes": lambda: quality_tables.sizes(result("quality_sizes")), "models": lambda: quality_tables.models(scores, MODELS),
        **{f"card-{folder.name}": partial(quality_tables.card, scores, folder.name) for folder in MODELS},
        "scaling": lambda: scaling_tables.measured(scaling), "archive": lambda: scaling_tables.archive(scaling),
        "unlabelled": lambda: quality_tables.unlabelled(result("unlabelled")),
        "startup": lambda: challenge_tables.startup(result("startup")), "challenge": lambda: challenge_tables.challenge(result("challenge")),
    }  # fmt: skip


def rendered(text: str) -> str:
    """A document with its tables as the figures say."""
    known = tables()
    return _MARKS.sub(lambda found: found[1] + "\n".join(known[found[2]]()) + "\n" + found[3], text)


def main(arguments: list[str] | None = None) -> int:
    """Take figures, write tables; with --check, 1 if a table is out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slides", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument(
        "--slides-default", type=Path, nargs="+", default=[], metavar="FILE", help="with the default model"
    )
    parser.add_argument("--exactness", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--read-back", type=Path, nargs="+", default=[], metavar="FILE")
    for name, what in _ROWS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, nargs="+", default=[], metavar="FILE", help=what)
    parser.add_argument("--check", action="store_true", help="write nothing, say whether the documents are up to date")
    args = parser.parse_args(arguments)
    if args.slides:
        take_slides(args.slides)
    if args.slides_default:
        take_slides(args.slides_default, "slides_default")
    for name in ("exactness", "read_back"):
        if getattr(args, name):
            take_lines(name, getattr(args, name))
    for name in _ROWS:
        if getattr(args, name):
            _write(
                RESULTS / f"{name}.json",
                [row for file in getattr(args, name) for row in json.loads(file.read_text(encoding="utf-8"))],
            )
    stale = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        wanted = rendered(text)
        if wanted != text:
            stale.append(document)
            if not args.check:
                document.write_text(wanted, encoding="utf-8")
    for document in stale:
        print(f"{document.relative_to(ROOT)}: {'out of date' if args.check else 'written'}")
    return int(args.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
