"""What becomes of a table's rows: slides with their facts, truth, and what is to be said of them.

Responsible for what the cells of a row mean, for ids that tell slides apart, and for one sentence
on each row that was not understood. Does not know where rows or images come from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hubseg.failure import printable
from hubseg.organ import BUILT_IN, DataSource, Organ
from hubseg.slide.ids import distinct_id, nameable, same_text
from hubseg.slide.image import Slide, read_slide
from hubseg.slide.kinds import stem_of
from hubseg.slide.matching import readable
from hubseg.slide.pixel_size import PLAUSIBLE_UM
from hubseg.slide.words import with_unread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hubseg.organ.vocabulary import Kind

BLANK = {"", "nan", "none", "null", "na", "n/a"}
"""What programs write for an empty cell, in small letters."""

_LONGEST = 48  # characters of a cell


class OpenedRows:
    """Slides, truth, missing and notes as rows are opened one by one."""

    def __init__(self, train: bool) -> None:
        self.slides: dict[str, Slide] = {}
        self.truth: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.notes: dict[str, list[str]] = {}
        self.donors: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._train = train

    def add(self, row: Mapping[str, str], path: Path) -> str:
        """Open a row's image; return the slide's id."""
        given = readable(row["id"])
        row = self._named_apart({**row, "id": nameable(given)}, path)
        slide_id = row["id"]
        if slide_id in self._files:
            self.note_twice(slide_id)
            return slide_id
        if slide_id == nameable(given) != same_text(given):
            self._note(slide_id, f"{given!r} cannot name other files: it is called {slide_id}.")
        self._files[slide_id] = path
        organ, source, unread = self._words(row)
        um_per_px = self._parsed(row, "pixel_size", _parse_um)
        try:
            slide = read_slide(
                path,
                id=slide_id,
                organ=organ,
                source=source,
                um_per_px=um_per_px,
                part=row.get("part", ""),
            )
            _check_name(path)
        except (ValueError, OSError) as exc:
            self.missing[slide_id] = readable(str(exc))
            return slide_id
        self.slides[slide_id] = slide = with_unread(slide, unread)
        for sentence in slide.notes.values():
            self._note(slide_id, sentence)
        self._compare_size(row, slide)
        rle = row.get("rle")
        if rle and rle.lower() in BLANK:
            meaning = "an empty mask" if self._train else "no mask"
            self._note(slide_id, f"Its rle is {rle!r}, which is taken for {meaning}.")
            rle = ""
        if rle or (rle is not None and self._train):
            self.truth[slide_id] = rle
        if donor := row.get("donor") or row.get("group"):
            self.donors[slide_id] = donor
        return slide_id

    def _words(
        self, row: Mapping[str, str]
    ) -> tuple[Organ | None, DataSource | None, dict[Kind, str]]:
        """Return a row's organ and source, and the names that are no built-in words."""
        told: dict[Kind, str] = {}
        if (organ := self._parsed(row, "organ", Organ.parse)) is not None:
            told["organ"] = " ".join(row["organ"].split())
        if (source := self._parsed(row, "data_source", DataSource.parse)) is not None:
            told["source"] = " ".join(row["data_source"].split())
        organ, source = BUILT_IN.organ(organ or ""), BUILT_IN.source(source or "")
        unread = {kind: text for kind, text in told.items() if BUILT_IN.word(kind, text) is None}
        return organ, source, unread

    def note_twice(self, slide_id: str) -> None:
        """Note that a slide has several rows."""
        self._note(slide_id, f"Id {slide_id} stands in the table twice: the first row is used.")

    def note_all(self, name: str, sentences: Sequence[str]) -> None:
        """Note how the table of that name was read."""
        for sentence in sentences:
            self._note(name, sentence)

    def note_row(self, slide_id: str, named: str | None, path: Path, table: Path) -> None:
        """Note that an image has no row, or one whose id is written in another way."""
        if slide_id not in self.slides:
            return
        if named is None:
            self._note(slide_id, f"{table.name} has no row of {path.name}.")
        elif same_text(named) not in (same_text(slide_id), same_text(stem_of(path))):
            self._note(slide_id, f"Id {named!r} of {table.name} is taken for {path.name}.")

    def _named_apart(self, row: Mapping[str, str], path: Path) -> Mapping[str, str]:
        """Return a row whose id is its file's own: two files of one id are two slides."""
        wanted = row["id"]
        if self._files.get(wanted, path) == path:
            return row
        known = next((i for i, file in self._files.items() if file == path), None)
        own = distinct_id(wanted, path, self._files) if known is None else known
        if known is None:
            first = self._files[wanted]
            self._note(own, f"Id {wanted} names two files, {first} and {path}: this is {own}.")
        return {**row, "id": own}

    def _note(self, slide_id: str, sentence: str) -> None:
        self.notes.setdefault(slide_id, []).append(printable(sentence))

    def _parsed(self, row: Mapping[str, str], column: str, parse: Any) -> Any:
        text = _quoted(row.get(column, ""))
        if text.lower() in BLANK:
            return None
        try:
            return parse(text)
        except ValueError as exc:
            self._note(row["id"], str(exc))
            return None

    def _compare_size(self, row: Mapping[str, str], slide: Slide) -> None:
        told = row.get("img_height", ""), row.get("img_width", "")
        height, width = map(_quoted, told)
        if all(told) and tuple(map(number_in, told)) != (slide.height, slide.width):
            self._note(
                slide.id,
                f"The table says {height} x {width} px, {slide.path.name} has {slide.height} x "
                f"{slide.width}: its mask fits only if the table is of this image.",
            )


def _quoted(cell: str) -> str:
    """Return a cell as a sentence may quote it: no organ, source or number is this long."""
    return cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}…"


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"The name of {readable(str(path))} is no UTF-8, so that no project could keep it: "
            "rename it."
        ) from None


def number_in(text: str) -> float:
    """Return a cell's number, a decimal comma understood; NaN when it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def _parse_um(text: str) -> float:
    um_per_px = number_in(text)
    if not 0 < um_per_px < math.inf:
        raise ValueError(f"Pixel size {text!r} is no length: give µm per pixel, such as 0.5.")
    low, high = PLAUSIBLE_UM
    if not low <= um_per_px <= high:
        raise ValueError(
            f"Pixel size {text} of the table is outside {low:g}-{high:g} µm/px and is not used: "
            "enter it."
        )
    return um_per_px
