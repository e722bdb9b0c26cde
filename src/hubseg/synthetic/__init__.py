"""Deterministic pictures with exact masks, of any size: five organs in three stains, and steel.

Responsible for pictures whose truth is known by construction, for demos, tests and training
beside real tiles. Does not know how a mask is predicted, and holds no pixel of a real slide.
"""

from __future__ import annotations

from hubseg.synthetic.samples import write_samples
from hubseg.synthetic.steel import make_steel
from hubseg.synthetic.tissue import make_slide, make_structures
from hubseg.synthetic.whole_slide import WholeSlide, write_whole_slide

__all__ = [
    "WholeSlide",
    "make_slide",
    "make_steel",
    "make_structures",
    "write_samples",
    "write_whole_slide",
]
