"""Masks that other programs wrote, taken over as a person's edits: one gesture a slide.

Responsible for which file belongs to which slide, for what does not fit, and for never touching a
slide that a person decided about. Does not know how a format looks (:mod:`hubseg.formats`).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from hubseg.failure import one_sentence
from hubseg.formats.finding import formats_of, images_in, recognised, suffix_of
from hubseg.tools.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.formats.annotated import AnnotatedImage
    from hubseg.outcome import Outcome
    from hubseg.session import ReviewSession

_IMAGES = (".tif", ".tiff", ".svs", ".ndpi", ".png", ".jpg", ".jpeg", ".bmp", ".webp")

__all__ = ["ImportPlan", "import_masks", "mask_for", "plan_import", "slide_of"]


class Sized(Protocol):
    """What an import has to know of a slide."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def height(self) -> int:
        """Its height, px."""

    @property
    def width(self) -> int:
        """Its width, px."""


@dataclass(frozen=True, slots=True)
class _Mask:
    """A mask that may be taken over: where it stands, and what reads it."""

    path: Path
    read: Callable[[], AnnotatedImage]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Which masks belong to which slides; nothing was read or done yet.

    Attributes
    ----------
    matched
        Id of a slide → its mask.
    unmatched
        Name of a file, or an id in a table → why it belongs to no slide.
    """

    matched: Mapping[str, _Mask]
    unmatched: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, Path]:
        """Return the file of each slide's mask."""
        return {slide_id: mask.path for slide_id, mask in self.matched.items()}


def plan_import(path: Path | str, slides: Sequence[Sized]) -> ImportPlan:
    """Find the masks of slides in a file or folder.

    Parameters
    ----------
    path
        A folder of files called as the slides are, one such file, or one file of several images:
        any format of :mod:`hubseg.formats.registry` that is read.
    slides
        Of the project. Letters' case and Unicode form make no difference.

    Raises
    ------
    ValueError
        When there is no such file, or the table is none.
    OSError
        When `path` cannot be read.
    """
    path = Path(path)
    single = suffix_of(path) or not path.is_dir()
    files = [path] if single else sorted(path.iterdir())
    matched: dict[str, _Mask] = {}
    unmatched: dict[str, str] = {}
    ids = [slide.id for slide in slides]
    for name, mask in _masks(files, unmatched):
        slide_id = _id_of(name, ids)
        if slide_id is None:
            unmatched[name] = "no slide of the project, or more than one, is called so."
        elif slide_id in matched:
            unmatched[mask.path.name] = f"{matched[slide_id].path.name} is of the same slide."
        else:
            matched[slide_id] = mask
    if not matched and not unmatched:
        raise ValueError(
            f"{path} holds no mask: give files called as the slides are, or one file of several "
            "images, of a format that hubseg import --help lists."
        )
    return ImportPlan(matched, unmatched)


def import_masks(
    session: ReviewSession,
    plan: ImportPlan,
    outcome: Outcome,
    *,
    fit: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make each mask its slide's: every pixel becomes a person's edit, in one gesture.

    A slide that somebody accepted, corrected or rejected is left out, as is a mask that does not
    fit; one undo takes a gesture back.

    Parameters
    ----------
    session
        Open for writing.
    plan
        What :func:`plan_import` found.
    outcome
        Takes what was done, left out and noticed.
    fit
        Enlarge or shrink rasters of the slide's shape and another size.
    on_progress
        Called with slides done and slides in all.
    """
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    try:
        for number, (slide_id, mask) in enumerate(plan.matched.items(), 1):
            trouble.clear()
            with outcome.attempt(slide_id):
                _import(session, slide_id, mask, outcome, fit, trouble)
            if on_progress is not None:
                on_progress(number, len(plan.matched))
    finally:
        session.failed.disconnect(trouble.append)


def mask_for(path: Path, slide: Sized) -> tuple[Change, tuple[str, ...]]:
    """Read a file's mask for one slide, whatever the file is called.

    Returns
    -------
    tuple
        The change that makes every pixel a person's edit, and what was noticed, one sentence each.

    Raises
    ------
    ValueError
        When the file holds no mask, none of this slide, or one that does not fit.
    OSError
        When it cannot be read.
    """
    wrong: dict[str, str] = {}
    masks = _masks([path], wrong)
    if wrong:
        raise ValueError(*wrong.values())
    own = [mask for name, mask in masks if _plain(name) == _plain(slide.id)]
    if not own and len(masks) == 1 and not any(one.several for one in formats_of(path)[:1]):
        own = [mask for _, mask in masks]
    if not own:
        named = f", only of {', '.join(name for name, _ in masks[:3])}" if masks else ""
        raise ValueError(
            f"{path} holds no mask of slide {slide.id}{named}: export it from this image."
        )
    return _edit(own[0], slide, fit=False)


def slide_of(path: Path, ids: Sequence[str]) -> str | None:
    """Return the id that a mask's file is called as, or None."""
    suffix = suffix_of(path)
    return _id_of(path.name[: -len(suffix)], ids) if suffix else None


def _edit(mask: _Mask, slide: Sized, *, fit: bool) -> tuple[Change, tuple[str, ...]]:
    image = mask.read()
    inside, notes = _inside(image, mask.path.name, slide, fit)
    if not inside.any():
        notes = (*notes, f"{mask.path.name} holds no object for it: its mask is empty.")
    return Change.whole(f"import of {mask.path.name}"[:100], inside), notes


def _import(
    session: ReviewSession,
    slide_id: str,
    mask: _Mask,
    outcome: Outcome,
    fit: bool,
    trouble: list[str],
) -> None:
    verdict = session.verdict(slide_id)
    if not verdict.needs_person:
        raise ValueError(
            f"It is {verdict.value}, and what a person decided stays: open it again in the dock."
        )
    slide = session.current if session.go_to(slide_id) else None
    if slide is None:
        raise ValueError(trouble[-1] if trouble else f"Slide {slide_id} cannot be opened.")
    change, notes = _edit(mask, slide, fit=fit)
    for note in notes:
        outcome.note(slide_id, note)
    if session.put(change) is None:
        if trouble:
            raise ValueError(trouble[-1])
        outcome.note(slide_id, "It holds this mask already.")


def _id_of(name: str, ids: Sequence[str]) -> str | None:
    """Return the id that a name is, or the only one that it is but for case and Unicode form."""
    if name in ids:
        return name
    alike = [one for one in ids if _plain(one) == _plain(name)]
    return alike[0] if len(alike) == 1 else None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _masks(files: Sequence[Path], wrong: dict[str, str]) -> list[tuple[str, _Mask]]:
    """Return the masks of files, each by the name that a slide should have.

    A file that cannot be read goes into `wrong`, by its name, with the reason.
    """
    found: list[tuple[str, _Mask]] = []
    for file in files:
        try:
            found += _masks_of(file)
        except (OSError, ValueError) as exc:
            wrong[file.name] = one_sentence(exc)
    return found


def _masks_of(file: Path) -> list[tuple[str, _Mask]]:
    suffix = suffix_of(file)
    candidates = formats_of(file)
    if not suffix or not candidates:
        return []
    stem = file.name[: -len(suffix)]
    several = any(one.several for one in candidates)
    if candidates[0].content == "lines" and recognised(file) is None:
        return []  # some text that lies about
    if not several:
        return [(stem, _Mask(file, lambda: images_in(file)[1][0]))]
    form, images = images_in(file)
    if not form.several:
        return [(stem, _Mask(file, lambda: images_in(file)[1][0]))]
    return [(_stem(image.name) or stem, _Mask(file, _kept(image))) for image in images]


def _kept(image: AnnotatedImage) -> Callable[[], AnnotatedImage]:
    return lambda: image


def _stem(name: str) -> str:
    """Return the name of an image's file without its ending, that of an id as it is."""
    suffix = Path(name).suffix
    return name[: -len(suffix)] if suffix.casefold() in _IMAGES else name


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
    height, width = size
    factor = slide.width / width
    sizes = (
        f"It is annotated at {width} × {height} px, the slide has {slide.width} × {slide.height}"
    )
    if abs(height * factor - slide.height) >= max(1.0, factor):
        raise ValueError(f"{sizes}: it is of another image.")
    if not fit:
        raise ValueError(
            f"{sizes}: enlarged {factor:.4g} times it fits; hubseg import --fit does that."
        )
    drawn = image.mask(height, width).view(np.uint8)
    fitted = cv2.resize(drawn, (slide.width, slide.height), interpolation=cv2.INTER_NEAREST_EXACT)
    return fitted.view(np.bool_), f"{sizes}: enlarged {factor:.4g} times."
