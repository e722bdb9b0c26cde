"""Saving a labels layer as a mask, in any format whose file holds one image or names it.

Responsible for napari's *Save selected layers*. The mask is what is not background; the file's
ending decides the format, and the layer's scale goes with it where that is in µm. Each is read back
and compared (:mod:`hubseg.formats`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hubseg.formats.annotated import MaskedImage
from hubseg.formats.finding import saved_as

__all__ = ["write_mask"]

_MICROMETRES = ("µm", "μm", "um", "micrometer", "micron")


def write_mask(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as a mask; the layer's name is the image's where a format wants one.

    Raises
    ------
    ValueError
        When the layer is not two-dimensional, or the format cannot hold it.
    """
    form = saved_as(Path(path).name)
    image = _image(data, meta)
    if refusal := form.refusal(image):
        raise ValueError(refusal)
    form.write(Path(path), [image] if form.writes == "all" else image)
    return [path]


def _image(data: Any, meta: dict[str, Any]) -> MaskedImage:
    mask: np.ndarray[Any, np.dtype[np.bool_]] = np.asarray(data) != 0
    name = str(meta.get("name") or "mask")
    if mask.ndim != 2:
        raise ValueError(
            f"The layer {name!r} has {mask.ndim} dimensions: a mask has two, so save one plane of "
            "it."
        )
    units = meta.get("units")
    listed = [units] * 2 if isinstance(units, str) else list(units or ())
    size = None
    if len(listed) == 2 and all(str(unit) in _MICROMETRES for unit in listed):
        height, width = (float(side) for side in meta.get("scale", (1.0, 1.0)))
        size = height, width
    return MaskedImage(mask, name, um_per_px=size)
