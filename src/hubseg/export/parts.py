"""A mask of another program in the pixels of its slide, as the parts that are taken over.

Responsible for what does not fit a slide, for masks of another size, and for what a person should
know of each. Does not know what becomes of it (:mod:`hubseg.export.importing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.export.matching import OneMask, Sized
    from hubseg.formats.annotated import AnnotatedImage
    from hubseg.journal.imported import Role

__all__ = ["Part", "factor_of", "parts_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What of a mask goes onto one structure of its slide.

    Attributes
    ----------
    name
        Its class in the file, where one was chosen or each goes its way; "" is all.
    inside
        bool (H, W) of the slide.
    notes
        What was noticed, one sentence each.
    """

    name: str
    inside: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def parts_of(
    mask: OneMask, slide: Sized, role: Role = "edits", *, fit: bool = False, only: str = ""
) -> tuple[Part, ...]:
    """Read a mask for its slide: as one part, or each class for itself where `role` is "labels".

    Parameters
    ----------
    role, fit, only
        As in :class:`hubseg.export.importing.How`.

    Raises
    ------
    ValueError
        When it does not fit the slide, or nothing of it can be read.
    OSError
        When it cannot be read.
    """
    image, name = mask.read(), mask.path.name
    each = (only,) if only or role != "labels" else image.classes
    if not each:
        raise ValueError(f"{name} names no classes: take it over as edits.")
    parts = []
    for one in each:
        inside, notes = _inside(image.of_class(one), name, slide, fit, cut=bool(mask.whole))
        if not one and len(image.classes) > 1:
            said = ", ".join(image.classes)
            notes = (*notes, f"Its classes {said} are taken together, as one mask.")
        if not inside.any():
            notes = (*notes, f"{name} holds no object for it: its mask is empty.")
        parts.append(Part(one, inside, notes))
    return tuple(parts)


def factor_of(size: tuple[int, int], slide: Sized) -> float:
    """Return by how much a mask of another size (height, width) is enlarged to lie on a slide.

    Raises
    ------
    ValueError
        When it is of another shape, and so of another image.
    """
    height, width = size
    factor = slide.width / width
    if abs(height * factor - slide.height) >= max(1.0, factor):
        raise ValueError(f"{_sizes(size, slide)}: it is of another image.")
    return factor


def _inside(
    image: AnnotatedImage, name: str, slide: Sized, fit: bool, *, cut: bool
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return an image's mask at a slide's size, and what was noticed; `cut`: of a region."""
    if image.notes and not image.objects:
        raise ValueError(f"None of its annotations can be read. {image.notes[0]}")
    if image.left_out and not image.objects:
        raise ValueError(f"{name} holds points or lines only, no area: draw outlines.")
    notes = list(image.notes)
    if image.size is None or image.size == (slide.height, slide.width):
        inside = image.mask(slide.height, slide.width)
    else:
        inside, said = _fitted(image, image.size, slide, fit)
        notes.append(said)
    outlines = image.polygons(slide.height, slide.width)
    if outlines and not inside.any():
        raise ValueError(
            f"No object of {name} lies on the slide of {slide.width} × {slide.height} px: "
            "export it from this image, in px of its full size."
        )
    height, width = image.size or (slide.height, slide.width)
    outside = sum(
        bool((one.exterior < 0).any() or (one.exterior > (width, height)).any()) for one in outlines
    )
    if outside and not cut:
        notes.append(f"{outside} outlines reach beyond the slide: cut at its border.")
    if image.left_out:
        counted = ", ".join(f"{count} {what}" for what, count in image.left_out.items())
        notes.append(f"Not taken, being no area: {counted}.")
    return inside, tuple(notes)


def _fitted(
    image: AnnotatedImage, size: tuple[int, int], slide: Sized, fit: bool
) -> tuple[NDArray[np.bool_], str]:
    """Return the mask of an image of another size, enlarged where that was asked for."""
    factor, sizes = factor_of(size, slide), _sizes(size, slide)
    if not fit:
        raise ValueError(
            f"{sizes}: enlarged {factor:.4g} times it fits; hubseg import --fit does that."
        )
    drawn = image.mask(*size).view(np.uint8)
    fitted = cv2.resize(drawn, (slide.width, slide.height), interpolation=cv2.INTER_NEAREST_EXACT)
    return fitted.view(np.bool_), f"{sizes}: enlarged {factor:.4g} times."


def _sizes(size: tuple[int, int], slide: Sized) -> str:
    height, width = size
    return f"It is annotated at {width} × {height} px, the slide has {slide.width} × {slide.height}"
