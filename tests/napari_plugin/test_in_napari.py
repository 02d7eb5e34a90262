"""The widgets in napari itself, offscreen; skipped where napari is not installed (the extra `napari`)."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from starpoly.io.writers.label_tiff import write_labels

from support.examples import with_discs

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
napari = pytest.importorskip("napari", reason='napari is not installed; pip install -e ".[napari]"')
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LABELS = with_discs((96, 192), *[(y, x, 7) for y in range(12, 96, 24) for x in range(12, 192, 24)])
IMAGE = np.where(LABELS > 0, 200, 20).astype(np.uint8) + np.random.default_rng(0).integers(0, 9, LABELS.shape, np.uint8)


@pytest.fixture(scope="module")
def opengl():
    """Whether this machine can draw at all is tried in another process, which may die of it."""
    code = "import napari, numpy; v = napari.Viewer(show=False); v.add_image(numpy.zeros((2, 2))); v.close()"
    if subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode:
        pytest.skip("napari cannot draw here: no OpenGL; on a machine without a display start the tests with xvfb-run")


@pytest.fixture
def viewer(opengl):
    viewer = napari.Viewer(show=False)
    yield viewer
    viewer.close()


def wait(condition, seconds=240):
    """Let Qt work until something is so."""
    import time

    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        QApplication.processEvents()
        time.sleep(0.02)


def widget(viewer, name):
    """The magicgui container of a docked plugin widget, by the names of its parts."""
    _, inner = viewer.window.add_plugin_dock_widget("starpoly", name)
    return {part.label or part.widget_type: part for part in inner}


def test_objects_are_found_and_added_as_labels(viewer):
    viewer.add_image(IMAGE, name="cells", scale=(0.5, 0.5))
    parts = widget(viewer, "Find cells and nuclei")
    assert parts["Image"].value is viewer.layers["cells"]
    button = next(part for part in parts.values() if part.widget_type == "PushButton")
    button.changed.emit(True)
    assert not button.enabled
    wait(lambda: "cells objects" in viewer.layers and button.enabled)
    layer = viewer.layers["cells objects"]
    assert layer.data.shape == IMAGE.shape
    assert len(layer.features) == layer.data.max() > 10
    assert tuple(layer.scale) == (0.5, 0.5)
    assert "score" in layer.features


def test_model_is_trained_from_labels_and_used(viewer, tmp_path):
    viewer.add_image(IMAGE, name="cells")
    viewer.add_labels(LABELS, name="painted")
    parts = widget(viewer, "Train from labels")
    parts["Start from"].value = "nuclei-fluo"
    parts["Epochs"].value, parts["Steps per epoch"].value = 1, 1
    parts["Model folder"].value = tmp_path / "mine"
    button = next(part for part in parts.values() if part.widget_type == "PushButton")
    button.changed.emit(True)
    status = next(part for part in parts.values() if part.widget_type == "Label")
    wait(lambda: button.enabled)
    assert (tmp_path / "mine" / "model.json").exists()
    assert status.value.endswith("choose it as the model folder to find objects")


def test_errors_are_told_in_the_widget(viewer):
    parts = widget(viewer, "Train from labels")
    button = next(part for part in parts.values() if part.widget_type == "PushButton")
    button.changed.emit(True)
    status = next(part for part in parts.values() if part.widget_type == "Label")
    assert "open an image" in status.value


def test_files_are_shown(opengl, tmp_path):
    from PIL import Image

    from starpoly.plot.viewer import show_in_napari

    Image.fromarray(np.stack([IMAGE] * 3, axis=-1)).save(tmp_path / "cells.png")
    write_labels(tmp_path / "cells_label.tiff", LABELS)
    viewer = show_in_napari(tmp_path / "cells.png", tmp_path / "cells_label.tiff")
    assert [layer.name for layer in viewer.layers] == ["cells", "cells_label"]
    assert viewer.layers["cells"].rgb
    np.testing.assert_array_equal(viewer.layers["cells_label"].data, LABELS)
    viewer.close()
