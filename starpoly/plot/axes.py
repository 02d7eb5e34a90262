"""Axes helpers: pictures with a colour legend, and plain numbers on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


def show_picture(axes: Axes, picture: NDArray[np.uint8], title: str = "") -> None:
    """Show a (height, width, 3) picture unchanged, pixel centres at integers, without ticks."""
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title)
    axes.set_axis_off()


def explain_colors(axes: Axes, colors: Mapping[str, str]) -> None:
    """Draw a colour legend below the picture."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=color, label=meaning) for meaning, color in colors.items()]
    axes.legend(
        handles=lines, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=len(lines), frameon=False, fontsize="small"
    )


def label_logarithmic(axis: Axis) -> None:
    """Label a finished logarithmic axis at 1, 2 and 5 times powers of ten; closer on a short axis."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    is_short = high < 10 * low
    axis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)) if is_short else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())
