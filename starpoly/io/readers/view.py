"""View of a source: a region, selected channels, or another pixel size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .channel_names import pick_channels
from .pixel_size import PixelSize
from .source import DerivedSource, Source


class SourceView(DerivedSource):
    """Region ``roi`` and ``channels`` of another source, which it closes when it is closed.

    Parameters
    ----------
    source : Source
    roi : Box, optional
        In pixels of ``source``; must lie inside of it.
    channels : sequence of int or str, optional
        Channels by index, from 0, or by name, in the wanted order.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x), in place of what the other source says.

    Raises
    ------
    ImageError
        If the region is empty or reaches beyond the image, or a channel does not exist.
    """

    def __init__(
        self,
        source: Source,
        roi: Box | None = None,
        channels: Sequence[int | str] | None = None,
        pixel_size: PixelSize | None = None,
    ) -> None:
        height, width, n_channels = source.shape
        roi = roi or Box(0, 0, height, width)
        if roi.clip((height, width)) != roi or min(roi.shape) < 1:
            raise ImageError(
                f"{source.name}: expected a region y0,x0,y1,x1 inside the image of {height} x {width} pixels, "
                f"got {roi.y0},{roi.x0},{roi.y1},{roi.x1}"
            )
        wanted = range(n_channels) if channels is None else channels
        picked = pick_channels(wanted, source.channel_names, n_channels, source.name)
        if not picked:
            raise ImageError(f"{source.name}: expected channels from 0 to {n_channels - 1}, got none")
        changes: dict[str, Any] = {"offset": (source.offset[0] + roi.y0, source.offset[1] + roi.x0)}
        if pixel_size is not None:
            changes["pixel_size"] = pixel_size
        if source.channel_names:
            changes["channel_names"] = [source.channel_names[channel] for channel in picked]
        super().__init__(source, (*roi.shape, len(picked)), **changes)
        self._roi, self.channels = roi, tuple(picked)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return SourceView, (self._source, self._roi, self.channels, self.pixel_size)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        y, x = self._roi.y0, self._roi.x0
        there = Box(box.y0 + y, box.x0 + x, box.y1 + y, box.x1 + x)
        return self._source.read(there, tuple(self.channels[channel] for channel in channels))
