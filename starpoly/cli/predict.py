"""``starpoly predict``: images in, label images out. Unreadable files are reported and skipped."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import TTA
from ..errors import ConfigError, ImageError, OutputError, install_command
from ..io.console import printable, progress_bar
from ..io.files.url import UrlPath, as_path, is_url
from ..io.readers.registry import has_image_suffix
from ..io.writers.registry import FORMATS
from ..labels.measures.registry import DEFAULT, SELECTABLE, select_measures
from ..network.engines.registry import AUTO, ENGINES
from ..network.precision import PRECISIONS
from ..parallel import use_threads
from ..prediction.summary import Summary, error_row, image_row
from ..tiling import Box
from ..timing import seconds_of_process
from .common import (
    about,
    byte_size,
    check_suffix,
    failure,
    fraction,
    positive_float,
    positive_integer,
    say,
    say_error,
    whole_number,
    with_point,
)
from .machines import add_machine_arguments, outcomes_of, shard_of
from .parser import did_you_mean, nearest
from .request import model_settings, request_of

if TYPE_CHECKING:
    from ..detection.cluster import Cluster
    from ..io.files.find import FoundImages
    from ..labels.expansion import Expansion
    from ..model import StarPoly2D
    from ..prediction.models import Models
    from ..prediction.outputs import Job
    from ..timing import Stopwatch

HELP = "detect the objects in images and write label images"
EXAMPLE = "starpoly predict images/ -o results/ --overlay --table"

_LARGEST_DIAMETER = 1e5
_MOST_UNLIKE = 2.0
"""How far the sides of a pixel may differ; where two whole numbers differ more, the comma stands for a decimal point."""
"""In pixels or micrometres: no object in an image is larger."""
_TOLERANT = (
    "for containers: a damaged image gets labels without objects if its header tells its size; files that are no images and "
    "empty folders are reported only; channels that the model does not take are merged; the exit status is 1 only if "
    "starpoly itself fails"
)

_NAMES = (
    "what NAME is: image, the image's name without its suffix (of a.b.png: a.b; images of one name keep the suffix); or "
    "challenge, its name up to the first dot, as predict.sh asks for (default: image)"
)

#: Progress of a run: what is left and what was found, rather than images per second.
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} images, {elapsed} passed, {remaining} left{postfix}"

#: How a summary begins.
_SUMMARY = re.compile(rb'\{\s*"starpoly"')
#: Formats selectable with ``--format``.
_FORMATS = {name: of for name, of in FORMATS.items() if of.help}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "input",
        nargs="+",
        metavar="INPUT",
        help="image files, folders, patterns such as 'data/*.tif', or URLs of zarrs (extra remote)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=_folder,
        metavar="OUT",
        help="folder for NAME_label.tiff (default: that of the images, where there is one)",
    )
    parser.add_argument("--recursive", action="store_true", help="search sub-folders, and make the same ones in OUT")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip images whose results, of this content, are in OUT, whatever the settings then were",
    )
    parser.add_argument("--tolerant", action="store_true", help=_TOLERANT)
    parser.add_argument("--names", choices=("image", "challenge"), default="image", help=_NAMES)
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    _add_model_arguments(parser.add_argument_group("model"))
    _add_result_arguments(parser.add_argument_group("further results"))
    slides = parser.add_argument_group(
        "slides", "images of any size are read and written tile by tile; repeat the command to continue a stopped run"
    )
    _add_slide_arguments(slides)
    _add_stack_arguments(
        parser.add_argument_group(
            "stacks",
            "every plane along time and z is segmented, and every scene; planes are chosen as 3, 2:10 or 0,4,7, counted from 0",
        )
    )
    add_machine_arguments(
        parser.add_argument_group(
            "several machines", "the same results by the workers of a dask cluster, or by the jobs of an array"
        )
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument("--tile-size", type=positive_integer, metavar="N", help="side of a network window in pixels")
    limits.add_argument(
        "--memory", type=byte_size, metavar="SIZE", help="stay within about this much memory, such as 8G"
    )
    limits.add_argument(
        "--threads",
        type=positive_integer,
        metavar="N",
        help="threads of the network, geometry and decoders; with --workers, of all of them together (default: one for each "
        "processor that this process may use)",
    )


def _add_model_arguments(model: argparse._ArgumentGroup) -> None:
    model.add_argument(
        "--model", metavar="MODEL", help="name or folder, see `starpoly models list` (default: chosen for each image)"
    )
    model.add_argument(
        "--prob-threshold", type=fraction, metavar="P", help="least probability of an object (default: the model's)"
    )
    model.add_argument(
        "--nms-threshold",
        type=fraction,
        metavar="T",
        help="overlap above which the weaker of two objects is suppressed (default: the model's)",
    )
    size = model.add_mutually_exclusive_group()
    size.add_argument(
        "--diameter",
        type=_diameter,
        metavar="PX|NUMum|auto",
        help="diameter of the objects in pixels, or in micrometres as 12um; the image is rescaled to match the sizes that the "
        "model was trained on (default: auto, estimated for each image)",
    )
    size.add_argument("--scale", type=positive_float, metavar="F", help="rescale images by F; 1 for none")
    model.add_argument(
        "--min-confidence",
        "--min-score",
        type=fraction,
        default=0.0,
        metavar="P",
        help="drop objects with a calibrated confidence below P",
    )
    model.add_argument(
        "--engine",
        choices=(*ENGINES, AUTO),
        help="what runs the network: openvino (extra fast) is faster on CPUs, onnx is the extra onnx; auto takes the "
        "installed one that is fastest on this machine, measured once for each model (default: tensorflow, but openvino for int8)",
    )
    model.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="numbers of the network (default: bfloat16 where the CPU has it, for starpoly's own models; int8: eight-bit "
        "integers, by OpenVINO)",
    )
    model.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="do not refine outlines by the predicted foreground",
    )
    model.add_argument(
        "--expand-into-foreground",
        "--spread",
        type=whole_number,
        metavar="PX",
        help="expand labels from the polygons into the predicted foreground, by PX pixels at most: for objects that are not "
        "star-convex; 0 for the polygons alone (default: as tuned for the model)",
    )
    model.add_argument(
        "--tta",
        choices=TTA,
        default="none",
        help="test-time augmentation: average the network over mirror images (flips, 4 passes) and quarter turns (all, 8 passes)",
    )


def _add_result_arguments(results: argparse._ArgumentGroup) -> None:
    results.add_argument(
        "--expand",
        type=_expansion,
        metavar="PX|NUMum",
        help="grow each object by this distance to a cell, without overlaps: write NAME_label_cells.tiff with the ids of the "
        "nuclei, and cells in tables, GeoJSON and OME-Zarr",
    )
    results.add_argument("--overlay", action="store_true", help="write NAME_overlay.png, the outlines over the image")
    results.add_argument(
        "--table",
        action="store_true",
        help="write NAME_table.csv: position, size, score, class and measurements of each object",
    )
    results.add_argument(
        "--measure",
        type=_measures,
        default=DEFAULT,
        metavar="M,...",
        help="what tables hold beside that: "
        + ", ".join(f"{name} ({of.help})" for name, of in SELECTABLE.items())
        + f", all or none (default: {','.join(DEFAULT)})",
    )
    results.add_argument(
        "--table-all",
        type=Path,
        metavar="FILE",
        help="write one table of the objects of all images, as .csv or .parquet, and the table of each",
    )
    results.add_argument(
        "--report", action="store_true", help="write report.html, a page to look through all images, and the tables"
    )
    results.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write a summary as JSON; to stdout without FILE"
    )
    results.add_argument(
        "--format",
        type=_formats,
        default=(),
        metavar="F,...",
        help="further formats: " + ", ".join(f"{name} ({of.help})" for name, of in _FORMATS.items()),
    )
    results.add_argument(
        "--provenance",
        action="store_true",
        help="write NAME_provenance.json: model, settings, input, versions, timings",
    )
    results.add_argument(
        "--pixel-size",
        type=_pixel_size,
        metavar="UM",
        help="micrometres per pixel of the level, or Y,X (default: from the file)",
    )
    results.add_argument("--timings", action="store_true", help="print where the time went")


def _add_slide_arguments(slides: argparse._ArgumentGroup) -> None:
    slides.add_argument(
        "--level", type=whole_number, default=0, metavar="N", help="level of a pyramid (default: 0, the finest)"
    )
    slides.add_argument(
        "--channels",
        type=_channels,
        metavar="C,...",
        help="channels to use, by index from 0 or by the name in the file, as in 0,2 or DAPI (`starpoly info FILE` lists them)",
    )
    slides.add_argument(
        "--roi",
        type=_roi,
        metavar="Y0,X0,Y1,X1",
        help="segment this region only, in pixels of the level; label images hold the region, outlines lie in the whole slide",
    )
    where = slides.add_mutually_exclusive_group()
    where.add_argument(
        "--mask",
        type=as_path,
        metavar="FILE",
        help="segment only where this image of any size is not zero; for several images a folder of masks of the same names",
    )
    where.add_argument("--tissue", choices=("auto",), help="leave out empty glass")
    slides.add_argument(
        "--readers",
        type=positive_integer,
        default=1,
        metavar="N",
        help="threads that read and decode the image (default: 1)",
    )


def _add_stack_arguments(stacks: argparse._ArgumentGroup) -> None:
    stacks.add_argument("--z", type=_planes, metavar="PLANES", help="z-slices (default: all)")
    stacks.add_argument("--t", type=_planes, metavar="PLANES", help="time points (default: all)")
    stacks.add_argument(
        "--scene",
        type=_planes,
        metavar="SCENES",
        help="scenes of a file; results are NAME_s0_label.tiff ... (default: all)",
    )
    stacks.add_argument(
        "--project",
        choices=("max", "mean", "focus"),
        help="segment a projection over z: largest value, mean, or of each pixel the slice that is sharpest there",
    )
    stacks.add_argument(
        "--link",
        choices=("z", "t"),
        help="one id for objects of neighbouring planes that overlap: a nucleus through z, a track through time",
    )
    stacks.add_argument(
        "--link-iou",
        type=fraction,
        default=0.25,
        metavar="P",
        help="least intersection over union of linked objects; the largest are linked first (default: 0.25)",
    )


def run(args: argparse.Namespace) -> int:
    """Predict. Return 0 if all images succeed, 1 if some fail."""
    from ..detection.sizes import check_scale
    from ..io.files.find import find_images
    from ..io.files.ignored import describe_ignored
    from ..network.engines.registry import check_engine
    from ..network.memory import BASELINE_BYTES, format_size
    from ..prediction.files import check_mask, wanted_files
    from ..prediction.models import Models
    from ..prediction.outputs import check_writable, plan_jobs
    from ..prediction.run_table import check_table_of_run
    from ..prediction.scenes import split_scenes
    from ..timing import Stopwatch

    clock = Stopwatch()
    if args.threads is not None:
        use_threads(args.threads)
    args.engine = args.engine or ("openvino" if args.precision == "int8" else "tensorflow")
    check_engine(args.engine, args.precision)
    if args.scale is not None:
        check_scale(args.scale)
    if args.memory is not None and args.memory < BASELINE_BYTES:
        needed = f"the process itself takes about {format_size(BASELINE_BYTES)}; windows become as small as they can"
        say(f"starpoly: warning: --memory {format_size(args.memory)}: {needed}")
    request_of(args)  # what no image can meet is said before any is opened
    for name in args.format:
        FORMATS[name].check_installed()
    found = find_images(args.input, recursive=args.recursive, exclude=[] if args.output is None else [args.output])
    if not found.images and not (args.tolerant and {given for given, _ in found.problems} == set(found.empty)):
        raise ImageError(_nothing_found(found))
    _say_missing_packages(found)
    if args.output is None:
        args.output = _folder_of(args.input, found, quiet=getattr(args, "quiet", False))
    elif has_image_suffix(args.output) and not args.output.exists():
        say(f"starpoly: warning: -o {args.output}: becomes a folder, in which results are named after their images")
    for path in found.passed_over:
        say(f"starpoly: {path}: looks like a result and is passed over; give it alone to segment it")
    flags = {name: getattr(args, name) for name in ("overlay", "table", "provenance", "report")}
    flags["table"] |= args.table_all is not None
    wanted = wanted_files(args.format, cells=args.expand is not None, **flags)
    keep_others = args.skip_existing or args.names == "challenge"
    jobs = plan_jobs(found.images, args.output, wanted, rule=args.names, keep_others=keep_others)
    jobs, without_scene = split_scenes(jobs, args.scene)
    if found.ignored and not getattr(args, "quiet", False):
        say(f"starpoly: {describe_ignored(found.ignored)}")
    check_mask(args.mask, len(jobs))
    jobs = shard_of(jobs, args)
    models = Models(args.model, lambda folder: _load(folder, args, clock))
    _check_summary(args.json)
    if args.table_all is not None:
        check_table_of_run(args.table_all, jobs)
    rows = [_nothing_there(given, message, found, args) for given, message in found.problems]
    rows += [failure(image, error, args) for image, error in without_scene]
    summary = Summary(str(models), str(args.output), rows)
    if args.dry_run:
        _plan(jobs, summary, args)
        return int(summary.has_errors)
    check_writable(args.output)
    is_complete = True
    try:
        _predict_all(jobs, models, args, clock, summary)
    except KeyboardInterrupt:
        _say_what_is_left(jobs, summary, args)
        raise
    finally:  # also write the summary of an interrupted run
        is_complete &= _last_step(lambda: _write_summary(summary.to_dict(), args.json), args)
        if not models.is_useless:
            _say_result(summary, args, clock)
    if args.table_all is not None:
        is_complete &= _last_step(lambda: _write_table_of_run(jobs, summary, args), args)
    if args.report:
        is_complete &= _last_step(lambda: _write_report(summary, models, args), args)
    return int(summary.has_errors or not is_complete)


def _say_what_is_left(jobs: list[Job], summary: Summary, args: argparse.Namespace) -> None:
    """After a run is stopped: how it goes on, and which files of the whole run are missing."""
    if len(jobs) < 2:
        return
    files = [str(args.table_all)] if args.table_all is not None else []
    files += ["the report"] if args.report else []
    missing = f"; not written: {', '.join(files)}" if files else ""
    say(f"starpoly: stopped; repeat the command with --skip-existing to go on with the other images{missing}")


def _last_step(step: Callable[[], None], args: argparse.Namespace) -> bool:
    """Whether a step after the images succeeds; its error is said, and costs neither their results nor the other steps."""
    try:
        step()
    except Exception as error:  # such as of Matplotlib's settings
        say_error(error, verbose=getattr(args, "verbose", False))
        return False
    return True


def _say_missing_packages(found: FoundImages) -> None:
    """Say which packages some files need, before any is segmented; refuse a run in which all do."""
    from ..io.readers.registry import missing_readers

    missing = missing_readers(image.path for image in found.images)
    told = [
        f"{n} {reader.title} {'file needs' if n == 1 else 'files need'} the package {reader.package}, which is not installed; "
        f"{install_command(reader.extra)}"
        for reader, n in missing.items()
    ]
    if told and sum(missing.values()) == len(found.images):
        raise ImageError("; ".join(told))
    for line in told:
        say(f"starpoly: warning: {line}")


def _folder_of(inputs: list[str], found: FoundImages, *, quiet: bool) -> Path:
    """Where results go without ``--output``: beside the images, if these lie in one folder or below it."""
    if len(inputs) == 1 and Path(inputs[0]).is_dir() and found.images and found.images[0].path != Path(inputs[0]):
        folders = {Path(inputs[0])}
    else:
        folders = {image.path.parent for image in found.images}
    at_url = any(isinstance(image.path, UrlPath) for image in found.images)
    if any(image.place for image in found.images) or len(folders) != 1 or at_url:
        raise ConfigError(
            "output: expected images of one folder to write results beside, got none, several, a plate or a URL; "
            "name a folder for results, as in -o results"
        )
    (folder,) = folders
    if not quiet:
        say(f"starpoly: results go beside the images, to {folder}; -o FOLDER for another place")
    return folder


def _predict_all(jobs: list[Job], models: Models, args: argparse.Namespace, clock: Stopwatch, summary: Summary) -> None:
    """Run the jobs in order; each adds a row to the summary."""
    left_out = [_is_left_out(job, args) for job in jobs]
    summary.rows += [image_row(job, "exists") for job, done in zip(jobs, left_out, strict=True) if done]
    todo = [job for job, done in zip(jobs, left_out, strict=True) if not done]
    if not todo:
        return
    with clock.timing("imports"):
        from ..detection.kernels import load_kernels_beside

        load_kernels_beside(clock)
    several, quiet = len(todo) > 1, getattr(args, "quiet", False)
    settings: dict[str, Any] = {"desc": "images", "unit": "image", "bar_format": _BAR}
    with (
        outcomes_of(todo, args, clock) as (outcomes, cluster),
        progress_bar(total=len(todo), shown=several and not quiet, **settings) as bar,
    ):
        for job, done in outcomes:
            start = time.perf_counter()
            with about(job.image) as messages:
                row = None if done is None else done.row()
                if row is None:
                    row = _predict_one(models, job, args, clock, several=several, executor=cluster)
                if row["status"] == "incomplete":
                    say_error(OutputError(row["error"]), subject=job.image)
            seconds = time.perf_counter() - start + (0.0 if done is None else done.elapsed)
            summary.rows.append(row | {"seconds": round(seconds, 3), "warnings": messages})
            bar.set_postfix_str(summary.so_far, refresh=False)
            bar.update()


def _is_left_out(job: Job, args: argparse.Namespace) -> bool:
    return args.skip_existing and job.is_done


def _write_table_of_run(jobs: list[Job], summary: Summary, args: argparse.Namespace) -> None:
    """Write the table of all images; say which are missing in it."""
    from ..prediction.run_table import write_table_of_run

    for problem in write_table_of_run(args.table_all, jobs, summary.rows):
        say(f"starpoly: warning: {problem}")
    if not getattr(args, "quiet", False):
        say(f"{args.table_all}: the objects of all images")


def _write_report(summary: Summary, models: Models, args: argparse.Namespace) -> None:
    """Write the report page."""
    from ..network.storage.folder import load_spec
    from ..report.batch import write_report
    from ..report.entries import entry_of_row
    from ..report.page import FILE_NAME
    from .report import say_written

    quiet = getattr(args, "quiet", False)
    page = args.output / FILE_NAME
    part: dict[str, Any] = {"level": args.level, "roi": args.roi, "threshold": args.prob_threshold}
    specs = {name: load_spec(folder) for name, folder in models.folders.items()}
    entries = [entry_of_row(row, args.output, **part) for row in summary.rows]
    examined = write_report(page, entries, specs, progress=not quiet)
    if not quiet:
        say_written(page, examined)


def _load(folder: Path, args: argparse.Namespace, clock: Stopwatch) -> StarPoly2D:
    with clock.timing("imports"):
        from ..model import StarPoly2D
    with clock.timing("model"):
        return StarPoly2D.from_pretrained(folder, **model_settings(args))


def _predict_one(
    models: Models, job: Job, args: argparse.Namespace, clock: Stopwatch, *, several: bool, executor: Cluster | None
) -> dict[str, Any]:
    """Read, predict and write one image; return its summary row."""
    from ..prediction.files import predict_file

    progress = not getattr(args, "quiet", False)
    try:
        return predict_file(job, models, request_of(args), clock, progress=progress, several=several, executor=executor)
    except KeyboardInterrupt:
        if job.is_unfinished:
            say(f"starpoly: {job.image}: stopped; repeat the command to continue from the finished tiles")
        raise
    except Exception as error:  # any error of one image must not stop the others
        if models.is_useless:
            raise
        return failure(job.image, error, args)


def _diameter(text: str) -> dict[str, float]:
    """Option for a diameter in pixels or micrometres; none for auto."""
    if text == "auto":
        return {}
    number, unit = re.fullmatch(r"(.*?)\s*(px|um|µm|μm|)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    try:
        diameter = positive_float(number)
    except argparse.ArgumentTypeError:
        message = f"expected auto, pixels such as 15, or micrometres such as 12um, got {text!r}{with_point(text)}"
        raise argparse.ArgumentTypeError(message) from None
    if diameter > _LARGEST_DIAMETER:
        raise argparse.ArgumentTypeError(f"expected a diameter of at most {_LARGEST_DIAMETER:,.0f}, got {text!r}")
    return {"diameter_um" if unit.endswith("m") else "diameter": diameter}


def _expansion(text: str) -> Expansion:
    """Option for a distance in pixels or micrometres."""
    from ..labels.expansion import Expansion

    try:
        return Expansion.of(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(f"{str(error).removeprefix('expand: ')}{with_point(text)}") from None


def _formats(text: str) -> tuple[str, ...]:
    wanted = tuple(name for name in text.split(",") if name != "tiff")
    for name in wanted:
        if name not in _FORMATS:
            remedy = did_you_mean(nearest(name, ("tiff", *_FORMATS)))
            raise argparse.ArgumentTypeError(f"expected some of tiff, {', '.join(_FORMATS)}, got {name!r}{remedy}")
    return wanted


def _measures(text: str) -> tuple[str, ...]:
    try:
        return select_measures(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("measure: ")) from None


def _integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers divided by commas, got {text!r}") from None


def _channels(text: str) -> tuple[int | str, ...]:
    parts = [part.strip() for part in text.split(",")]
    numbers = [part for part in parts if re.fullmatch(r"-\d+|[-+]?\d*\.\d+", part)]
    if not all(parts) or numbers or re.fullmatch(r"\d+(\s*[;:|]\s*\d+)+", text.strip()):
        raise argparse.ArgumentTypeError(f"expected channels by index from 0 or name, divided by commas, got {text!r}")
    return tuple(int(part) if part.isascii() and part.isdigit() else part for part in parts)


def _planes(text: str) -> Any:
    from ..prediction.plane_selection import parse_selection

    try:
        return parse_selection(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pixel_size(text: str) -> tuple[float, float]:
    from ..io.frame import PIXEL_SIZES

    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    least, most = PIXEL_SIZES
    if len(sizes) not in (1, 2) or not all(least <= size <= most for size in sizes):
        message = f"expected micrometres from {least:g} to {most:g} as UM or Y,X, got {text!r}{with_point(text)}"
        raise argparse.ArgumentTypeError(message)
    if re.fullmatch(r"\d+,\d+", text) and max(sizes) > _MOST_UNLIKE * min(sizes):
        raise argparse.ArgumentTypeError(
            f"expected micrometres as UM or Y,X, got {text!r}; write {text.replace(',', '.')} with a decimal point, "
            f"or {sizes[0]:.1f},{sizes[1]:.1f} for pixels so unlike in Y and X"
        )
    return sizes[0], sizes[-1]


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a folder, got an empty name; write . for the current one")
    if is_url(text) and isinstance(as_path(text), UrlPath):
        raise argparse.ArgumentTypeError(
            f"expected a folder of this machine, got the URL {text}; copy results there later"
        )
    return as_path(text)


def _roi(text: str) -> Box:
    corners = _integers(text)
    if len(corners) != 4 or not (0 <= corners[0] < corners[2] and 0 <= corners[1] < corners[3]):
        raise argparse.ArgumentTypeError(f"expected Y0,X0,Y1,X1 with Y0 < Y1 and X0 < X1, got {text!r}")
    return Box(*corners)


def _nothing_found(found: FoundImages) -> str:
    if not found.problems:
        return f"{found.passed_over[0]}: expected images, got label, mask or overlay images only; give one alone to segment it"
    others = len(found.problems) - 1
    return found.problems[0][1] + (f" (and {others} more inputs without images)" if others else "")


def _nothing_there(given: str, message: str, found: FoundImages, args: argparse.Namespace) -> dict[str, Any]:
    """The summary row of an input without images."""
    if not (args.tolerant and given in found.empty):
        return failure(given, ImageError(message), args)
    say(f"starpoly: warning: {message}")
    return error_row(given, message, "empty")


def _plan(jobs: list[Job], summary: Summary, args: argparse.Namespace) -> None:
    """Print the files a run would write."""
    for job in jobs:
        left_out = _is_left_out(job, args)
        summary.rows.append(image_row(job, "exists" if left_out else "planned"))
        if args.json != "-":  # stdout carries the JSON summary
            files = ", ".join(map(str, job.outputs.paths.values()))
            line = f"{job.image}: exists, left out" if left_out else f"{job.image} -> {files}"
            sys.stdout.write(f"{printable(line)}\n")
    if args.table_all is not None and args.json != "-":
        sys.stdout.write(f"the objects of all images -> {printable(str(args.table_all))}\n")
    _plan_summary(summary.to_dict(planned=True), args.json)


def _plan_summary(summary: dict[str, Any], target: str | None) -> None:
    """Print the summary of a plan, or where that of a run goes: a plan writes no file."""
    from ..io.files.named import is_stream

    if target is None or target == "-" or is_stream(target):
        _write_summary(summary, target)
    else:
        sys.stdout.write(f"a summary of the run -> {printable(target)}\n")


def _check_summary(target: str | None) -> None:
    from ..io.files.named import check_named, is_stream

    if target is None or target == "-":
        return
    is_folder = Path(target).is_dir()
    if is_folder or not Path(target).absolute().parent.is_dir():
        got = f"the folder {target}" if is_folder else f"{target}, whose folder is not there"
        raise ImageError(f"--json: expected a file in an existing folder, got {got}; for stdout put --json last")
    check_named(target)
    check_suffix("--json", Path(target), ".json")
    if Path(target).is_file() and not is_stream(target):
        with Path(target).open("rb") as file:
            begin = file.read(100)
        if begin and not _SUMMARY.match(begin):
            raise OutputError(
                f"--json {target}: expected a summary that may be replaced, got another file; name another one"
            )


def _write_summary(summary: dict[str, Any], target: str | None) -> None:
    if target is None:
        return
    text = json.dumps(summary, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    from ..io.files.atomic import new_file
    from ..io.files.named import named_output

    with named_output(target) as path, new_file(path, "name another file with --json") as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _say_result(summary: Summary, args: argparse.Namespace, clock: Stopwatch) -> None:
    if args.timings:
        for stage, seconds in clock.seconds.items():
            say(f"{seconds:9.3f} s  {stage}")
        if (passed := seconds_of_process()) is not None:
            say(f"{passed:9.3f} s  since the start of the process")
    if not getattr(args, "quiet", False):
        for line in summary.lines():
            say(f"{args.output}: {line}")
