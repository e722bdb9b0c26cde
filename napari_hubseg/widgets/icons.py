"""The dock's icons: signs of one kept font, drawn in the colour of the words beside them.

Responsible for which sign stands for what, and for buttons that carry one in every theme. Does not
know what a button does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonticon_mdi7 import MDI7
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtWidgets import QPushButton
from superqt.fonticon import icon

from napari_hubseg.widgets.fewer_words import fewer_words
from napari_hubseg.widgets.style import ON_CHOSEN, ElidedButton, button

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QPaintEvent

__all__ = ["SIDE", "SIGNS", "IconButton", "SignedElidedButton", "short_key", "sign"]

SIDE = 16  # px of an icon, at 100 % scaling
_FAINT = 90  # of 255: what cannot be pressed now
_KEY_PT = 6.0  # size of a key in a button's corner
_BEFORE_WORD = 3  # px between a sign and its word
_EDGE = 2  # px at either end of a button
_BESIDE = 12  # px beside sign and words: edges, padding, and what is between them
_ON_VERDICT = "#10151a"
_THEME = (QEvent.Type.StyleChange, QEvent.Type.PaletteChange)

SIGNS: dict[str, str] = {
    # the top
    "back": MDI7.chevron_left,
    "on": MDI7.chevron_right,
    "open": MDI7.folder_open_outline,
    "table": MDI7.table,
    "sample": MDI7.flask_outline,
    "napari": MDI7.dock_left,
    "help": MDI7.help_circle_outline,
    "warning": MDI7.alert_outline,
    "note": MDI7.information_outline,
    "close": MDI7.close,
    # how the mask is seen
    "fill": MDI7.circle,
    "outline": MDI7.circle_outline,
    "probability": MDI7.gradient_vertical,
    "truth": MDI7.check_decagram_outline,
    "peek": MDI7.eye_off_outline,
    "eye": MDI7.eye_outline,
    "compare": MDI7.compare,
    "legend": MDI7.palette_outline,
    "reset": MDI7.restore,
    "this slide": MDI7.pin_outline,
    # tools
    "move": MDI7.hand_back_right_outline,
    "brush": MDI7.brush,
    "eraser": MDI7.eraser,
    "polygon": MDI7.vector_polygon,
    "polygon_erase": MDI7.vector_polygon,
    "lasso": MDI7.lasso,
    "lasso_erase": MDI7.lasso,
    "wand": MDI7.auto_fix,
    "redraw": MDI7.draw,
    "drop": MDI7.delete_outline,
    "keep": MDI7.shield_check_outline,
    "fill_holes": MDI7.format_color_fill,
    "grow": MDI7.arrow_expand_all,
    "edge": MDI7.tune_variant,
    "smooth": MDI7.waves,
    "split": MDI7.content_cut,
    "merge": MDI7.set_merge,
    "reassign": MDI7.swap_horizontal,
    "like": MDI7.circle_multiple_outline,
    # steps and verdicts
    "undo": MDI7.undo,
    "redo": MDI7.redo,
    "accepted": MDI7.check_bold,
    "flagged": MDI7.flag,
    "rejected": MDI7.close_thick,
    "advance": MDI7.skip_next,
}


def sign(name: str, colour: QColor | str, *, on: QColor | str | None = None) -> QIcon:
    """Return the icon of that name in one colour, and in another where its button is on."""
    made, plain = QIcon(), QColor(colour)
    faint = QColor(plain.red(), plain.green(), plain.blue(), _FAINT)
    for state, own in ((QIcon.State.Off, plain), (QIcon.State.On, QColor(on or colour))):
        for mode, drawn in (
            (QIcon.Mode.Normal, own),
            (QIcon.Mode.Active, own),
            (QIcon.Mode.Disabled, faint),
        ):
            made.addPixmap(_drawn(name, drawn), mode, state)
    return made


def _drawn(name: str, colour: QColor) -> QPixmap:
    """Return a sign, large enough for any scaling."""
    side = 4 * SIDE
    return icon(SIGNS[name], scale_factor=1.0, color=colour.getRgb()).pixmap(QSize(side, side))


class _Signed(QPushButton):
    """A button whose sign has the colour of its words, in every theme."""

    _sign, _drawn = "", ("", "")

    def show_sign(self, name: str) -> None:
        """Show a sign, one of :data:`SIGNS`."""
        self._sign = name
        self._draw()

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw the sign anew in the colours of another theme."""
        super().changeEvent(event)
        if event is not None and event.type() in _THEME and self._sign:
            self._draw()

    def _draw(self) -> None:
        usual = QPalette.ColorGroup.Active  # also while it cannot be pressed
        colour = self.palette().color(usual, QPalette.ColorRole.ButtonText)
        drawn = self._sign, colour.name()
        if drawn != self._drawn:
            self._drawn = drawn
            verdict, flat = self.property("verdict") is not None, self.isFlat()
            on = _ON_VERDICT if verdict else colour if flat else ON_CHOSEN  # flat: no ground of on
            self.setIcon(sign(self._sign, colour, on=on))


class IconButton(_Signed):
    """A button with a sign, and perhaps a word and its key.

    Parameters
    ----------
    sign_name
        One of :data:`SIGNS`.
    key
        What returns a shortcut to stand small in its corner, as it is now.
    text, tip, name, properties
        As for :func:`napari_hubseg.widgets.style.button`.
    """

    def __init__(
        self,
        sign_name: str,
        text: str,
        tip: str,
        *,
        name: str,
        key: Callable[[], str] = str,
        **properties: str,
    ) -> None:
        super().__init__()
        button(text, tip, name=name, made=self, **properties)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setAccessibleName(text if len(text) > 1 else tip)
        self._key = key  # of nothing: ""
        self.show_sign(sign_name)

    def minimumSizeHint(self) -> QSize:
        """Return the room for its sign, its word and its key beside each other."""
        return QSize(self.needed(), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """Return the room that it likes: no key stands over a word."""
        hint = super().sizeHint()
        return QSize(max(self.needed(), hint.width()), hint.height())

    def needed(self) -> int:
        """Return how wide it must be for its key to stand beside its word, px."""
        advance = self.fontMetrics().horizontalAdvance
        word = _BEFORE_WORD + advance(self.text()) if self.text() else 0
        shown = self._key()
        key = QFontMetrics(self._key_font).horizontalAdvance(shown) if shown else 0
        return int(self.iconSize().width()) + word + key + 2 * _EDGE

    @property
    def _key_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(_KEY_PT)
        return font

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the button, and its key over the corner."""
        super().paintEvent(event)
        if shown := self._key():
            painter = QPainter(self)
            painter.setFont(self._key_font)
            colour = self.palette().color(QPalette.ColorRole.ButtonText)
            on = self.isChecked() and self.isEnabled()
            colour = QColor(ON_CHOSEN) if on else colour
            colour.setAlpha(170 if self.isEnabled() else _FAINT)
            painter.setPen(colour)
            place = self.rect().adjusted(0, 0, -_EDGE, -1)
            corner = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
            painter.drawText(place, int(corner), shown)
            painter.end()


class SignedElidedButton(_Signed, ElidedButton):
    """A button with a sign, which says as many of its first words as there is room for."""

    def __init__(self, sign_name: str, text: str, *, name: str) -> None:
        super().__init__(text, name=name)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setProperty("left", "true")
        self.show_sign(sign_name)

    def _room(self) -> int:
        return int(self.width()) - SIDE - _BESIDE

    def _shown(self, room: int) -> str:
        advance = self.fontMetrics().horizontalAdvance
        return fewer_words(self.text(), lambda words: int(advance(words)) <= room)


def short_key(key: str) -> str:
    """Return a key as there is room for it on a button: "⇧P"."""
    return key.replace("Ctrl+", "⌃").replace("Shift+", "⇧")
