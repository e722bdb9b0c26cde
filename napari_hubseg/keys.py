"""The dock's keys: bound in a viewer, read from Qt's key presses, and given to other actions.

Responsible for the one spelling of keys that napari and the dock share, and for why an action
cannot have a key. Does not know what a key does, or where a person's choice is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence

from napari_hubseg.actions import ACTIONS, explained, in_words, key, take_keys, tip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel
    from qtpy.QtGui import QKeyEvent

__all__ = [
    "Presses",
    "as_napari_spells",
    "bind",
    "fitting",
    "keys_of_napari",
    "names_keys",
    "of_mask",
    "refusal",
    "spelled",
    "taken",
    "unbind",
]

Texts = Mapping[str, str]
_NAMING: list[Callable[[], Texts]] = []  # what makes texts with keys in them

_EVERYWHERE = {"Escape", "Esc", "Return", "Enter", "Tab", "Backtab", "Space"}
# What has keys of its own in menus, and napari's keys of layers that ours are not
_MENUS = ("Open", "Save", "SaveAs", "Close", "Quit", "Copy", "Cut", "Paste", "ZoomIn", "ZoomOut")
_ELSEWHERE = ("points", "shape", "select_", "vertex", "_add_", "direct", "finish", "drawing")


def bind(
    viewer: ViewerModel, do: Callable[[str], object], hold: Callable[[str, bool], object]
) -> None:
    """Bind every action's key in the viewer, where it comes after those of the active layer.

    Parameters
    ----------
    viewer
        Where keys are pressed.
    do
        Does an action by its name.
    hold
        Does one that is held, and ends it: name, whether the key is down.
    """

    def bound(name: str) -> Callable[[object], None]:
        def press(_: object) -> None:  # napari would call what it returns when the key is let go
            do(name)

        return press

    def held(name: str) -> Callable[[object], Iterator[None]]:
        def press(_: object) -> Iterator[None]:
            hold(name, True)
            yield  # until the key is let go
            hold(name, False)

        return press

    for action in ACTIONS:
        made = held(action.name) if action.held else bound(action.name)
        viewer.bind_key(key(action.name), made, overwrite=True)


def unbind(viewer: ViewerModel) -> None:
    """Give the keys back."""
    for action in ACTIONS:
        viewer.bind_key(key(action.name), None)


def of_mask(do: Callable[[str], object]) -> dict[str, Callable[[], object]]:
    """Return the keys that are pressed over the mask, and what does what they stand for."""

    def doing(name: str) -> Callable[[], object]:
        return lambda: do(name)

    return {key(action.name): doing(action.name) for action in ACTIONS if action.on_mask}


class Presses:
    """Does what Qt's key presses stand for; see :func:`bind` for what it is given."""

    def __init__(self, do: Callable[[str], object], hold: Callable[[str, bool], object]) -> None:
        self._do, self._hold = do, hold
        self._named = {key(action.name): action.name for action in ACTIONS}
        self._held = {key(action.name): action.name for action in ACTIONS if action.held}

    def down(self, event: QKeyEvent | None) -> bool:
        """Do what a key that goes down stands for; False where it stands for nothing."""
        name = self._named.get(_key(event))
        if event is None or name is None:
            return False
        event.accept()
        if name in self._held.values():
            self._hold(name, True)
        else:
            self._do(name)
        return True

    def up(self, event: QKeyEvent | None) -> bool:
        """End what lasts as long as its key is down; False where nothing does."""
        name = self._held.get(_key(event))
        if event is None or name is None:
            return False
        event.accept()
        self._hold(name, False)
        return True


def _key(event: QKeyEvent | None) -> str:
    return "" if event is None or event.isAutoRepeat() else spelled(event)


def spelled(event: QKeyEvent) -> str:
    """Return a key press as napari spells it: "A", "Shift-N", "Control-Shift-H"."""
    modifiers = event.modifiers()
    held = [
        name
        for name, modifier in (
            ("Control", Qt.KeyboardModifier.ControlModifier),
            ("Shift", Qt.KeyboardModifier.ShiftModifier),
            ("Alt", Qt.KeyboardModifier.AltModifier),
        )
        if modifiers & modifier
    ]
    return "-".join((*held, QKeySequence(event.key()).toString()))


# ---- other keys --------------------------------------------------------------------------------


def names_keys(texts: Callable[[], Texts]) -> Callable[[], Texts]:
    """Note that a function's texts name keys: they are other ones once the keys are.

    The texts of :func:`~napari_hubseg.actions.tip` and :func:`~napari_hubseg.actions.explained` are
    known without it.
    """
    _NAMING.append(texts)
    return texts


def taken(chosen: Mapping[str, str]) -> dict[str, str]:
    """Let actions have other keys from now on; return each text that names a key → the new one."""
    before = list(_texts())
    take_keys(chosen)
    after = list(_texts())
    return {old: new for old, new in zip(before, after, strict=True) if old != new}


def _texts() -> Iterator[str]:
    for action in ACTIONS:
        yield tip(action.name)
        yield explained(action.name)
    for texts in _NAMING:
        yield from texts().values()


def refusal(
    name: str, wanted: str, chosen: Mapping[str, str], others: Mapping[str, str] | None = None
) -> str:
    """Return why an action cannot have a key, as a sentence; "" where it can.

    Parameters
    ----------
    name, wanted
        The action and the key, as napari spells it.
    chosen
        Name of an action → the key it is to have; the others have their own.
    others
        Key → what napari does with it (:func:`keys_of_napari`).
    """
    shown = in_words(wanted)
    if not wanted or wanted.rpartition("-")[2] in _EVERYWHERE:
        return "Esc, Enter, Tab and Space mean something everywhere: choose another key."
    for action in ACTIONS:
        if action.name != name and chosen.get(action.name, action.key) == wanted:
            return f"{shown} is the key of “{action.title}”: give that one another key first."
    own = next(action.key for action in ACTIONS if action.name == name)
    if others and wanted in others and wanted != own:
        return f"{shown} is napari's own key ({others[wanted]}): choose another key."
    return ""


def fitting(kept: object) -> dict[str, str]:
    """Return what of a file's content are keys of actions that do not contradict each other."""
    if not isinstance(kept, dict):
        return {}
    named = {action.name: action.key for action in ACTIONS}
    found = {
        name: wanted
        for name, wanted in kept.items()
        if name in named and isinstance(wanted, str) and wanted != named[name]
    }
    clash = any(refusal(name, wanted, found) for name, wanted in found.items())
    return {} if clash else found


def keys_of_napari() -> dict[str, str]:
    """Return the keys that napari uses itself, and for what: in its menus, viewer and layers."""
    from napari.settings import get_settings

    found: dict[str, str] = {}
    for what, keys in get_settings().shortcuts.shortcuts.items():
        if not any(word in what for word in _ELSEWHERE):
            words = what.partition(":")[2].replace("_", " ")
            found |= {as_napari_spells(str(one)): words for one in keys}
    form = QKeySequence.SequenceFormat.PortableText
    for word in _MENUS:
        for sequence in QKeySequence.keyBindings(getattr(QKeySequence.StandardKey, word)):
            found[as_napari_spells(sequence.toString(form))] = f"its menus: {word.lower()}"
    return found


def as_napari_spells(shown: str) -> str:
    """Return "Ctrl+Shift+H" as "Control-Shift-H"."""
    *held, last = shown.replace("++", "+plus").split("+")
    names = {"Ctrl": "Control"}
    order = [names.get(one, one) for one in held]
    return "-".join(
        (*(one for one in ("Control", "Shift", "Alt") if one in order), last.replace("plus", "+"))
    )
