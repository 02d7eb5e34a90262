"""``starpoly predict``: images in, label images out; one bad file costs that file alone."""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from ..io.pairing import EXTENSIONS
from ..tiling import Box
from .common import about, byte_size, format_size, fraction, positive_integer, say, say_error
from .outputs import FORMATS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..config import ModelSpec
    from ..io.find import FoundImages
    from ..model import StarPoly2D
    from ..timing import Stopwatch
    from .outputs import Job

HELP = "find the objects in images and write label images"

_SMALLEST_TILE = 128
#: TIFF images with more pixels are read and written piece by piece
_SLIDE_PIXELS = 32_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("input", nargs="+", metavar="INPUT", help="image files, folders, or patterns such as 'data/*.tif'")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for NAME_label.tiff")
    parser.add_argument("--recursive", action="store_true", help="look into sub-folders, and make the same ones in OUT")
    parser.add_argument("--skip-existing", action="store_true", help="leave out images whose results are in OUT already")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    model = parser.add_argument_group("model")
    model.add_argument("--model", metavar="MODEL", help="name or folder (see `starpoly models list`)")
    model.add_argument("--prob-threshold", type=fraction, metavar="P", help="least probability of an object (default: the model's)")
    model.add_argument("--nms-threshold", type=fraction, metavar="T", help="overlap above which the weaker object goes (default: the model's)")
    model.add_argument("--scale", type=int, choices=(1, 2), help="look at images as they are or at twice their size (default: by the size of their objects)")
    results = parser.add_argument_group("further results")
    results.add_argument("--overlay", action="store_true", help="write NAME_overlay.png, the outlines over the image")
    results.add_argument("--table", action="store_true", help="write NAME_table.csv: label, centre, area, diameter, score, class")
    results.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write a summary as JSON; to stdout without FILE")
    results.add_argument("--format", type=_formats, default=(), metavar="F,...",
                         help="further formats: zarr (OME-Zarr labels), geojson (QuPath), rois (ImageJ)")
    results.add_argument("--timings", action="store_true", help="say where the time went")
    slides = parser.add_argument_group("slides", "files of any size are read and written piece by piece; a stopped run goes on when its command is repeated")
    slides.add_argument("--level", type=int, default=0, metavar="N", help="level of a pyramid (default: 0, the finest)")
    slides.add_argument("--channels", type=_integers, metavar="I,...", help="channels to use, counted from 0")
    slides.add_argument("--roi", type=_roi, metavar="Y0,X0,Y1,X1", help="look at this region only, in pixels of the level; results start at its corner")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--tile-size", type=positive_integer, metavar="N", help="side of the network's window in pixels")
    limits.add_argument("--memory", type=byte_size, metavar="SIZE", help="work within about this much, such as 8G: smaller windows, no larger images")


def run(args: argparse.Namespace) -> int:
    """Predict; 0 if all images were done, 1 if some failed."""
    from ..io.find import find_images
    from ..registry import default_model, find_model
    from ..timing import Stopwatch
    from .outputs import check_writable, plan_jobs

    clock = Stopwatch()
    found = find_images(args.input, recursive=args.recursive, exclude=[args.output])
    if not found.images:
        raise ImageError(_nothing_found(found))
    for path in found.passed_over:
        say(f"starpoly: {path}: looks like a result and is passed over; give it alone to segment it")
    jobs = plan_jobs(found.images, args.output, overlay=args.overlay, table=args.table, formats=args.format)
    folder = find_model(default_model() if args.model is None else args.model)
    _check_summary(args.json)
    rows = [_failure(given, ImageError(message), args) for given, message in found.problems]
    summary = {"model": str(folder), "output": str(args.output), "images": rows}
    if args.dry_run:
        rows += [_row(job, "exists" if args.skip_existing and job.is_done else "planned") for job in jobs]
        _show_plan(rows, args)
    else:
        check_writable(args.output)
        try:
            _predict_all(jobs, folder, args, clock, rows)
        finally:  # an interrupted run has a summary, too
            _write_summary(summary, args.json)
            _say_result(rows, args, clock)
        return int(any(row["status"] == "error" for row in rows))
    _write_summary(summary, args.json)
    return int(any(row["status"] == "error" for row in rows))


def _predict_all(jobs: list[Job], folder: Path, args: argparse.Namespace, clock: Stopwatch, rows: list[dict[str, Any]]) -> None:
    """Do the jobs one after the other; a row for each is appended to ``rows``."""
    todo = []
    for job in jobs:
        if args.skip_existing and job.is_done:
            rows.append(_row(job, "exists"))
        else:
            todo.append(job)
    if not todo:
        return
    model = _load(folder, clock)
    from tqdm import tqdm

    quiet = getattr(args, "quiet", False)
    several = len(todo) > 1
    for job in tqdm(todo, desc="images", unit="image", disable=None if several and not quiet else True):
        with about(job.image) as messages:
            try:
                row = _predict_one(model, job, args, clock, progress=not several and not quiet)
            except Exception as error:  # whatever it is, the other images are to be done
                row = _failure(job.image, error, args)
        rows.append(row | {"warnings": messages})


def _load(folder: Path, clock: Stopwatch) -> StarPoly2D:
    with clock.timing("imports"):
        from ..network.quiet import quiet_import

        quiet_import()
        from ..model import StarPoly2D
    with clock.timing("model"):
        return StarPoly2D.from_pretrained(folder)


def _predict_one(model: StarPoly2D, job: Job, args: argparse.Namespace, clock: Stopwatch, *, progress: bool) -> dict[str, Any]:
    """Read, predict and write one image; what is said about it in the summary."""
    from ..io.images import read_image

    if _is_slide(job, args):
        return _predict_slide(model, job, args, clock, progress=progress)
    with clock.timing("reading"):
        image = read_image(job.image)
    tile_size = args.tile_size
    if args.memory is not None:
        _check_memory(image, args.memory)
        tile_size = _tile_size_within(args.memory, model.spec, tile_size)
    with clock.timing("detection"):
        labels, details = model.predict_instances(
            image,
            prob_threshold=args.prob_threshold,
            nms_threshold=args.nms_threshold,
            scale=args.scale,
            tile_size=tile_size,
            progress=progress,
        )
        polygons = details["polygons"]
    for stage, seconds in details.get("seconds", {}).items():
        name = f"detection: {stage}"
        clock.seconds[name] = clock.seconds.get(name, 0.0) + seconds
    with clock.timing("writing"):
        _write(job, image, labels, polygons, model.spec)
    return _row(job, "done") | {"shape": list(image.shape), "objects": len(polygons)}


def _is_slide(job: Job, args: argparse.Namespace) -> bool:
    """Whether an image is to be read and written piece by piece."""
    from ..io.images import TIFF_STARTS, first_bytes

    if args.level or args.channels or args.roi or args.format or job.image.suffix.lower() not in EXTENSIONS:
        return True
    if not first_bytes(job.image).startswith(TIFF_STARTS):
        return False
    from ..io.sources import open_source

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said when it is read
        try:
            with open_source(job.image) as source:
                return source.shape[0] * source.shape[1] > _SLIDE_PIXELS
        except ImageError:
            return False  # said when it is read


def _predict_slide(model: StarPoly2D, job: Job, args: argparse.Namespace, clock: Stopwatch, *, progress: bool) -> dict[str, Any]:
    """The same for an image of any size, in bounded memory."""
    from ..slide import SlideOutputs, segment_slide

    tile_size = args.tile_size if args.memory is None else _tile_size_within(args.memory, model.spec, args.tile_size)
    try:
        result = segment_slide(
            model,
            job.image,
            SlideOutputs(**job.named),
            level=args.level,
            channels=args.channels,
            roi=args.roi,
            prob_threshold=args.prob_threshold,
            nms_threshold=args.nms_threshold,
            scale=args.scale,
            tile_size=tile_size,
            journal=job.journal,
            progress=progress,
        )
    except KeyboardInterrupt:
        say(f"starpoly: {job.image}: stopped; repeat the command to go on from the finished tiles")
        raise
    for stage, seconds in result.seconds.items():
        clock.seconds[stage] = clock.seconds.get(stage, 0.0) + seconds
    return _row(job, "done") | {"shape": list(result.shape), "objects": result.n_objects, "tiles": result.n_tiles}


def _formats(text: str) -> tuple[str, ...]:
    wanted = tuple(name for name in text.split(",") if name != "tiff")
    for name in wanted:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"expected some of tiff, {', '.join(FORMATS)}, got {name!r}")
    return wanted


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers divided by commas, got {text!r}") from None


def _roi(text: str) -> Box:
    corners = _integers(text)
    if len(corners) != 4 or not (0 <= corners[0] < corners[2] and 0 <= corners[1] < corners[3]):
        raise argparse.ArgumentTypeError(f"expected Y0,X0,Y1,X1 with Y0 < Y1 and X0 < X1, got {text!r}")
    return Box(*corners)


def _write(job: Job, image: NDArray, labels: NDArray, polygons: Any, spec: ModelSpec) -> None:
    """Write the results of an image, the labels last: where they are, all is done."""
    from ..io.labels import write_labels

    try:
        job.labels.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"{job.labels.parent}: expected a folder or a free name, got: {error.strerror or error}") from error
    if job.overlay is not None:
        from ..io.overlay import write_overlay

        write_overlay(job.overlay, image, labels)
    if job.table is not None:
        from ..io.tables import write_table
        from ..measure import measure

        write_table(job.table, measure(labels, polygons, spec.class_names))
    write_labels(job.labels, labels)


def _check_memory(image: NDArray, memory: int) -> None:
    height, width = image.shape[:2]
    need = image.nbytes + 12 * height * width  # the image, its labels, and working copies of them
    if need > memory:
        raise ImageError(
            f"expected an image that can be held in {format_size(memory)}, got {height} x {width} pixels, "
            f"which need {format_size(need)}; raise --memory or crop the image"
        )


def _tile_size_within(memory: int, spec: ModelSpec, wanted: int | None) -> int:
    """Side of the largest window whose activations take about half of the memory, at most the wanted one."""
    from ..detect import TILE_SIZE

    network = spec.network
    area = network.grid[0] * network.grid[1]
    # the widest tensors are those of the first level; about six of them are alive at a time
    first_level = network.base_filters / (1 if network.stem == "conv" else area)
    per_pixel = 4 * (6 * first_level + network.n_channels + 2 * (network.n_rays + 1 + network.n_classes) / area)
    side = int(math.sqrt(memory / 2 / per_pixel)) // 64 * 64
    return min(wanted or TILE_SIZE, max(side, _SMALLEST_TILE))


def _nothing_found(found: FoundImages) -> str:
    if not found.problems:
        return f"{found.passed_over[0]}: expected images, got label, mask or overlay images only; give one alone to segment it"
    others = len(found.problems) - 1
    return found.problems[0][1] + (f" (and {others} more inputs without images)" if others else "")


def _row(job: Job, status: str) -> dict[str, Any]:
    return {"input": str(job.image), "status": status} | {kind: str(path) for kind, path in job.named.items()}


def _failure(given: object, error: BaseException, args: argparse.Namespace) -> dict[str, Any]:
    """Say an error and put it into a row."""
    message = say_error(error, subject=given, verbose=getattr(args, "verbose", False))
    return {"input": str(given), "status": "error", "error": message}


def _show_plan(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    if args.json == "-":  # stdout is for the summary
        return
    for row in rows:
        if row["status"] == "planned":
            targets = [path for kind, path in row.items() if kind not in ("input", "status")]
            sys.stdout.write(f"{row['input']} -> {', '.join(targets)}\n")
        elif row["status"] == "exists":
            sys.stdout.write(f"{row['input']}: exists, left out\n")


def _check_summary(target: str | None) -> None:
    if target not in (None, "-") and (Path(str(target)).is_dir() or not Path(str(target)).absolute().parent.is_dir()):
        raise ImageError(f"--json: expected a file in an existing folder, got {target}; for stdout put --json last")


def _write_summary(summary: dict[str, Any], target: str | None) -> None:
    from .._version import __version__

    if target is None:
        return
    text = json.dumps({"starpoly": __version__} | summary, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    from ..io.atomic import atomic_path

    try:
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImageError(f"{target}: cannot be written ({error.strerror or error}); name another file with --json") from error


def _say_result(rows: list[dict[str, Any]], args: argparse.Namespace, clock: Stopwatch) -> None:
    if args.timings:
        for stage, seconds in clock.seconds.items():
            say(f"{seconds:9.3f} s  {stage}")
    if getattr(args, "quiet", False):
        return
    counts = {status: sum(row["status"] == status for row in rows) for status in ("done", "exists", "error")}
    objects = sum(row.get("objects", 0) for row in rows)
    parts = [f"{counts['done']} images segmented, {objects} objects"]
    parts += [f"{counts['exists']} left out"] if counts["exists"] else []
    parts += [f"{counts['error']} failed"] if counts["error"] else []
    say(f"{args.output}: {', '.join(parts)}")
