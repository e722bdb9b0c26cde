"""The few colours of the dock, for a dark and for a light theme, and how far they stand out.

Responsible for colours that words, signs and lines are drawn with. Every one has a contrast of at
least 4.5 : 1 against its theme's ground (WCAG 2.1, AA), and verdicts differ in brightness or along
yellow and blue, so that those tell them apart who see no red or no green; each has a sign of its
own besides. Does not know widgets.
"""

from __future__ import annotations

from qtpy.QtGui import QColor

__all__ = ["INKS", "contrast", "ink", "theme_of"]

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), lighter or darker for the ground
INKS: dict[str, dict[str, str]] = {
    "dark": {
        "here": "#ffb347",
        "every": "#d08bff",
        "warning": "#ffb347",
        "mask": "#00d5cb",
        "focus": "#ffe066",
        "unseen": "#a3abb5",
        "in progress": "#56b4e9",
        "accepted": "#35c99a",
        "corrected": "#35c99a",
        "flagged": "#f0b429",
        "rejected": "#ff8a5c",
    },
    "light": {
        "here": "#8a4b00",
        "every": "#7a2fb5",
        "warning": "#8a4b00",
        "mask": "#006d68",
        "focus": "#1f3fd0",
        "unseen": "#59616b",
        "in progress": "#005f9e",
        "accepted": "#006b55",
        "corrected": "#006b55",
        "flagged": "#7a5200",
        "rejected": "#8a1030",
    },
}


def theme_of(ground: QColor) -> str:
    """Return "dark" or "light": what a ground asks for."""
    return "dark" if ground.lightness() < 128 else "light"


def ink(role: str, ground: QColor) -> QColor:
    """Return the colour of a role on a ground."""
    return QColor(INKS[theme_of(ground)][role])


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast of two colours, 1 to 21.

    https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: QColor) -> float:
    red, green, blue = (_linear(value) for value in colour.getRgbF()[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
