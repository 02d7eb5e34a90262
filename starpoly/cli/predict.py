"""``starpoly predict``: images in, label images out; one bad file costs that file alone."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import TTA
from ..errors import ImageError, StarpolyError, StarpolyWarning, TooLargeError
from ..network.engines.registry import ENGINES
from ..network.precision import PRECISIONS
from ..prediction.outputs import FORMATS
from ..tiling import Box
from ..timing import seconds_of_process
from .common import about, byte_size, format_size, fraction, positive_float, positive_integer, say, say_error
from .throughput import Throughput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..config import ModelSpec
    from ..detection.sizes import Diameter
    from ..io.files.find import FoundImages
    from ..io.readers.header import Header
    from ..io.readers.pixel_size import PixelSize
    from ..model import StarPoly2D
    from ..prediction.models import Models
    from ..prediction.outputs import Job
    from ..timing import Stopwatch

HELP = "find the objects in images and write label images"

_TOLERANT = (
    "as a container does: an image that is damaged or cannot be used gets labels without objects where its header tells its "
    "size; files that are no images and empty folders are said and nothing more; channels that the model does not know are "
    "merged; the exit status is 1 for failures of the program only"
)

#: Images with more pixels are worked on and written piece by piece
_SLIDE_PIXELS = 32_000_000

#: What the last line says of images by status
_SAID = {"exists": "left out", "blank": "damaged or of no use", "unreadable": "no images", "error": "failed"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "input", nargs="+", metavar="INPUT", help="image files, folders, or patterns such as 'data/*.tif'"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for NAME_label.tiff")
    parser.add_argument("--recursive", action="store_true", help="look into sub-folders, and make the same ones in OUT")
    parser.add_argument(
        "--skip-existing", action="store_true", help="leave out images whose results are in OUT already"
    )
    parser.add_argument("--tolerant", action="store_true", help=_TOLERANT)
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="MODEL",
        help="name or folder, see `starpoly models list` (default: for each image the one that suits it)",
    )
    model.add_argument(
        "--prob-threshold", type=fraction, metavar="P", help="least probability of an object (default: the model's)"
    )
    model.add_argument(
        "--nms-threshold",
        type=fraction,
        metavar="T",
        help="overlap above which the weaker object goes (default: the model's)",
    )
    size = model.add_mutually_exclusive_group()
    size.add_argument(
        "--diameter",
        type=_diameter,
        metavar="PX|NUMum|auto",
        help="how wide objects are in these images, in pixels, or as 12um in micrometres; images are rescaled to the size that the model knows "
        "(default: auto, estimated for each image where the model can)",
    )
    size.add_argument(
        "--scale", type=positive_float, metavar="F", help="look at images at F times their size; 1 as they are"
    )
    model.add_argument(
        "--min-confidence",
        "--min-score",
        type=fraction,
        default=0.0,
        metavar="P",
        help="leave out objects that are right with a chance below P",
    )
    model.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default="tensorflow",
        help="what runs the network: openvino is faster on CPUs and comes with pip install 'starpoly[fast]', onnx with 'starpoly[onnx]'",
    )
    model.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="numbers that the network computes in (default: bfloat16 where the CPU has it, for starpoly's own models)",
    )
    model.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="outlines as the rays alone tell them, also where the model tells foreground and background pixel by pixel",
    )
    model.add_argument(
        "--spread",
        type=positive_integer,
        default=0,
        metavar="PX",
        help="let labels spread from the polygons over the foreground that the network sees, PX pixels at most: for bent and other objects "
        "that are no stars",
    )
    model.add_argument(
        "--tta",
        choices=TTA,
        default="none",
        help="average what the network says over mirror images (flips, 4 times the work) and quarter turns of them (all, 8 times)",
    )
    results = parser.add_argument_group("further results")
    results.add_argument("--overlay", action="store_true", help="write NAME_overlay.png, the outlines over the image")
    results.add_argument(
        "--table", action="store_true", help="write NAME_table.csv: label, centre, area, diameter, score, class"
    )
    results.add_argument(
        "--report",
        action="store_true",
        help="write report.html, a page about all images to look through them; and the tables",
    )
    results.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write a summary as JSON; to stdout without FILE"
    )
    results.add_argument(
        "--format",
        type=_formats,
        default=(),
        metavar="F,...",
        help="further formats: zarr (OME-Zarr labels), geojson (QuPath), rois (ImageJ)",
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
        help="micrometres per pixel of the level, or Y,X (default: as the file says); for labels, tables and --diameter 12um",
    )
    results.add_argument("--timings", action="store_true", help="say where the time went")
    slides = parser.add_argument_group(
        "slides",
        "files of any size are read and written piece by piece; a stopped run goes on when its command is repeated",
    )
    slides.add_argument("--level", type=int, default=0, metavar="N", help="level of a pyramid (default: 0, the finest)")
    slides.add_argument("--channels", type=_integers, metavar="I,...", help="channels to use, counted from 0")
    slides.add_argument(
        "--roi",
        type=_roi,
        metavar="Y0,X0,Y1,X1",
        help="look at this region only, in pixels of the level; results start at its corner",
    )
    where = slides.add_mutually_exclusive_group()
    where.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="look only where this image of any size is not zero; for several images a folder of masks of the same names",
    )
    where.add_argument("--tissue", choices=("auto",), help="leave out empty glass")
    slides.add_argument(
        "--readers",
        type=positive_integer,
        default=1,
        metavar="N",
        help="threads that read and decode the image (default: 1)",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--tile-size", type=positive_integer, metavar="N", help="side of the network's window in pixels"
    )
    limits.add_argument(
        "--memory",
        type=byte_size,
        metavar="SIZE",
        help="work within about this much, such as 8G: by the size of windows, and piece by piece",
    )


def run(args: argparse.Namespace) -> int:
    """Predict; 0 if all images were done, 1 if some failed."""
    from ..io.files.find import find_images
    from ..prediction.models import Models
    from ..prediction.outputs import check_writable, plan_jobs
    from ..timing import Stopwatch

    clock = Stopwatch()
    found = find_images(args.input, recursive=args.recursive, exclude=[args.output])
    if not found.images and not (args.tolerant and {given for given, _ in found.problems} == set(found.empty)):
        raise ImageError(_nothing_found(found))
    for path in found.passed_over:
        say(f"starpoly: {path}: looks like a result and is passed over; give it alone to segment it")
    jobs = plan_jobs(
        found.images,
        args.output,
        overlay=args.overlay,
        table=args.table or args.report,
        formats=args.format,
        provenance=args.provenance,
    )
    _check_mask(args.mask, jobs)
    models = Models(args.model, lambda folder: _load(folder, args, clock), quiet=getattr(args, "quiet", False))
    _check_summary(args.json)
    rows = [_nothing_there(given, message, found, args) for given, message in found.problems]
    summary: dict[str, Any] = {"model": str(models), "output": str(args.output), "images": rows}
    if args.dry_run:
        rows += [_row(job, "exists" if args.skip_existing and job.is_done else "planned") for job in jobs]
        _show_plan(rows, args)
    else:
        check_writable(args.output)
        try:
            _predict_all(jobs, models, args, clock, rows)
        finally:  # an interrupted run has a summary, too
            summary["throughput"] = Throughput.of(rows).to_dict()
            _write_summary(summary, args.json)
            _say_result(rows, args, clock)
        if args.report and not _write_report(rows, models, args):
            return 1
        return int(any(row["status"] == "error" for row in rows))
    _write_summary(summary, args.json)
    return int(any(row["status"] == "error" for row in rows))


def _predict_all(
    jobs: list[Job], models: Models, args: argparse.Namespace, clock: Stopwatch, rows: list[dict[str, Any]]
) -> None:
    """Do the jobs one after the other; a row for each is appended to ``rows``."""
    todo = []
    for job in jobs:
        if args.skip_existing and job.is_done:
            rows.append(_row(job, "exists"))
        else:
            todo.append(job)
    if not todo:
        return
    with clock.timing("imports"):
        from ..detection.kernels import load_kernels_beside

        load_kernels_beside(clock)
    from tqdm import tqdm

    quiet = getattr(args, "quiet", False)
    several = len(todo) > 1
    for job in tqdm(todo, desc="images", unit="image", disable=None if several and not quiet else True):
        start = time.perf_counter()
        with about(job.image) as messages:
            try:
                row = _predict_one(models, job, args, clock, progress=not several and not quiet)
            except Exception as error:  # whatever it is, the other images are to be done
                row = _settle(job, error, args)
        rows.append(row | {"seconds": round(time.perf_counter() - start, 3), "warnings": messages})


def _write_report(rows: list[dict[str, Any]], models: Models, args: argparse.Namespace) -> bool:
    """Write the page about all images; whether that went well."""
    from ..network.storage.folder import load_spec
    from ..report.batch import write_report
    from ..report.entries import entry_of_row
    from ..report.page import FILE_NAME
    from .report import say_written

    quiet = getattr(args, "quiet", False)
    page = args.output / FILE_NAME
    part: dict[str, Any] = {"level": args.level, "roi": args.roi, "threshold": args.prob_threshold}
    try:
        specs = {name: load_spec(folder) for name, folder in models.folders.items()}
        examined = write_report(
            page, [entry_of_row(row, args.output, **part) for row in rows], specs, progress=not quiet
        )
    except StarpolyError as error:
        say_error(error, verbose=getattr(args, "verbose", False))
        return False
    if not quiet:
        say_written(page, examined)
    return True


def _settle(job: Job, error: Exception, args: argparse.Namespace) -> dict[str, Any]:
    """What becomes of an image that was not done."""
    from ..prediction.tolerance import is_to_blame, tolerate

    whole = not (args.level or args.channels or args.roi or args.mask)  # else it may be these that do not fit the image
    if args.tolerant and whole and isinstance(error, ImageError) and is_to_blame(error):
        try:
            return {"input": str(job.image)} | tolerate(job, error)
        except Exception as worse:
            error = worse
    return _failure(job.image, error, args)


def _load(folder: Path, args: argparse.Namespace, clock: Stopwatch) -> StarPoly2D:
    with clock.timing("imports"):
        from ..model import StarPoly2D
    with clock.timing("model"):
        return StarPoly2D.from_pretrained(
            folder, precision=args.precision, refine_outlines=args.refine, engine=args.engine
        )


def _predict_one(
    models: Models, job: Job, args: argparse.Namespace, clock: Stopwatch, *, progress: bool
) -> dict[str, Any]:
    """Read, predict and write one image; what is said about it in the summary."""
    if _is_slide(job, args):
        return _predict_slide(models, job, args, clock)
    try:
        return _predict_whole(models, job, args, clock, progress=progress)
    except (MemoryError, TooLargeError):
        message = f"{job.image}: memory does not suffice for the image as a whole; going on piece by piece"
        warnings.warn(message, StarpolyWarning, stacklevel=2)
    return _predict_slide(models, job, args, clock)  # here, where what was held is let go


def _predict_whole(
    models: Models, job: Job, args: argparse.Namespace, clock: Stopwatch, *, progress: bool
) -> dict[str, Any]:
    """An image that is held in memory."""
    from ..io.readers.images import read_image, read_pixel_size
    from ..prediction.tolerance import with_channels

    with clock.timing("reading"):
        image = read_image(job.image)
    name, model = models.suited_to(image, job.image)
    tile_size = _tile_size(model, args)
    pixel_size = args.pixel_size or read_pixel_size(job.image)
    diameter = args.diameter and args.diameter.in_pixels(pixel_size)
    with clock.timing("detection"):
        labels, details = model.predict_instances(
            with_channels(image, model.spec.network.n_channels) if args.tolerant else image,
            prob_threshold=args.prob_threshold,
            nms_threshold=args.nms_threshold,
            scale=args.scale,
            diameter=diameter,
            min_confidence=args.min_confidence,
            expand_into_foreground=args.spread,
            tta=args.tta,
            tile_size=tile_size,
            progress=progress,
        )
        polygons = details["polygons"]
    for stage, seconds in details.get("seconds", {}).items():
        part = f"detection: {stage}"
        clock.seconds[part] = clock.seconds.get(part, 0.0) + seconds
    record = None if job.provenance is None else _record(model, job, image, details, pixel_size, args)
    with clock.timing("writing"):
        _write(job, image, labels, polygons, model.spec, pixel_size, record)
    return _row(job, "done") | {"model": name, "shape": list(image.shape), "objects": len(polygons)}


def _is_slide(job: Job, args: argparse.Namespace) -> bool:
    """Whether an image is to be worked on and written piece by piece."""
    from ..io.readers.images import read_header

    if args.level or args.channels or args.roi or args.mask or args.tissue or args.format:
        return True
    try:
        header = read_header(job.image)
    except ImageError:
        return False  # said when it is read
    if args.memory is not None:
        _check_memory(header, args.memory)
        if header.n_bytes + 12 * header.n_pixels > args.memory:  # the image, its labels, and working copies of them
            return True
    return header.n_pixels > _SLIDE_PIXELS


def _predict_slide(models: Models, job: Job, args: argparse.Namespace, clock: Stopwatch) -> dict[str, Any]:
    """The same for an image of any size, in bounded memory."""
    from ..io.readers.images import open_source
    from ..prediction.slide import SlideOutputs, segment_slide

    looked_at = args.model is None or (args.diameter is not None and args.diameter.physical)
    with ExitStack() as stack:
        source = None
        if looked_at:  # some files are decoded whole when they are opened: not twice without need
            source = stack.enter_context(
                open_source(
                    job.image, level=args.level, channels=args.channels, roi=args.roi, pixel_size=args.pixel_size
                )
            )
        name, model = models.suited_to(source, job.image)
        diameter = args.diameter and args.diameter.in_pixels(source.pixel_size if source else None)
    tile_size = _tile_size(model, args)
    try:
        result = segment_slide(
            model,
            job.image,
            SlideOutputs(**job.named),
            level=args.level,
            channels=args.channels,
            roi=args.roi,
            mask=None if args.mask is None else _mask_of(job, args.mask),
            tissue=args.tissue,
            pixel_size=args.pixel_size,
            prob_threshold=args.prob_threshold,
            nms_threshold=args.nms_threshold,
            scale=args.scale,
            diameter=diameter,
            min_confidence=args.min_confidence,
            expand_into_foreground=args.spread,
            tta=args.tta,
            tile_size=tile_size,
            readers=args.readers,
            journal=job.journal,
            progress=not getattr(args, "quiet", False),
        )
    except KeyboardInterrupt:
        say(f"starpoly: {job.image}: stopped; repeat the command to go on from the finished tiles")
        raise
    for stage, seconds in result.seconds.items():
        clock.seconds[stage] = clock.seconds.get(stage, 0.0) + seconds
    found = {"model": name, "shape": list(result.shape), "objects": result.n_objects, "tiles": result.n_tiles}
    if args.mask or args.tissue:
        found |= {"skipped": result.n_skipped, "fraction": round(result.fraction, 4)}
    return _row(job, "done") | found


def _check_mask(mask: Path | None, jobs: list[Job]) -> None:
    from ..io.readers.registry import is_zarr

    if mask is not None and len(jobs) > 1 and not (mask.is_dir() and not is_zarr(mask)):
        raise ImageError(
            f"--mask: expected a folder of masks for {len(jobs)} images, got {mask}; give the images one by one"
        )


def _mask_of(job: Job, mask: Path) -> Path:
    """The mask of an image: the one that was given, or that of the same name in a folder."""
    from ..io.files.naming import key
    from ..io.files.pairing import image_files
    from ..io.readers.registry import is_zarr

    if not mask.is_dir() or is_zarr(mask):
        return mask
    name = key(job.image.with_suffix(".tif").name)  # whatever the kind of image
    found = [path for path in image_files(mask) if key(path) == name]
    if len(found) != 1:
        raise ImageError(f"{mask}: expected one mask called {name} or {name}_mask, got {len(found)}")
    return found[0]


def _tile_size(model: StarPoly2D, args: argparse.Namespace) -> int | None:
    """Side of the windows that the user's words allow; None leaves it to the model."""
    if args.memory is None:
        return args.tile_size
    from ..network.memory import tile_size_within

    return tile_size_within(args.memory, model.spec.network, args.tile_size, precision=model.precision)


def _diameter(text: str) -> Diameter | None:
    """A number of pixels, or of micrometres; None for auto."""
    from ..detection.sizes import Diameter

    number = text.removesuffix("um").removesuffix("µm")
    return None if text == "auto" else Diameter(positive_float(number), physical=number != text)


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


def _pixel_size(text: str) -> tuple[float, float]:
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2) or not all(0 < size < math.inf for size in sizes):
        raise argparse.ArgumentTypeError(f"expected micrometres as UM or Y,X, got {text!r}")
    return sizes[0], sizes[-1]


def _roi(text: str) -> Box:
    corners = _integers(text)
    if len(corners) != 4 or not (0 <= corners[0] < corners[2] and 0 <= corners[1] < corners[3]):
        raise argparse.ArgumentTypeError(f"expected Y0,X0,Y1,X1 with Y0 < Y1 and X0 < X1, got {text!r}")
    return Box(*corners)


def _record(
    model: StarPoly2D,
    job: Job,
    image: NDArray,
    details: dict[str, Any],
    pixel_size: PixelSize | None,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """What the provenance of an image says that was held in memory."""
    from ..io.files.identity import identify
    from ..io.readers.images import open_source
    from ..prediction.provenance import describe_run

    asked = ("prob_threshold", "nms_threshold", "scale", "min_confidence", "spread", "tile_size")
    with open_source(image) as source:
        identity = identify(job.image, source)
    return describe_run(
        model,
        details["detection"],
        image=identity | {"file": str(job.image.resolve()), "pixel_size": pixel_size},
        settings={name: getattr(args, name) for name in asked}
        | {"diameter": args.diameter and args.diameter.in_pixels(pixel_size)},
        n_objects=len(details["polygons"]),
        seconds=details["seconds"],
    )


def _write(
    job: Job,
    image: NDArray,
    labels: NDArray,
    polygons: Any,
    spec: ModelSpec,
    pixel_size: PixelSize | None,
    record: dict[str, Any] | None,
) -> None:
    """Write the results of an image, the labels last: where they are, all is done."""
    from ..io.writers.label_tiff import write_labels
    from ..prediction.outputs import make_folder

    make_folder(job.labels.parent)
    if len(job.outputs) > 1:
        job.labels.unlink(missing_ok=True)  # those of an earlier run must not stand for what comes now
    if job.overlay is not None:
        from ..io.writers.overlay import write_overlay

        write_overlay(job.overlay, image, labels)
    if job.table is not None:
        from ..io.writers.table import write_table
        from ..labels.measurements import in_micrometres, measure, with_confidence

        columns = with_confidence(measure(labels, polygons, spec.class_names), spec.calibration)
        write_table(job.table, in_micrometres(columns, pixel_size))
    if job.provenance is not None and record is not None:
        from ..prediction.provenance import write_provenance

        write_provenance(job.provenance, record)
    write_labels(job.labels, labels, pixel_size=pixel_size)


def _check_memory(header: Header, memory: int) -> None:
    if not header.by_region and header.n_bytes > memory:
        raise TooLargeError(
            f"expected an image that can be held in {format_size(memory)}, got {header.shape[0]} x {header.shape[1]} pixels, "
            f"which need {format_size(header.n_bytes)}; raise --memory or save it as a tiled TIFF"
        )


def _nothing_found(found: FoundImages) -> str:
    if not found.problems:
        return f"{found.passed_over[0]}: expected images, got label, mask or overlay images only; give one alone to segment it"
    others = len(found.problems) - 1
    return found.problems[0][1] + (f" (and {others} more inputs without images)" if others else "")


def _nothing_there(given: str, message: str, found: FoundImages, args: argparse.Namespace) -> dict[str, Any]:
    """The row of an input without images."""
    if not (args.tolerant and given in found.empty):
        return _failure(given, ImageError(message), args)
    say(f"starpoly: warning: {message}")
    return {"input": given, "status": "empty", "error": message}


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
    from ..io.files.atomic import atomic_path

    try:
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImageError(
            f"{target}: cannot be written ({error.strerror or error}); name another file with --json"
        ) from error


def _say_result(rows: list[dict[str, Any]], args: argparse.Namespace, clock: Stopwatch) -> None:
    if args.timings:
        for stage, seconds in clock.seconds.items():
            say(f"{seconds:9.3f} s  {stage}")
        if (passed := seconds_of_process()) is not None:
            say(f"{passed:9.3f} s  since the start of the process")
    if getattr(args, "quiet", False):
        return
    counts = Counter(row["status"] for row in rows)
    objects = sum(row.get("objects", 0) for row in rows)
    parts = [f"{counts['done']} images segmented, {objects} objects"]
    parts += [f"{counts[status]} {said}" for status, said in _SAID.items() if counts[status]]
    if counts["done"]:
        say(f"{args.output}: {Throughput.of(rows)}")
    say(f"{args.output}: {', '.join(parts)}")
