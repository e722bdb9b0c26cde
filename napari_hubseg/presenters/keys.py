"""The keys of a dock, which are other ones as soon as a person has chosen them.

Responsible for binding them where they are pressed, and for the texts that name them. Does not know
what a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget

from napari_hubseg.keys import Presses, bind, of_mask, taken, unbind
from napari_hubseg.widgets.kept_keys import kept_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.components import ViewerModel

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.keys import KeysPage

__all__ = ["KeysInUse"]


class KeysInUse(QObject):
    """Binds the keys, and does it again when they are changed.

    Parameters
    ----------
    page
        Where they are changed.
    viewer, desk
        Where they are pressed, and what does what they stand for.
    do
        Does an action by its name.
    roots
        What holds the widgets whose texts name keys.

    Attributes
    ----------
    changed
        Signal: there are other keys.
    presses
        What Qt's key presses stand for.
    """

    changed = Signal()

    def __init__(
        self,
        page: KeysPage,
        viewer: ViewerModel,
        desk: Desk,
        do: Callable[[str], object],
        roots: tuple[QWidget, ...],
    ) -> None:
        super().__init__(page)
        self._page, self._viewer, self._desk, self._do = page, viewer, desk, do
        self._roots = roots
        self._bind()
        page.keys_changed.connect(self._take)

    def _bind(self) -> None:
        bind(self._viewer, self._do, self._desk.hold)
        self.presses = Presses(self._do, self._desk.hold)

    def _take(self) -> None:
        self.unbind()
        texts = taken(kept_keys())
        self._bind()
        self._desk.layers.take_keys(of_mask(self._do))
        self._desk.offers.letters.learn()
        for root in self._roots:
            for widget in root.findChildren(QWidget):
                _rename(widget, texts)
        self._page.fill()
        self.changed.emit()

    def unbind(self) -> None:
        """Give the viewer's keys back."""
        unbind(self._viewer)


def _rename(widget: QWidget, texts: Mapping[str, str]) -> None:
    """Give a widget the new text for each of its texts that has one."""
    if widget.toolTip() in texts:
        widget.setToolTip(texts[widget.toolTip()])
    if widget.accessibleName() in texts:
        widget.setAccessibleName(texts[widget.accessibleName()])
    if isinstance(widget, QAbstractButton | QLabel) and widget.text() in texts:
        widget.setText(texts[widget.text()])
    if isinstance(widget, QLineEdit) and widget.placeholderText() in texts:
        widget.setPlaceholderText(texts[widget.placeholderText()])
    widget.update()
