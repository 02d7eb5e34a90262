"""Eight-bit integers in a network for OpenVINO: post-training quantisation on the images that ship.

Inputs of convolutions have 256 levels over the range that images show, weights 129 levels for each output channel, after
Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018. The
last convolution of each head stays in float32. Zero is a level, so that padding stays zero. Levels are constants, so a pixel
depends on its surroundings alone, whatever the tiling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...images.axes import with_channels
from ...images.normalization import fit_normalizer
from ...io.readers.images import read_image

_CONVOLUTIONS = ("Convolution", "ConvolutionBackpropData", "GroupConvolution")
_LEVELS = 256
#: Weights are symmetric about zero.
_WEIGHT_LEVELS = 255
#: Their range is so much wider than they are, that none exceeds 64: AVX2 adds products of two pairs in 16 bits.
_SPARE = 127 / 64
#: Digits of a range: threads may add in another order, which must not move the levels.
_DIGITS = 3


def calibration_windows(n_channels: int, stride: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """Normalised windows (1, Y, X, C) of the demo images: fluorescence, brightfield, smear and tissue.

    Parameters
    ----------
    n_channels : int
        Of the network.
    stride : (int, int)
        Pixels (y, x) of which sides are multiples.
    """
    for path in sorted(Path(str(files("starpoly"))).glob("demo_images/*.png")):
        image = with_channels(read_image(path))
        if image.shape[2] != n_channels:
            image = np.repeat(image.mean(axis=2, keepdims=True), n_channels, axis=2)
        height, width = (length // step * step for length, step in zip(image.shape, stride, strict=False))
        yield fit_normalizer(image, warn=False)(image[:height, :width])[None]


def quantize(core: Any, model: Any, windows: Iterable[NDArray[np.float32]]) -> Any:
    """A copy of a network whose convolutions compute in eight-bit integers, but for the last of each head.

    Parameters
    ----------
    core : openvino.Core
    model : openvino.Model
        In float32.
    windows : iterable of (1, Y, X, C) array
        Show the ranges.
    """
    ranges = _ranges(core, model, windows)
    copy = model.clone()
    levels: dict[tuple[str, int], Any] = {}
    for convolution in _inner_convolutions(copy):
        taken = convolution.input_value(0)
        if (key := _key(taken)) not in levels:
            levels[key] = _with_levels(taken, *ranges[key], _LEVELS)
        convolution.input(0).replace_source_output(levels[key])
        convolution.input(1).replace_source_output(_levelled_weights(core, convolution))
    copy.validate_nodes_and_infer_types()
    return copy


def _inner_convolutions(model: Any) -> list[Any]:
    """All convolutions on which another one depends."""
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() in _CONVOLUTIONS]
    before: set[str] = set()
    waiting = [value.get_node() for node in convolutions for value in node.input_values()]
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in before:
            before.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    return [node for node in convolutions if node.get_friendly_name() in before]


def _ranges(
    core: Any, model: Any, windows: Iterable[NDArray[np.float32]]
) -> dict[tuple[str, int], tuple[float, float]]:
    """Smallest and largest input of each convolution, in the mean over windows."""
    from openvino import opset13 as ops

    copy = model.clone()
    taken = {_key(node.input_value(0)): node.input_value(0) for node in _inner_convolutions(copy)}
    n_outputs = len(copy.get_results())
    copy.add_results([ops.result(value) for value in taken.values()])
    # outputs are those of the results, in order
    request = core.compile_model(copy, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    seen: list[list[tuple[float, float]]] = []
    for window in windows:
        request.infer([window])
        answers = [request.get_output_tensor(n_outputs + index).data for index in range(len(taken))]
        seen.append([(float(answer.min()), float(answer.max())) for answer in answers])
    means = np.mean(seen, axis=0).tolist()
    return {key: _with_zero(*mean) for key, mean in zip(taken, means, strict=True)}


def _with_zero(low: float, high: float) -> tuple[float, float]:
    """A range in which zero is one of the levels."""
    low, high = (float(f"{value:.{_DIGITS}g}") for value in (min(low, 0.0), max(high, 0.0)))
    step = (high - low) / (_LEVELS - 1) or 1.0
    low = round(low / step) * step
    return low, low + step * (_LEVELS - 1)


def _levelled_weights(core: Any, convolution: Any) -> Any:
    import openvino
    from openvino import opset13 as ops

    value = convolution.input_value(1)
    constant = openvino.Model([ops.result(value)], [])
    weights = np.array(core.compile_model(constant, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])[0])
    out = 1 if convolution.get_type_name() == "ConvolutionBackpropData" else 0
    others = tuple(axis for axis in range(weights.ndim) if axis != out)
    largest = _SPARE * np.maximum(np.abs(weights).max(axis=others, keepdims=True), np.finfo(np.float32).tiny)
    return _with_levels(ops.constant(weights), -largest, largest, _WEIGHT_LEVELS)


def _with_levels(value: Any, low: Any, high: Any, n: int) -> Any:
    from openvino import opset13 as ops

    ends: Sequence[Any] = [ops.constant(np.asarray(end, np.float32)) for end in (low, high)]
    return ops.fake_quantize(value, *ends, *ends, n).output(0)


def _key(value: Any) -> tuple[str, int]:
    return value.get_node().get_friendly_name(), value.get_index()
