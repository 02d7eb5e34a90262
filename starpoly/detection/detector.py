"""Detector: inference with a trained model."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..config import MaskGrowth, ModelSpec, Thresholds
from ..errors import ConfigError, ImageError, warn
from ..images.axes import to_yxc
from ..images.channels import as_channels
from ..images.normalization import Normalizer, as_normalizer
from ..images.rescaling import at_scale
from ..io.readers.channels import match_channels
from ..io.readers.given import as_image, is_in_memory, pixel_size_of
from ..io.readers.source import Source
from ..labels.confidence import confidence
from ..labels.linking import MIN_IOU, check_link
from ..labels.mask_growth import ForegroundMask
from ..labels.whole import WholeLabels
from ..model_zoo import default_model, find_model
from ..network.dense_output import DenseOutput, Network
from ..network.memory import BASELINE_BYTES, tile_size_within, window_bytes
from ..network.onednn import has_onednn
from ..network.predictor import KerasModel, Predictor
from ..polygons import StarPolygons
from ..tiling import TilePlan
from .details import Details
from .executors import Executor, spread_over
from .journal import TileJournal
from .look import Look, View, look_for_scale
from .options import DetectionOptions
from .pipeline import Detection, detect, find_candidates, plan_for, predict_map
from .receivers import PolygonList, PolygonReceiver, RescalingReceiver
from .result_doubts import warn_of_result
from .sizes import check_diameter, check_scale, scale_for
from .stacks import open_as_stack, predict_stack
from .test_time import Averaged, symmetries
from .tile_work import Region

_log = logging.getLogger(__name__)

#: Share of the pixels that are computed twice from which on windows are too small for their halos.
_LARGEST_EXCESS = 4.0
#: ... unless that is work of a few seconds, in pixels.
_LITTLE_WORK = 2e7
_SENSIBLE_TILE = 1024


class Detector:
    """Star-convex object detection in 2D images with a trained model.

    Parameters
    ----------
    spec : ModelSpec
        Description of the model: network, thresholds, normalisation.
    predictor : Predictor
        The network with its weights.
    """

    def __init__(self, spec: ModelSpec, predictor: Predictor) -> None:
        self.spec = spec
        self._predictor = predictor

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path | None = None,
        *,
        precision: str = "auto",
        refine_outlines: bool = True,
        engine: str = "tensorflow",
    ) -> Self:
        """Load a shipped model by name, or a model folder of starpoly or of StarDist 2D.

        Parameters
        ----------
        name_or_folder : str or Path, optional
            Default: the default model.
        precision : {"auto", "float32", "bfloat16", "int8"}
            Arithmetic of the network, see :class:`~starpoly.network.Predictor`.
        refine_outlines : bool
            False: outlines come from the rays alone, even if the model predicts the foreground.
        engine : {"tensorflow", "openvino", "onnx", "auto"}
            Engine of the network. OpenVINO (extra ``fast``) is faster on CPUs; ONNX Runtime is the extra ``onnx``. "auto"
            takes the installed one that is fastest on this machine, measured once for each model.

        Raises
        ------
        ModelError
            If there is no such model, or its files are missing, foreign or damaged.
        ConfigError
            If ``precision`` is none of these, or the engine is not installed or does not compute in it.
        """
        folder = find_model(default_model() if name_or_folder is None else name_or_folder)
        predictor = Predictor.load(folder, precision, refine_outlines=refine_outlines, engine=engine)
        return cls(predictor.spec, predictor)

    @classmethod
    def of_network(cls, spec: ModelSpec, network: KerasModel, *, precision: str = "float32") -> Self:
        """A detector from a Keras model in memory, see :func:`starpoly.network.build_network`."""
        return cls(spec, Predictor(spec, network, precision))

    def __repr__(self) -> str:
        network = self.spec.network
        return (
            f"{type(self).__name__}({self.spec.name!r}, {network.n_channels} channel(s), {network.n_rays} rays, "
            f"grid {network.grid}, thresholds {self.thresholds.prob:.3g} / {self.thresholds.nms:.3g}, {self.engine}, {self.precision})"
        )

    def _network(self, options: DetectionOptions) -> Network:
        """The network behind the pipeline's protocol."""
        return self._predictor if options.tta == "none" else Averaged(self._predictor, options.tta)

    @property
    def thresholds(self) -> Thresholds:
        """Default probability and overlap thresholds."""
        return self.spec.thresholds

    @property
    def has_foreground(self) -> bool:
        """Whether the network predicts the foreground, and it counts."""
        return self._predictor.has_foreground

    @property
    def mask_growth(self) -> MaskGrowth:
        """How far labels follow the foreground by default; not at all if the network does not predict it."""
        return self.spec.mask_growth if self.has_foreground else MaskGrowth()

    @property
    def precision(self) -> str:
        """Arithmetic of the network: ``float32`` or ``bfloat16``."""
        return self._predictor.precision

    @property
    def engine(self) -> str:
        """Engine of the network: ``tensorflow``, ``openvino`` or ``onnx``."""
        return self._predictor.engine

    def check_options(self, options: DetectionOptions) -> None:
        """Refuse options that this model does not support.

        Raises
        ------
        ConfigError
            If the network lacks the symmetries of test-time augmentation, or the model does not know the size of its objects.
        """
        symmetries(options.tta, self._predictor)
        if (options.diameter or options.diameter_um) is not None and not self.spec.sizes.target:
            raise ConfigError(
                f"{self.spec.name}: expected a model that knows which sizes it is good at, got none; give the scale instead"
            )

    def resolve_options(
        self, options: DetectionOptions, pixel_size: tuple[float, float] | None = None
    ) -> DetectionOptions:
        """Resolve options for this model and an image: sizes in pixels, windows within the memory.

        Parameters
        ----------
        options : DetectionOptions
        pixel_size : (float, float), optional
            Micrometres per pixel (y, x) of the image.

        Raises
        ------
        ConfigError
            As :meth:`check_options`, or if a diameter in micrometres cannot be converted.
        """
        self.check_options(options)
        options = options.in_pixels(pixel_size)
        if options.expand_into_foreground is None and not self.mask_growth.distance:
            options = replace(options, expand_into_foreground=0)
        if options.memory is None:
            return options
        side = tile_size_within(options.memory, self.spec.network, options.tile_size, precision=self.precision)
        return replace(options, tile_size=side, memory=None)

    def predict_instances(
        self,
        image: Any,
        options: DetectionOptions | None = None,
        *,
        axes: str | None = None,
        normalizer: Any = True,
        link: str | None = None,
        link_iou: float = MIN_IOU,
        look: Look | None = None,
        progress: bool = False,
        **settings: Any,
    ) -> tuple[NDArray[np.int32], Details]:
        """Detect every object of an image, or of every plane of a stack.

        Parameters
        ----------
        image : (Y, X) or (Y, X, C) array-like, or path
            Raw intensities of any numeric type: an array of numpy, dask, xarray, zarr, h5py, torch and the like, perhaps with
            a leading axis of one, or the path of an image file. Masked values count as NaN. Files, and arrays with
            ``axes``, may have planes along T and Z, each of which is an image of its own.
        options : DetectionOptions, optional
            How to detect.
        axes : str, optional
            Axes of the image, such as ``"CYX"`` or ``"TZCYX"`` (:func:`starpoly.images.to_yxc`). Labels keep their order,
            without C.
        normalizer : bool, Normalizer or csbdeep.data.Normalizer
            True: percentiles of this image, as in training. False: the image is already normalised. Else a fitted
            normaliser, see ``as_normalizer``.
        link : {"z", "t"}, optional
            Axis of a stack along which objects of neighbouring planes that overlap get one id, see
            :func:`starpoly.labels.link_objects`. Default: ids run on from plane to plane.
        link_iou : float
            Least intersection over union of linked objects.
        look : Look, optional
            How model, channels and scale were chosen for this image, see :func:`starpoly.prediction.choose_model`. Not for
            stacks.
        progress : bool
            Show a progress bar on a terminal.
        **settings
            Fields of :class:`~starpoly.detection.DetectionOptions` by name: ``prob_threshold``, ``nms_threshold``,
            ``scale``, ``diameter``, ``min_confidence``, ``expand_into_foreground``, ``tile_size``, ``tta``.

        Returns
        -------
        labels : (Y, X) int32
            0 background, 1..n objects in the order of their centres, by y, then x. A pixel belongs to the best-scored
            object that covers it; objects without a visible pixel are dropped.
        details : Details
            A dictionary with methods ``table()``, ``to_geojson()`` and ``to_shapely()``. In the order of the labels: ``coord``
            (n, 2, n_rays) vertices (y, x), ``points`` (n, 2) centres (y, x), ``prob`` (n,) scores, ``polygons``
            (:class:`~starpoly.StarPolygons`), ``normalizer``, ``seconds`` per stage and ``detection``
            (:class:`~starpoly.detection.Detection`). Models with classes add ``class_prob``
            (n, n_classes + 1) and ``class_id`` (n,). Calibrated models add ``confidence`` (n,), the probability that an
            object is correct. Of a stack, plane by plane, with ``label``, ``t`` and ``z`` (n,), and lists of ``normalizer``
            and ``detection``.

        Raises
        ------
        ImageTypeError
            If the image is neither an array nor a path.
        ImageError, ModelError
            If it cannot be read, or the model does not support the image's number of axes or channels.
        ConfigError
            If an option is unknown, out of range, or not supported by the model.
        """
        options = DetectionOptions.of(options, settings)
        with open_as_stack(image, axes) as stack:
            if stack is not None:
                options = options.in_pixels(stack.pixel_size)
                linked = {"link": link, "link_iou": link_iou, "normalizer": normalizer, "progress": progress}
                return predict_stack(self, stack, axes or f"{stack.axes}YX", options=options, **linked)
        check_link(link, "", "image")
        if look is not None and not isinstance(look, Look):
            raise ConfigError(f"look: expected a Look, as choose_model(image).look is, got {type(look).__name__}")
        pixel_size = pixel_size_of(image)
        options = options.in_pixels(pixel_size)
        image, restore = (image, np.asarray) if axes is None else to_yxc(as_image(image, squeeze=False), axes)
        image = self._as_input(image) if look is None else look.best.view.image
        foreground = self.foreground_mask((image.shape[0], image.shape[1]), options)
        found = self.detect(image, options, normalizer=normalizer, progress=progress, foreground=foreground, look=look)
        drawn = WholeLabels(found.polygons, (image.shape[0], image.shape[1]), foreground, self.spec.class_names)
        polygons = drawn.polygons
        details: dict[str, Any] = {
            "coord": polygons.vertices(),
            "points": polygons.points,
            "prob": polygons.probabilities,
            "polygons": drawn.with_outlines,
            "normalizer": found.normalizer,
            "seconds": found.seconds,
            "detection": found,
        }
        if self.spec.calibration:
            details["confidence"] = confidence(polygons.probabilities, self.spec.calibration)
        if polygons.class_probabilities is not None:
            details |= {"class_prob": polygons.class_probabilities, "class_id": polygons.classes}
        described = Details(details, drawn, self.spec.calibration, self.spec.class_names, pixel_size)
        return restore(drawn.labels), described

    def foreground_mask(self, shape: tuple[int, int], options: DetectionOptions) -> ForegroundMask | None:
        """An empty foreground mask for an image (Y, X) of ``shape`` pixels; None unless labels expand into it."""
        growth, asked = self.mask_growth, options.expand_into_foreground
        if asked is None:
            return ForegroundMask(shape, growth.distance, growth.foreground, rescaled=True) if growth.distance else None
        return ForegroundMask(shape, asked, growth.foreground) if asked else None

    def detect(
        self,
        image: NDArray | Source,
        options: DetectionOptions | None = None,
        *,
        normalizer: Any = True,
        region: Region | None = None,
        journal: TileJournal | None = None,
        receiver: PolygonReceiver | None = None,
        foreground: ForegroundMask | None = None,
        executor: Executor | None = None,
        look: Look | None = None,
        progress: bool = False,
        **settings: Any,
    ) -> Detection:
        """Detect the objects of an image as polygons, without drawing labels.

        Parameters
        ----------
        image : array or Source
            A :class:`~starpoly.io.Source` is read tile by tile.
        options, normalizer, progress, **settings
            As for :meth:`predict_instances`. ``progress`` also logs the tile plan.
        region : Region, optional
            Region to analyse, such as ``RegionMask``. Objects with a centre outside are dropped.
        journal : TileJournal, optional
            Stores the result of each tile. Stored tiles are not computed again.
        receiver : PolygonReceiver, optional
            Receives polygons, in pixels of the image, as soon as suppression decides them.
        foreground : ForegroundMask, optional
            Filled with the predicted foreground.
        executor : Executor, optional
            Runs the tiles; anything that submits like ``concurrent.futures``. Default: threads.
        look : Look, optional
            A look at this image whose best view is this model's: its channels, normaliser and scale are taken. Default: the
            model looks for the scale itself.
        """
        options = self.resolve_options(DetectionOptions.of(options, settings), pixel_size_of(image))
        thresholds = options.thresholds(self.spec.thresholds)
        if look is None:
            look = look_for_scale(self.view(image, options, normalizer=normalizer, executor=executor))
        best = look.best
        image, ready, scale = best.view.image, best.view.normalizer, best.scale
        objects = RescalingReceiver(
            PolygonList() if receiver is None else receiver, scale, options.min_confidence, self.spec.calibration
        )
        as_sampled = thresholds == self.spec.thresholds and all(
            part is None for part in (options.tile_size, journal, region)
        )
        if best.found is not None and as_sampled:
            objects.add(best.found.polygons, math.inf, math.inf)
            found = replace(best.found, polygons=objects.polygons())
            if foreground is not None and best.foreground is not None:
                foreground.take(best.foreground)
        else:
            rescaled = at_scale(image, scale)
            shape = (int(rescaled.shape[0]), int(rescaled.shape[1]))
            if region is not None and rescaled is not image:
                region = region.resized(shape)
            if progress:
                self._say_plan(shape, options.tile_size, region, held=image.nbytes if is_in_memory(image) else 0)
            found = detect(
                rescaled,
                self._network(options),
                ready,
                thresholds,
                tile_size=options.tile_size,
                region=region,
                readers=options.readers,
                progress=progress,
                journal=journal,
                receiver=objects,
                foreground=foreground,
                executor=executor,
            )
        found = replace(found, scale=scale, look=look.describe())
        warn_of_result(found, self.spec, thresholds.prob, options.min_confidence, objects.n_dropped)
        return found

    def view(
        self,
        image: Any,
        options: DetectionOptions | None = None,
        *,
        normalizer: Any = True,
        name: str | None = None,
        channels: tuple[int, ...] = (),
        executor: Executor | None = None,
    ) -> View:
        """An image as this model sees it, for :func:`starpoly.detection.look_at`.

        Parameters
        ----------
        image : array or Source
        options, normalizer
            As for :meth:`predict_instances`.
        name : str, optional
            What the model is called. Default: its own name.
        channels : tuple of int
            Which channels of a file these are, for the record.
        executor : Executor, optional
            Reads the image for its percentiles. Default: threads.

        Raises
        ------
        ImageError
            As :meth:`predict_instances`.
        """
        options = options or DetectionOptions()
        pixels, ready = self._normalizer(self._as_input(image), normalizer, executor)
        shape = (int(pixels.shape[0]), int(pixels.shape[1]))
        return View(
            name or self.spec.name,
            channels,
            pixels,
            ready,
            self._network(options),
            self.spec,
            self._given_scale(options, shape),
            partial(self.foreground_mask, shape, options),
        )

    def _given_scale(self, options: DetectionOptions, shape: tuple[int, int]) -> float | None:
        """The scale, unless it has to be found."""
        if options.scale is not None:
            return check_scale(options.scale)
        if options.diameter is not None:
            return scale_for(check_diameter(options.diameter, shape), self.spec.sizes)
        return None if self.spec.sizes.target else 1.0

    def plan(self, shape: tuple[int, int], tile_size: int | None = None) -> TilePlan:
        """The tile grid for an image of ``shape`` pixels (y, x), after rescaling.

        Parameters
        ----------
        shape : (int, int)
            Height and width of the image in pixels.
        tile_size : int, optional
            As in :class:`~starpoly.detection.DetectionOptions`.
        """
        return plan_for(self._predictor, shape, tile_size)

    def predict(
        self, image: NDArray, *, normalizer: Any = True, tile_size: int | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """The network's dense output for an image, before suppression.

        Parameters
        ----------
        image, normalizer, tile_size
            As for :meth:`predict_instances`.

        Returns
        -------
        probability : (h, w) float32
            On the model's grid.
        distances : (h, w, n_rays) float32
            In pixels of the image.
        classes : (h, w, n_classes + 1) float32
            Only for a model with classes.
        """
        maps = self.predict_map(image, normalizer=normalizer, tile_size=tile_size)
        two = (maps.probability, maps.distances)
        return two if maps.classes is None else (*two, maps.classes)

    def predict_map(self, image: NDArray, *, normalizer: Any = True, tile_size: int | None = None) -> DenseOutput:
        """The same as :meth:`predict`, by name: ``probability``, ``distances`` and ``classes`` or None."""
        image = self._as_input(image)
        image, ready = self._normalizer(image, normalizer)
        return predict_map(image, self._predictor, ready, tile_size=tile_size)

    def predict_foreground(
        self, image: NDArray, *, scale: float = 1.0, normalizer: Any = True, tile_size: int | None = None
    ) -> NDArray[np.float32]:
        """The predicted probability that a pixel lies in an object.

        Parameters
        ----------
        image, normalizer, tile_size
            As for :meth:`predict_instances`.
        scale : float
            Rescale the image by this factor before.

        Returns
        -------
        (Y, X) float32
            At the size of the rescaled image.

        Raises
        ------
        ConfigError
            If the network does not predict the foreground.
        """
        image, ready = self._normalizer(self._as_input(image), normalizer)
        image = at_scale(image, check_scale(scale))
        maps = predict_map(image, self._predictor, ready, tile_size=tile_size)
        pixels = maps.foreground_pixels(self.spec.network.grid)
        if pixels is None:
            raise ConfigError(
                f"{self.spec.name}: expected a network that predicts the foreground, got one that does not"
            )
        return pixels[: image.shape[0], : image.shape[1]]

    def find_candidates(
        self,
        image: NDArray,
        prob_threshold: float | None = None,
        *,
        normalizer: Any = True,
        **settings: Any,
    ) -> StarPolygons:
        """All candidates that compete in non-maximum suppression: one per grid point above the probability threshold.

        Parameters
        ----------
        image, normalizer, **settings
            As for :meth:`predict_instances`.
        prob_threshold : float, optional
            Default: the model's.
        """
        options = self.resolve_options(DetectionOptions.of(None, {"prob_threshold": prob_threshold, **settings}))
        best = look_for_scale(self.view(image, options, normalizer=normalizer)).best
        image, scale = at_scale(best.view.image, best.scale), best.scale
        threshold = options.thresholds(self.thresholds).prob
        found = find_candidates(image, best.view.network, best.view.normalizer, threshold, tile_size=options.tile_size)
        return found if scale == 1 else found.scale(1 / scale)

    def fingerprint(self) -> str:
        """Hash of everything the network's output depends on: settings, weights, precision, engine and its kernels."""
        digest = hashlib.sha256(json.dumps(self.spec.to_dict(), sort_keys=True).encode())
        digest.update(self._predictor.precision.encode())
        if self.engine != "tensorflow":
            digest.update(self.engine.encode())
        if not has_onednn():
            digest.update(b"without oneDNN")
        digest.update(self._predictor.weights_digest.encode())
        return digest.hexdigest()

    def _as_input(self, image: Any) -> Any:
        """An array in memory or a source, with the model's channels."""
        n_channels = self.spec.network.n_channels
        image = as_image(image, n_channels=n_channels, named=True)
        if 0 in image.shape:
            raise ImageError(f"expected an image of at least one pixel, got shape {image.shape}")
        if image.ndim not in (2, 3):
            raise ImageError(
                f"expected an image with axes YX or YXC, got shape {image.shape}; name the axes of a stack, as in axes='ZYX'"
            )
        if isinstance(image, np.ndarray):
            return as_channels(image, n_channels)
        return match_channels(image, n_channels, by_name=True)

    def _normalizer(self, image: Any, given: Any, executor: Executor | None = None) -> tuple[Any, Normalizer]:
        """The source to read and its normaliser."""
        return as_normalizer(given, image, self.spec.normalization, run=spread_over(executor, image))

    def _say_plan(self, shape: tuple[int, int], tile_size: int | None, region: Region | None, held: int) -> None:
        """Log the tile plan of an image with several tiles, of which some bytes are held."""
        plan = self.plan(shape, tile_size)
        if len(plan) > 1:
            need = BASELINE_BYTES + held + window_bytes(self.spec.network, plan.window, self.precision)
            _log.info(
                "%d x %d px in %d tiles of %d x %d, halo %d px, %.0f %% of the pixels computed twice; about %.1f GB of memory",
                *shape, len(plan), *plan.window, max(plan.halo), 100 * plan.excess, need / 1e9,
            )  # fmt: skip
            if plan.excess > _LARGEST_EXCESS and plan.excess * shape[0] * shape[1] > _LITTLE_WORK:
                warn(
                    f"the network computes {1 + plan.excess:.0f} times the image, since windows of {plan.window[0]} x {plan.window[1]} "
                    f"pixels are little more than their halos; a tile size of {_SENSIBLE_TILE} or more (--tile-size) saves most of it"
                )
            if region is not None:
                skipped = sum(not region.overlaps(tile.core) for tile in plan)
                _log.info("%d of %d tiles are skipped, there is nothing to look at", skipped, len(plan))
