"""What the desk says to whoever shows it.

Responsible for the signals' names and for what they carry. Does not know who says them.
"""

from __future__ import annotations

from psygnal import Signal

__all__ = ["DeskSignals"]


class DeskSignals:
    """The signals of a :class:`napari_hubseg.desk.Desk`."""

    changed = Signal()  # anything a panel shows
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence
    unsaid = Signal(str)  # a sentence that was told and does not hold any more
    offered = Signal(object)  # Offer, or None: what was offered does not hold any more
    settling = Signal()  # changes in the making are to be done now, on this slide
