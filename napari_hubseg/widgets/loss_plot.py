"""How a training goes, drawn: the loss of each network over its steps, and each fold's Dice.

Responsible for drawing. Does not know where the figures come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from hubseg.engine.training_folder import Learning
from napari_hubseg.widgets.inks import ink

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

__all__ = ["LossPlot"]

_HEIGHT = 84  # px
_FOOT = 3.0  # px under the curves


class LossPlot(QWidget):
    """The networks side by side, in the order they are trained: loss as a line, Dice as a bar.

    Loss runs from 0 at the foot to the largest at the top, Dice from 0 to 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("loss_plot")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Line: loss of each network. Bar: Dice of each fold on slides that it never saw, "
            "against true and edited masks. Open bar: agreement with unedited masks of networks"
        )
        self.learning = Learning()

    def sizeHint(self) -> QSize:
        """Return a strip: as wide as the dock, a line of text and a plot."""
        return QSize(240, _HEIGHT + self.fontMetrics().height() + 2)

    def show_learning(self, learning: Learning) -> None:
        """Show what was reported."""
        if learning != self.learning:
            self.learning = learning
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw bars, curves, and what is newest in words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        top, foot = self.height() - _HEIGHT, self.height() - _FOOT
        width = self.width() / max(1, self.learning.members)
        faint = QColor(text.red(), text.green(), text.blue(), 110)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(QPointF(0, foot), QPointF(self.width(), foot))
        self._draw_bars(painter, top, foot, width)
        self._draw_losses(painter, top, foot, width)
        self._draw_said(painter)
        painter.end()

    def _draw_bars(self, painter: QPainter, top: float, foot: float, width: float) -> None:
        shade = self._ink("here")
        shade.setAlpha(90)
        painter.setPen(QPen(shade, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for place, alike in enumerate(self.learning.agreement):
            if alike is not None:
                height = alike * (foot - top)
                painter.drawRect(QRectF(place * width + 2, foot - height, width - 4, height))
        for place, dice in enumerate(self.learning.dice):
            if dice is not None:
                height = dice * (foot - top)
                at = (place * width + 2, foot - height, width - 4, height)
                painter.fillRect(*(round(value) for value in at), shade)

    def _draw_losses(self, painter: QPainter, top: float, foot: float, width: float) -> None:
        losses, steps = self.learning.losses, max(1, self.learning.steps)
        most = max((loss for curve in losses for _, loss in curve), default=0.0) or 1.0
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._ink("mask"), 1.8))
        for place, curve in enumerate(losses):
            line = QPainterPath()
            for number, (step, loss) in enumerate(curve):
                x = place * width + width * step / steps
                at = QPointF(x, foot - loss / most * (foot - top - 2))
                line.lineTo(at) if number else line.moveTo(at)
            painter.drawPath(line)

    def _draw_said(self, painter: QPainter) -> None:
        roles = {"loss": "mask", "dice": "here", "agreement": "here"}
        x, y = 1.0, self.fontMetrics().ascent()
        for role, words in self.learning.said():
            painter.setPen(self._ink(roles[role]))
            painter.drawText(QPointF(x, y), words)
            x += self.fontMetrics().horizontalAdvance(words + "   ")

    def _ink(self, role: str) -> QColor:
        return ink(role, self.palette().color(QPalette.ColorRole.Window))
