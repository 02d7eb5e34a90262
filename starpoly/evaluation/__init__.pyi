from .assignment import assign
from .label_overlaps import Overlaps, overlaps
from .metrics import DatasetMatching, Matching, average_precision, matching, matching_dataset
from .neurips import neurips_score
from .reconstruction import Reconstruction, reconstruct, reconstruction_scores
from .scored import PrecisionRecall, Reliability, ScoredMatches, match_scored, precision_recall, reliability

__all__ = [
    "DatasetMatching",
    "Matching",
    "Overlaps",
    "PrecisionRecall",
    "Reconstruction",
    "Reliability",
    "ScoredMatches",
    "assign",
    "average_precision",
    "match_scored",
    "matching",
    "matching_dataset",
    "neurips_score",
    "overlaps",
    "precision_recall",
    "reconstruct",
    "reconstruction_scores",
    "reliability",
]
