"""Settings: one frozen dataclass per stage, JSON in and out, unknown keys refused."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Self

from .errors import ConfigError, suggestion

#: The architecture of networks that come from StarDist 2D.
STARDIST = "stardist_unet"
#: Activations of layers, as Keras names them.
ACTIVATIONS = (
    "relu",
    "elu",
    "selu",
    "gelu",
    "softplus",
    "tanh",
    "sigmoid",
    "swish",
    "silu",
    "leaky_relu",
    "mish",
    "linear",
)
#: Largest growth of labels in pixels: every region is drawn with a margin as wide.
LARGEST_GROWTH = 1024
#: Test-time augmentation: what can be asked for, and how many looks at an image that is.
TTA = {"none": 1, "flips": 4, "all": 8}


_LARGEST = 2**1000
"""Largest whole number that is taken for a float: larger ones have none."""


@cache
def _types_of(config: type) -> dict[str, Any]:
    """The types of a config's settings."""
    hints = typing.get_type_hints(config)
    return {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not ClassVar}


class Config:
    """Mixin for frozen dataclasses: strict reading from, and plain writing to, JSON-able dicts."""

    #: Names of settings in StarDist, less their prefix, that nobody would guess here.
    _stardist_names: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "") -> Self:
        """Build from a mapping; nested configs are read from nested mappings.

        Raises
        ------
        ConfigError
            For an unknown key (the nearest known one is named) or a value of the wrong type.
        """
        where = where or cls.__name__
        if not isinstance(values, Mapping):
            raise ConfigError(f"{where}: expected a table of settings, got {values!r}")
        known = _types_of(cls)  # type: ignore[arg-type]
        settings = {}
        for key, value in values.items():
            if key not in known:
                hint = cls._hint(key) or f"; known: {', '.join(sorted(known))}"
                raise ConfigError(f"{where}: unknown setting {key!r}{hint}")
            settings[key] = _coerce(value, known[key], f"{where}.{key}")
        try:
            return cls(**settings)
        except TypeError as error:
            raise ConfigError(f"{where}: {error}") from error

    @classmethod
    def _hint(cls, name: str) -> str:
        """What a message about an unknown name adds: the setting that is meant; empty if none is near."""
        if ours := cls._stardist_names.get(str(name).removeprefix("unet_").removeprefix("train_")):
            return f"; StarDist's {name} is {ours} here"
        return suggestion(name, _types_of(cls))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Plain dict of JSON types; ``from_dict`` reads it back to an equal object."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed, validated anew."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}  # type: ignore[arg-type]
        return type(self).from_dict({**copy.deepcopy(values), **changes})


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}


def _coerce(value: Any, expected: Any, where: str) -> Any:
    """Check ``value`` against a type hint; lists become tuples, ints floats where floats are meant."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if isinstance(expected, type) and issubclass(expected, Config):
        return value if isinstance(value, expected) else expected.from_dict(value, where=where)
    if origin is tuple:
        if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        if arguments[-1:] == (Ellipsis,):
            return tuple(_coerce(item, arguments[0], where) for item in value)
        if len(value) != len(arguments):
            raise ConfigError(f"{where}: expected {len(arguments)} values, got {value!r}")
        return tuple(_coerce(item, kind, where) for item, kind in zip(value, arguments, strict=True))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table of settings, got {value!r}")
        return dict(value)
    if arguments and type(None) in arguments:
        if value is None:
            return None
        return _coerce(value, next(kind for kind in arguments if kind is not type(None)), where)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > _LARGEST:
            raise ConfigError(f"{where}: expected a number, got one that is too large")
        return float(value)
    kind = origin or expected
    if kind is typing.Any:
        return value
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where}: expected {_NAMES.get(kind) or getattr(kind, '__name__', kind)}, got {value!r}")
    return value


def check_activation(name: str) -> None:
    """Refuse an unknown activation with a ConfigError."""
    _require(name in ACTIVATIONS, f"activation: expected one of {', '.join(ACTIVATIONS)}, got {name!r}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True)
class NetworkConfig(Config):
    """Shape of the network; enough to rebuild it.

    Parameters
    ----------
    n_channels : int
        Channels of the image.
    n_rays : int
        Rays of a polygon.
    grid : (int, int)
        Pixels between two predictions along y and x; powers of two.
    n_classes : int
        Classes of objects; 0 for none.
    depth : int
        Levels of the U-Net below the grid.
    base_filters, max_filters : int
        Filters of the first level, doubled at each level up to the most.
    kernel_size : int
        Side of the convolutions; odd.
    convolutions_per_level : int
    head_filters : int
        Filters before the outputs; 0 for no such layer.
    foreground_filters : int
        Filters of the branch that predicts the foreground of every pixel, not only of those on the grid; 0 for a network
        without it.
    stem : {"patch", "conv"}
        How the network leaves full resolution: one strided convolution straight to the grid (cheap), or convolutions at full
        resolution and then pooling, as in StarDist.
    residual : bool
        Residual connections around the convolutions of a level.
    normalization : str
        Normalisation of layers: "batch" or "none".
    activation : str
        Of the convolutions.
    distance_activation : str
        Of the distance head.
    distance_scale : float
        Multiplies the output of the distance head, so that the head works with numbers near one.
    architecture : str
        Entry of ``starpoly.network.architectures`` that builds the network.
    settings : dict
        For an architecture with a config of its own; what is above then only describes channels, rays, grid and classes.
    more_heads : tuple of str
        Further entries of ``starpoly.network.heads`` that the network is to have.

    Notes
    -----
    JSON leaves ``architecture``, ``settings`` and ``more_heads`` out where they have their defaults.
    """

    _stardist_names: ClassVar[Mapping[str, str]] = MappingProxyType({
        "n_channel_in": "n_channels", "n_depth": "depth", "n_filter_base": "base_filters",
        "n_conv_per_depth": "convolutions_per_level", "net_conv_after_unet": "head_filters",
    })  # fmt: skip

    n_channels: int = 1
    n_rays: int = 32
    grid: tuple[int, int] = (2, 2)
    n_classes: int = 0
    depth: int = 3
    base_filters: int = 32
    max_filters: int = 256
    kernel_size: int = 3
    convolutions_per_level: int = 2
    head_filters: int = 64
    foreground_filters: int = 32
    stem: str = "patch"
    residual: bool = True
    normalization: str = "batch"
    activation: str = "relu"
    distance_activation: str = "softplus"
    distance_scale: float = 8.0
    architecture: str = "unet"
    settings: dict[str, Any] = field(default_factory=dict)
    more_heads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def power_of_two(value: int) -> bool:
            return value >= 1 and value & (value - 1) == 0

        _require(self.n_channels >= 1, f"n_channels: expected at least 1, got {self.n_channels}")
        _require(self.n_rays >= 3, f"n_rays: expected at least 3, got {self.n_rays}")
        _require(all(map(power_of_two, self.grid)), f"grid: expected powers of two, got {self.grid}")
        _require(self.n_classes >= 0, f"n_classes: expected 0 (none) or more, got {self.n_classes}")
        _require(1 <= self.depth <= 8, f"depth: expected 1 to 8, got {self.depth}")
        _require(self.kernel_size % 2 == 1, f"kernel_size: expected an odd number, got {self.kernel_size}")
        _require(
            min(self.base_filters, self.max_filters, self.convolutions_per_level) >= 1,
            "network: expected positive numbers of filters and convolutions",
        )
        _require(self.head_filters >= 0, f"head_filters: expected 0 (no head) or more, got {self.head_filters}")
        _require(
            self.foreground_filters >= 0,
            f"foreground_filters: expected 0 (no such branch) or more, got {self.foreground_filters}",
        )
        _require(self.stem in ("patch", "conv"), f"stem: expected 'patch' or 'conv', got {self.stem!r}")
        # a normalisation that looks at the whole window would let the tiles show in the result
        _require(
            self.normalization in ("batch", "none"),
            f"normalization: expected 'batch' or 'none', got {self.normalization!r}",
        )
        _require(
            self.distance_activation in ("linear", "softplus"),
            f"distance_activation: expected 'linear' or 'softplus', got {self.distance_activation!r}",
        )
        check_activation(self.activation)
        _require(
            0 < self.distance_scale < math.inf, f"distance_scale: expected a positive number, got {self.distance_scale}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dict of JSON types; the parts that only some networks have are left out where they are empty."""
        values = super().to_dict()
        for name, default in (("architecture", "unet"), ("settings", {}), ("more_heads", ())):
            if values[name] == default:
                del values[name]
        return values


@dataclass(frozen=True)
class NormalizationConfig(Config):
    """Per-channel intensity percentiles of the whole image that become 0 and 1.

    Parameters
    ----------
    low, high : float
        Percentiles, from 0 to 100.
    """

    low: float = 1.0
    high: float = 99.8

    def __post_init__(self) -> None:
        _require(
            0 <= self.low < self.high <= 100,
            f"normalization: expected 0 <= low < high <= 100, got {self.low} and {self.high}",
        )


@dataclass(frozen=True)
class Thresholds(Config):
    """Thresholds of detection.

    Parameters
    ----------
    prob : float
        Least probability of a candidate, from 0 to 1.
    nms : float
        Overlap above which the weaker of two objects is suppressed, from 0 to 1.
    """

    prob: float = 0.5
    nms: float = 0.4

    def __post_init__(self) -> None:
        _require(
            0 <= self.prob <= 1 and 0 <= self.nms <= 1,
            f"thresholds: expected numbers from 0 to 1, got {self.prob} and {self.nms}",
        )


@dataclass(frozen=True)
class SizeRange(Config):
    """Median diameters, in pixels, at which a network is at its best.

    Parameters
    ----------
    smallest, largest : float
        An image whose median object is smaller or larger is rescaled.
    target : float
        Median diameter after rescaling, see ``starpoly.detection.sizes``. 0: images are never rescaled.
    """

    smallest: float = 0.0
    target: float = 0.0
    largest: float = 1e6

    def __post_init__(self) -> None:
        known = not self.target or self.smallest <= self.target <= self.largest < math.inf
        _require(
            self.smallest >= 0 and known,
            f"sizes: expected 0 <= smallest <= target <= largest, got {self.smallest}, {self.target} and {self.largest}",
        )


@dataclass(frozen=True)
class MaskGrowth(Config):
    """How far labels grow from the polygons into the predicted foreground (``starpoly.labels.mask_growth``).

    Parameters
    ----------
    distance : int
        Most pixels, in the image as the network sees it; 0: labels are the polygons' pixels.
    foreground : float
        Foreground probability above which a pixel may be taken, from 0 to 1.
    """

    distance: int = 0
    foreground: float = 0.5

    def __post_init__(self) -> None:
        _require(
            0 <= self.distance <= LARGEST_GROWTH,
            f"mask_growth: expected a distance from 0 to {LARGEST_GROWTH} pixels, got {self.distance}",
        )
        _require(
            0 <= self.foreground <= 1,
            f"mask_growth: expected a foreground probability from 0 to 1, got {self.foreground}",
        )


def _require_fractions(ray_context: tuple[float, ...]) -> None:
    _require(all(0 < t < 1 for t in ray_context), f"ray_context: expected numbers between 0 and 1, got {ray_context}")


@dataclass(frozen=True)
class ModelSpec(Config):
    """All that a model folder says about a model, but for its weights.

    Parameters
    ----------
    name : str
    network : NetworkConfig
    max_distance : float
        Bound of every predicted distance, in pixels.
    thresholds : Thresholds
    normalization : NormalizationConfig
    object_diameter : (float, float, float)
        5th, 50th and 95th percentile of the diameters met in training, in pixels; zeros if unknown.
    class_names : tuple of str
        Names of the classes 1, 2, ...
    ray_context : tuple of float
        Where along the rays distances are estimated again (``starpoly.geometry.ray_context``); empty for nowhere.
    sizes : SizeRange
        Diameters that the network knows well; other images are rescaled.
    refine_outlines : bool
        Move the ends of the rays to where the network sees the foreground end, if it predicts that
        (``starpoly.geometry.outline_refinement``).
    mask_growth : MaskGrowth
        How far labels follow the foreground beyond their polygons, if the network predicts that.
    calibration : tuple of (float, float)
        Pairs of a score and the chance that an object of it is right, ascending (``starpoly.labels.confidence``); empty if
        not measured.
    description, licence : str
        What the model is for; the licence of its training data.
    training : dict
        How it was trained, as JSON types.

    Notes
    -----
    In JSON the settings of a network from StarDist stand beside ``network``, as ``stardist``, which is empty for others;
    ``mask_growth`` is left out where it has its default.
    """

    name: str
    network: NetworkConfig
    max_distance: float
    thresholds: Thresholds = Thresholds()
    normalization: NormalizationConfig = NormalizationConfig()
    object_diameter: tuple[float, float, float] = (0.0, 0.0, 0.0)
    class_names: tuple[str, ...] = ()
    ray_context: tuple[float, ...] = ()
    sizes: SizeRange = SizeRange()
    refine_outlines: bool = True
    mask_growth: MaskGrowth = MaskGrowth()
    calibration: tuple[tuple[float, float], ...] = ()
    description: str = ""
    licence: str = ""
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(0 < self.max_distance < math.inf, f"max_distance: expected a positive number, got {self.max_distance}")
        _require(
            all(0 <= diameter < math.inf for diameter in self.object_diameter),
            f"object_diameter: expected numbers of pixels, got {self.object_diameter}",
        )
        _require_fractions(self.ray_context)
        rising = all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(self.calibration))
        chances = all(0 <= chance <= 1 for _, chance in self.calibration)
        _require(
            rising and chances, f"calibration: expected ascending pairs of score and chance, got {self.calibration}"
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "") -> Self:
        """As ``Config.from_dict``; ``stardist`` becomes the network's architecture and settings."""
        values = dict(values) if isinstance(values, Mapping) else values
        stardist = values.pop("stardist", None) if isinstance(values, dict) else None
        if stardist and isinstance(values.get("network"), Mapping):
            values["network"] = {**values["network"], "architecture": STARDIST, "settings": stardist}
        return super().from_dict(values, where=where)

    def to_dict(self) -> dict[str, Any]:
        """Plain dict of JSON types, as ``model.json`` holds it."""
        values = super().to_dict()
        network = values["network"] = self.network.to_dict()
        if self.mask_growth == MaskGrowth():  # records of models from before there was such a thing stay the same
            del values["mask_growth"]
        values["stardist"] = {}
        if self.network.architecture == STARDIST:
            del network["architecture"]
            values["stardist"] = network.pop("settings", {})
        return values


@dataclass(frozen=True)
class AugmentConfig(Config):
    """Random changes of training patches; each geometric one moves image and labels alike.

    Parameters
    ----------
    flip, quarter_turns : bool
        Mirror images and quarter turns, which are exact.
    warp_probability : float
        Share of the patches that are also turned by any angle and scaled.
    rotation : bool
        Whether these are turned.
    scale : (float, float)
        Least and largest factor by which these are scaled.
    gain : (float, float)
        Least and largest factor of the intensities, which are those of the normalised image.
    shift : float
        Intensities are moved by up to this.
    gamma : (float, float)
        Least and largest power that intensities are raised to.
    blur : float
        Largest standard deviation of a Gaussian blur, in pixels.
    noise : float
        Largest standard deviation of the noise.
    invert : float
        Share of the patches that become their negative.
    tint : float
        Standard deviation of the logarithms of the channels' own gains.
    stain : float
        Standard deviation of the logarithms of the amounts of dyes, in colour images on a bright ground.
    shuffle : float
        Share of the colour patches whose channels are shuffled.
    drop : float
        Share of the colour patches on a dark ground that lose their weakest channel.
    grey : float
        Share of the colour patches that become grey, with random weights of the channels.
    distract : float
        Share of the grey patches on a dark ground that become one channel of a colour image, with other stains in the others.
    sharpen : float
        Largest factor of the fine detail that is added.
    shot : float
        Largest standard deviation of shot noise at intensity 1.
    light : float
        Largest relative change of the illumination from place to place.
    jpeg : float
        Share of the patches that are compressed.
    """

    flip: bool = True
    quarter_turns: bool = True
    warp_probability: float = 0.5
    rotation: bool = True
    scale: tuple[float, float] = (0.75, 1.35)
    gain: tuple[float, float] = (0.6, 1.8)
    shift: float = 0.15
    gamma: tuple[float, float] = (0.75, 1.4)
    blur: float = 1.0
    noise: float = 0.06
    invert: float = 0.0
    tint: float = 0.0
    stain: float = 0.0
    shuffle: float = 0.0
    drop: float = 0.0
    grey: float = 0.0
    distract: float = 0.0
    sharpen: float = 0.0
    shot: float = 0.0
    light: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.warp_probability <= 1, f"warp_probability: expected 0 to 1, got {self.warp_probability}")
        for name in ("scale", "gain", "gamma"):
            low, high = getattr(self, name)
            _require(0 < low <= high, f"{name}: expected 0 < low <= high, got {low} and {high}")
        for name in ("invert", "shuffle", "drop", "grey", "distract", "jpeg"):
            _require(0 <= getattr(self, name) <= 1, f"{name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("shift", "blur", "noise", "tint", "stain", "sharpen", "shot", "light"):
            _require(getattr(self, name) >= 0, f"{name}: expected at least 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class UnlabelledConfig(Config):
    """How unlabelled images are learnt from, where there are any; see ``docs/unlabelled.md``.

    Parameters
    ----------
    start : float
        Share of the epochs after which the averaged model first labels the images.
    rounds : int
        How often it labels them, at equal distances.
    share : float
        Share of each batch that is cut from them from then on.
    confidence : float
        An object becomes a label if on the validation images objects of its score are right with at least this chance.
    background : float
        Pixels with a probability of at most this become background; all others are ignored.
    largest_side : int
        Of a larger image a window of so many pixels a side is used.
    augment : AugmentConfig
        Changes of these patches: stronger than those of labelled ones, so that repeating the teacher is not enough.
    """

    start: float = 0.5
    rounds: int = 2
    share: float = 0.5
    confidence: float = 0.6
    background: float = 0.1
    largest_side: int = 2048
    augment: AugmentConfig = AugmentConfig(gain=(0.5, 2.0), shift=0.2, gamma=(0.65, 1.6), blur=1.5, noise=0.1)

    def __post_init__(self) -> None:
        _require(0 < self.start < 1, f"unlabelled.start: expected more than 0 and less than 1, got {self.start}")
        _require(self.rounds >= 1, f"unlabelled.rounds: expected at least 1, got {self.rounds}")
        _require(
            self.largest_side >= 64, f"unlabelled.largest_side: expected at least 64 pixels, got {self.largest_side}"
        )
        for name in ("share", "confidence", "background"):
            _require(
                0 < getattr(self, name) < 1,
                f"unlabelled.{name}: expected more than 0 and less than 1, got {getattr(self, name)}",
            )


@dataclass(frozen=True)
class TrainingConfig(Config):
    """How a network is trained.

    Parameters
    ----------
    epochs : int
    steps_per_epoch : int
        Optimiser steps, after which a checkpoint is written.
    batch_size : int
    patch_size : (int, int)
        Height and width of the patches in pixels.
    learning_rate : float
    warmup_steps : int
        Steps over which the learning rate rises at first.
    weight_decay : float
    ema : float
        Decay of the running average of the weights, which the model keeps; 0 for none.
    precision : {"float32", "bfloat16"}
        Numbers of the convolutions: bfloat16 takes half the time where the processor has it. Weights stay float32.
    pretrained : bool
        Start from the weights that come with the architecture (ImageNet), where it has some and no model is given to
        start from.
    seed : int
    foreground : float
        Share of the patches that must hold a piece of an object.
    rendered : float
        Share of the patches that are rendered, see ``docs/rendered.md``; the others are cut from images.
    object_balance : float
        Weighs the distance error of small against large objects: 0, every pixel alike; 1, every object alike.
    group_balance : float
        How evenly groups of images are drawn, where they are given: 0, every image alike; 1, every group alike.
    mae_weight, iou_weight, background_weight : float
        Factors of the parts of the distance loss.
    foreground_weight : float
        Factor of the foreground loss.
    class_weights : tuple of float
        Factors of the classes in their loss, the background first; empty for equal ones.
    ray_context, sizes
        Go into the model, see :class:`ModelSpec`.
    cache_megabytes : int
        Memory for images that have been read.
    workers : int
        Threads that cut patches.
    validate_every : int
        Epochs between two validations.
    validation_patches : int
    augment : AugmentConfig
    unlabelled : UnlabelledConfig
        Counts only where there are unlabelled images.
    """

    _stardist_names: ClassVar[Mapping[str, str]] = MappingProxyType({
        "foreground_only": "foreground", "background_reg": "background_weight",
    })  # fmt: skip

    epochs: int = 80
    steps_per_epoch: int = 100
    batch_size: int = 4
    patch_size: tuple[int, int] = (256, 256)
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    ema: float = 0.998
    precision: str = "float32"
    pretrained: bool = True
    seed: int = 0
    foreground: float = 0.9
    rendered: float = 0.0
    object_balance: float = 0.5
    group_balance: float = 0.5
    mae_weight: float = 0.3
    iou_weight: float = 1.0
    background_weight: float = 1e-4
    foreground_weight: float = 1.0
    class_weights: tuple[float, ...] = ()
    ray_context: tuple[float, ...] = (0.3, 0.6)
    sizes: SizeRange = SizeRange()
    cache_megabytes: int = 2048
    workers: int = 1
    validate_every: int = 4
    validation_patches: int = 64
    augment: AugmentConfig = AugmentConfig()
    unlabelled: UnlabelledConfig = UnlabelledConfig()

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "batch_size", "workers", "validate_every", "validation_patches"):
            _require(getattr(self, name) >= 1, f"{name}: expected at least 1, got {getattr(self, name)}")
        _require(min(self.patch_size) >= 16, f"patch_size: expected at least 16 pixels, got {self.patch_size}")
        _require(
            0 < self.learning_rate < math.inf, f"learning_rate: expected a positive number, got {self.learning_rate}"
        )
        _require(0 <= self.ema < 1, f"ema: expected 0 (off) to below 1, got {self.ema}")
        _require(
            self.precision in ("float32", "bfloat16"),
            f"precision: expected 'float32' or 'bfloat16', got {self.precision!r}",
        )
        for name in ("foreground", "group_balance", "rendered"):
            _require(0 <= getattr(self, name) <= 1, f"{name}: expected 0 to 1, got {getattr(self, name)}")
        _require_fractions(self.ray_context)
        _require(self.seed >= 0, f"seed: expected 0 or more, got {self.seed}")
