"""The slides of a project: where their files are, what is known about them, are they the same.

Responsible for image paths that survive a move of the folder, and for noticing a file that is not
the one that was worked on. Does not know the journal: what a person told about a slide is there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

from hubseg.journal.rows import Kind
from hubseg.organ import DataSource, Organ
from hubseg.project.adding import Added, Found, Known, Match, match_slides
from hubseg.project.files import SlideFiles, stored
from hubseg.slide import Slide, read_slide
from hubseg.slide.content import file_stamp
from hubseg.slide.kinds import is_there
from hubseg.slide.regions import divided as divided_among

if TYPE_CHECKING:
    from hubseg.project.database import Database
    from hubseg.slide import SlideTable

__all__ = ["SlideRows", "check_ids"]

_SELECT: Final = (
    "SELECT id, path, height, width, organ, source, um_per_px, origins, levels FROM slides"
)

_ABOUT: Final = "about"  # beside the origins of facts: what is known of the file itself


def check_ids(table: SlideTable) -> None:
    """Refuse ids that could not be the name of a file.

    Raises
    ------
    ValueError
        When an id is empty, is "." or "..", or holds a path separator or a control sign.
    """
    for slide in table.slides:
        _check_id(slide.id)


def _check_id(id: str) -> None:
    bad = not id or id in (".", "..") or any(c in '/\\:\0"' or ord(c) < 32 for c in id)
    if bad or len(id) > 200:
        raise ValueError(
            f"The slide id {id[:40]!r} cannot name a file: use letters, digits, - and _."
        )


class SlideRows:
    """The slides of one database.

    Attributes
    ----------
    missing
        id → one sentence, of each slide that cannot be shown.
    """

    def __init__(self, database: Database) -> None:
        self.missing: dict[str, str] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._database = database
        self._root = database.folder.parent

    def add(self, table: SlideTable) -> Added:
        """Add or renew slides (:meth:`hubseg.project.ReviewProject.add`)."""
        check_ids(table)
        found = match_slides(table, self._known())
        with self._database.transaction() as db:
            for one in found:
                truth = table.truth.get(one.slide.id)
                if one.known is None:
                    db.execute(
                        "INSERT INTO slides (id, path, height, width, levels, organ, source,"
                        " um_per_px, origins, truth) VALUES (?,?,?,?,?,?,?,?,?,?)",
                        (
                            *(one.id, stored(one.slide.path, self._root), *_layout(one.slide)),
                            *(*_facts(one.slide), truth),
                        ),
                    )
                    continue
                db.execute(
                    "UPDATE slides SET organ=?, source=?, um_per_px=?, origins=?,"
                    " truth=COALESCE(?, truth) WHERE id=?",
                    (*_facts(self._with_known_facts(one)), truth, one.id),
                )
                if one.match is Match.MOVED:
                    path = stored(one.slide.path, self._root)
                    db.execute("UPDATE slides SET path=? WHERE id=?", (path, one.id))
                if one.may_renew:
                    db.execute(
                        "UPDATE slides SET height=?, width=?, levels=? WHERE id=?",
                        (*_layout(one.slide), one.id),
                    )
        self.missing.update(table.missing)
        return Added.of(found)

    def _known(self) -> list[Known]:
        """Return the slides as they can be known again."""
        judged = {row[0] for row in self._database.query("SELECT DISTINCT slide_id FROM journal")}
        runs: dict[str, set[str]] = {}
        query = "SELECT DISTINCT slide_id, slide_digest FROM runs"
        for slide_id, digest in self._database.query(query):
            runs.setdefault(slide_id, set()).add(digest)
        query = "SELECT id FROM slides WHERE truth IS NOT NULL"
        truths = {row[0] for row in self._database.query(query)}
        return [
            Known(
                file,
                judged=file.id in judged,
                contents=frozenset(runs.get(file.id, ())),
                has_truth=file.id in truths,
            )
            for file in SlideFiles(self._database).all()
        ]

    def _with_known_facts(self, one: Found) -> Slide:
        """Return a slide with what is known of it and its table does not say."""
        known = self._slide(*self._database.query(f"{_SELECT} WHERE id=?", (one.id,))[0])
        kept = {
            name: getattr(known, name)
            for name in ("organ", "source", "um_per_px")
            if getattr(one.slide, name) is None
            and name not in one.slide.unread
            and known.origins.get(name) not in ("TIFF tags", "metadata")
        }
        unread = {**known.unread, **one.slide.unread}
        unread = {n: text for n, text in unread.items() if getattr(one.slide, n) is None}
        origins = {**one.slide.origins, **{name: known.origins[name] for name in kept}}
        if "um_per_px" in kept:
            kept["stretch"] = known.stretch
        return replace(one.slide, **kept, origins=origins, unread=unread)

    def slides(self, *, divided: bool = False, overviews: bool = False) -> tuple[Slide, ...]:
        """Return the slides whose file is there; note the others in `missing`.

        A slide that is worked on in regions is among them only where something was done with the
        whole before, or `divided` ones are asked for too; one that is another one at low
        resolution, where `overviews` are asked for.
        """
        slides = []
        for row in self._database.query(f"{_SELECT} ORDER BY number"):
            slide = self._slide(*row)
            if is_there(slide.path):
                self.missing.pop(slide.id, None)
                slides.append(slide)
            else:
                there = row[1] if PureWindowsPath(row[1]).drive else slide.path
                self.missing[slide.id] = (
                    f"The file of slide {slide.id} is not at {there}: put it back, or say "
                    "where it is now (Find files…, or hubseg find)."
                )
        if not overviews:
            slides = [slide for slide in slides if not slide.is_overview]
        return tuple(slides) if divided else self._undivided(slides)

    def _undivided(self, slides: list[Slide]) -> tuple[Slide, ...]:
        wholes = divided_among(slides)
        if wholes:
            query = "SELECT DISTINCT slide_id FROM journal WHERE kind <> ?"
            wholes -= {row[0] for row in self._database.query(query, (Kind.FACTS,))}
        return tuple(slide for slide in slides if slide.id not in wholes)

    def _slide(self, id: str, path: str, height: int, width: int, *facts: Any) -> Slide:
        organ, source, um_per_px, origins, levels = facts
        try:
            _check_id(id)
            return Slide(
                id=id,
                path=self._root / path,
                height=int(height),
                width=int(width),
                organ=Organ.parse(organ) if organ else None,
                source=DataSource.parse(source) if source else None,
                um_per_px=None if um_per_px is None else float(um_per_px),
                levels=tuple((int(h), int(w)) for h, w in json.loads(levels)),
                **_told_facts(json.loads(origins)),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Slide {id!r} of {self._database.folder} is damaged ({error}): take the project "
                "from a copy."
            ) from error

    def truth(self, slide_id: str) -> str | None:
        """Return the run-length text of the true mask; None when it is not known."""
        rows = self._database.query("SELECT truth FROM slides WHERE id=?", (slide_id,))
        return rows[0][0] if rows else None

    def record_truth(self, slide_id: str, text: str | None) -> None:
        """Keep a true mask in place of what was known (:class:`hubseg.project.ReviewProject`)."""
        with self._database.transaction() as db:
            db.execute("UPDATE slides SET truth=? WHERE id=?", (text, slide_id))

    def digest(self, slide: Slide) -> str:
        """Return the content digest of a slide's file, from the record when it still holds.

        Raises
        ------
        OSError
            When the file cannot be read.
        """
        size, mtime, digest = self._record(slide)
        try:
            holds = (size, mtime) == file_stamp(slide.path)
        except OSError:  # it is gone: what is known of it is what was recorded
            holds = digest is not None
        return digest if digest is not None and holds else slide.digest

    def check_file(self, slide: Slide) -> tuple[Slide, bool]:
        """Compare a slide's file with the record (:meth:`hubseg.project.ReviewProject`)."""
        size, mtime, digest = self._record(slide)
        stamp = file_stamp(slide.path)
        replaced = self._seen.setdefault(slide.id, stamp) != stamp
        self._seen[slide.id] = stamp
        if stamp == (size, mtime) and not replaced:
            return slide, True
        found = read_slide(slide.path, id=slide.id, part=slide.part)
        if digest is None:
            same = size is None and found.levels == slide.levels
        else:
            same = stamp[0] == size and found.digest == digest
            if same and stamp != (size, mtime) and not self._database.read_only:
                self._write(slide, (*stamp, digest))
        if same and not replaced:
            return slide, True
        # What the old object remembers of the file (digest, layout) may not hold any more.
        facts = ("organ", "source", "um_per_px", "origins", "stretch", "unread")
        known = {name: getattr(slide, name) for name in facts}
        return replace(found, **known), same

    def record_file(self, slide: Slide) -> None:
        """Record that the work on `slide` belongs to its file as it is now.

        Raises
        ------
        OSError
            When the file cannot be read or the project cannot be written.
        """
        size, mtime, digest = self._record(slide)
        try:
            stamp = file_stamp(slide.path)
        except OSError:
            seen = self._seen.get(slide.id)
            if size is None and seen is not None:  # it went away unread: it is known by its date
                self._write(slide, (*seen, None))
                return
            raise
        if digest is None or (size, mtime) != stamp:
            self._write(slide, (*stamp, slide.digest))

    def is_as_opened(self, slide: Slide) -> bool:
        """Whether a slide's file is the one seen last (:meth:`ReviewProject.is_as_opened`)."""
        size, _, digest = self._record(slide)
        try:
            stamp = file_stamp(slide.path)
            if self._seen.get(slide.id, stamp) == stamp:
                return True
            same = digest is not None and stamp[0] == size and slide.digest == digest
        except OSError:
            return True  # it is gone: what is done belongs to what was seen
        if same:
            self._seen[slide.id] = stamp
        return same

    def _record(self, slide: Slide) -> tuple[int | None, int | None, str | None]:
        query = "SELECT size, mtime, digest FROM slides WHERE id=?"
        rows = self._database.query(query, (slide.id,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else (None, None, None)

    def _write(self, slide: Slide, record: tuple[int, int, str | None]) -> None:
        with self._database.transaction() as db:
            db.execute(
                "UPDATE slides SET size=?, mtime=?, digest=?, height=?, width=?, levels=?"
                " WHERE id=?",
                (*record, slide.height, slide.width, json.dumps(slide.levels), slide.id),
            )


def _facts(slide: Slide) -> tuple[object, ...]:
    """Return what is known of a slide as columns: organ, source, um_per_px, origins."""
    return (
        slide.organ and slide.organ.value,
        slide.source and slide.source.value,
        slide.um_per_px,
        json.dumps({**slide.origins, **_kept(slide)}),
    )


def _kept(slide: Slide) -> dict[str, object]:
    """Return what else is known of a slide's file, as it stands beside the origins."""
    about = {
        "part": slide.part,
        "stretch": slide.stretch,
        "values": slide.values,
        "notes": dict(slide.notes),
        "unread": dict(slide.unread),
    }
    plain = {"part": "", "stretch": 1.0, "values": None, "notes": {}, "unread": {}}
    about = {name: value for name, value in about.items() if value != plain[name]}
    return {_ABOUT: about} if about else {}


def _told_facts(origins: dict[str, Any]) -> dict[str, Any]:
    """Return a slide's fields that the column ``origins`` holds."""
    about = origins.pop(_ABOUT, {})
    values = about.get("values")
    return {
        "origins": {str(key): str(value) for key, value in origins.items()},
        "part": str(about.get("part", "")),
        "stretch": float(about.get("stretch", 1.0)),
        "values": None if values is None else (float(values[0]), float(values[1])),
        "notes": {str(key): str(note) for key, note in about.get("notes", {}).items()},
        "unread": {str(key): str(name) for key, name in about.get("unread", {}).items()},
    }


def _layout(slide: Slide) -> tuple[object, ...]:
    """Return how a slide's file is laid out as columns: height, width, levels."""
    return slide.height, slide.width, json.dumps(slide.levels)
