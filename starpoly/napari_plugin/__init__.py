"""starpoly in napari: found through the manifest ``napari.yaml``; napari itself is an extra."""
