"""Which mask of which file belongs to which slide: by name, before anything is read into pixels.

Responsible for names that differ in case or Unicode form, and for files of several images. Does not
know what becomes of a mask.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hubseg.failure import one_sentence
from hubseg.formats.finding import formats_of, images_in, recognised, suffix_of
from hubseg.formats.regions import regions_by_slide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hubseg.formats.annotated import AnnotatedImage
    from hubseg.formats.regions import SlideRegions

__all__ = ["ImportPlan", "OneMask", "Sized", "plan_files", "plan_import"]

_IMAGES = (
    *(".tif", ".tiff", ".svs", ".ndpi", ".png", ".jpg", ".jpeg", ".bmp", ".webp"),
    *(".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".czi", ".dcm", ".zarr"),
)


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
class OneMask:
    """A mask that may be taken over.

    Attributes
    ----------
    path
        Where it stands.
    read
        What reads it.
    several
        Whether files of its kind hold masks of several images, each under its name.
    whole
        What the slide is called that the file is about, where this is what of it lies in a region.
    """

    path: Path
    read: Callable[[], AnnotatedImage]
    several: bool = False
    whole: str = ""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Which masks belong to which slides; nothing was done yet.

    Attributes
    ----------
    matched
        Id of a slide → its mask.
    unmatched
        Name of a file, or an id in a table → why it belongs to no slide.
    notes
        What a slide is called that is worked on in regions → what of its mask lies in none.
    """

    matched: Mapping[str, OneMask]
    unmatched: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, Path]:
        """Return the file of each slide's mask."""
        return {slide_id: mask.path for slide_id, mask in self.matched.items()}


def plan_import(path: Path | str, slides: Sequence[Sized]) -> ImportPlan:
    """Find the masks of slides in a file or folder.

    Parameters
    ----------
    path
        A folder of files called as the slides are, one such file, or one file of several images:
        any format of :mod:`hubseg.formats.registry` that is read. What is called as a slide that is
        worked on in regions is cut at their borders.
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
    plan = plan_files(files, slides)
    if not plan.matched and not plan.unmatched:
        raise ValueError(
            f"{path} holds no mask: give files called as the slides are, or one file of several "
            "images, of a format that hubseg import --help lists."
        )
    return plan


def plan_files(
    files: Sequence[Path], slides: Sequence[Sized], here: str | None = None
) -> ImportPlan:
    """Find the masks of slides in files.

    Parameters
    ----------
    files
        Of any format that is read; others are passed over.
    slides
        Of the project.
    here
        Id of the slide that one lonely mask is for, whatever its file is called, unless it is
        called as another slide is.
    """
    matched: dict[str, OneMask] = {}
    unmatched: dict[str, str] = {}
    notes: dict[str, str] = {}
    ids, wholes = [slide.id for slide in slides], regions_by_slide(slides)
    wholes = {name: regions for name, regions in wholes.items() if name not in ids}
    found = masks_in(files, unmatched)
    lonely = len(found) == 1 and not found[0][1].several
    for name, mask in found:
        slide_id = _id_of(name, [*ids, *wholes]) or (here if lonely else None)
        if slide_id in wholes:
            notes |= _spread(mask, slide_id, wholes[slide_id], matched, unmatched)
        elif slide_id is None:
            alike = sum(_plain(one) == _plain(name) for one in ids)
            unmatched[name] = f"{'Several slides are' if alike else 'No slide is'} called so."
        elif slide_id in matched:
            unmatched[mask.path.name] = f"{matched[slide_id].path.name} is of the same slide."
        else:
            matched[slide_id] = mask
    return ImportPlan(matched, unmatched, notes)


def _spread(
    mask: OneMask,
    whole: str,
    regions: SlideRegions,
    matched: dict[str, OneMask],
    unmatched: dict[str, str],
) -> dict[str, str]:
    """Give each region what of its slide's mask lies in it; return what lies in none, in words."""
    name = mask.path.name
    try:
        cut = regions.cut(mask.read())
    except (OSError, ValueError) as exc:
        unmatched[name] = one_sentence(exc)
        return {}
    taken = [number for number, members in enumerate(cut.members) if members]
    if not taken:
        unmatched[name] = cut.said
        return {}
    for number in taken:
        region = regions.ids[number]
        if region in matched:
            unmatched[name] = f"{matched[region].path.name} is of {region} too."
        else:
            matched[region] = OneMask(mask.path, partial(cut.within, number), whole=whole)
    return {whole: cut.said} if cut.said else {}


def _id_of(name: str, ids: Sequence[str]) -> str | None:
    """Return the id that a name is, or the only one that it is but for case and Unicode form."""
    if name in ids:
        return name
    alike = [one for one in ids if _plain(one) == _plain(name)]
    return alike[0] if len(alike) == 1 else None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def masks_in(files: Sequence[Path], wrong: dict[str, str]) -> list[tuple[str, OneMask]]:
    """Return the masks of files, each by the name that a slide should have.

    A file that cannot be read goes into `wrong`, by its name, with the reason.
    """
    found: list[tuple[str, OneMask]] = []
    for file in files:
        try:
            found += _masks_of(file)
        except (OSError, ValueError) as exc:
            wrong[file.name] = one_sentence(exc)
    return found


def _masks_of(file: Path) -> list[tuple[str, OneMask]]:
    suffix = suffix_of(file)
    candidates = formats_of(file)
    if not suffix or not candidates:
        return []
    stem = file.name[: -len(suffix)]
    several = any(one.several for one in candidates)
    if candidates[0].content == "lines" and recognised(file) is None:
        return []  # some text that lies about
    if not several:
        return [(stem, OneMask(file, lambda: images_in(file)[1][0]))]
    form, images = images_in(file)
    if not form.several:
        return [(stem, OneMask(file, lambda: images_in(file)[1][0]))]
    return [(_stem(image.name) or stem, OneMask(file, _kept(image), True)) for image in images]


def _kept(image: AnnotatedImage) -> Callable[[], AnnotatedImage]:
    return lambda: image


def _stem(name: str) -> str:
    """Return the name of an image's file without its ending, that of an id as it is."""
    suffix = Path(name).suffix
    if suffix.casefold() not in _IMAGES:
        return name
    stem = name[: -len(suffix)]
    return stem[:-4] if stem.casefold().endswith(".ome") else stem
