"""Masks that other programs wrote, taken over: as edits, as what a slide starts from, or as truth.

Responsible for what does not fit, and for never touching a slide that a person decided about. Does
not know which file belongs to which slide (:mod:`hubseg.export.matching`), or how a format looks
(:mod:`hubseg.formats`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.formats.rle import encode
from hubseg.tools.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.export.matching import ImportPlan, OneMask, Sized
    from hubseg.formats.annotated import AnnotatedImage
    from hubseg.journal.imported import Role
    from hubseg.journal.verdict import Verdict
    from hubseg.outcome import Outcome
    from hubseg.session import ReviewSession

__all__ = ["decided_already", "factor_of", "import_masks", "mask_of", "take_over"]


def import_masks(
    session: ReviewSession,
    plan: ImportPlan,
    outcome: Outcome,
    *,
    role: Role = "edits",
    fit: bool = False,
    only: str = "",
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Take each mask over on its slide.

    A slide that somebody accepted, corrected or rejected keeps its mask and is left out, unless it
    is about a truth; so is a mask that does not fit. One undo takes edits, or a mask, back.

    Parameters
    ----------
    session
        Open for writing.
    plan
        What :func:`hubseg.export.matching.plan_import` found.
    outcome
        Takes what was done, left out and noticed.
    role
        What the masks are taken over as (:data:`hubseg.journal.imported.ROLES`).
    fit
        Enlarge or shrink rasters of the slide's shape and another size.
    only
        Take the objects of this class alone, by its name or number in the file; "" takes all. A
        class that is called as a structure of the slide is, is taken over onto that structure.
    on_progress
        Called with slides done and slides in all.

    Raises
    ------
    ValueError
        When no mask has an object of the class.
    """
    if only and not any(_has(mask, only) for mask in plan.matched.values()):
        raise ValueError(f"No mask has objects of {only}: name a class of the file.")
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    try:
        for number, (slide_id, mask) in enumerate(plan.matched.items(), 1):
            trouble.clear()
            with outcome.attempt(slide_id):
                _import(session, slide_id, mask, outcome, role, fit, only, trouble)
            if on_progress is not None:
                on_progress(number, len(plan.matched))
    finally:
        session.failed.disconnect(trouble.append)


def mask_of(
    mask: OneMask, slide: Sized, *, fit: bool = False, only: str = ""
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Read a mask for its slide.

    Parameters
    ----------
    fit, only
        As in :func:`import_masks`.

    Returns
    -------
    tuple
        The mask, bool (H, W) of the slide, and what was noticed, one sentence each.

    Raises
    ------
    ValueError
        When it does not fit the slide, or nothing of it can be read.
    OSError
        When it cannot be read.
    """
    image = mask.read()
    classes = () if only else image.classes
    inside, notes = _inside(image.of_class(only), mask.path.name, slide, fit)
    if len(classes) > 1:
        notes = (*notes, f"Its classes {', '.join(classes)} are taken together, as one mask.")
    if not inside.any():
        notes = (*notes, f"{mask.path.name} holds no object for it: its mask is empty.")
    return inside, notes


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


def take_over(
    session: ReviewSession,
    slide_id: str,
    inside: NDArray[np.bool_],
    name: str,
    role: Role,
    only: str = "",
) -> bool:
    """Take a mask of a slide over, which for edits and masks is the one on screen.

    Parameters
    ----------
    inside
        bool (H, W) of the slide.
    name
        What its file is called.
    only
        Its class, where one was chosen: a structure of that name is the one it goes onto.

    Returns
    -------
    bool
        False when nothing changed, or nothing may be changed (the session says why).

    Raises
    ------
    ValueError
        When a truth holds no object: that would be no truth.
    OSError
        When a truth cannot be written.
    """
    known = session.vocabulary.structure(only) if only else None
    if role == "truth" and known is not None and known.name in session.structures[1:]:
        raise ValueError(
            f"A truth is kept of {session.structures[0]} alone: compare {known.name} by "
            f"hubseg evaluate --truth FILE --structure {known.name}."
        )
    if role != "truth" and known is not None and known.name in session.structures:
        session.choose(known.name)
    if role == "edits":
        return session.put(Change.whole(f"import of {name}"[:100], inside)) is not None
    if role == "mask":
        return session.start_from(inside, name)
    if not inside.any():
        raise ValueError(f"{name} holds no object: an empty truth is taken for none.")
    return session.keep_truth(slide_id, encode(inside))


def _has(mask: OneMask, only: str) -> bool:
    with suppress(OSError, ValueError):  # said where it is taken over
        return bool(mask.read().of_class(only).objects)
    return False


def _import(
    session: ReviewSession,
    slide_id: str,
    mask: OneMask,
    outcome: Outcome,
    role: Role,
    fit: bool,
    only: str,
    trouble: list[str],
) -> None:
    why_not = decided_already(session.verdict(slide_id), role)
    if why_not:
        raise ValueError(why_not)
    slide = session.current if session.go_to(slide_id) else None
    if slide is None:
        raise ValueError(trouble[-1] if trouble else f"Slide {slide_id} cannot be opened.")
    inside, notes = mask_of(mask, slide, fit=fit, only=only)
    for note in notes:
        outcome.note(slide_id, note)
    if not take_over(session, slide_id, inside, mask.path.name, role, only):
        if trouble:
            raise ValueError(trouble[-1])
        outcome.note(slide_id, "It holds this mask already.")


def decided_already(verdict: Verdict, role: Role) -> str:
    """Return why a slide of this verdict is left as it is, or ""."""
    if role == "truth" or verdict.needs_person:
        return ""
    return f"It is {verdict.value}, and what a person decided stays: open it again in the dock."


def _inside(
    image: AnnotatedImage, name: str, slide: Sized, fit: bool
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return an image's mask at a slide's size, and what was noticed."""
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
    if outside:
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
