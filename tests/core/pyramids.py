"""Slides with levels, as scanners write them, and projects that work on them in regions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from hubseg.project import ReviewProject
from hubseg.project.splitting import split_slide
from hubseg.session import ReviewSession
from hubseg.slide import SlideTable


def stained(shape: tuple[int, int], tissue: tuple[slice, slice]) -> NDArray[np.uint8]:
    """Return the pixels of a white slide, uint8 (H, W, 3), with purple noise where tissue is."""
    pixels = np.full((*shape, 3), 245, np.uint8)
    noise = np.random.default_rng(3).integers(0, 160, pixels[tissue].shape, np.uint8)
    pixels[tissue] = noise
    pixels[..., 1] = np.minimum(pixels[..., 1], pixels[..., 0])
    return pixels


def write_pyramid(
    path: Path, pixels: NDArray[np.uint8], factors: Iterable[float], *, tile: int = 64
) -> Path:
    """Write a slide of 0.5 µm/px and a smaller level for each factor; return its path."""
    height, width = pixels.shape[:2]
    sizes = [(round(width / factor), round(height / factor)) for factor in factors]
    more: dict[str, Any] = {"tile": (tile, tile), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path) as tif:
        tif.write(pixels, subifds=len(sizes), resolution=(20000, 20000), resolutionunit=3, **more)
        for size in sizes:
            small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            tif.write(small, subfiletype=1, **more)
    return path


def accepted_regions(path: Path, folder: Path, name: str, side: int, left: int) -> Path:
    """Write a project of a folder: a slide in regions and ``plain``, a stroke in each, accepted."""
    ReviewProject.create(path, SlideTable.open(folder)).close()
    with ReviewProject.open(path) as opened:
        regions = split_slide(opened, name, side).new
    session = ReviewSession(author="a")
    session.open(path)
    for one in ("plain", *regions):
        session.go_to(one)
        session.tell(organ="kidney", source="Hubmap")
        session.paint(np.ones((33, 47), np.bool_), top=20, left=left, add=True)
        session.accept()
    session.close()
    return path
