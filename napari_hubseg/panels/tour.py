"""A tour of three steps for whoever sees the dock for the first time.

Responsible for its words, for going on and for being left at any step. Does not know whether
somebody has seen it, or where the things are that it speaks of.
"""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel

from napari_hubseg.actions import key_of
from napari_hubseg.keys import names_keys
from napari_hubseg.widgets.column import in_column
from napari_hubseg.widgets.style import Hint, button

__all__ = ["TourPanel", "steps"]


def steps() -> tuple[tuple[str, str], ...]:
    """Return title and sentence of each step, with the keys as they are."""
    return (
        (
            "Open",
            "Open a folder of images, a table, or the sample. Your work is kept beside the images, "
            "change by change: nothing has to be saved. napari's own panels are folded away; once "
            "a slide is there, the button left of “?” brings them back.",
        ),
        (
            "Look and mend",
            "Run ensemble finds a mask; say first what the slides are under change…, where a sign "
            "stands there. Drag the line in the histogram until it fits, then mend what is wrong "
            f"with the tools below it. {key_of('undo')} takes any step back.",
        ),
        (
            "Decide",
            f"{key_of('accept')} accepts the mask as you see it, {key_of('flag')} flags the slide, "
            f"{key_of('reject')} rejects it; the next one follows. Export writes the masks. "
            f"{key_of('show_keys')} shows every key, and this tour again.",
        ),
    )


@names_keys
def _texts() -> dict[str, str]:
    return dict(steps())


class TourPanel(QFrame):
    """One step at a time.

    Attributes
    ----------
    turned
        Signal of the step that is shown, 0 to 2; -1 when the tour has ended.
    """

    turned = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("tour")
        self.setProperty("strip", "info")
        self.title = QLabel()
        self.title.setObjectName("tour_title")
        self.title.setProperty("strong", "true")
        self.said = Hint(name="tour_said")
        self.leave = button("Leave", "End the tour; it is not shown again", name="tour_leave")
        self.next = button("", "", name="tour_next")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.leave)
        row.addStretch(1)
        row.addWidget(self.next)
        in_column(self, self.title, self.said, row, spacing=8, margins=(12, 10, 12, 10))
        self.step = -1
        self.leave.clicked.connect(self.end)
        self.next.clicked.connect(self.go_on)
        self.hide()

    def begin(self) -> None:
        """Show the first step."""
        self._turn_to(0)

    def go_on(self) -> None:
        """Show the next step; after the last one the tour has ended."""
        self._turn_to(self.step + 1)

    def go_on_from(self, step: int) -> None:
        """Go on where that step is shown: a person has done it."""
        if self.step == step:
            self.go_on()

    def end(self) -> None:
        """Show no step."""
        self._turn_to(-1)

    def _turn_to(self, step: int) -> None:
        shown = steps()
        self.step = step if 0 <= step < len(shown) else -1
        if self.step >= 0:
            title, said = shown[self.step]
            self.title.setText(f"{self.step + 1} / {len(shown)}   {title}")
            self.said.setText(said)
            last = self.step == len(shown) - 1
            self.next.setText("Done" if last else "Next")
            self.next.setToolTip("End the tour" if last else "The next of three steps")
        self.setVisible(self.step >= 0)
        self.turned.emit(self.step)
