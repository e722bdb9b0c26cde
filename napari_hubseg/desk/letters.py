"""Letters on the canvas: commands, or a text that somebody types where it is not expected.

Responsible for telling the two apart without a clock: a letter that means nothing here ends the
commands, as does one after a blank that no mouse has moved the view with; then no letter does
anything until the person has made another gesture. Remembers what letters did until then. Does not
know Qt, or what a command does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_hubseg.actions import ACTIONS, key

if TYPE_CHECKING:
    from hubseg.journal.rows import Entry

__all__ = ["Letters"]

# Keys of napari's labels layer that the mask can bear: tools, and others. The rest changes the
# label, locks it, picks it or moves the layer, and means nothing on the mask.
_NAPARIS_TOOLS = frozenset("12346EPZ")
_NAPARIS = {"V", "Shift-V", "[", "]", "Space"}
_REMEMBERED = 20  # steps


class Letters:
    """Heeds one letter after another.

    Attributes
    ----------
    stray
        What meant nothing, since when letters are text; "" while they are commands.
    last
        Whether the last gesture was a letter.
    done
        What letters did since the last other gesture, oldest first.
    """

    def __init__(self) -> None:
        self.learn()
        self.stray = ""
        self.done: list[Entry] = []
        self.last = self._blank = False  # a blank

    def learn(self) -> None:
        """Learn which letters are keys now."""
        ours = {key(action.name) for action in ACTIONS}
        self._known = ours | _NAPARIS_TOOLS | _NAPARIS

    def heed(self, pressed: str) -> Literal["command", "tool", "stray", "text"]:
        """Return what a letter is, given those before.

        Parameters
        ----------
        pressed
            As napari spells it: "A", "Shift-N", "Space".

        Returns
        -------
        str
            "command" goes its way, and so does "tool", which takes one of napari's; "stray" is the
            first that means nothing, "text" each after it.
        """
        if self.stray:
            return "text"
        if self._blank and pressed != "Space":
            self.stray = "a blank among letters"
            return "stray"
        self._blank = pressed == "Space"
        if pressed in self._known:
            self.last = True
            return "tool" if pressed in _NAPARIS_TOOLS else "command"
        self.stray = f"“{pressed.removeprefix('Shift-')}”"
        return "stray"

    def note(self, step: Entry) -> None:
        """Note what was done just now; it was a letter's doing if that was the last gesture."""
        self.done = [row for row in self.done if row.seq != step.target]
        if self.last and step.is_step and step.target is None:
            self.done = [*self.done, step][-_REMEMBERED:]

    def rest(self) -> None:
        """Note another gesture: letters are commands again, and what they did is meant."""
        self.stray, self.done = "", []
        self.last = self._blank = False
