"""Saving a labels layer as a mask: a PNG, a TIFF, or the competition's run-length CSV.

Responsible for napari's *Save selected layers*. The mask is what is not background. Reads nothing
back itself: :mod:`hubseg.formats` does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hubseg.formats import raster, rle, table

__all__ = ["write_mask", "write_rle"]


def write_mask(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as a mask of 0 and 255; the name's ending decides PNG or TIFF.

    Raises
    ------
    ValueError
        When the layer is not two-dimensional.
    """
    mask = _mask(data, meta)
    if Path(path).suffix.lower() == ".png":
        raster.write_mask_png(Path(path), mask)
    else:
        raster.write_mask_tiff(Path(path), mask)
    return [path]


def write_rle(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as a submission of one row, whose id is the layer's name.

    Raises
    ------
    ValueError
        When the layer is not two-dimensional.
    """
    table.write_submission(
        Path(path), [(str(meta.get("name", "mask")), rle.encode(_mask(data, meta)))]
    )
    return [path]


def _mask(data: Any, meta: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask: np.ndarray[Any, np.dtype[np.bool_]] = np.asarray(data) != 0
    if mask.ndim != 2:
        raise ValueError(
            f"The layer {meta.get('name', '')!r} has {mask.ndim} dimensions: a mask has two, so "
            "save one plane of it."
        )
    return mask
