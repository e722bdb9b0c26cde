"""Letters at the desk: what is text does nothing, and that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.widgets.typed_text import Typing

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_hubseg.desk import Desk
    from napari_hubseg.panels.message import MessageStrip
    from napari_hubseg.widgets.controls import ControlRules

__all__ = ["letters"]


def letters(dock: QWidget, desk: Desk, controls: ControlRules, strip: MessageStrip) -> Typing:
    """Let letters be commands where slides are open and the mask is what keys act on.

    What is said of them stands in `strip` until it is taken, or the person goes on elsewhere.
    """

    def here() -> bool:
        return desk.session.current is not None and desk.layers.at_hand

    typing = Typing(dock, desk.offers.letters, here)
    typing.strayed.connect(desk.offers.say_letters)
    typing.rested.connect(desk.offers.letters_again)
    typing.tool_taken.connect(desk.say_tool)
    controls.pressed.connect(lambda at: None if strip.isAncestorOf(at) else typing.rest())
    for done in (strip.acted, strip.dismissed):
        done.connect(typing.rest)
    return typing
