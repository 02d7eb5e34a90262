"""StarPoly2D: a detector that can also be trained, tuned and saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.typing import NDArray

from .config import NetworkConfig, NormalizationConfig, Thresholds, TrainingConfig
from .detection.detector import Detector
from .errors import without_warnings


class StarPoly2D(Detector):
    """Star-convex object detection in 2D images: load, predict, train, tune, save.

    Prediction is that of :class:`~starpoly.detection.Detector`.

    Examples
    --------
    >>> from starpoly import StarPoly2D
    >>> model = StarPoly2D.from_pretrained("nuclei-fluo")
    >>> labels, details = model.predict_instances(image)        # doctest: +SKIP
    """

    @classmethod
    def train(
        cls,
        images: Sequence[NDArray],
        masks: Sequence[NDArray],
        *,
        validation_data: Sequence[Sequence],
        folder: str | Path,
        network: NetworkConfig | None = None,
        training: TrainingConfig | None = None,
        normalization: NormalizationConfig | None = None,
        classes: Sequence[dict[int, int]] | None = None,
        class_names: Sequence[str] = (),
        groups: Sequence[str] = (),
        unlabelled: Sequence[NDArray] = (),
        licence: str = "",
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
        validation_data : tuple of sequences
            Images, masks and, if there are classes, these; they choose the best weights and the thresholds.
        folder : path
            Model folder to write; its name is the model's name.
        network, training, normalization : configs, optional
            Without a ``network``, that of ``init``.
        classes : sequence of {label: class}, optional
            Class 1..n_classes of each object, per image.
        class_names : sequence of str, optional
            Names of the classes 1..n_classes.
        groups : sequence of str, optional
            The group of each image; images of rare groups are drawn more often, see ``training.group_balance``.
        unlabelled : sequence of (Y, X[, C]) arrays
            More images, to learn from without masks; ``training.unlabelled`` says how.
        licence : str
            Licence of the data; the model keeps it.
        init : str or path, optional
            Name or folder of a model to start from.
        resume : bool
            Go on from the checkpoint in ``folder``.
        inspect_every : int
            Epochs between two looks at the best model: pictures of validation images with what it finds, where it is a new one,
            in ``folder/validation``; at the end ``folder/training.html`` shows them with the losses. 0 for neither.
        after_epoch : callable, optional
            Called with the number of finished epochs; the best model so far is in ``folder`` by then.

        Returns
        -------
        StarPoly2D
            The best model, by validation loss, with its thresholds tuned.
        """
        from .training.inputs import inputs_from_arrays
        from .training.run import run_training

        data = inputs_from_arrays(
            images,
            masks,
            validation_data,
            classes=classes,
            groups=groups,
            unlabelled=unlabelled,
            class_names=class_names,
            licence=licence,
        )
        run_training(
            folder,
            data,
            network=network,
            training=training,
            normalization=normalization,
            init=init,
            resume=resume,
            inspect_every=inspect_every,
            after_epoch=after_epoch,
        )
        return cls.from_pretrained(Path(folder))

    def optimize_thresholds(
        self,
        images: Sequence[NDArray],
        masks: Sequence[NDArray],
        *,
        nms_threshs: Sequence[float] | None = None,
        iou_threshs: Sequence[float] | None = None,
        folder: str | Path | None = None,
    ) -> Thresholds:
        """Choose the thresholds with the best mean average precision on labelled images, and adopt them.

        Scores are calibrated on the way, for ``min_confidence``, and how far masks follow the foreground is chosen
        (``expand_into_foreground``).

        Parameters
        ----------
        images, masks
            As for :meth:`train`; not those that the model was trained on.
        nms_threshs : sequence of float, optional
            Overlap thresholds to choose from; default .3, .4 and .5.
        iou_threshs : sequence of float, optional
            IoU thresholds, from 0.5 on, over which the average precision is averaged; default .5 to .9.
        folder : path, optional
            Model folder to save the model into.

        Raises
        ------
        DataError
            If the images hold no object, or the model finds none.
        ConfigError
            If a threshold is out of range.
        """
        from .training.data import array_pairs
        from .training.thresholds import IOU_THRESHOLDS, NMS_THRESHOLDS
        from .training.tuning import look_through, tuned_spec

        pairs = array_pairs(images, masks)
        look_through(self, pairs)
        with without_warnings():  # of images that are read again
            self.spec = tuned_spec(
                self,
                pairs,
                nms_threshs=NMS_THRESHOLDS if nms_threshs is None else nms_threshs,
                iou_threshs=IOU_THRESHOLDS if iou_threshs is None else iou_threshs,
            )
        if folder is not None:
            self.save(folder)
        return self.spec.thresholds

    def save(self, folder: str | Path, *, half_precision: bool = False) -> None:
        """Write the model as a folder of ``model.json`` and ``weights.h5``."""
        from .network.storage.folder import save_model

        save_model(Path(folder), self.spec, self._predictor.model, half_precision=half_precision)
