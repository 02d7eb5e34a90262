from . import detection, evaluation, geometry, images, io, labels, network, plot, prediction, suppression, training
from ._version import __version__
from .config import (
    AugmentConfig,
    Config,
    MaskGrowth,
    ModelSpec,
    NetworkConfig,
    NormalizationConfig,
    SizeRange,
    Thresholds,
    TrainingConfig,
    UnlabelledConfig,
)
from .detection import DetectionOptions
from .errors import (
    ConfigError,
    DataError,
    ImageError,
    ImageTypeError,
    ModelError,
    OutputError,
    StarpolyError,
    StarpolyWarning,
    TooLargeError,
)
from .evaluation import matching
from .io import read_image, read_labels, write_labels
from .labels import expand_labels, measure_objects
from .model import StarPoly2D
from .model_zoo import available_models, find_model
from .parallel import use_threads
from .polygons import StarPolygons
from .prediction import SlideOutputs, segment_slide
from .tiling import Box, Tile, TilePlan

__all__ = [
    "AugmentConfig",
    "Box",
    "Config",
    "ConfigError",
    "DataError",
    "DetectionOptions",
    "ImageError",
    "ImageTypeError",
    "MaskGrowth",
    "ModelError",
    "ModelSpec",
    "NetworkConfig",
    "NormalizationConfig",
    "OutputError",
    "SizeRange",
    "SlideOutputs",
    "StarPoly2D",
    "StarPolygons",
    "StarpolyError",
    "StarpolyWarning",
    "Thresholds",
    "Tile",
    "TilePlan",
    "TooLargeError",
    "TrainingConfig",
    "UnlabelledConfig",
    "__version__",
    "available_models",
    "detection",
    "evaluation",
    "expand_labels",
    "find_model",
    "geometry",
    "images",
    "io",
    "labels",
    "matching",
    "measure_objects",
    "network",
    "plot",
    "prediction",
    "read_image",
    "read_labels",
    "segment_slide",
    "suppression",
    "training",
    "use_threads",
    "write_labels",
]
