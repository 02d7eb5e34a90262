"""StarPoly2D: a detector that can also be trained, tuned and saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.typing import NDArray

from .config import NetworkConfig, NormalizationConfig, Thresholds, TrainingConfig
from .detection.detector import Detector
from .model_zoo import find_model


class StarPoly2D(Detector):
    """Star-convex object detection in 2D images: load, predict, train, tune, save.

    Prediction is that of :class:`~starpoly.detection.detector.Detector`.

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

    def save(self, folder: str | Path, *, half_precision: bool = False) -> None:
        """Write the model as a folder of ``model.json`` and ``weights.h5``."""
        from .network.storage.folder import save_model

        save_model(Path(folder), self.spec, self._predictor.model, half_precision=half_precision)
