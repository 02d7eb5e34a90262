"""The arguments of ``starpoly predict`` as settings of models and images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..prediction.request import PredictionRequest


def model_settings(args: argparse.Namespace) -> dict[str, Any]:
    """How models are loaded, see :meth:`starpoly.StarPoly2D.from_pretrained`."""
    return {"precision": args.precision, "refine_outlines": args.refine, "engine": args.engine}


def request_of(args: argparse.Namespace) -> PredictionRequest:
    """What is asked of every image."""
    from ..detection.options import DetectionOptions
    from ..prediction.part import ImagePart
    from ..prediction.request import Analysis, PredictionRequest

    options = DetectionOptions(
        prob_threshold=args.prob_threshold,
        nms_threshold=args.nms_threshold,
        scale=args.scale,
        **(args.diameter or {}),
        min_confidence=args.min_confidence,
        expand_into_foreground=args.expand_into_foreground,
        tile_size=args.tile_size,
        memory=args.memory,
        tta=args.tta,
        readers=args.readers,
    )
    part = ImagePart(
        level=args.level,
        channels=args.channels,
        roi=args.roi,
        mask=args.mask,
        tissue=args.tissue,
        pixel_size=args.pixel_size,
        t=args.t,
        z=args.z,
        project=args.project,
    )
    analysis = Analysis(args.expand, args.measure, args.link, args.link_iou)
    return PredictionRequest(options, part, analysis, args.tolerant)
