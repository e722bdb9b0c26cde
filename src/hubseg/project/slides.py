"""The slides of a project: where their files are, what is known about them, are they the same.

Responsible for image paths that survive a move of the folder, and for noticing a file that is not
the one that was worked on. Does not know the journal: what a person told about a slide is there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hubseg.organ import DataSource, Organ
from hubseg.project.files import stored
from hubseg.slide import Slide, read_slide

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.project.database import Database
    from hubseg.slide import SlideTable

__all__ = ["SlideRows", "check_ids"]


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

    def add(self, table: SlideTable) -> tuple[str, ...]:
        """Add or renew slides (:meth:`hubseg.project.ReviewProject.add`)."""
        check_ids(table)
        known = {row[0] for row in self._database.query("SELECT id FROM slides")}
        with self._database.transaction() as db:
            for slide in table.slides:
                facts = (*self._facts(slide), table.truth.get(slide.id), slide.id)
                if slide.id in known:
                    db.execute(
                        "UPDATE slides SET path=?, organ=?, source=?, um_per_px=?, origins=?,"
                        " truth=COALESCE(?, truth) WHERE id=?",
                        facts,
                    )
                else:
                    db.execute(
                        "INSERT INTO slides (path, organ, source, um_per_px, origins, truth, id,"
                        " height, width, levels) VALUES (?,?,?,?,?,?,?,?,?,?)",
                        (*facts, slide.height, slide.width, json.dumps(slide.levels)),
                    )
        self.missing.update(table.missing)
        return tuple(slide.id for slide in table.slides if slide.id not in known)

    def _facts(self, slide: Slide) -> tuple[object, ...]:
        return (
            stored(slide.path, self._root),
            slide.organ and slide.organ.value,
            slide.source and slide.source.value,
            slide.um_per_px,
            json.dumps(dict(slide.origins)),
        )

    def slides(self) -> tuple[Slide, ...]:
        """Return the slides whose file is there; note the others in `missing`."""
        slides = []
        for row in self._database.query(
            "SELECT id, path, height, width, organ, source, um_per_px, origins, levels"
            " FROM slides ORDER BY number"
        ):
            slide = self._slide(*row)
            if slide.path.is_file():
                self.missing.pop(slide.id, None)
                slides.append(slide)
            else:
                self.missing[slide.id] = (
                    f"The file of slide {slide.id} is not at {slide.path}: put it back, or say "
                    "where it is now (Find files…, or hubseg find)."
                )
        return tuple(slides)

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
                origins={str(key): str(value) for key, value in json.loads(origins).items()},
                levels=tuple((int(h), int(w)) for h, w in json.loads(levels)),
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

    def digest(self, slide: Slide) -> str:
        """Return the content digest of a slide's file, from the record when it still holds.

        Raises
        ------
        OSError
            When the file cannot be read.
        """
        size, mtime, digest = self._record(slide)
        if digest is not None and (size, mtime) == _stamp(slide.path):
            return digest
        return slide.digest

    def check_file(self, slide: Slide) -> tuple[Slide, bool]:
        """Compare a slide's file with the record (:meth:`hubseg.project.ReviewProject`)."""
        size, mtime, digest = self._record(slide)
        stamp = _stamp(slide.path)
        replaced = self._seen.setdefault(slide.id, stamp) != stamp
        self._seen[slide.id] = stamp
        if stamp == (size, mtime) and not replaced:
            return slide, True
        found = read_slide(slide.path, id=slide.id)
        if digest is None:
            same = found.levels == slide.levels
        else:
            same = stamp[0] == size and found.digest == digest
            if same and stamp != (size, mtime) and not self._database.read_only:
                self._write(slide, (*stamp, digest))
        if same and not replaced:
            return slide, True
        # What the old object remembers of the file (digest, layout) may not hold any more.
        known = {name: getattr(slide, name) for name in ("organ", "source", "um_per_px", "origins")}
        return replace(found, **known), same

    def record_file(self, slide: Slide) -> None:
        """Record that the work on `slide` belongs to its file as it is now.

        Raises
        ------
        OSError
            When the file cannot be read or the project cannot be written.
        """
        size, mtime, digest = self._record(slide)
        stamp = _stamp(slide.path)
        if digest is None or (size, mtime) != stamp:
            self._write(slide, (*stamp, slide.digest))

    def _record(self, slide: Slide) -> tuple[int | None, int | None, str | None]:
        query = "SELECT size, mtime, digest FROM slides WHERE id=?"
        rows = self._database.query(query, (slide.id,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else (None, None, None)

    def _write(self, slide: Slide, record: tuple[int, int, str]) -> None:
        with self._database.transaction() as db:
            db.execute(
                "UPDATE slides SET size=?, mtime=?, digest=?, height=?, width=?, levels=?"
                " WHERE id=?",
                (*record, slide.height, slide.width, json.dumps(slide.levels), slide.id),
            )


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
