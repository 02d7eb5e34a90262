"""napari plugin, declared in the manifest ``napari.yaml``. napari itself is an extra."""
