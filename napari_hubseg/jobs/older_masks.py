"""Masks of verdicts that an older version gave: kept in the background when a project is opened.

Responsible for deriving them one after another, as the journal says they stood. What cannot be
derived any more stays as it is, and is said where the slide leaves. Does not know any panel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.project.older_masks import older_mask
from napari_hubseg.jobs.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.project import ReviewProject
    from hubseg.project.older_masks import OlderMask
    from hubseg.session import ReviewSession

__all__ = ["OlderMasks"]


class OlderMasks:
    """Keeps what older versions did not."""

    told = Signal(str)  # one sentence

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._background = Background(threads=1)  # the window's own threads stay free
        self._opened = 0
        self._background.listen((session.slides_changed, self._begin))

    def _begin(self) -> None:
        self._opened += 1
        project = self._session.project
        if project is not None and not project.read_only:
            self._go_on(project.reader(), self._session.catalogue.unkept, 0)

    def _go_on(self, reader: Callable[[], ReviewProject], ids: tuple[str, ...], kept: int) -> None:
        """Keep the masks of some slides, one after another."""
        if not ids:
            if kept:
                self.told.emit(
                    f"Kept the mask of {kept} slide{'s' if kept > 1 else ''} that an older version "
                    "had accepted."
                )
            return
        opened = self._opened

        def read() -> OlderMask | None:
            with reader() as project:
                slide = next((slide for slide in project.slides() if slide.id == ids[0]), None)
                return None if slide is None else older_mask(project, slide)

        def take(found: OlderMask | None) -> None:
            if opened == self._opened:
                self._session.keep_older(found)
                self._go_on(reader, ids[1:], kept + (found is not None))

        self._background.submit(read, take, lambda _: take(None))

    def close(self) -> None:
        """Stop, and wait for what is being derived."""
        self._background.close()
