from .main import build_parser

__all__ = [
    "build_parser",
]
