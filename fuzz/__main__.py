"""``python -m fuzz --from N --count M``: read mutated inputs by number, print what became of them."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .campaign import FAILURES, run_campaign


def main() -> int:
    """Run the command; 1 if an input failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N", help="first number (default 0)")
    parser.add_argument("--count", type=int, default=1000, metavar="M", help="how many (default 1000)")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write the input of --from there")
    options = parser.parse_args()
    if options.write is not None:
        return _write(options.first, options.write)
    n_done = 0

    def said(found: dict[str, object]) -> None:
        nonlocal n_done
        n_done += 1
        if found["outcome"] in FAILURES:
            print(json.dumps(found), flush=True)
        if n_done % 1000 == 0:
            print(f"{n_done} of {options.count}", file=sys.stderr, flush=True)

    tally = run_campaign(options.first, options.count, options.workers, said)
    print(f"{sum(tally.counts.values())} inputs: {tally}")
    print(f"{tally.seconds:.0f} s of reading, the slowest {json.dumps(tally.slowest)}")
    return 1 if tally.failures else 0


def _write(number: int, folder: Path) -> int:
    from .corpus import make_corpus
    from .inputs import write_input

    folder.mkdir(parents=True, exist_ok=True)
    inside = Path(tempfile.mkdtemp(prefix=f"{number}_", dir=folder))
    kind, path, n_bytes = write_input(number, make_corpus(), inside)
    print(f"{path}: {kind}, {n_bytes} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
