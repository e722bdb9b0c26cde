"""Everything a person can do in the dock, by name: title, shortcut, tooltip, tool.

Responsible for the one table that keys, command palette, manifest, tooltips and toolbox are made
from. Does not know how anything is done, what a tool does (:mod:`hubseg.tools`) or how a mouse is
followed (:mod:`napari_hubseg.canvas.tools`). Shortcuts take none of napari's: letters and digits
that neither its viewer nor its image and labels layers use; F alone is napari's second key for the
fill tool (its first is 4), and is ours on our own mask layer only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACTIONS",
    "TOOLBOX",
    "Action",
    "Tool",
    "explained",
    "grouped",
    "in_words",
    "key",
    "key_of",
    "take_keys",
    "tip",
    "tool_named",
]


@dataclass(frozen=True)
class Tool:
    """One tool for the mask."""

    name: str  # how code calls it
    word: str  # what stands on its button
    hint: str  # how it is used, in one sentence
    drags: bool = True  # whether dragging belongs to it; with the others it moves the view
    napari: bool = False  # whether napari draws with it


@dataclass(frozen=True)
class Action:
    """One thing a person can do.

    Attributes
    ----------
    key
        Its own shortcut, as napari spells keys; :func:`key` is the one that it has.
    tip
        What a tooltip says of it; "" is its title.
    on_mask
        Whether the key belongs to napari's labels layers and is taken on our mask layer only.
    held
        Whether it lasts as long as the key is down; from the palette it is switched on and off.
    gradual
        Whether presses that follow each other are one change, which ends with any other action.
    sign
        A sign that does the same, on whichever key a keyboard has it.
    """

    name: str  # how code calls it
    title: str  # how the command palette calls it
    key: str
    tip: str = ""
    on_mask: bool = False
    held: bool = False
    gradual: bool = False
    tool: Tool | None = None  # the one that it takes
    sign: str = ""


def _take(
    name: str,
    word: str,
    title: str,
    key: str,
    hint: str,
    *,
    drags: bool = True,
    napari: bool = False,
) -> Action:
    """Return the action that takes a tool."""
    return Action(f"take_{name}", title, key, hint, tool=Tool(name, word, hint, drags, napari))


_POLYGON = "Click corners; a double click adds it."
_REASSIGN = "Click an object, then choose the structure that it is."
ACTIONS = (
    Action(
        "open_folder",
        "Open folder or project…",
        "Control-Shift-H",
        "Open a folder of images or a .hubseg project",
    ),
    Action("open_file", "Open table or image…", "Control-Shift-J", "A table (CSV), or an image"),
    Action("find_files", "Find files that were moved…", "Control-Shift-F", "Search a folder"),
    Action("divide_slide", "Divide a large slide into regions", "Control-Shift-D"),
    Action("find_tissue", "Find a slide's tissue, to correct it", "Control-Shift-W"),
    Action("open_sample", "Open the bundled sample", "Control-Shift-K"),
    Action("show_keys", "Show every key", "F1", "Every key on one page", sign="?"),
    Action("next_slide", "Next slide", "N"),
    Action("previous_slide", "Previous slide", "Shift-N"),
    Action("advance", "Next slide that needs me", "J"),
    Action("search_queue", "Find a slide in the queue", "Shift-F", "Words that a row must hold"),
    Action(
        "worst_first",
        "Queue: worst first, or table order",
        "Shift-J",
        "In which order slides come up",
    ),
    Action("run_ensemble", "Run ensemble", "Control-Shift-G", "Run the ensemble"),
    Action("cancel_run", "Cancel the run", "Control-Shift-X", "Stop; finished networks are kept"),
    Action(
        "unload_networks", "Unload networks", "Control-Shift-L", "End the worker, free its memory"
    ),
    Action(
        "teach",
        "Teach: strokes correct the map",
        "Control-Shift-E",
        "Let your strokes correct the map of every slide of this organ and source",
    ),
    Action("export_taught", "Export taught networks…", "Control-Shift-N", "As checkpoints"),
    Action(
        "train",
        "Train on the accepted slides",
        "Control-Shift-U",
        "Train the recipe's networks on these labels",
    ),
    Action(
        "stop_training", "Stop the training", "Control-Shift-V", "Save and stop; it can go on later"
    ),
    Action(
        "use_trained",
        "Use the recipe that was trained",
        "Control-Shift-B",
        "Choose it under Ensemble, with its networks",
    ),
    Action("lower_threshold", "Lower the threshold", "Q", gradual=True),
    Action("raise_threshold", "Raise the threshold", "W", gradual=True),
    Action(
        "reset_threshold",
        "Reset the threshold",
        "T",
        "Back to the recipe's threshold for this organ and source",
    ),
    Action(
        "this_slide_only",
        "Threshold for this slide only",
        "I",
        "Keep the threshold for this slide alone",
    ),
    Action(
        "calibrate",
        "Calibrate the threshold",
        "Shift-T",
        "Find the threshold with the best mean Dice, from truths or accepted masks",
    ),
    Action("open_preset", "Open thresholds…", "Shift-Q", "Set thresholds from a file"),
    Action("save_preset", "Save thresholds…", "Shift-W", "Keep all thresholds in a file"),
    Action(
        "list_doubt",
        "List objects, the least sure first",
        "Shift-I",
        "List the objects of the mask, the least sure first",
    ),
    Action(
        "next_doubt",
        "Next doubtful place",
        "K",
        "Show where the networks disagree most and you have not looked yet",
    ),
    Action("next_view", "Next view: fill, outline, probability", "H"),
    Action("invert_view", "Tint what is outside the mask", "Shift-B"),
    Action("toggle_truth", "Show or hide the truth's contour", "U"),
    Action("next_structure", "Next structure", ".", "Draw on the next structure of the slide"),
    Action("previous_structure", "Previous structure", ",", "Draw on the one before"),
    Action("peek", "Peek under the overlay", "0", held=True),
    Action("fainter", "Overlay: fainter", "8"),
    Action("stronger", "Overlay: stronger", "9"),
    Action("compare", "Compare with this threshold", "Shift-R"),
    _take("move", "move", "Move the view", "G", "Drag to move the view.", drags=False, napari=True),
    _take("brush", "brush", "Brush: add to the mask", "D", "Drag to add to the mask.", napari=True),
    _take(
        "eraser",
        "eraser",
        "Eraser: take from the mask",
        "S",
        "Drag to take from the mask.",
        napari=True,
    ),
    _take("polygon", "polygon +", "Tool: polygon adds", "Shift-P", _POLYGON, napari=True),
    _take(
        "polygon_erase",
        "polygon −",
        "Tool: polygon erases",
        "Shift-C",
        "Click corners; a double click takes it away.",
        napari=True,
    ),
    _take("lasso", "lasso +", "Tool: lasso adds", "Shift-L", "Draw around what to add."),
    _take(
        "lasso_erase", "lasso −", "Tool: lasso erases", "Shift-E", "Draw around what to take away."
    ),
    _take(
        "redraw",
        "outline",
        "Tool: outline anew",
        "Shift-O",
        "Draw a line along an outline: it takes its place.",
    ),
    _take(
        "wand",
        "add",
        "Tool: add object",
        "Shift-U",
        "Press in its middle; drag up for more, down for less.",
    ),
    _take(
        "drop", "remove", "Tool: remove object", "Shift-D", "Click or strike through what shall go."
    ),
    _take("keep", "keep", "Tool: keep object", "Shift-K", "Click or strike through what stays."),
    _take(
        "fill",
        "fill",
        "Tool: fill holes",
        "Shift-H",
        "Click a hole, or an object that has some.",
        drags=False,
    ),
    _take(
        "smooth",
        "smooth",
        "Tool: smooth",
        "Shift-S",
        "Press on an object; drag up for a smoother outline.",
    ),
    _take(
        "edge",
        "fit edge",
        "Tool: fit edge",
        "Shift-Y",
        "Press on an object; drag up for more of it, down for less.",
    ),
    _take(
        "grow",
        "grow",
        "Tool: grow",
        "Shift-G",
        "Press on an object; drag up to grow it, down to shrink it.",
    ),
    _take(
        "split",
        "split",
        "Tool: split",
        "Shift-X",
        "Press on an object to see the cut; drag up for more parts.",
    ),
    _take("merge", "merge", "Tool: merge", "Shift-M", "Press on one object, let go on the other."),
    _take("reassign", "assign", "Tool: reassign object", "Shift-Z", _REASSIGN, drags=False),
    Action(
        "all_like_this",
        "All like this",
        "Control-Shift-A",
        "Objects like the one that was removed or kept: shown first, then again does the same",
    ),
    Action("undo", "Undo", "Control-Z", on_mask=True),
    Action("redo", "Redo", "Control-Shift-Z", on_mask=True),
    Action("accept", "Accept the slide", "A", "Accept this mask"),
    Action("open_again", "Open accepted slide again", "Shift-A", "Correct it; strokes open it too"),
    Action("flag", "Flag the slide", "F", "Flag this slide for later", on_mask=True),
    Action("reject", "Reject the slide", "R", "Reject this slide"),
    Action("write_note", "Note on the slide", "F2", "What to remember about this slide"),
    Action(
        "import_mask",
        "Import masks…",
        "Control-Shift-I",
        "From QuPath (GeoJSON), CVAT, COCO, PNG, TIFF, tables: shown first, slide by slide",
    ),
    Action("review_layer", "Review this layer with HubSeg", "Control-Shift-M", "As the mask"),
    Action("export", "Export", "Control-Shift-Y", "Write the masks, read them back and compare"),
)

_GROUPS = {  # where a new group of the page of keys begins
    "open_folder": "Open",
    "next_slide": "Slides",
    "run_ensemble": "Run and train",
    "lower_threshold": "Threshold",
    "list_doubt": "Doubt",
    "next_view": "View",
    "take_move": "Draw",
    "take_redraw": "One object",
    "undo": "Steps and verdicts",
}
TOOLBOX = tuple(action.tool for action in ACTIONS if action.tool is not None)
_NAMED = {action.name: action for action in ACTIONS}
_CHOSEN: dict[str, str] = {}  # the keys of those that a person gave another one


def tool_named(name: str) -> Tool | None:
    """Return a tool by its name, or None."""
    return next((tool for tool in TOOLBOX if tool.name == name), None)


def take_keys(chosen: Mapping[str, str]) -> None:
    """Let actions have other keys from now on, by name; those that are not named have their own."""
    _CHOSEN.clear()
    _CHOSEN.update(chosen)


def key(name: str) -> str:
    """Return the shortcut of an action as napari spells it: "A", "Control-Shift-H"."""
    return _CHOSEN.get(name, _NAMED[name].key)


def key_of(name: str) -> str:
    """Return the shortcut of an action as people read it: "A", "Ctrl+Shift+H", "F1 or ?"."""
    return " or ".join(filter(None, (in_words(key(name)), _NAMED[name].sign)))


def in_words(spelled: str) -> str:
    """Return a key that napari spells "Control-Shift-H" as people read it."""
    return spelled.replace("Control", "Ctrl").replace("-", "+")


def tip(name: str) -> str:
    """Return what the tooltip of an action says, its shortcut included."""
    action = _NAMED[name]
    return f"{action.tip or action.title} ({key_of(name)})"


def explained(name: str) -> str:
    """Return what the tooltip of a button without words says: title, how it is used, shortcut."""
    action = _NAMED[name]
    title = action.title.removeprefix("Tool: ")
    return f"{title[:1].upper()}{title[1:]}. {action.tip} ({key_of(name)})"


def grouped() -> dict[str, list[Action]]:
    """Return every action, in its order, under the name of its group."""
    found: dict[str, list[Action]] = {}
    for action in ACTIONS:
        if action.name in _GROUPS:
            group = found.setdefault(_GROUPS[action.name], [])
        group.append(action)
    return found
