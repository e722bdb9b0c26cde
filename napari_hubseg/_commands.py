"""The commands of the manifest: what the command palette runs.

Responsible for finding the dock of a viewer, opening it when there is none, and asking it to do one
of :data:`napari_hubseg.actions.ACTIONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def _command(name: str) -> Callable[[napari.viewer.Viewer], None]:
    def command(viewer: napari.viewer.Viewer) -> None:
        dock(viewer).do(name)

    command.__name__ = command.__qualname__ = name
    return command


open_folder = _command("open_folder")
open_file = _command("open_file")
find_files = _command("find_files")
open_sample = _command("open_sample")
next_slide = _command("next_slide")
previous_slide = _command("previous_slide")
advance = _command("advance")
search_queue = _command("search_queue")
worst_first = _command("worst_first")
run_ensemble = _command("run_ensemble")
cancel_run = _command("cancel_run")
unload_networks = _command("unload_networks")
train = _command("train")
stop_training = _command("stop_training")
use_trained = _command("use_trained")
lower_threshold = _command("lower_threshold")
raise_threshold = _command("raise_threshold")
reset_threshold = _command("reset_threshold")
this_slide_only = _command("this_slide_only")
calibrate = _command("calibrate")
open_preset = _command("open_preset")
save_preset = _command("save_preset")
list_doubt = _command("list_doubt")
next_doubt = _command("next_doubt")
next_view = _command("next_view")
toggle_truth = _command("toggle_truth")
peek = _command("peek")
fainter = _command("fainter")
stronger = _command("stronger")
compare = _command("compare")
take_move = _command("take_move")
take_brush = _command("take_brush")
take_eraser = _command("take_eraser")
take_polygon = _command("take_polygon")
take_polygon_erase = _command("take_polygon_erase")
take_lasso = _command("take_lasso")
take_lasso_erase = _command("take_lasso_erase")
take_redraw = _command("take_redraw")
take_wand = _command("take_wand")
take_drop = _command("take_drop")
take_keep = _command("take_keep")
take_fill = _command("take_fill")
take_grow = _command("take_grow")
take_edge = _command("take_edge")
take_smooth = _command("take_smooth")
take_split = _command("take_split")
take_merge = _command("take_merge")
undo = _command("undo")
redo = _command("redo")
accept = _command("accept")
flag = _command("flag")
reject = _command("reject")
write_note = _command("write_note")
export = _command("export")
