"""A slide whose file is not the one that was worked on: what is known, and a person's decision.

Responsible for asking, and for edits, verdict and note that go to other pixels only when a person
has seen both and says so. Does not know how the two are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hubseg.journal.accepted import accepted_facts
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from hubseg.journal.verdict import Verdict
    from hubseg.project.files import Recorded
    from hubseg.session.review import Review
    from hubseg.session.slides import Slides
    from hubseg.slide import Slide

__all__ = ["ChangedFile", "Files"]


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The file that was worked on, and the one that is in its place.

    Attributes
    ----------
    before
        The file that was worked on, as recorded.
    now
        The slide as its file is now.
    gestures, verdict
        What was done, and decided.
    author, at
        By whom last, and when (UTC).
    """

    before: Recorded
    now: Slide
    gestures: int
    verdict: Verdict
    author: str
    at: datetime | None

    @property
    def fits(self) -> bool:
        """Whether both are of the same size: otherwise edits cannot be kept."""
        return self.before.shape == (self.now.height, self.now.width)


class Files:
    """Decide about a changed file; take files that were moved.

    Parameters
    ----------
    review
        What is on screen.
    slides
        Show it again afterwards.
    """

    def __init__(self, review: Review, slides: Slides) -> None:
        self._review, self._slides = review, slides
        self._failed = review.signals.failed

    @property
    def changed_file(self) -> ChangedFile | None:
        """What a person is asked about the current slide; None when its file is the right one."""
        here, project = self._review.current, self._review.open_project
        if here is None or not self._review.refusal or self._review.unopened:
            return None
        state = SlideState.read(project(), here.id)
        own = [row for row in state.rows if row.slide_id == here.id]
        last = own[-1] if own else None
        return ChangedFile(
            before=project().files.of(here.id),
            now=here,
            gestures=len(state.gestures),
            verdict=state.verdict,
            author="" if last is None else last.author,
            at=None if last is None else last.at,
        )

    def keep_edits(self) -> None:
        """Say that the file shows the same tissue: all that was done goes on with it.

        Only where both files are of the same size; else `failed` says why.
        """
        changed = self.changed_file
        if changed is not None and not changed.fits:
            height, width = changed.before.shape
            self._failed.emit(
                f"The edits are of {height} × {width} px and the file is {changed.now.height} × "
                f"{changed.now.width} px: put the old file back, or set the edits aside."
            )
        elif changed is not None:
            self._decide(changed, "kept", "edits kept for another file")

    def set_edits_aside(self) -> None:
        """Say that the file shows other tissue: what was done stays in the journal, unused."""
        changed = self.changed_file
        if changed is not None:
            self._decide(changed, "set aside", "edits set aside for another file")

    def _decide(self, changed: ChangedFile, edits: str, label: str) -> None:
        review, project = self._review, self._review.open_project()
        if project.read_only:
            self._failed.emit(project.why_read_only)
            return
        slide = changed.now
        try:
            after = slide.digest
        except OSError as error:  # it went away while the person was asked
            self._failed.emit(str(error))
            return
        payload = {"before": changed.before.digest, "after": after, "edits": edits}
        # the row first: without it, a record of the new file would show the edits on it
        project.append(Kind.FILE, payload, slide_id=slide.id, label=label)
        if project.unsaved:
            review.report()
            return
        self._accept_for(slide)
        review.record_file()
        self._slides.show_again(slide.id)
        review.catalogue.know(slide.id, SlideState(review.history.done))
        review.report()

    def _accept_for(self, slide: Slide) -> None:
        """Let a mask that was accepted on the file before stand for this one, if a verdict does."""
        project = self._review.open_project()
        stands = SlideState.read(project, slide.id).stands
        if stands is not None and stands.masks:
            kept = (replace(one, slide_digest=slide.digest) for one in stands.masks)
            project.append(
                Kind.MASK,
                accepted_facts(kept),
                slide_id=slide.id,
                label="accepted mask kept for another file",
                target=stands.row.seq,
            )

    def moved(self, files: Mapping[str, Path]) -> None:
        """Take files from where they are now, id → path, and show every slide that is there.

        Raises
        ------
        ValueError, OSError
            When one cannot be opened or the project cannot be written.
        """
        project = self._review.open_project()
        project.files.move(files)
        self._slides.open(project.path)
