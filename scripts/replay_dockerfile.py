"""Build and try the container without Docker: the Dockerfile's own steps, followed in a root of their own.

    python scripts/replay_dockerfile.py check               build, then run the challenge's command in several ways
    python scripts/replay_dockerfile.py run INPUT OUTPUT    the challenge's command on two folders of yours
    python scripts/replay_dockerfile.py slide               on an RGB image of 8 415 x 10 496 pixels
    python scripts/replay_dockerfile.py build               build only
    python scripts/replay_dockerfile.py shell [WORDS...]    any command in the container

As root, with debootstrap, the base is a fresh Debian of the release that FROM names, with that release's own Python. Elsewhere
this machine's own programs are the base, seen through user namespaces; then all users are one, and memory is limited by
address space. In both, what runs has no network, 64 MB of /dev/shm, inputs that it cannot write, and Docker's capabilities.
Building needs Debian's mirror and the Python package index as this machine's pip is set up for them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from replay import container
from replay.base import can_bootstrap
from replay.build import Builder, say
from replay.dockerfile import DockerfileError

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> int:
    """0 if all is as it should be, else 1, or the status of what was run."""
    args = _parser().parse_args(argv)
    on_this_machine = args.base == "host" or (args.base is None and not can_bootstrap())
    work = args.work.resolve() / ("host" if on_this_machine else "debian")
    work.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    try:
        image = Builder(
            ROOT,
            work,
            {"DEVICE": args.device, "MODEL": args.model},
            on_this_machine=on_this_machine,
            quiet=args.action == "run",
        ).build()
    except DockerfileError as error:
        say(f"replay: {error}")
        return 1
    engine = container.Engine(image, work, args.memory)
    return args.function(engine, args)


def _build(engine: container.Engine, args: argparse.Namespace) -> int:
    return 0


def _check(engine: container.Engine, args: argparse.Namespace) -> int:
    if args.device == "cpu":
        say("TensorFlow without CUDA: the image for a GPU holds docker/requirements-cuda.txt as well")
    problems = container.check(engine)
    say(f"{len(problems)} problems" if problems else "the container keeps its contract")
    return int(bool(problems))


def _run(engine: container.Engine, args: argparse.Namespace) -> int:
    args.output.mkdir(parents=True, exist_ok=True)
    done = engine.challenge(args.input.resolve(), args.output.resolve()).done
    if args.timings:
        say(json.dumps(container.measured(done)))
    return done.status


def _slide(engine: container.Engine, args: argparse.Namespace) -> int:
    facts = container.slide(engine, args.height, args.width)
    sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    return int(facts["status"] != 0)


def _shell(engine: container.Engine, args: argparse.Namespace) -> int:
    ended = engine.start(args.words or ("sh", "predict.sh"))
    for name in ended.written:
        say(f"written in the container: {name}")
    return ended.done.status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "replay", help="folder for layers (default: build/replay)"
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="the Dockerfile's argument; gpu downloads 3 GB more"
    )
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME",
        help="the Dockerfile's argument: a folder in models/ (default: starpoly's)",
    )
    parser.add_argument("--base", choices=("debian", "host"), help="default: debian where it can be made")
    parser.add_argument("--memory", type=_size, default=_size("20G"), help="limit, such as 28G (default: 20G)")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, function, text in (
        ("check", _check, "build, then run the challenge's command in several ways"),
        ("run", _run, "run the challenge's command on two folders"),
        ("slide", _slide, "segment one large image"),
        ("build", _build, "build only"),
        ("shell", _shell, "run any command"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(function=function)
        if name == "run":
            action.add_argument("input", type=Path)
            action.add_argument("output", type=Path)
            action.add_argument("--timings", action="store_true", help="say time and memory as JSON")
        elif name == "slide":
            action.add_argument("--height", type=int, default=8415)
            action.add_argument("--width", type=int, default=10496)
        elif name == "shell":
            action.add_argument("words", nargs=argparse.REMAINDER)
    return parser


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([MG])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a size such as 28G, got {text!r}")
    return int(match[1]) * {"M": 2**20, "G": 2**30}[match[2]]


if __name__ == "__main__":
    sys.exit(main())
