"""Where the layers of a slide lie in napari's world, and how large their pixels are.

Responsible for units, scale and translation that lay an array over a slide, or over the region of
it that is worked on. Does not know layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubseg.slide import Slide

__all__ = ["Placement", "is_so"]


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a slide or of a region of one; the world is the whole slide's.

    Attributes
    ----------
    shape
        (height, width) of what is worked on, px.
    um_per_px
        µm/px at level 0; None shows pixels.
    stretch
        Height of a pixel divided by its width; `um_per_px` is their geometric mean.
    origin
        Row and column where a region begins on its slide, px.
    is_region
        Whether it is a region of a slide that is seen around it.
    """

    shape: tuple[int, int] = (1, 1)
    um_per_px: float | None = None
    stretch: float = 1.0
    origin: tuple[int, int] = (0, 0)
    is_region: bool = False

    @classmethod
    def of(cls, slide: Slide) -> Placement:
        """Return the place of a slide."""
        region = slide.region
        known = (slide.height, slide.width), slide.um_per_px, slide.stretch
        return cls(*known) if region is None else cls(*known, region[:2], is_region=True)

    @property
    def steps(self) -> tuple[float, float]:
        """Height and width of a pixel in the world."""
        root = math.sqrt(self.stretch)
        return (
            (1.0, 1.0) if self.um_per_px is None else (self.um_per_px * root, self.um_per_px / root)
        )

    def lay(self, size: tuple[int, int], *, around: bool = False) -> dict[str, Any]:
        """Return what lays an array over the place: napari's ``units``, ``scale``, ``translate``.

        Parameters
        ----------
        size
            (height, width) of the array; one of few pixels is enlarged.
        around
            It is the whole slide, of which the place may be a region.
        """
        shape, origin = (size, (0, 0)) if around else (self.shape, self.origin)
        scale = [
            step * whole / part if whole != part else step
            for step, whole, part in zip(self.steps, shape, size, strict=True)
        ]
        unit = "pixel" if self.um_per_px is None else "µm"
        return {
            "units": (unit, unit),
            "scale": tuple(scale),
            # napari puts the centre of the first pixel at 0, whatever the pixel's size
            "translate": tuple(
                at * step + (own - step) / 2
                for at, own, step in zip(origin, scale, self.steps, strict=True)
            ),
        }

    def lay_coarse(self, step: tuple[float, float]) -> dict[str, Any]:
        """Return what lays an array of `step` px a value over the whole slide, as :meth:`lay`."""
        scale = [own * many for own, many in zip(self.steps, step, strict=True)]
        unit = "pixel" if self.um_per_px is None else "µm"
        return {
            "units": (unit, unit),
            "scale": tuple(scale),
            "translate": tuple((s - own) / 2 for s, own in zip(scale, self.steps, strict=True)),
        }


def is_so(now: Any, wanted: tuple[Any, ...]) -> bool:
    """Whether a layer's units, scale or translation already are what is wanted."""
    if isinstance(wanted[0], str):
        long = {"µm": "micrometer"}
        return [str(unit) for unit in now] == [long.get(unit, unit) for unit in wanted]
    return [float(value) for value in now] == list(wanted)
