"""The commands of the manifest: what the command palette runs.

Responsible for finding the dock of a viewer, opening it when there is none, and asking it to do one
of :data:`napari_hubseg.actions.ACTIONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari.viewer

    from napari_hubseg.dock import HubSegWidget

__all__ = ["dock", "open_in_dock"]


def dock(viewer: napari.viewer.Viewer) -> HubSegWidget:
    """Return the HubSeg dock of a viewer; opens it when there is none."""
    from napari_hubseg.dock import HubSegWidget

    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, HubSegWidget):
            return widget
    opened: HubSegWidget = viewer.window.add_plugin_dock_widget("napari-hubseg", "HubSeg")[1]
    return opened


def open_in_dock(viewer: napari.viewer.Viewer, path: Path) -> None:
    """Open a folder, table, image or project in the dock, and let the dock be seen."""
    widget = dock(viewer)
    home = widget.parentWidget()
    if home is not None:
        home.show()
        home.raise_()
    widget.open_path(path)


def __getattr__(name: str) -> Callable[[napari.viewer.Viewer], None]:
    """Return the command of an action: napari asks for those that the manifest names."""
    if not any(action.name == name for action in ACTIONS):
        raise AttributeError(
            f"There is no command {name!r}: actions.py holds those that there are."
        )

    def command(viewer: napari.viewer.Viewer) -> None:
        dock(viewer).do(name)

    command.__name__ = command.__qualname__ = name
    return command
