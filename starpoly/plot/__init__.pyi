from .calibration import plot_precision_recall, plot_reliability
from .candidates import label_colors, plot_candidates, plot_rays
from .figure import figure_png, save_figure
from .histograms import plot_score_histogram, plot_sizes
from .losses import plot_losses, read_log
from .matches import draw_matches, plot_matches
from .outlines import outlines_on_image, plot_image, plot_outlines
from .probability import plot_probability
from .scores import plot_scores

__all__ = [
    "draw_matches",
    "figure_png",
    "label_colors",
    "outlines_on_image",
    "plot_candidates",
    "plot_image",
    "plot_losses",
    "plot_matches",
    "plot_outlines",
    "plot_precision_recall",
    "plot_probability",
    "plot_rays",
    "plot_reliability",
    "plot_score_histogram",
    "plot_scores",
    "plot_sizes",
    "read_log",
    "save_figure",
]
