"""A large tiled TIFF of tissue, written tile by tile: for `benchmarks/peaks.py`.

The bundled real slide, repeated: JPEG tiles, as scanners write them; with coarser levels or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import tifffile

from hubseg.recipe.bundled import sample_folder
from hubseg.slide import read_slide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SMALL = sample_folder() / "train_images" / "kidney_real.tiff"
TILE, EACH = 512, 5  # px of a tile, and tiles of the part that is repeated, in a row
FINER = 4  # times as long is a level as the next


def write_slide(path: Path, side: int, levels: int = 1) -> None:
    """Write a slide of `side` × `side` px and as many levels."""
    part = read_slide(SMALL).read((0, 0, TILE * EACH, TILE * EACH))
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for level in range(levels):
            by = FINER**level
            small = cv2.resize(part, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA)
            tile, long = TILE // by, -(-side // by)
            how: dict[str, Any] = {"subifds": levels - 1} if level == 0 else {"subfiletype": 1}
            tif.write(
                _tiles(small, tile, long),
                shape=(long, long, 3),
                dtype="uint8",
                tile=(tile, tile),
                photometric="ycbcr",
                compression="jpeg",
                compressionargs={"level": 85},
                resolution=(20_000 / by, 20_000 / by),  # 0.5 µm/px
                resolutionunit="CENTIMETER",
                **how,
            )


def _tiles(part: NDArray[np.uint8], tile: int, long: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level, row by row."""
    count = -(-long // tile)
    for row in range(count):
        for column in range(count):
            top, left = row % EACH * tile, column % EACH * tile
            yield part[top : top + tile, left : left + tile]
