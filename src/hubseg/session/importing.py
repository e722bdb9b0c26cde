"""Masks that other programs wrote, taken over as a person's edits: one gesture a slide.

Responsible for which file belongs to which slide, for what does not fit, and for never touching a
slide that a person decided about. Does not know how a format looks (:mod:`hubseg.formats`).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.edits.gesture import ADD, ERASE
from hubseg.failure import one_sentence
from hubseg.formats.coco import CocoImage, is_coco, read_coco
from hubseg.formats.geojson import read_geojson
from hubseg.formats.json_text import parsed
from hubseg.formats.raster import read_mask
from hubseg.formats.rle import decode
from hubseg.formats.table import read_submission
from hubseg.tools.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.outcome import Outcome
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide

__all__ = ["ImportPlan", "import_masks", "mask_for", "plan_import"]

_OUTLINES = (".geojson", ".json", ".geojson.gz", ".json.gz")
_JSON = (".json", ".json.gz")
_RASTERS = (".png", ".tif", ".tiff")
_TABLES = (".csv",)


@dataclass(frozen=True, slots=True)
class _Mask:
    """A mask that may be taken over: where it stands, and how it is read for a slide."""

    path: Path
    read: Callable[[Slide, bool], tuple[NDArray[np.bool_], tuple[str, ...]]]


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


def plan_import(path: Path | str, slides: Sequence[Slide]) -> ImportPlan:
    """Find the masks of slides in a file or folder.

    Parameters
    ----------
    path
        A folder of files called as the slides are, one such file, or a table with ``id`` and
        ``rle``. Files are GeoJSON (also gzipped), or PNG and TIFF whose pixels are not 0 inside.
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
    files = sorted(path.iterdir()) if path.is_dir() else [path]
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
            f"{path} holds no mask: give GeoJSON, PNG or TIFF files called as the slides are, or a "
            "table with the columns id and rle."
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


def mask_for(path: Path, slide: Slide) -> tuple[Change, tuple[str, ...]]:
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
    if not own and path.suffix.casefold() not in _TABLES:
        own = [mask for _, mask in masks]
    if not own:
        raise ValueError(
            f"{path} holds no mask of slide {slide.id}: give GeoJSON, PNG, TIFF, or a table with "
            "its id and rle."
        )
    return _edit(own[0], slide, fit=False)


def _edit(mask: _Mask, slide: Slide, *, fit: bool) -> tuple[Change, tuple[str, ...]]:
    inside, notes = mask.read(slide, fit)
    if not inside.any():
        notes = (*notes, f"{mask.path.name} holds no object for it: its mask is empty.")
    values = np.where(inside, np.uint8(ADD), np.uint8(ERASE))
    return Change(f"import of {mask.path.name}"[:100], 0, 0, values), notes


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
    lower = file.name.casefold()
    if lower.endswith(_JSON) and is_coco(parsed(file)):
        return [
            (image.name.rpartition(".")[0] or image.name, _Mask(file, _annotated(image)))
            for image in read_coco(file)
        ]
    if lower.endswith(_TABLES):
        rows = read_submission(file).items()
        return [(name, _Mask(file, _row(text))) for name, text in rows]
    for endings, read in ((_OUTLINES, _outlines), (_RASTERS, _raster)):
        for ending in endings:
            if lower.endswith(ending):
                return [(file.name[: -len(ending)], _Mask(file, read(file)))]
    return []


def _outlines(
    path: Path,
) -> Callable[[Slide, bool], tuple[NDArray[np.bool_], tuple[str, ...]]]:
    def read(slide: Slide, fit: bool) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        found = read_geojson(path)
        polygons = [polygon for one in found.objects for polygon in one.polygons]
        inside = found.mask(slide.height, slide.width)
        size = np.array((slide.width, slide.height))
        outside = sum(
            bool((polygon.exterior < 0).any() or (polygon.exterior > size).any())
            for polygon in polygons
        )
        if found.left_out and not polygons:
            raise ValueError(f"{path.name} holds points or lines only, no area: draw outlines.")
        if polygons and not inside.any():
            raise ValueError(
                f"No object of {path.name} lies on the slide of {slide.width} × {slide.height} px: "
                "export it from this image, in px of its full size."
            )
        notes = [*found.notes]
        if outside:
            notes.append(f"{outside} outlines reach beyond the slide: cut at its border.")
        if found.left_out:
            counted = ", ".join(f"{count} {what}" for what, count in found.left_out.items())
            notes.append(f"Not taken, being no area: {counted}.")
        return inside, tuple(notes)

    return read


def _annotated(
    image: CocoImage,
) -> Callable[[Slide, bool], tuple[NDArray[np.bool_], tuple[str, ...]]]:
    def read(slide: Slide, fit: bool) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        if image.notes and not image.objects:
            raise ValueError(f"None of its annotations can be read. {image.notes[0]}")
        return image.mask(slide.height, slide.width), image.notes

    return read


def _raster(
    path: Path,
) -> Callable[[Slide, bool], tuple[NDArray[np.bool_], tuple[str, ...]]]:
    def read(slide: Slide, fit: bool) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        inside = read_mask(path)
        height, width = inside.shape
        if (height, width) == (slide.height, slide.width):
            return inside, ()
        factor = slide.width / width
        sizes = f"{path.name} has {width} × {height} px, the slide {slide.width} × {slide.height}"
        if abs(height * factor - slide.height) >= max(1.0, factor):
            raise ValueError(f"{sizes}: it is of another image.")
        if not fit:
            raise ValueError(
                f"{sizes}: enlarged {factor:.4g} times it fits; hubseg import --fit does that."
            )
        size = slide.width, slide.height
        fitted = cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        return fitted.view(np.bool_), (f"{sizes}: enlarged {factor:.4g} times.",)

    return read


def _row(text: str) -> Callable[[Slide, bool], tuple[NDArray[np.bool_], tuple[str, ...]]]:
    def read(slide: Slide, fit: bool) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        return decode(text, (slide.height, slide.width)), ()

    return read
