from .kinds import kind_names
from .patch import RenderedImage, render_patch

__all__ = [
    "RenderedImage",
    "kind_names",
    "render_patch",
]
