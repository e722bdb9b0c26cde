"""How every control of the dock behaves, whatever panel it is in: wheel, Enter, Esc, clicks, tips.

Responsible for five rules that no panel has to know, for controls that are made later too:

- The wheel scrolls the dock. It changes a control for two seconds after a click on it and after
  each turn of the wheel there, as long as the pointer stays; a closed list or a tab never.
- Enter and Esc leave a field, and Esc takes back a value that was typed into it.
- A button or a slider that has come to lie where something else was pressed just now ignores the
  next press there: it is for what lay there.
- So does a button of a window that opened less than a second ago.
- A long tooltip is shown in lines.

Does not know what a control is for.
"""

from __future__ import annotations

from time import monotonic as now_s
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QChildEvent, QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QWidget,
)

from napari_hubseg.widgets.flyout import Flyout
from napari_hubseg.widgets.later import later
from napari_hubseg.widgets.tooltips import show_broken

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent, QMouseEvent

__all__ = ["ControlRules"]

_VALUES = (QComboBox, QAbstractSpinBox, QAbstractSlider)  # what a wheel would change
_FIELDS = (*_VALUES, QLineEdit)  # what takes keys
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_PRESSES = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)
_TURNS_S = 2.0  # for how long a clicked control takes the wheel, after the click and each turn
_SEEN_S = 1.0  # after which a window that opened is what a press on it is for
_COMES_AND_GOES = (QEvent.Type.Enter, QEvent.Type.Leave)


class ControlRules(QObject):
    """Watches everything inside a widget.

    Attributes
    ----------
    left
        Signal: a person is done with a field; the keyboard belongs to the canvas again.
    pressed
        Signal: the mouse was pressed somewhere in it.
    """

    left = Signal()
    pressed = Signal(object)  # the widget

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        self._root = root
        self._clicked: QWidget | None = None  # the control that the wheel may change
        self._used = 0.0  # when it was clicked or turned last, s
        self._last = _Press()
        self._elsewhere = _Presses(self, self._last)
        self._before: tuple[Any, Any] = (None, None)  # the field a person came to, what it held
        self._adopt(root)

    def _adopt(self, widget: QWidget) -> None:
        for one in (widget, *widget.findChildren(QWidget)):
            one.installEventFilter(self)
            if one.focusPolicy() == Qt.FocusPolicy.WheelFocus:  # a wheel is no click
                one.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def heed_presses(self, widget: QWidget) -> None:
        """Know of presses on a widget elsewhere, too: a button may come to lie over it."""
        self._elsewhere.watch(widget)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Heed what is pressed, turned and typed; all else goes its way."""
        if event is None or not isinstance(watched, QWidget):
            return False
        kind = event.type()
        if kind == QEvent.Type.ChildPolished:
            for child in _polished(watched, event):
                self._adopt(child)
        elif kind in _PRESSES:
            if self._last.was_for_another(watched, event):
                return True
            self._clicked, self._used = self._control(watched), now_s()
            self.pressed.emit(watched)
        elif kind == QEvent.Type.MouseButtonRelease:
            self._last.let_go(event)
        elif kind == QEvent.Type.Show and watched.isWindow():
            self._last.opens(watched)
        elif kind in _COMES_AND_GOES:
            self._last.look()
            if kind == QEvent.Type.Leave and watched is self._clicked:
                self._clicked = None
        elif kind == QEvent.Type.Wheel:
            if isinstance(watched, QTabBar) or (
                self._is_value(watched) and not self._may_turn(watched)
            ):
                event.ignore()  # so that Qt goes on with what is around it, up to the dock
                return True
        elif kind == QEvent.Type.FocusIn:
            self._before = (watched, _held(watched))
        elif kind == QEvent.Type.KeyPress:
            return self._key(watched, event)
        elif kind == QEvent.Type.ToolTip:
            return show_broken(watched, event)
        return False

    # ---- the wheel -----------------------------------------------------------------------------

    @staticmethod
    def _is_value(widget: QWidget) -> bool:
        return isinstance(widget, _VALUES) and not isinstance(widget, QScrollBar)

    def _control(self, widget: QWidget | None) -> QWidget | None:
        """Return the outermost control that a widget is part of, or None."""
        found = None
        while widget is not None and not widget.isWindow() and widget is not self._root:
            found = widget if self._is_value(widget) else found
            widget = widget.parentWidget()
        return found

    def _may_turn(self, widget: QWidget) -> bool:
        """Whether the wheel is for a control: it was clicked or turned just now, and not left.

        A control made of others never turns itself: the one inside that was pointed at does.
        Nor does a closed list: one that opens takes the wheel by itself.
        """
        if isinstance(widget, QComboBox):
            return False
        if self._control(widget) is not self._clicked:
            return False
        if now_s() - self._used > _TURNS_S or any(
            map(self._is_value, widget.findChildren(QWidget))
        ):
            return False
        self._used = now_s()
        return True

    # ---- the keyboard --------------------------------------------------------------------------

    def _key(self, watched: QWidget, event: QKeyEvent) -> bool:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if not plain or not isinstance(watched, _FIELDS) or isinstance(watched, QScrollBar):
            return False
        if watched.window() is not self._root.window():
            return False  # a dialog's own keys: Esc closes it
        if event.key() in _ENTER:
            later(self, self.left.emit)  # once the field has taken what was typed
        elif event.key() == Qt.Key.Key_Escape:
            later(self, self.left.emit)
            form = watched.parentWidget()
            while form is not None and not isinstance(form, Flyout):
                form = form.parentWidget()
            if form is not None:
                later(form, form.hide)  # once the field has what it held
            return self._take_back(watched)
        return False

    def _take_back(self, field: QWidget) -> bool:
        """Show again what a field held; False where Esc has a meaning of its own there."""
        field_before, before = self._before
        known = field_before is field
        if isinstance(field, QLineEdit):
            if field.property("live") or field.property("prose") or _is_cell(field):
                return False
            field.setText(before if known else field.text())
        elif isinstance(field, QSpinBox | QDoubleSpinBox):
            counted = known and field.keyboardTracking()  # each letter that was typed did
            field.setValue(before if counted else field.value())
        return True


def _polished(parent: QWidget, event: QEvent) -> list[QWidget]:
    """Return the child that an event is about; all of them where it is known by another kind.

    Where something keeps an event of Qt's, Python takes a later one at its place for that one.
    """
    children = [event.child()] if isinstance(event, QChildEvent) else parent.children()
    return [child for child in children if isinstance(child, QWidget)]


class _Presses(QObject):
    """Notes presses on other widgets, and asks nothing else of their events.

    What a canvas keeps of its events may be another one by the time it is looked at.
    """

    def __init__(self, parent: QObject, last: _Press) -> None:
        super().__init__(parent)
        self._last = last

    def watch(self, widget: QWidget) -> None:
        """Watch a widget; once is enough, again does no harm."""
        widget.removeEventFilter(self)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Note a press."""
        if event is not None and event.type() in _PRESSES and isinstance(watched, QWidget):
            self._last.note(watched)
        return False


class _Press:
    """The last press: where it ended, and on what, as long as the pointer rests there."""

    def __init__(self) -> None:
        self._on: QWidget | None = None
        self._at: QPoint | None = None
        self._opened: QWidget | None = None  # the window that opened last
        self._since = 0.0  # when it did, s

    def opens(self, window: QWidget) -> None:
        """Note a window that opens."""
        self._opened, self._since = window, now_s()

    def was_for_another(self, widget: QWidget, event: QMouseEvent) -> bool:
        """Note a press; True where it is for what lay there when the last one was made."""
        at = _place(event)
        acts = isinstance(widget, QAbstractButton | QAbstractSlider)
        button = acts and not isinstance(widget, QScrollBar)
        on = widget if button else QApplication.widgetAt(at)
        seen = widget.window() is self._opened and now_s() - self._since > _SEEN_S
        covers = button and not seen and self._is_near(at) and on is not self._on
        self._on, self._at = on, at
        return covers

    def note(self, widget: QWidget) -> None:
        """Note a press on something that is no button."""
        self._on, self._at = widget, QCursor.pos()

    def let_go(self, event: QMouseEvent) -> None:
        """Note where the pointer was let go: a drag ends elsewhere."""
        self._at = _place(event)

    def look(self) -> None:
        """Forget it once the pointer has been moved away."""
        if not self._is_near(QCursor.pos()):
            self._at = None

    def _is_near(self, at: QPoint) -> bool:
        reach = QApplication.startDragDistance()
        return self._at is not None and (at - self._at).manhattanLength() < reach


def _place(event: QMouseEvent) -> QPoint:
    """Return where a mouse event is on the screen."""
    return event.globalPosition().toPoint()


def _held(field: QWidget) -> Any:
    if isinstance(field, QLineEdit):
        return field.text()
    return field.value() if isinstance(field, QSpinBox | QDoubleSpinBox) else None


def _is_cell(line: QLineEdit) -> bool:
    """Whether a line is the editor of a cell, which has an Enter and an Esc of its own."""
    viewport = line.parentWidget()
    return viewport is not None and isinstance(viewport.parentWidget(), QAbstractItemView)
