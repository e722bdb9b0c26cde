"""The true masks of a table, read without its images.

Responsible for which rows hold a mask and of what size they say it is. Does not decode masks: a
run-length text is carried as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from hubseg.slide.ids import same_text
from hubseg.slide.kinds import stem_of
from hubseg.slide.matching import Names
from hubseg.slide.opened import BLANK, number_in
from hubseg.slide.rows import read_table
from hubseg.slide.table import is_train, table_of_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hubseg.slide.image import Slide

__all__ = ["Truth", "read_truth"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a table says of masks.

    Attributes
    ----------
    masks
        id → run-length text; an empty text is a slide known to hold nothing.
    sizes
        id → (height, width) in px as the table says, where it does.
    twice
        Ids that stand in the table twice: the first row counts.
    notes
        id, or the table's name → what was not written as usual.
    folder
        Where the table lies; None where it is not known.
    """

    masks: Mapping[str, str]
    sizes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    twice: frozenset[str] = frozenset()
    notes: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def apart(self, slides: Iterable[Slide]) -> Truth:
        """Return the truth with each mask under the slide that the table means.

        Of several slides whose files bear the name that stands in the table, that is the one whose
        file lies below the table's folder; where there is none or more, the mask is left out.
        """
        named: dict[str, list[Slide]] = {}
        for slide in slides:
            own, stem = same_text(slide.id), same_text(stem_of(slide.path))
            for name in {own, stem} if stem in own else {own}:  # one that was told apart
                named.setdefault(name, []).append(slide)
        masks, sizes, notes = dict(self.masks), dict(self.sizes), dict(self.notes)
        for name in self.masks:
            called = named.get(name, [])
            if len(called) < 2:
                continue
            near = [s for s in called if self.folder and s.path.is_relative_to(self.folder)]
            mask, size = masks.pop(name), sizes.pop(name, None)
            if len(near) != 1:
                ids = ", ".join(slide.id for slide in called)
                notes[name] = f"Id {name!r} of the table may mean {ids}: its mask is left out."
                continue
            own = near[0].id
            masks[own] = mask
            if size is not None:
                sizes[own] = size
            if own != name:
                notes[own] = (
                    f"Id {name!r} of the table is taken for {own}, whose file is beside it."
                )
        return replace(self, masks=masks, sizes=sizes, notes=notes)

    def of(self, ids: Iterable[str], *, unlisted_empty: bool = False) -> Truth:
        """Return the truth under these slides' ids, where a program wrote them in another way.

        ``10044.tiff``, ``10044.0`` and lost zeros are understood as :class:`SlideTable` does.

        Parameters
        ----------
        ids
            The slides.
        unlisted_empty
            Those that the table does not name hold nothing: it lists positives only.
        """
        names, own = Names(self.masks), list(ids)
        found = {slide_id: names.find(slide_id, own) for slide_id in own}
        told = {slide_id: name for slide_id, name in found.items() if name is not None}
        return replace(
            self,
            masks={
                **self.masks,
                **(dict.fromkeys(own, "") if unlisted_empty else {}),
                **{slide_id: self.masks[name] for slide_id, name in told.items()},
            },
            sizes={
                **self.sizes,
                **{i: self.sizes[name] for i, name in told.items() if name in self.sizes},
            },
            twice=self.twice | {slide_id for slide_id, name in told.items() if name in self.twice},
            notes={
                **self.notes,
                **{
                    slide_id: f"Id {name!r} of the table is taken for {slide_id}."
                    for slide_id, name in told.items()
                    if same_text(name) != same_text(slide_id)
                },
            },
        )

    def notes_on(self, slides: Iterable[Slide]) -> Iterator[tuple[str, str]]:
        """Yield id and sentence of what a person should know before these slides are judged."""
        slides = list(slides)
        ids = {slide.id for slide in slides}
        yield from ((i, note) for i, note in self.notes.items() if i in ids or i not in self.masks)
        for slide in slides:
            if slide.id not in self.masks:
                continue
            if slide.id in self.twice:
                yield slide.id, f"Id {slide.id} stands in the table twice: the first row is used."
            told = self.sizes.get(slide.id)
            if told is not None and tuple(map(number_in, told)) != (slide.height, slide.width):
                yield (
                    slide.id,
                    f"The table says {told[0]} x {told[1]} px, {slide.path.name} has "
                    f"{slide.height} x {slide.width}: its mask fits only if the table is of this "
                    "image.",
                )


def read_truth(path: Path | str, number: int = 1, of: int = 1) -> Truth:
    """Read the true masks of a table, or of the table in or beside a folder of images.

    Parameters
    ----------
    path
        A CSV with the columns ``id`` and ``rle``, or ``ImageId_ClassId`` or ``ImageId`` and
        ``ClassId`` with ``EncodedPixels``; none of its images need be there.
    number, of
        Of a table with numbers of classes: which class is read, and how many there are.

    Raises
    ------
    ValueError
        When the table has no such columns, or a row is of a class that there is not.
    OSError
        When it does not exist or cannot be read.
    """
    path = Path(path).absolute()
    if path.is_dir():
        table = table_of_folder(path)
        if table is None:
            raise ValueError(f"Folder {path} has no train.csv: name a table with an rle column.")
        path = table
    read = read_table(path)
    rows = read.rows
    if rows and "encodedpixels" in rows[0]:
        return Truth(*_of_class(path, rows, number, of), folder=path.parent)
    if rows and not any("rle" in row for row in rows):
        raise ValueError(f"{path} has no column 'rle': name a table with the true masks.")
    empty_counts = is_train(path, rows)
    masks: dict[str, str] = {}
    sizes: dict[str, tuple[str, str]] = {}
    twice = set()
    for row in rows:
        slide_id, rle = same_text(row["id"]), row.get("rle", "")
        if rle.lower() in BLANK:
            rle = ""
        if slide_id in masks:
            twice.add(slide_id)
        elif slide_id and (rle or empty_counts):
            masks[slide_id] = rle
            told = row.get("img_height", ""), row.get("img_width", "")
            if all(told):
                sizes[slide_id] = told
    notes = {path.name: " ".join(read.notes)} if read.notes else {}
    return Truth(masks, sizes, frozenset(twice), notes, path.parent)


def _of_class(
    path: Path, rows: Sequence[Mapping[str, str]], number: int, of: int
) -> tuple[dict[str, str], dict[str, tuple[str, str]], frozenset[str]]:
    """Return the masks of one class of a table with numbers, by the image's name without ending.

    An image with a row of another class alone has nothing of this one.
    """
    masks: dict[str, str] = {}
    seen, twice = set[str](), set[str]()
    for row in rows:
        name, kind = row["id"], row.get("classid")
        if kind is None:
            name, _, kind = name.rpartition("_")
        if not kind.isdecimal() or not 1 <= int(kind) <= of:
            raise ValueError(
                f"{path} has a row of class {kind or '?'} for {name or row['id']}, and the "
                f"project's structures are numbered from 1 to {of}: correct the table, or run a "
                "network that marks it."
            )
        slide_id = same_text(PurePath(name).stem if PurePath(name).suffix else name)
        if int(kind) == number:
            twice |= {slide_id} & seen
            if slide_id not in seen:
                masks[slide_id] = row["encodedpixels"]
            seen.add(slide_id)
        masks.setdefault(slide_id, "")
    return masks, {}, frozenset(twice)
