"""What the sinks write the sources read: the same pixels, levels and pixel size."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.io.readers.images import open_source
from starpoly.io.writers import label_tiff, ome_zarr

from support.sinks import slide


@pytest.mark.parametrize("name", ["a.ome.tiff", "a.ome.zarr"])
def test_sources_read_what_sinks_write(tmp_path, monkeypatch, name):
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0)
    monkeypatch.setattr(label_tiff, "TILE", 16)
    monkeypatch.setattr(label_tiff, "_SMALLEST_LEVEL", 32)
    monkeypatch.setattr(ome_zarr, "CHUNK", 32)
    write = label_tiff.write_labels if name.endswith("tiff") else ome_zarr.write_ome_zarr
    write(tmp_path / name, slide(), pixel_size=(0.5, 0.25))
    whole = slide()[:, :]
    for level in range(3):
        source = open_source(tmp_path / name, level=level)
        step = 2**level
        np.testing.assert_array_equal(
            np.asarray(source[: source.shape[0], : source.shape[1]])[..., 0], whole[::step, ::step]
        )
        # a level's size is that of the whole over its number of pixels, which is rounded up
        assert source.pixel_size == pytest.approx((0.5 * step, 0.25 * step), rel=0.05)
