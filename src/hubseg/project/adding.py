"""Which slide of a project a file is: one it has, one whose file was moved, or another one.

Responsible for telling that by place, content and name, in this order, and for saying what was
found. A name alone never gives a file the work on another one. Does not write anything.
"""

from __future__ import annotations

import filecmp
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from hubseg.slide.content import digest_of, file_stamp
from hubseg.slide.ids import distinct_id, same_text
from hubseg.slide.kinds import is_there

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hubseg.project.files import Recorded
    from hubseg.slide import Slide, SlideTable

__all__ = ["Added", "Found", "Known", "Match", "match_slides"]


class Match(StrEnum):
    """How a file was found to be a slide of the project."""

    NEW = "new"
    SAME = "same"  # the file that the slide has
    COPY = "copy"  # the same content in another place; the slide's own file is there as before
    MOVED = "moved"  # the slide's file was there before


@dataclass(frozen=True, slots=True)
class Known:
    """A slide that the project has.

    Attributes
    ----------
    file
        Where its file is, and what was recorded of it.
    judged
        Whether the journal has a row of it.
    contents
        Digests of the files that it was run on.
    has_truth
        Whether its true mask is known.
    """

    file: Recorded
    judged: bool
    contents: frozenset[str]
    has_truth: bool

    @property
    def digests(self) -> frozenset[str]:
        """Contents that it is known by: the one that work belongs to, else those it was run on."""
        return frozenset({self.file.digest}) if self.file.digest else self.contents

    @property
    def used(self) -> bool:
        """Whether anything belongs to its file: work, a run."""
        return bool(self.judged or self.contents or self.file.digest)


@dataclass(frozen=True, slots=True)
class Found:
    """What a slide of a table is in the project.

    Attributes
    ----------
    slide
        As the table has it.
    id
        What the project calls it.
    match
        How it was found.
    known
        The slide that it is; None when it is new.
    """

    slide: Slide
    id: str
    match: Match
    known: Known | None = None

    @property
    def may_renew(self) -> bool:
        """Whether the project may take the file's size and layout: nobody judged another one."""
        return self.known is not None and self.match is not Match.COPY and not self.known.judged


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a table's slides to a project did.

    Attributes
    ----------
    ids
        What the table calls a slide → what the project calls it.
    new
        The project's ids that it did not have.
    moved
        The project's ids whose file is taken from another place now.
    notes
        The project's id → one sentence: another id than the table's, another place, or a copy.
    summary
        The notes for a person, where many say the same only the first with their number.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    summary: tuple[str, ...] = ()

    @classmethod
    def as_named(cls, table: SlideTable) -> Added:
        """Return that every slide is new and is called what its table calls it."""
        ids = tuple(slide.id for slide in table.slides)
        return cls(ids=dict(zip(ids, ids, strict=True)), new=ids)

    @classmethod
    def of(cls, found: Sequence[Found]) -> Added:
        """Return what is to be told of what was found."""
        notes = {one.id: note for one in found if (note := _note(one))}
        kinds = [(one.match, one.id == one.slide.id) for one in found if one.id in notes]
        more = Counter(kinds)
        first = dict(reversed(list(zip(kinds, notes.values(), strict=True))))
        return cls(
            ids={one.slide.id: one.id for one in found},
            new=tuple(one.id for one in found if one.match is Match.NEW),
            moved=tuple(one.id for one in found if one.match is Match.MOVED),
            notes=notes,
            summary=tuple(
                said if more[kind] == 1 else f"{said} The same holds for {more[kind] - 1} more."
                for kind, said in first.items()
            ),
        )


def _note(one: Found) -> str:
    path, told = one.slide.path, one.slide.id
    called = "" if one.id == told else f", and {told!r} of the table is {one.id!r} here"
    match one.match:
        case Match.NEW if one.id != told:
            return f"{path} is another slide than {told!r}, which was there before: it is {one.id}."
        case Match.SAME if one.id != told:
            return f"{path} is slide {one.id} already: what {told!r} says goes to it."
        case Match.COPY:
            place = one.known.file.path if one.known is not None else path
            return f"{path} is a copy of {place}, which is used as before{called}."
        case Match.MOVED:
            return f"The file of slide {one.id} was moved: it is taken from {path} now{called}."
    return ""


def match_slides(table: SlideTable, known: Collection[Known]) -> list[Found]:
    """Return what each slide of a table is in a project, in the table's order.

    A slide's own place comes first, then its content, then, for slides that nothing was done with,
    the name of a file that is not there any more. Every known slide is found once. Reads whole
    files where sizes or names make them candidates.

    Parameters
    ----------
    known
        The slides that the project has.
    """
    search = _Search(known)
    found: dict[str, Found] = {}
    for match, candidates in search.rules(table):
        for slide in table.slides:
            if slide.id not in found and (one := search.first(candidates(slide))) is not None:
                found[slide.id] = Found(slide, one.file.id, match, one)
    taken = {one.file.id: one.file.path for one in known}
    wanted = {slide.id: slide.path for slide in table.slides}
    names = set(map(same_text, taken))
    for slide in table.slides:
        if slide.id not in found:
            others = wanted | taken if same_text(slide.id) in names else {}
            own_id = distinct_id(slide.id, slide.path, others)
            found[slide.id] = Found(slide, own_id, Match.NEW)
            taken[own_id] = slide.path
            names.add(same_text(own_id))
    return [found[slide.id] for slide in table.slides]


class _Search:
    """The slides of a project that were not found yet, by what they can be known by."""

    def __init__(self, known: Collection[Known]) -> None:
        self._left = {one.file.id for one in known}
        self._there: dict[str, bool] = {}
        self._places: dict[tuple[Path, str], list[Known]] = defaultdict(list)
        self._ids: dict[str, list[Known]] = defaultdict(list)
        self._names: dict[str, list[Known]] = defaultdict(list)
        for one in known:
            self._places[one.file.path, one.file.part].append(one)
            self._ids[same_text(one.file.id)].append(one)
            self._names[same_text(one.file.name)].append(one)
        absent = [one for one in known if one.digests and not self._is_there(one)]
        self._absent = {digest: one for one in reversed(absent) for digest in one.digests}
        self._sizes = {one.file.size for one in absent}

    def rules(
        self, table: SlideTable
    ) -> tuple[tuple[Match, Callable[[Slide], Iterable[Known]]], ...]:
        """Return how a slide is found, the surest first."""
        return (
            (Match.SAME, lambda slide: [k for k in self._at(slide) if k.file.id == slide.id]),
            (Match.SAME, self._at),
            (Match.SAME, lambda slide: filter(partial(_is_link, slide), self._called(slide))),
            (Match.COPY, lambda slide: filter(partial(_is_copy, slide), self._called(slide))),
            (Match.MOVED, self._with_content),
            (Match.MOVED, lambda slide: self._unused(slide, slide.id in table.truth)),
        )

    def first(self, candidates: Iterable[Known]) -> Known | None:
        """Return the first that was not found yet; it is found then."""
        one = next((k for k in candidates if k.file.id in self._left), None)
        if one is not None:
            self._left.remove(one.file.id)
        return one

    def _is_there(self, one: Known) -> bool:
        if one.file.id not in self._there:
            self._there[one.file.id] = is_there(one.file.path)
        return self._there[one.file.id]

    def _at(self, slide: Slide) -> list[Known]:
        return self._places.get((slide.path, slide.part), [])

    def _called(self, slide: Slide) -> list[Known]:
        """Return the slides of its id, then those whose file has its name."""
        named = self._names.get(same_text(slide.path.name), [])
        called = [*self._ids.get(same_text(slide.id), []), *named]
        return [one for one in called if one.file.part == slide.part]

    def _with_content(self, slide: Slide) -> Iterator[Known]:
        """Yield slides that were worked on with this content and whose file is gone or replaced."""
        if _size(slide.path) in self._sizes or None in self._sizes:
            gone = self._absent.get(_digest(slide))
            if gone is not None:
                yield gone
        for one in self._ids.get(same_text(slide.id), []):
            if one.file.size in (None, _size(slide.path)) and _digest(slide) in one.digests:
                yield one

    def _unused(self, slide: Slide, has_truth: bool) -> Iterator[Known]:
        """Yield slides that nothing was done with, of this size and name, whose file is gone."""
        shape = slide.height, slide.width
        for one in self._called(slide):
            free = not one.used and (has_truth or not one.has_truth)
            if free and one.file.shape == shape and not self._is_there(one):
                yield one


def _size(path: Path) -> int | None:
    try:
        return file_stamp(path)[0]
    except OSError:
        return None


def _digest(slide: Slide) -> str:
    try:
        return slide.digest
    except OSError:  # it went away since its header was read: it has no content to be known by
        return ""


def _is_link(slide: Slide, one: Known) -> bool:
    try:
        return slide.path.samefile(one.file.path)
    except OSError:
        return False


def _is_copy(slide: Slide, one: Known) -> bool:
    try:
        if slide.path.is_dir():
            return one.file.path.is_dir() and slide.digest == digest_of(one.file.path, slide.part)
        return filecmp.cmp(slide.path, one.file.path, shallow=False)
    except OSError:
        return False
