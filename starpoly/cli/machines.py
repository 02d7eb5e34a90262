"""``starpoly predict`` on several machines: the workers of a dask cluster, or the jobs of an array."""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, warn
from .common import failure, positive_integer
from .request import model_settings, request_of

if TYPE_CHECKING:
    from ..detection.cluster import Cluster
    from ..prediction.outputs import Job
    from ..prediction.tasks import ImageOutcome
    from ..timing import Stopwatch


def add_machine_arguments(machines: argparse._ArgumentGroup) -> None:
    """Declare the arguments."""
    which = machines.add_mutually_exclusive_group()
    which.add_argument(
        "--workers",
        type=positive_integer,
        metavar="N",
        help="start N processes on this machine, which share its processors",
    )
    which.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the workers of the dask scheduler at tcp://HOST:8786 (extra dask)",
    )
    which.add_argument(
        "--scheduler-file",
        type=Path,
        metavar="FILE",
        help="the same, with the file that the scheduler wrote its address to",
    )
    machines.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="segment every N-th image only, from the I-th on: 1/8 to 8/8 for eight jobs",
    )


def _shard(text: str) -> tuple[int, int]:
    """Option for one of several parts."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    index, n = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= n:
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, such as 1/8, got {text!r}")
    return index, n


def shard_of(jobs: list[Job], args: argparse.Namespace) -> list[Job]:
    """The jobs of this shard; all of them without one.

    Raises
    ------
    ConfigError
        If something is asked for that needs all images.
    """
    if args.shard is None:
        return jobs
    if args.report or args.table_all is not None:
        raise ConfigError(
            "--shard: expected neither --report nor --table-all, which tell of all images; after the last shard repeat the "
            "command without --shard and with --skip-existing to write them"
        )
    index, n = args.shard
    return jobs[index - 1 :: n]


@dataclass(frozen=True)
class Done:
    """What a worker made of an image."""

    job: Job
    outcome: ImageOutcome
    args: argparse.Namespace
    clock: Stopwatch

    @property
    def elapsed(self) -> float:
        """Seconds that it took."""
        return self.outcome.elapsed

    def row(self) -> dict[str, Any] | None:
        """The summary row, after its warnings; None if the image is left, as it is too large for one worker."""
        for message in self.outcome.warnings:
            warn(message)
        self.clock.add(self.outcome.seconds)
        return (
            self.outcome.row if self.outcome.error is None else failure(self.job.image, self.outcome.error, self.args)
        )


@contextmanager
def outcomes_of(
    jobs: list[Job], args: argparse.Namespace, clock: Stopwatch
) -> Iterator[tuple[Iterator[tuple[Job, Done | None]], Cluster | None]]:
    """The jobs in order, each with what a worker made of it, and the cluster; None and None without one."""
    from ..detection.cluster import open_cluster

    with open_cluster(args.scheduler, scheduler_file=args.scheduler_file, workers=args.workers) as cluster:
        if cluster is None:
            yield ((job, None) for job in jobs), None
            return
        if not getattr(args, "verbose", False):
            logging.getLogger("distributed").setLevel(logging.CRITICAL)  # tells of dask's own affairs
        with closing(_spread(jobs, args, clock, cluster)) as outcomes:
            yield outcomes, cluster


def _spread(
    jobs: list[Job], args: argparse.Namespace, clock: Stopwatch, cluster: Cluster
) -> Generator[tuple[Job, Done | None], None, None]:
    from ..prediction.shared_folder import shared_folder
    from ..prediction.tasks import ImageTask, ModelLoader, spread_images

    with shared_folder(args.output) as token:
        load = ModelLoader(model_settings(args))
        task = ImageTask(args.model, load, request_of(args), token)
        for job, outcome in spread_images(cluster, task, jobs):
            yield job, Done(job, outcome, args, clock)
