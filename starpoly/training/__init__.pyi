from .advice import Advice, advise
from .data import Pair, TrainingData, array_pairs, find_pairs
from .inputs import TrainingFolders, TrainingInputs, inputs_from_arrays, inputs_from_folders
from .run import run_training
from .samples import GeneratedImage, generate_nuclei
from .targets import Targets, make_targets
from .tuning import Tuning, tune_model

__all__ = [
    "Advice",
    "GeneratedImage",
    "Pair",
    "Targets",
    "TrainingData",
    "TrainingFolders",
    "TrainingInputs",
    "Tuning",
    "advise",
    "array_pairs",
    "find_pairs",
    "generate_nuclei",
    "inputs_from_arrays",
    "inputs_from_folders",
    "make_targets",
    "run_training",
    "tune_model",
]
