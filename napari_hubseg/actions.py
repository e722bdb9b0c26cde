"""Everything a person can do in the dock, by name: title, shortcut and what it is for.

Responsible for the one table that keys, command palette and tooltips are made from. Does not know
how anything is done. Shortcuts take none of napari's: letters and digits that neither its viewer
nor its image and labels layers use; F alone is napari's second key for the fill tool (its first is
4), and is ours on our own mask layer only.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACTIONS", "Action"]


@dataclass(frozen=True)
class Action:
    """One thing a person can do.

    Attributes
    ----------
    name
        How code calls it.
    title
        How the command palette calls it.
    key
        Its shortcut, as napari spells keys.
    held
        Whether it lasts as long as the key is down; from the palette it is switched on and off.
    gradual
        Whether presses that follow each other are one change, which ends with any other action.
    on_mask
        Whether the key belongs to napari's labels layers and is taken on our mask layer only.
    """

    name: str
    title: str
    key: str
    on_mask: bool = False
    held: bool = False
    gradual: bool = False


ACTIONS = (
    Action("open_folder", "Open folder or project…", "Control-Shift-H"),
    Action("open_file", "Open table or image…", "Control-Shift-J"),
    Action("find_files", "Find files that were moved…", "Control-Shift-F"),
    Action("open_sample", "Open the bundled sample", "Control-Shift-K"),
    Action("next_slide", "Next slide", "N"),
    Action("previous_slide", "Previous slide", "Shift-N"),
    Action("advance", "Next slide that needs me", "J"),
    Action("search_queue", "Find a slide in the queue", "Shift-F"),
    Action("worst_first", "Queue: worst first, or table order", "Shift-J"),
    Action("run_ensemble", "Run ensemble", "Control-Shift-G"),
    Action("cancel_run", "Cancel the run", "Control-Shift-X"),
    Action("unload_networks", "Unload networks", "Control-Shift-L"),
    Action("train", "Train on the accepted slides", "Control-Shift-U"),
    Action("stop_training", "Stop the training", "Control-Shift-V"),
    Action("use_trained", "Use the recipe that was trained", "Control-Shift-B"),
    Action("lower_threshold", "Lower the threshold", "Q", gradual=True),
    Action("raise_threshold", "Raise the threshold", "W", gradual=True),
    Action("reset_threshold", "Reset the threshold", "T"),
    Action("this_slide_only", "Threshold for this slide only", "I"),
    Action("calibrate", "Calibrate the threshold", "Shift-T"),
    Action("open_preset", "Open thresholds…", "Shift-Q"),
    Action("save_preset", "Save thresholds…", "Shift-W"),
    Action("list_doubt", "List objects, the least sure first", "Shift-I"),
    Action("next_doubt", "Next doubtful place", "K"),
    Action("next_view", "Next view: fill, outline, probability", "H"),
    Action("toggle_truth", "Show or hide the truth's contour", "U"),
    Action("peek", "Peek under the overlay", "0", held=True),
    Action("fainter", "Overlay: fainter", "8"),
    Action("stronger", "Overlay: stronger", "9"),
    Action("compare", "Compare with this threshold", "Shift-R"),
    Action("take_move", "Move the view", "G"),
    Action("take_brush", "Brush: add to the mask", "D"),
    Action("take_eraser", "Eraser: take from the mask", "S"),
    Action("take_polygon", "Tool: polygon adds", "Shift-P"),
    Action("take_polygon_erase", "Tool: polygon erases", "Shift-C"),
    Action("take_lasso", "Tool: lasso adds", "Shift-L"),
    Action("take_lasso_erase", "Tool: lasso erases", "Shift-E"),
    Action("take_redraw", "Tool: redraw", "Shift-O"),
    Action("take_wand", "Tool: wand", "Shift-U"),
    Action("take_drop", "Tool: drop", "Shift-D"),
    Action("take_keep", "Tool: keep", "Shift-K"),
    Action("take_fill", "Tool: fill holes", "Shift-H"),
    Action("take_grow", "Tool: grow", "Shift-G"),
    Action("take_edge", "Tool: edge", "Shift-Y"),
    Action("take_smooth", "Tool: smooth", "Shift-S"),
    Action("take_split", "Tool: split", "Shift-X"),
    Action("take_merge", "Tool: merge", "Shift-M"),
    Action("undo", "Undo", "Control-Z", on_mask=True),
    Action("redo", "Redo", "Control-Shift-Z", on_mask=True),
    Action("accept", "Accept the slide", "A"),
    Action("flag", "Flag the slide", "F", on_mask=True),
    Action("reject", "Reject the slide", "R"),
    Action("write_note", "Note on the slide", "F2"),
    Action("export", "Export", "Control-Shift-Y"),
)
