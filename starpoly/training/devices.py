"""Several accelerators of one machine: each takes its share of every batch (Keras's data parallelism, under JAX)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from ..config import TrainingConfig

log = logging.getLogger(__name__)


@contextmanager
def data_parallel(training: TrainingConfig) -> Iterator[int]:
    """Train on all devices in the block, as far as they divide a batch; yields their number.

    Networks are to be built in the block: their variables then lie on every device. Steps differ from those of one device by
    rounding. Under TensorFlow, Keras uses one device.

    Parameters
    ----------
    training : TrainingConfig
        Its batches, those of validation among them, are divided evenly.
    """
    devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
    divisible = math.gcd(training.batch_size, min(training.batch_size, training.validation_patches))
    n = max(n for n in range(1, max(1, len(devices)) + 1) if divisible % n == 0)
    if len(devices) > n:
        log.info("%d of %d devices: a batch of %d is divided evenly", n, len(devices), training.batch_size)
    if n == 1:
        yield 1
        return
    log.info("training on %d devices, each with %d of %d patches", n, training.batch_size // n, training.batch_size)
    with keras.distribution.DataParallel(devices=devices[:n]).scope():
        yield n
