"""Complete training run: fit, tune thresholds, calibrate, write the model and its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..config import ModelSpec, NetworkConfig, NormalizationConfig, TrainingConfig
from ..errors import warn, without_warnings
from ..model_zoo import find_model
from ..network.storage.folder import load_spec, save_spec
from ..parallel import keep_freed_memory
from .data import Pair
from .inputs import TrainingInputs

#: File name of the loss plot in a model folder.
LOSSES = "losses.png"


def run_training(
    folder: str | Path,
    data: TrainingInputs,
    *,
    network: NetworkConfig | None = None,
    training: TrainingConfig | None = None,
    normalization: NormalizationConfig | None = None,
    init: str | Path | None = None,
    resume: bool = False,
    minutes: float | None = None,
    inspect_every: int = 10,
    after_epoch: Callable[[int], None] | None = None,
) -> ModelSpec:
    """Train a model and save it in a folder.

    :meth:`starpoly.StarPoly2D.train`, ``starpoly train`` and the napari widget call this function.

    Parameters
    ----------
    folder : path
        Model folder to write. Its name becomes the model's name.
    data : TrainingInputs
        See :func:`~starpoly.training.inputs_from_arrays` and :func:`~starpoly.training.inputs_from_folders`.
    network : NetworkConfig, optional
        Default: that of ``init``, else the default network. ``data.class_names`` sets the number of classes.
    training, normalization : configs, optional
    init : str or path, optional
        Name or folder of a model to start from.
    resume : bool
        Continue from the checkpoint in ``folder``.
    minutes : float, optional
        Time for the training, which decides the number of epochs.
    inspect_every : int
        Epochs between looks at the best model: pictures of validation images with detected objects, where it is new, in
        ``folder/validation``. At the end, ``folder/training.html`` shows them. These epochs are validated, too. 0 disables both.
    after_epoch : callable, optional
        Called with the number of finished epochs; ``folder`` holds the best model so far.

    Returns
    -------
    ModelSpec
        Spec of the best model by validation loss, with tuned thresholds. If the model finds nothing in the validation
        images, a warning appears and thresholds keep their defaults.

    Raises
    ------
    DataError, ModelError, ConfigError
        As for ``fit``; a ModelError also in the fork of a process that has opened a network.
    """
    from ..network.engines.forked import check_process
    from ..network.quiet import quiet_import
    from .resuming import check_no_model, state_to_resume

    folder = Path(folder)
    state_to_resume(folder, resume)  # refused before anything slow is imported or scored
    check_no_model(folder, resume)
    check_process()
    keep_freed_memory()
    quiet_import()
    from ..network.keras_settings import own_settings
    from .fit import fit
    from .inspection import Inspection
    from .tuning import log_baseline, log_trained

    start = None if init is None else find_model(init)
    inspection = Inspection(folder, data.validation, inspect_every)

    def after_each(epoch: int) -> None:
        with optional_step(f"{folder}: the pictures of epoch {epoch}"):
            inspection(epoch)
        if after_epoch is not None:
            after_epoch(epoch)

    with own_settings(), _gone_if_empty(folder):
        if start is not None and not resume:
            with optional_step(f"{folder}: the scores of the initial model"):
                log_baseline(start, data.validation)
        fit(
            folder,
            data,
            network=_with_classes(network, start, len(data.class_names)),
            training=training or TrainingConfig(),
            normalization=normalization,
            init=start,
            resume=resume,
            minutes=minutes,
            validated=inspection.due,
            after_epoch=after_each,
        )
        with optional_step(f"{folder}: the choice of thresholds"):
            tune_folder(folder, data.validation)
        if start is not None:
            with optional_step(f"{folder}: the scores of the trained model"):
                log_trained(folder, data.validation)
        with optional_step(folder / LOSSES):
            _draw_losses(folder)
        with optional_step(f"{folder}: the pictures and the page of the training"):
            inspection.finish()
    return load_spec(folder)


@contextmanager
def _gone_if_empty(folder: Path) -> Iterator[None]:
    """Remove a folder that the block has made and left empty, such as when it is stopped at once."""
    was_there = folder.exists()
    try:
        yield
    except BaseException:
        if not was_there:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def optional_step(what: object) -> Iterator[None]:
    """Turn an error in the block into a warning: the model is worth more than ``what``."""
    try:
        yield
    except Exception as error:
        detail = " ".join(str(error).split()) or type(error).__name__
        warn(f"{what}: left out ({detail}); the model is not affected", stacklevel=3)


def _with_classes(network: NetworkConfig | None, start: Path | None, n_classes: int) -> NetworkConfig | None:
    """The network with one class per name; None to keep the initial model's network."""
    if not n_classes:
        return network
    base = network or (NetworkConfig() if start is None else load_spec(start).network)
    return base.replace(n_classes=n_classes)


def tune_folder(folder: Path, pairs: Sequence[Pair]) -> ModelSpec:
    """Tune thresholds, calibration and mask growth of the model in a folder; weights stay the same.

    Parameters
    ----------
    folder : Path
        Model folder; ``model.json`` is replaced.
    pairs : sequence of Pair
        Validation images.

    Warns
    -----
    StarpolyWarning
        If the pairs have no objects or the model finds none. Thresholds then keep their values.
    """
    from ..detection.detector import Detector
    from .thresholds import NothingFoundError
    from .tuning import tuned_spec

    model = Detector.from_pretrained(folder)
    try:
        with without_warnings():  # the training tells them
            spec = tuned_spec(model, pairs)
    except NothingFoundError as error:
        warn(f"{folder}: the thresholds stay at their defaults: {error}", stacklevel=3)
        return model.spec
    save_spec(folder, spec)
    return spec


def _draw_losses(folder: Path) -> None:
    from ..plot import plot_losses, save_figure
    from .history import FILE_NAME

    save_figure(folder / LOSSES, lambda axes: plot_losses(axes, folder / FILE_NAME))
