"""Tools on the mask: pure functions from what is on screen to one proposed change.

Responsible for what a click, a drag or an outline means. Each function reads the mask, the
probability map where it needs one, and a place; it returns a :class:`Change` that may be shown
before it is done, or None where there is nothing to do. :meth:`hubseg.edits.override.Edits.put`
makes it one gesture. Does not know slides, the session, or any view.

An object is what hangs together over edges and corners, a hole what hangs together over edges.
"""

from hubseg.tools.bucket import drop_small, fill_small
from hubseg.tools.change import Change
from hubseg.tools.outline import outlined, painted
from hubseg.tools.parts import merge, split
from hubseg.tools.piece import Piece, object_at
from hubseg.tools.redraw import redraw
from hubseg.tools.reshape import drop, fill_holes, grow, keep, local_threshold, smooth
from hubseg.tools.several import along
from hubseg.tools.wand import wand, wand_erasing
from hubseg.tools.wand_region import Hill, hill_at

__all__ = [
    "Change",
    "Hill",
    "Piece",
    "along",
    "drop",
    "drop_small",
    "fill_holes",
    "fill_small",
    "grow",
    "hill_at",
    "keep",
    "local_threshold",
    "merge",
    "object_at",
    "outlined",
    "painted",
    "redraw",
    "smooth",
    "split",
    "wand",
    "wand_erasing",
]
