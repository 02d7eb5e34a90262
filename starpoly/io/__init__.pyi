from .frame import Frame
from .readers.images import open_source, read_image
from .readers.labels import read_labels
from .readers.planes import open_stack, scene_names
from .readers.source import Source
from .readers.stack import Stack
from .readers.thumbnail import subsample
from .writers.geojson import write_geojson
from .writers.imagej_rois import write_rois
from .writers.label_tiff import write_labels
from .writers.ome_zarr import write_ome_zarr
from .writers.table import write_table

__all__ = [
    "Frame",
    "Source",
    "Stack",
    "open_source",
    "open_stack",
    "read_image",
    "read_labels",
    "scene_names",
    "subsample",
    "write_geojson",
    "write_labels",
    "write_ome_zarr",
    "write_rois",
    "write_table",
]
