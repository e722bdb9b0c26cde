"""All that touches a napari layer."""
