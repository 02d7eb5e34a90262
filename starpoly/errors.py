"""Errors and warnings: each message says what was expected, what was got and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class StarpolyError(ValueError):
    """Base of every error that starpoly raises on purpose; the command line prints it as one line."""


class ConfigError(StarpolyError):
    """A setting is unknown, of the wrong type or out of range."""


class ImageError(StarpolyError):
    """An image or label file cannot be read, or holds something that cannot be used."""


class ImageTypeError(ImageError, TypeError):
    """What was given as an image is neither an array nor a path."""


class TooLargeError(ImageError):
    """An image is sound, but memory does not suffice for it as a whole."""


class OutputError(ImageError):
    """A result cannot be written; the image is not to blame."""


class DataError(StarpolyError):
    """Training or evaluation data are missing, do not pair or are not label images."""


class ModelError(StarpolyError):
    """A model folder is missing, incomplete, foreign, or does not fit the image."""


class StarpolyWarning(UserWarning):
    """Something looks wrong but the work goes on (constant image, NaN, zero objects ...)."""


@contextmanager
def naming(subject: object) -> Iterator[None]:
    """Begin each :class:`StarpolyWarning` of the block with ``subject``, the image that it is about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StarpolyWarning)
        try:
            yield
        finally:
            said = list(caught)
    for one in said:
        text = str(one.message)
        if issubclass(one.category, StarpolyWarning) and not text.startswith(str(subject)):
            warnings.warn(f"{subject}: {text}", one.category, stacklevel=4)
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
