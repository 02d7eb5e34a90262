"""``starpoly models``: list the shipped models, describe one."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ..errors import StarpolyError
from ..io.console import printable, say

if TYPE_CHECKING:
    from ..config import ModelSpec

HELP = "list models, or describe one"
EXAMPLE = "starpoly models info nuclei-fluo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="name the models that ship with starpoly")
    listing.set_defaults(action=_list)
    info = actions.add_parser("info", help="describe a model")
    info.add_argument("model", metavar="MODEL", help="name or folder")
    info.set_defaults(action=_info)
    for action in (listing, info):
        action.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Run the action."""
    return args.action(args)


def _list(args: argparse.Namespace) -> int:
    from ..model_zoo import available_models, default_models, find_model
    from ..network.storage.folder import load_spec

    chosen = default_models()
    rows: list[dict[str, Any]] = []
    for name in available_models():
        try:
            spec = load_spec(find_model(name))
            rows.append(
                {
                    "name": name,
                    "default": name in chosen,
                    "channels": spec.network.n_channels,
                    "description": spec.description,
                }
            )
        except StarpolyError as error:  # list the other models even if one is broken
            rows.append({"name": name, "default": False, "channels": None, "description": f"cannot be read: {error}"})
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    for row in rows:
        mark = "*" if row["default"] else " "
        channels = {None: "?", 1: "grey", 3: "RGB"}.get(row["channels"], f"{row['channels']} channels")
        sys.stdout.write(printable(f"{mark} {row['name']}  ({channels})  {row['description']}".rstrip()) + "\n")
    sys.stdout.write(
        "* tried on each image, unless --model names one\n" if rows else "no models ship with this installation\n"
    )
    return 0


def _info(args: argparse.Namespace) -> int:
    from ..model_zoo import find_model
    from ..network.storage.folder import find_weights, load_spec

    folder = find_model(args.model)
    spec = load_spec(folder)
    try:
        find_weights(folder)
    except StarpolyError as error:  # the description is sound, and what was asked for
        say(f"starpoly: warning: {error}")
    if args.json:
        sys.stdout.write(json.dumps({"folder": str(folder), **spec.to_dict()}, indent=2) + "\n")
        return 0
    facts = _facts(spec)
    width = max(map(len, facts))
    sys.stdout.write(printable(f"{spec.name}  ({folder})") + "\n")
    sys.stdout.writelines(printable(f"  {name:{width}}  {value}") + "\n" for name, value in facts.items() if value)
    return 0


def _facts(spec: ModelSpec) -> dict[str, Any]:
    network = spec.network
    smallest, typical, largest = spec.object_diameter
    classes = ", ".join(spec.class_names) or network.n_classes
    return {
        "description": spec.description,
        "licence": spec.licence,
        "channels": network.n_channels,
        "classes": classes,
        "rays": network.n_rays,
        "grid": " x ".join(map(str, network.grid)),
        "objects": f"{typical:.0f} px wide ({smallest:.0f} to {largest:.0f})" if typical else "",
        "thresholds": f"probability {spec.thresholds.prob:g}, overlap {spec.thresholds.nms:g}",
        "normalisation": f"percentiles {spec.normalization.low:g} and {spec.normalization.high:g}",
        **{f"training {name}": value for name, value in spec.training.items() if isinstance(value, str | int | float)},
    }
