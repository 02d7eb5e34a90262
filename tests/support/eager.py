"""Trainings of one or two steps, without a graph: tracing one takes as long as ten steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def without_graph(fit: Callable) -> Callable:
    """``keras.Model.fit`` that takes its steps eagerly."""

    def eagerly(model: keras.Model, *args: Any, **settings: Any) -> Any:
        traced, model.run_eagerly = model.run_eagerly, True
        try:
            return fit(model, *args, **settings)
        finally:
            model.run_eagerly = traced

    return eagerly
