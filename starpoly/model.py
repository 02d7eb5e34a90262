"""StarPoly2D: a model as users hold it, to predict with, to train and to tune."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .config import ModelSpec, NetworkConfig, NormalizationConfig, Thresholds, TrainingConfig
from .detection.journal import TileJournal
from .detection.object_size import ScaleEstimate, find_scale, scale_for
from .detection.pipeline import Detection, Region, detect, find_candidates, halo_for, plan_for, predict_map
from .detection.receivers import PolygonList, PolygonReceiver, RescalingReceiver
from .detection.test_time import Averaged, symmetries
from .errors import ConfigError, ImageError, StarpolyWarning
from .geometry.rasterize import render_labels
from .images.normalization import Normalizer, fit_normalizer
from .images.rescaling import UNUSUAL_SIZE, check_diameter, check_scale, typical_diameter
from .io.readers.channels import match_channels
from .io.readers.images import as_channels
from .io.readers.source import Source
from .labels.confidence import confidence
from .labels.mask_growth import ForegroundMask
from .labels.measurements import keep_visible
from .model_zoo import default_model, find_model
from .network.dense_output import DenseOutput, Network
from .network.memory import BASELINE_BYTES, tile_size_beside, window_bytes
from .polygons import StarPolygons
from .tiling import TilePlan

if TYPE_CHECKING:
    import keras

    from .network.predictor import Predictor

_log = logging.getLogger(__name__)


class StarPoly2D:
    """Star-convex object detection in 2D images.

    Parameters
    ----------
    spec : ModelSpec
        What the model is: network, thresholds, normalisation.
    predictor : Predictor
        The network with its weights.
    tta : {"none", "flips", "all"}
        Test-time augmentation, see :meth:`from_pretrained`.

    Examples
    --------
    >>> from starpoly import StarPoly2D
    >>> model = StarPoly2D.from_pretrained("nuclei-fluo")
    >>> labels, details = model.predict_instances(image)        # doctest: +SKIP
    """

    def __init__(self, spec: ModelSpec, predictor: Predictor, *, tta: str = "none") -> None:
        self.spec = spec
        self.tta = tta
        self._predictor = predictor

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path | None = None,
        *,
        precision: str = "auto",
        refine_outlines: bool = True,
        engine: str = "tensorflow",
        tta: str = "none",
    ) -> StarPoly2D:
        """Load a shipped model by name, or a model folder of starpoly or of StarDist 2D.

        Parameters
        ----------
        name_or_folder : str or Path, optional
            Without it, the default model.
        precision : {"auto", "float32", "bfloat16"}
            In which numbers the network computes, see :class:`~starpoly.network.predictor.Predictor`.
        refine_outlines : bool
            False: outlines as the rays alone tell them, whatever the model says of the foreground.
        engine : {"tensorflow", "openvino", "onnx"}
            What runs the network. OpenVINO comes with ``pip install 'starpoly[fast]'`` and is faster on CPUs, ONNX Runtime with
            ``pip install 'starpoly[onnx]'``.
        tta : {"none", "flips", "all"}
            Test-time augmentation: what the network says is averaged over the image and its mirror images (4 times the work)
            and these turned by a quarter (8 times), see :mod:`starpoly.detection.test_time`.

        Raises
        ------
        ModelError
            If there is no such model, or its files are missing, foreign or damaged.
        ConfigError
            If ``precision`` is none of the three, the engine is not installed or does not compute in it, or the model has no such symmetries.
        """
        from .network.predictor import Predictor

        folder = find_model(default_model() if name_or_folder is None else name_or_folder)
        predictor = Predictor.load(folder, precision, refine_outlines=refine_outlines, engine=engine)
        symmetries(tta, predictor)  # says now what does not fit
        return cls(predictor.spec, predictor, tta=tta)

    @classmethod
    def of_network(cls, spec: ModelSpec, network: keras.Model, *, precision: str = "float32") -> StarPoly2D:
        """The model of a network that is at hand, see :func:`starpoly.network.architectures.registry.build_network`."""
        from .network.predictor import Predictor

        return cls(spec, Predictor(spec, network, precision))

    def __repr__(self) -> str:
        network = self.spec.network
        return f"StarPoly2D({self.spec.name!r}, {network.n_channels} channel(s), {network.n_rays} rays, grid {network.grid})"

    @property
    def _network(self) -> Network:
        """What the pipeline asks."""
        return self._predictor if self.tta == "none" else Averaged(self._predictor, self.tta)

    @property
    def thresholds(self) -> Thresholds:
        """Probability and overlap thresholds that prediction uses unless told otherwise."""
        return self.spec.thresholds

    @property
    def precision(self) -> str:
        """In what the network computes: ``float32`` or ``bfloat16``."""
        return self._predictor.precision

    @property
    def engine(self) -> str:
        """What runs the network: ``tensorflow``, ``openvino`` or ``onnx``."""
        return self._predictor.engine

    def predict_instances(
        self,
        image: NDArray,
        *,
        prob_threshold: float | None = None,
        nms_threshold: float | None = None,
        normalizer: Normalizer | bool = True,
        scale: float | None = None,
        diameter: float | None = None,
        min_confidence: float = 0.0,
        spread: int = 0,
        tile_size: int | None = None,
        progress: bool = False,
    ) -> tuple[NDArray[np.int32], dict[str, Any]]:
        """Find every object of an image.

        Parameters
        ----------
        image : (Y, X) or (Y, X, C) array
            Raw intensities of any numeric type.
        prob_threshold, nms_threshold : float, optional
            In place of the model's own.
        normalizer : Normalizer or bool
            True: percentiles of this image, as the model was trained; False: the image is
            normalised already; or a ready normaliser.
        scale : float, optional
            Look at the image at so many times its size. Without it, the size of the objects decides: where the model says so,
            it is estimated in a first look at the middle of the image, and the image rescaled if the model would not know objects
            of that size (see :mod:`starpoly.detection.object_size`). Results are in pixels of the image as it is.
        diameter : float, optional
            How wide objects are in this image, in pixels; in place of the first look.
        min_confidence : float
            Leave out objects that are right with less than this chance, as measured when the model was made.
        spread : int
            Let labels spread from the polygons over what the network takes for the foreground, so many pixels at most: for objects that
            are not star-convex, such as bent ones (see :mod:`starpoly.labels.mask_growth`). Polygons stay as they are. Needs a model that tells the foreground.
        tile_size : int, optional
            Side of a network window in pixels; has no influence on the result but for rounding.
        progress : bool
            Show a progress bar.

        Returns
        -------
        labels : (Y, X) int32
            0 background, 1..n objects by the place of their centres, from above, and from the left in a row; a pixel belongs
            to the best-scored object that covers it, and an object of which no pixel shows is left out.
        details : dict
            In the order of the labels: ``coord`` (n, 2, n_rays) vertices (y, x), ``points`` (n, 2)
            centres (y, x), ``prob`` (n,) scores, with classes ``class_prob`` (n, n_classes + 1) and
            ``class_id`` (n,); with a calibrated model ``confidence`` (n,), the chance that an object is right;
            ``polygons``, the same as :class:`StarPolygons`; ``normalizer``; ``seconds``
            per stage; and ``detection``, all that is known about how they were found.

        Raises
        ------
        ImageError, ModelError
            If the image has another number of axes or channels than the model can take.
        ConfigError
            If labels are to spread and the model does not tell the foreground.
        """
        image = self._as_input(image)
        foreground = ForegroundMask((image.shape[0], image.shape[1]), spread) if spread else None
        found = self.detect(
            image,
            prob_threshold=prob_threshold,
            nms_threshold=nms_threshold,
            normalizer=normalizer,
            scale=scale,
            diameter=diameter,
            min_confidence=min_confidence,
            tile_size=tile_size,
            progress=progress,
            foreground=foreground,
        )
        ids = np.arange(1, len(found.polygons) + 1)
        drawn = render_labels(found.polygons, image.shape[:2], ids=ids).astype(np.int32, copy=False)
        labels, polygons = keep_visible(drawn, found.polygons)
        if foreground is not None:
            labels = foreground.spread_over(labels)
        details: dict[str, Any] = {
            "coord": polygons.vertices(),
            "points": polygons.points,
            "prob": polygons.probabilities,
            "polygons": polygons,
            "normalizer": found.normalizer,
            "seconds": found.seconds,
            "detection": found,
        }
        if self.spec.calibration:
            details["confidence"] = confidence(polygons.probabilities, self.spec.calibration)
        if polygons.class_probabilities is not None:
            details |= {"class_prob": polygons.class_probabilities, "class_id": polygons.classes}
        return labels, details

    def detect(
        self,
        image: NDArray | Source,
        *,
        prob_threshold: float | None = None,
        nms_threshold: float | None = None,
        normalizer: Normalizer | bool = True,
        scale: float | None = None,
        diameter: float | None = None,
        min_confidence: float = 0.0,
        tile_size: int | None = None,
        region: Region | None = None,
        readers: int = 1,
        progress: bool = False,
        journal: TileJournal | None = None,
        kept: PolygonReceiver | None = None,
        foreground: ForegroundMask | None = None,
    ) -> Detection:
        """Find the objects of an image as polygons, without drawing labels.

        Parameters
        ----------
        image : array or Source
            A :class:`~starpoly.io.readers.opening.Source` is read tile by tile.
        prob_threshold, nms_threshold, normalizer, scale, diameter, min_confidence, tile_size, progress
            As for :meth:`predict_instances`. With ``progress`` the plan is logged, too.
        region : Region, optional
            The part to look at, such as :class:`~starpoly.prediction.tissue.Tissue`; objects with a centre outside are not found.
        readers : int
            Threads that read the image; of no influence on the result.
        journal : TileJournal, optional
            Takes the result of each tile; tiles that are in it are not done again.
        kept : PolygonReceiver, optional
            Takes the polygons, in pixels of the image, while the rest of it is worked on, from another thread.
        foreground : ForegroundMask, optional
            Takes where the network sees objects.
        """
        image = self._as_input(image)
        thresholds = self.spec.thresholds.replace(
            **{
                name: float(value)
                for name, value in (("prob", prob_threshold), ("nms", nms_threshold))
                if value is not None
            }
        )
        ready = self._normalizer(image, normalizer)
        look = self._look(image, ready, scale, diameter)
        objects = RescalingReceiver(
            PolygonList() if kept is None else kept, look.scale, min_confidence, self.spec.calibration
        )
        as_sampled = thresholds == self.spec.thresholds and all(
            part is None for part in (tile_size, journal, region, foreground)
        )
        if look.found is not None and as_sampled:
            objects.add(look.found.polygons, math.inf, math.inf)
            found = replace(look.found, polygons=objects.polygons())
        else:
            rescaled = look.of(image)
            shape = (int(rescaled.shape[0]), int(rescaled.shape[1]))
            if region is not None and rescaled is not image:
                region = region.resized(shape)
            if tile_size is None and isinstance(image, np.ndarray):
                tile_size = tile_size_beside((shape[0], shape[1]), self.spec.network, self.precision)
            if progress:
                self._say_plan(shape, tile_size, region)
            found = detect(
                rescaled,
                self._network,
                ready,
                thresholds,
                tile_size=tile_size,
                region=region,
                readers=readers,
                progress=progress,
                journal=journal,
                kept=objects,
                foreground=foreground,
            )
        found = replace(found, scale=look.scale)
        self._look_at(found, thresholds.prob)
        return found

    def _look(self, image: Any, normalizer: Normalizer, scale: float | None, diameter: float | None) -> ScaleEstimate:
        """The scale that is wanted, or that fits the objects of the image."""
        sizes = self.spec.sizes
        if scale is not None and diameter is not None:
            raise ConfigError(f"expected a scale or a diameter, got both, {scale:g} and {diameter:g}; choose one")
        if scale is not None:
            return ScaleEstimate(check_scale(scale))
        if diameter is not None:
            if not sizes.target:
                raise ConfigError(
                    f"{self.spec.name}: expected a model that knows which sizes it is good at, got none; give the scale instead"
                )
            return ScaleEstimate(scale_for(check_diameter(diameter), sizes))
        if not sizes.target:
            return ScaleEstimate(1.0)
        return find_scale(image, self._network, normalizer, self.spec.thresholds, sizes)

    def plan(self, shape: tuple[int, int], tile_size: int | None = None) -> TilePlan:
        """The tiles in which a slide is gone through: each with a core, and the window that is read for it.

        Parameters
        ----------
        shape : (int, int)
            Height and width of the image, in pixels at the scale at which it is looked at.
        tile_size : int, optional
            As for :meth:`predict_instances`.
        """
        return plan_for(self._network, shape, tile_size)

    def predict(
        self, image: NDArray, *, normalizer: Normalizer | bool = True, tile_size: int | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """The network's answer for an image, before suppression.

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

    def predict_map(
        self, image: NDArray, *, normalizer: Normalizer | bool = True, tile_size: int | None = None
    ) -> DenseOutput:
        """The same as :meth:`predict`, by name: ``probability``, ``distances`` and ``classes`` or None."""
        image = self._as_input(image)
        return predict_map(image, self._network, self._normalizer(image, normalizer), tile_size=tile_size)

    def find_candidates(
        self,
        image: NDArray,
        prob_threshold: float | None = None,
        *,
        normalizer: Normalizer | bool = True,
        scale: float | None = None,
        diameter: float | None = None,
        tile_size: int | None = None,
    ) -> StarPolygons:
        """All polygons that compete in suppression: one per grid point above the probability threshold.

        Parameters
        ----------
        image, prob_threshold, normalizer, scale, diameter, tile_size
            As for :meth:`predict_instances`.
        """
        image = self._as_input(image)
        threshold = self.thresholds.prob if prob_threshold is None else prob_threshold
        ready = self._normalizer(image, normalizer)
        look = self._look(image, ready, scale, diameter)
        return look.back(find_candidates(look.of(image), self._network, ready, threshold, tile_size=tile_size))

    @classmethod
    def train(
        cls,
        images: Sequence[NDArray],
        masks: Sequence[NDArray],
        *,
        validation_data: tuple[Sequence[NDArray], Sequence[NDArray]],
        folder: str | Path,
        network: NetworkConfig | None = None,
        training: TrainingConfig | None = None,
        normalization: NormalizationConfig | None = None,
        classes: Sequence[dict[int, int]] | None = None,
        class_names: Sequence[str] = (),
        kinds: Sequence[str] = (),
        unlabelled: Sequence[NDArray] = (),
        init: str | Path | None = None,
        resume: bool = False,
        inspect_every: int = 10,
        after_epoch: Callable[[int], None] | None = None,
    ) -> StarPoly2D:
        """Train a model on images in memory and tune its thresholds.

        Parameters
        ----------
        images : sequence of (Y, X[, C]) arrays
            Raw intensities.
        masks : sequence of (Y, X) integer arrays
            0 background, > 0 one id per object, < 0 ignored.
        validation_data : (images, masks)
            Choose the best weights and the thresholds.
        folder : path
            Model folder to write; its name is the model's name.
        network, training, normalization : configs, optional
            Without a ``network``, that of ``init``.
        classes : sequence of {label: class}, optional
            Class 1..n_classes of each object, per image.
        class_names : sequence of str, optional
            Names of the classes 1..n_classes.
        kinds : sequence of str, optional
            The kind of each image; rare ones are drawn more often, as ``training.kind_balance`` says.
        unlabelled : sequence of (Y, X[, C]) arrays
            More images, to learn from without masks; ``training.unlabelled`` says how.
        init : path, optional
            Model to start from.
        resume : bool
            Go on from the checkpoint in ``folder``.
        inspect_every : int
            Epochs between two pictures of validation images with what the model finds, in ``folder/validation``; at the end
            ``folder/training.html`` shows them with the losses. 0 for neither.
        after_epoch : callable, optional
            Called with the number of finished epochs; the best model so far is in ``folder`` by then.

        Returns
        -------
        StarPoly2D
            The best model, by validation loss, with its thresholds tuned.
        """
        from .network.quiet import quiet_import

        quiet_import()
        from .training.data import array_pairs
        from .training.fit import fit
        from .training.inspection import Inspection
        from .training.self_training import Unlabelled
        from .training.unlabelled import array_unlabelled

        folder = Path(folder)
        val_pairs = array_pairs(*validation_data)
        inspection = Inspection(folder, val_pairs, cls.from_pretrained, inspect_every)

        def after_each(epoch: int) -> None:
            inspection(epoch)
            if after_epoch is not None:
                after_epoch(epoch)

        fit(
            folder,
            array_pairs(images, masks, classes, kinds),
            val_pairs,
            network=network,
            training=training or TrainingConfig(),
            normalization=normalization,
            class_names=tuple(class_names),
            init=None if init is None else find_model(init),
            resume=resume,
            unlabelled=Unlabelled(array_unlabelled(unlabelled), cls.of_network) if len(unlabelled) else None,
            after_epoch=after_each,
        )
        model = cls.from_pretrained(folder)
        model.optimize_thresholds(*validation_data)
        model.save(folder)
        inspection.finish()
        return model

    def optimize_thresholds(self, images: Sequence[NDArray], masks: Sequence[NDArray]) -> Thresholds:
        """Choose the thresholds with the best mean average precision on labelled images, and adopt them.

        What scores are worth is measured on the way, so that ``min_confidence`` can be asked for.

        Parameters
        ----------
        images, masks
            As for :meth:`train`; not those that the model was trained on.
        """
        from .training.data import array_pairs
        from .training.thresholds import tune

        tuned = tune(self, array_pairs(images, masks))
        self.spec = self.spec.replace(thresholds=tuned.thresholds, calibration=tuned.calibration)
        return self.spec.thresholds

    def fingerprint(self) -> str:
        """Hash of all that the model's answers depend on: settings, weights, the precision in effect and what computes."""
        digest = hashlib.sha256(json.dumps(self.spec.to_dict(), sort_keys=True).encode())
        digest.update(self._predictor.precision.encode())
        for choice, usual in ((self.engine, "tensorflow"), (self.tta, "none")):
            if choice != usual:
                digest.update(choice.encode())
        digest.update(self._predictor.weights_digest.encode())
        return digest.hexdigest()

    def save(self, folder: str | Path, *, half_precision: bool = False) -> None:
        """Write the model as a folder of ``model.json`` and ``weights.h5``."""
        from .network.storage.folder import save_model

        save_model(Path(folder), self.spec, self._predictor.model, half_precision=half_precision)

    def _as_input(self, image: Any) -> Any:
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise ImageError(
                f"expected an image with axes YX or YXC, got shape {image.shape}; pass one plane at a time"
            )
        n_channels = self.spec.network.n_channels
        return as_channels(image, n_channels) if isinstance(image, np.ndarray) else match_channels(image, n_channels)

    def _normalizer(self, image: Any, given: Normalizer | bool) -> Normalizer:
        if isinstance(given, Normalizer):
            return given
        if given:
            return fit_normalizer(image, self.spec.normalization)
        n_channels = self.spec.network.n_channels
        return Normalizer(low=(0.0,) * n_channels, high=(1.0,) * n_channels)

    def _say_plan(self, shape: tuple[int, int], tile_size: int | None, region: Region | None) -> None:
        """Say how an image of several tiles is gone through."""
        plan = self.plan(shape, tile_size)
        if len(plan) > 1:
            need = BASELINE_BYTES + window_bytes(self.spec.network, plan.window, self.precision)
            _log.info(
                "%d x %d px in %d tiles of %d x %d, halo %d px; about %.1f GB of memory",
                *shape, len(plan), *plan.window, max(halo_for(self._network)), need / 1e9,
            )  # fmt: skip
            if region is not None:
                skipped = sum(not region.overlaps(tile.core) for tile in plan)
                _log.info("%d of %d tiles are skipped, there is nothing to look at", skipped, len(plan))

    def _look_at(self, found: Detection, threshold: float) -> None:
        """Say what a user would want to know about a result."""
        if not len(found.polygons):
            warnings.warn(
                f"no objects found above a probability of {threshold:.2f}; "
                "is this the kind of image that the model was trained for?",
                StarpolyWarning,
                stacklevel=4,
            )
            return
        sizes = self.spec.sizes
        known = sizes.target or self.spec.object_diameter[1]
        smallest, largest = (sizes.smallest, sizes.largest) if sizes.target else (known, known)
        typical = found.scale * typical_diameter(found.polygons)
        if known and not min(smallest, known / UNUSUAL_SIZE) <= typical <= max(largest, known * UNUSUAL_SIZE):
            warnings.warn(
                f"the median object is {typical:.0f} px wide at {found.scale:.2g} times the image's size, those that the model knows "
                f"{known:.0f} px; say how wide objects are (diameter) or choose the scale",
                StarpolyWarning,
                stacklevel=4,
            )
