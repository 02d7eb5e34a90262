"""Receptive field of a network, computed from the model's graph.

Each axis is computed separately. In a tensor with a spacing of ``s`` pixels, position ``i`` depends on the pixels from
``low[i]`` to ``high[i]``. Both repeat, shifted, with the network's total stride, so one period is enough. Each layer
maps the intervals of its input to those of its output. Where branches join, the interval covers both. What is found is a
bound for any network, and exact if all weights are nonzero.

References
----------
Araujo, Norris & Sim, Computing receptive fields of convolutional neural networks, Distill 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from ..errors import ModelError
from .engines.frozen_graph import NetworkGeometry
from .footprint import Footprint

# each output position depends only on the same input position
_POINTWISE = (
    layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax, layers.Dropout,
    layers.SpatialDropout2D, layers.GaussianNoise, layers.BatchNormalization, layers.Rescaling, layers.Identity,
)  # fmt: skip
_JOINING = (layers.Add, layers.Concatenate, layers.Multiply, layers.Average, layers.Maximum, layers.Subtract)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


def receptive_field(model: keras.Model) -> tuple[int, int]:
    """Radius of the receptive field in pixels (y, x).

    The output for grid point ``(i, j)``, at pixel ``(i * grid_y, j * grid_x)``, does not depend on pixels beyond this
    radius. The window must start and end at multiples of the total stride.

    Parameters
    ----------
    model : keras.Model
        A functional model with one image input (batch, y, x, channel), made of convolutions and
        poolings with "same" padding, nearest or bilinear upsampling, element-wise layers and joins.

    Raises
    ------
    ModelError
        For an unknown layer, or one that covers the whole window (group normalisation, global pooling).
    """
    return network_geometry(model).radius


def network_geometry(model: keras.Model) -> NetworkGeometry:
    """Footprints of a model's outputs along y and x; see :func:`receptive_field`."""
    return NetworkGeometry(_axis_footprint(model, 0), _axis_footprint(model, 1))


@dataclass(frozen=True)
class _Hulls:
    """Hulls ``[low[i], high[i]]`` in pixels for one period of positions, ``spacing`` pixels apart."""

    low: np.ndarray
    high: np.ndarray
    spacing: int

    @property
    def period(self) -> int:
        return len(self.low)

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hulls at any positions; one period further, they shift by one total stride."""
        turns, phase = np.divmod(positions, self.period)
        shift = turns * (self.period * self.spacing)
        return self.low[phase] + shift, self.high[phase] + shift


def _axis_footprint(model: keras.Model, axis: int) -> Footprint:
    stride = _total_stride(model, axis)
    pixels = np.arange(stride)
    found = {id(model.inputs[0]): _Hulls(pixels, pixels, 1)}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        sources = [found[id(tensor)] for tensor in _tensors(layer.input)]
        found[id(layer.output)] = _through(layer, sources, axis)
    outputs = [found[id(tensor)] for tensor in model.outputs]
    grid = outputs[0].spacing
    if any(output.spacing != grid for output in outputs):
        raise ModelError(f"{model.name}: its outputs lie on different grids")
    centres = pixels[::grid]
    before = np.max([centres - output.low for output in outputs], axis=0)
    after = np.max([output.high - centres for output in outputs], axis=0)
    return Footprint(grid, tuple(before.tolist()), tuple(after.tolist()))


def _total_stride(model: keras.Model, axis: int) -> int:
    """The largest spacing of any tensor. Window sides are multiples of it."""
    spacing = {id(model.inputs[0]): 1}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        inputs = [spacing[id(tensor)] for tensor in _tensors(layer.input)]
        finer = _finer(layer, axis)
        if inputs[0] % finer:
            raise ModelError(f"layer {layer.name!r}: upsampling past full resolution is not supported")
        spacing[id(layer.output)] = inputs[0] // finer * _step(layer, axis)
    return math.lcm(*spacing.values())


def _finer(layer: layers.Layer, axis: int) -> int:
    """How many positions a layer makes of one."""
    if isinstance(layer, layers.Conv2DTranspose):
        return layer.strides[axis]
    return layer.size[axis] if isinstance(layer, layers.UpSampling2D) else 1


def _step(layer: layers.Layer, axis: int) -> int:
    return layer.strides[axis] if isinstance(layer, _CONVOLUTIONS + _POOLINGS) else 1


def _tensors(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _through(layer: layers.Layer, sources: list[_Hulls], axis: int) -> _Hulls:
    """Footprint of a layer's output, from those of its inputs."""
    source = sources[0]
    if isinstance(layer, _JOINING):
        if any(other.spacing != source.spacing for other in sources):
            raise ModelError(f"layer {layer.name!r} joins tensors of different resolution")
        low = np.min([other.low for other in sources], axis=0)
        return _Hulls(low, np.max([other.high for other in sources], axis=0), source.spacing)
    if isinstance(layer, _POINTWISE):
        return source
    if isinstance(layer, layers.Conv2DTranspose):
        return _subpixel(layer, source, axis)
    if isinstance(layer, _CONVOLUTIONS):
        return _window(layer, source, layer.dilation_rate[axis] * (layer.kernel_size[axis] - 1) + 1, axis)
    if isinstance(layer, _POOLINGS):
        return _window(layer, source, layer.pool_size[axis], axis)
    if isinstance(layer, layers.UpSampling2D):
        return _upsample(layer, source, layer.size[axis])
    raise ModelError(
        f"layer {layer.name!r} ({type(layer).__name__}) has no bounded receptive field that is known; "
        "such a network cannot be run in tiles"
    )


def _window(layer: layers.Layer, source: _Hulls, width: int, axis: int) -> _Hulls:
    """Footprint of a sliding window of ``width`` input positions with the layer's step and "same" padding."""
    step = _step(layer, axis)
    if layer.padding != "same" and not (step == width and isinstance(layer, _POOLINGS)) and width > 1:
        raise ModelError(f"layer {layer.name!r}: expected padding 'same', got {layer.padding!r}")
    # lengths are multiples of the total stride, so "same" pads width - step, the smaller half first
    first = np.arange(source.period // step) * step - max(width - step, 0) // 2
    low, high = source.at(first[:, None] + np.arange(width))
    low, high = low.min(axis=1), high.max(axis=1)
    return _Hulls(low, high, source.spacing * step)


def _subpixel(layer: layers.Conv2DTranspose, source: _Hulls, axis: int) -> _Hulls:
    """Footprint of a sub-pixel convolution: each position becomes ``size`` ones."""
    size = layer.strides[axis]
    if layer.kernel_size[axis] != size or layer.dilation_rate[axis] != 1:
        raise ModelError(
            f"layer {layer.name!r}: expected a transposed convolution of kernel {size}, its stride, and without dilation; "
            f"got {layer.kernel_size[axis]}"
        )
    return _repeated(source, size)


def _repeated(source: _Hulls, size: int) -> _Hulls:
    low, high = source.at(np.arange(source.period * size) // size)
    return _Hulls(low, high, source.spacing // size)


def _upsample(layer: layers.UpSampling2D, source: _Hulls, size: int) -> _Hulls:
    if layer.interpolation not in ("nearest", "bilinear"):
        raise ModelError(f"layer {layer.name!r}: interpolation {layer.interpolation!r} is not supported")
    if layer.interpolation == "nearest":
        return _repeated(source, size)
    # pixel centres are kept: position j lies at (j + 1/2) / size - 1/2, between two of the source
    positions = np.arange(source.period * size)
    first = (2 * positions + 1 - size) // (2 * size)
    last = -((size - 1 - 2 * positions) // (2 * size))
    (low, below), (above, high) = source.at(first), source.at(last)
    return _Hulls(np.minimum(low, above), np.maximum(high, below), source.spacing // size)
