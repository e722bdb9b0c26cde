"""A slide as one resolution of a recipe sees it: resized, padded, normalised, by window.

Responsible for the preprocessing of the published recipe and of ours. Does not know networks,
views or tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hubseg.inference.resample import Resampled
from hubseg.recipe import MULTIPLE
from hubseg.slide.pixel_size import PLAUSIBLE_UM
from hubseg.slide.stain import Stains, in_stains, stain_transfer, stains_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hubseg.recipe import Normalize, Recipe, Resolution
    from hubseg.slide import Slide
    from hubseg.slide.readable import ReadableSlide

__all__ = [
    "LARGEST",
    "InputImage",
    "input_size",
    "normalise",
    "normaliser",
    "resize_pixels",
    "see",
    "transfer_to",
]

_MOST_ENLARGED = 4.0  # as of a resolution's scale; beyond, a small slide only
LARGEST = 1 << 27  # px: a slide larger than this is never held in memory at once (384 MiB)


_Window = Callable[[int, int, int, int], "NDArray[np.uint8]"]


@dataclass(frozen=True, slots=True)
class InputImage:
    """A slide as a network sees it.

    Attributes
    ----------
    valid
        Height and width of the part that shows the slide, px; the rest is padding by reflection.
    padded
        Height and width with padding, multiples of 32.
    scale
        Slide px per input px, vertical and horizontal.
    """

    valid: tuple[int, int]
    padded: tuple[int, int]
    scale: tuple[float, float]
    _read: _Window
    _normalise: Callable[[NDArray[np.uint8], torch.device | None], Tensor]

    def tensor(
        self,
        top: int = 0,
        left: int = 0,
        height: int = 0,
        width: int = 0,
        *,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return a window, float32 (1, 3, height, width), normalised; the whole by default."""
        rows = _reflected(top, height or self.padded[0], self.valid[0])
        columns = _reflected(left, width or self.padded[1], self.valid[1])
        first, origin = int(rows.min()), int(columns.min())
        pixels = self._read(
            first, origin, int(rows.max()) + 1 - first, int(columns.max()) + 1 - origin
        )
        if pixels.shape[:2] != (len(rows), len(columns)):
            pixels = pixels[np.ix_(rows - first, columns - origin)]
        return self._normalise(pixels, device)[None]


def see(
    pixels: NDArray[np.uint8] | Slide,
    recipe: Recipe,
    resolution: Resolution,
    um_per_px: float | None = None,
    *,
    at_least: int = 0,
) -> InputImage:
    """Prepare a slide for one resolution of a recipe.

    Parameters
    ----------
    pixels
        RGB uint8 (H, W, 3); or a slide, which is then read by window.
    um_per_px
        The slide's pixel size, µm/px, where it is known.
    at_least
        Side in px to which a smaller slide is padded, for networks made for one size.

    Raises
    ------
    ValueError
        When the resolution is in µm/px and the slide's pixel size is not known.
    """
    known = pixels.shape[:2] if isinstance(pixels, np.ndarray) else (pixels.height, pixels.width)
    height, width = input_size(resolution, known[0], known[1], um_per_px)
    if isinstance(pixels, np.ndarray):
        read = _windows_of(resize_pixels(pixels, resolution, um_per_px))
    else:
        shrinks = resolution.size is None and height < known[0]
        read = Resampled(pixels, height, width, shrinks).read
    return InputImage(
        valid=(height, width),
        padded=(max(at_least, _rounded_up(height)), max(at_least, _rounded_up(width))),
        scale=(known[0] / height, known[1] / width),
        _read=read,
        _normalise=normaliser(recipe, pixels),
    )


def normaliser(
    recipe: Recipe, pixels: NDArray[np.uint8] | Slide | ReadableSlide
) -> Callable[[NDArray[np.uint8], torch.device | None], Tensor]:
    """Return what makes a network's input of parts of a slide, RGB uint8 (h, w, 3).

    Where a recipe says so, the slide is shown in the stains that its networks know, if
    :func:`transfer_to` knows how; else as it is.

    Parameters
    ----------
    pixels
        Of the whole slide, RGB uint8 (H, W, 3), or the slide.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    given = recipe.normalize, recipe.channel_order
    transfer = transfer_to(recipe, pixels)
    if transfer is None:
        return lambda seen, device: normalise(seen, *given, device)
    return lambda seen, device: normalise(in_stains(seen, transfer), *given, device)


def transfer_to(
    recipe: Recipe, pixels: NDArray[np.uint8] | Slide | ReadableSlide
) -> NDArray[np.float32] | None:
    """Return what shows a slide in the stains that a recipe's networks know, float32 (3, 3).

    None where the recipe leaves slides as they are, and for a slide without tissue or with two dyes
    that cannot be told apart.

    Raises
    ------
    OSError, ValueError
        When the slide's file cannot be read.
    """
    own = stains_of(pixels) if recipe.aligns else None
    if own is None or recipe.stain is None or not own.told_apart:
        return None
    known = Stains(np.asarray(recipe.stain.vectors), np.asarray(recipe.stain.strength))
    return stain_transfer(own.beside(known), known)


def input_size(
    resolution: Resolution, height: int, width: int, um_per_px: float | None
) -> tuple[int, int]:
    """Return the height and width, in px, to which a slide is resized.

    ``size`` squeezes to a square; ``scale`` and ``um_per_px`` keep the aspect ratio and give even
    numbers, because networks answer at half resolution.

    Raises
    ------
    ValueError
        When the resolution is in µm/px and the slide's pixel size is not known, or cannot be.
    """
    known = None if resolution.um_per_px is None else _checked(um_per_px)
    rows, columns = resolution.input_shape(height, width, known)
    factor = 1.0 if known is None else known / (resolution.um_per_px or 1.0)
    if factor > _MOST_ENLARGED and rows * columns > LARGEST:
        raise ValueError(
            f"At {um_per_px:g} µm/px the slide would be enlarged {factor:.0f} times, to {rows} x "
            f"{columns} px: correct its pixel size, or take a recipe of coarser resolution."
        )
    return rows, columns


def _checked(um_per_px: float | None) -> float:
    """Return a slide's pixel size where it can be one.

    Raises
    ------
    ValueError
        When it is not known or no slide has it.
    """
    if um_per_px is None:
        raise ValueError(
            "The recipe runs at a fixed µm/px but the slide's pixel size is not known: enter it "
            "beside the slide's organ."
        )
    least, most = PLAUSIBLE_UM
    if not least <= um_per_px <= most:
        raise ValueError(
            f"A pixel size of {um_per_px:g} µm/px is none of a slide's ({least:g} to {most:g}): "
            "correct it beside the slide's organ or in its table."
        )
    return um_per_px


def resize_pixels(
    pixels: NDArray[np.uint8], resolution: Resolution, um_per_px: float | None = None
) -> NDArray[np.uint8]:
    """Resize RGB pixels uint8 (H, W, 3) as `resolution` asks.

    ``size`` uses bilinear sampling as published; the others average areas when they shrink.
    """
    height, width = input_size(resolution, pixels.shape[0], pixels.shape[1], um_per_px)
    shrinks = resolution.size is None and height < pixels.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)


def normalise(
    pixels: NDArray[np.uint8],
    normalize: Normalize,
    channel_order: str,
    device: torch.device | None = None,
) -> Tensor:
    """Turn RGB pixels uint8 (h, w, 3) into a network's input float32 (3, h, w).

    Parameters
    ----------
    device
        Where it is wanted. On a GPU it is made there, to the same bits, from a quarter of the
        bytes.
    """
    if device is not None and device.type == "cuda":
        return _normalised_there(pixels, normalize, channel_order, device)
    ordered = pixels[..., ::-1] if channel_order == "bgr" else pixels
    channels = np.ascontiguousarray(ordered.transpose(2, 0, 1), np.float32)
    return torch.from_numpy(
        channels / np.float32(normalize.divide) - np.float32(normalize.subtract)
    )


def _normalised_there(
    pixels: NDArray[np.uint8], normalize: Normalize, channel_order: str, device: torch.device
) -> Tensor:
    """Do what :func:`normalise` does, with operations of the device."""
    raw = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).to(device)
    channels = (raw.flip(-1) if channel_order == "bgr" else raw).permute(2, 0, 1).float()
    # of a tensor: by a plain number CUDA multiplies with the rounded reciprocal instead
    divisor = torch.tensor(normalize.divide, dtype=torch.float32, device=device)
    return channels.div_(divisor).sub_(normalize.subtract).contiguous()


def _windows_of(resized: NDArray[np.uint8]) -> _Window:
    return lambda top, left, rows, columns: resized[top : top + rows, left : left + columns]


def _rounded_up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def _reflected(first: int, count: int, length: int) -> NDArray[np.int64]:
    """Return the px shown at positions that may lie beyond the end: mirrored, edge px once."""
    period = max(1, 2 * (length - 1))
    position = np.arange(first, first + count) % period
    return np.where(position < length, position, period - position)
