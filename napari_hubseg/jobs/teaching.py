"""Strokes that teach the map: fitted in a thread once the hand rests, and mixed from then on.

Responsible for when heads are fitted, for whose features are asked of the networks, and for what is
said of both. Does not know the fit (:mod:`hubseg.project.teaching`), how features are computed
(:mod:`napari_hubseg.jobs.features`), the mix (:mod:`napari_hubseg.jobs.mixing`) or the panel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from hubseg.failure import one_sentence
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.project.teaching import Teacher
from napari_hubseg.jobs.latest import Latest
from napari_hubseg.jobs.taught_export import TaughtExport
from napari_hubseg.jobs.teaching_words import Learnt, sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubseg.journal.rows import Entry
    from hubseg.probability import Taught, TaughtScope
    from hubseg.project import ReviewProject
    from hubseg.project.teaching import Teaching
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.background import Background
    from napari_hubseg.jobs.features import Features
    from napari_hubseg.jobs.mixing import Mixing
    from napari_hubseg.jobs.slide_mix import MixedSlide

__all__ = ["TeachJob"]

_REST = 250  # ms without a stroke: the hand rests
_TEACHES = (Kind.GESTURE, Kind.VERDICT, Kind.IMPORTED, Kind.UNDO, Kind.REDO)


class TeachJob:
    """Teaches the networks of the slide on screen what a person corrects.

    Parameters
    ----------
    session
        Says what was drawn, and keeps what was taught.
    background
        Where heads are fitted.
    mixing
        Mixes by what was taught.
    features
        Have the networks look at slides.
    files
        Writes what was taught.

    Attributes
    ----------
    changed_share
        Share of the slide on screen, 0-1, that changed side of its threshold; None where nothing
        that was taught counts.
    """

    changed = Signal()
    failed = Signal(str)  # one sentence
    told = Signal(str)  # one sentence

    def __init__(
        self,
        session: ReviewSession,
        background: Background,
        mixing: Mixing,
        features: Features,
        files: TaughtExport | None = None,
    ) -> None:
        self._session, self._mixing, self._features = session, mixing, features
        self._files = files or TaughtExport()
        self._files.changed.connect(self.changed.emit)
        self._files.failed.connect(self.failed.emit)
        self._files.told.connect(self.told.emit)
        self._teacher = Teacher()
        self._learning = Latest(background, self._fail)
        self._sharing = Latest(background, self.failed.emit)
        self._due: dict[TaughtScope, None] = {}
        self._learnt: dict[TaughtScope, Learnt] = {}
        self._trouble = ""
        self._mixed: MixedSlide | None = None
        self.changed_share: float | None = None
        self._rest = background.timer(_REST, self._learn)
        background.listen(
            (session.recorded, self._note),
            (session.taught_changed, self._follow),
            (session.facts_changed, self._follow_facts),
            (session.slide_changed, self._arrive),
            (session.slides_changed, self._begin),
            (session.thresholds_changed, self._compare),
            (mixing.mixed, self._take_mix),
            (features.came, self._take_features),
            (features.ended, self._end_features),
        )

    # ---- the choice ----------------------------------------------------------------------------

    @property
    def scope(self) -> TaughtScope:
        """What teaching is about on the slide on screen."""
        return self._session.taught_scope(self._mixing.recipe, self._session.structure)

    @property
    def taught(self) -> Taught:
        """What was taught about slides like the one on screen."""
        return self._mixing.taught

    @property
    def on(self) -> bool:
        """Whether strokes teach maps like the one on screen."""
        return self.taught.on

    def toggle(self) -> None:
        """Teach, or no longer."""
        self.switch(not self.on)

    def switch(self, on: bool) -> None:
        """Let what strokes taught count, or not; off is off, to the bit."""
        if self._session.current is None:
            self.failed.emit("There is no slide to teach from: open slides first.")
        else:
            self._trouble = ""
            self._features.begin()
            self._set(self.taught.switched(on), f"teach {'on' if on else 'off'}")
            self.changed.emit()

    def weigh(self, weight: float) -> None:
        """Set how much of what was taught counts: over 0, and 1 at most."""
        try:
            self._set(self.taught.weighed(weight), f"weight of what was taught {weight:g}")
        except ValueError as error:
            self.failed.emit(one_sentence(error))

    def _set(self, taught: Taught, label: str) -> None:
        self._session.set_taught(self.scope, taught, label)

    def export(self, out: Path) -> None:
        """Write what was taught about maps like the one on screen as checkpoints."""
        project = self._session.project
        if project is None or not self.taught.heads:
            self.failed.emit("Nothing was taught about slides like this one yet: teach first.")
        else:
            self._files.start(project.path, self.scope, self._mixing.stock.folders, out)

    # ---- when ----------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether heads are fitted, or are to be, or are written."""
        return self._learning.busy or self._rest.isActive() or self.writing

    @property
    def writing(self) -> bool:
        """Whether checkpoints are being written."""
        return self._files.busy

    @property
    def looking(self) -> bool:
        """Whether networks look at slides for it."""
        return self._features.busy

    def cancel(self) -> None:
        """End the networks' look at slides, or else the writing of checkpoints."""
        if self.looking:
            self._features.cancel()
        else:
            self._files.stop()

    def close(self) -> None:
        """End what the networks look at, and what is written."""
        self._features.close()
        self._files.close()

    def _note(self, row: Entry) -> None:
        """Learn from a stroke, a verdict, or one that was taken back, once the hand rests."""
        if row.kind not in _TEACHES or row.slide_id is None:
            return
        if self.on:
            self._want(self.scope)
        else:
            self._learnt.pop(self.scope, None)

    def look_again(self, slide_id: str) -> None:
        """Learn again from a slide that has newer maps."""
        self._features.forget(slide_id)
        if self._session.current is not None and self.on:
            self._want(self.scope)

    def _want(self, scope: TaughtScope) -> None:
        self._due[scope] = None
        self._rest.start()

    def _follow(self) -> None:
        """Learn where it was switched on, and where undo or redo brought other heads."""
        if self._session.current is not None and self.on:
            learnt = self._learnt.get(self.scope)
            if learnt is None or learnt.heads != self.taught.heads:
                self._want(self.scope)
        self.changed.emit()

    def _follow_facts(self) -> None:
        """Mix by what was taught about slides of the kind that this one is now."""
        if self._session.current is not None and self._session.review.rules.taught:
            self._mixing.remix()
            self._follow()

    def _arrive(self, slide: Slide | None) -> None:
        self._mixed, self.changed_share, self._trouble = None, None, ""
        if slide is not None and self.on and self.scope not in self._learnt:
            self._want(self.scope)

    def _begin(self) -> None:
        self._due.clear()
        self._learnt.clear()
        self._learning.drop()
        self._teacher = Teacher()

    # ---- learning ------------------------------------------------------------------------------

    def _learn(self) -> None:
        """Fit heads for what is due, one after another."""
        project = self._session.project
        if self._learning.busy or project is None or not self._due:
            return
        scope = next(iter(self._due))
        self._due.pop(scope)
        work = _fitting(self._teacher, project.reader(), scope, self._touched())

        def take(answer: tuple[Teaching, int]) -> None:
            self._take(scope, *answer)
            self._learn()

        self._learning.ask(work, take)
        self.changed.emit()

    def _touched(self) -> tuple[Slide, ...]:
        """Return the slides that a person has worked on, always in the same order."""
        session = self._session
        return tuple(s for s in session.slides if session.verdict(s.id) is not Verdict.UNSEEN)

    def _take(self, scope: TaughtScope, found: Teaching, strokes: int) -> None:
        """Keep what was learnt; what cannot be read is asked of the networks."""
        told = found.left_out, found.note, found.taught.heads, found.accepted
        self._learnt[scope] = Learnt(found.used, strokes, *told)
        here = self._session.current
        missing = [slide for slide, _ in found.missing]
        missing.sort(key=lambda slide: here is None or slide.id != here.id)  # somebody waits for it
        if missing and here is not None and scope == self.scope:
            if here.id not in [slide.id for slide in missing]:
                missing.append(here)  # its map is to follow: all in one go
        asked = self._features.ask(missing)
        if (found.used or not asked) and self._session.review.writable:
            label = f"taught by {len(found.used)} slides"
            self._session.set_taught(scope, found.taught, label, follows=True)
        self.changed.emit()

    def _fail(self, said: str) -> None:
        self._say(said)
        self.changed.emit()
        self._learn()

    def _say(self, trouble: str) -> None:
        """Say what went wrong, once."""
        if trouble and trouble != self._trouble:
            self.failed.emit(trouble)
        self._trouble = trouble

    # ---- what the networks see -----------------------------------------------------------------

    def _take_mix(self, mixed: MixedSlide) -> None:
        """Ask for what a map lacks to follow, and say how far it has gone."""
        self._mixed = mixed
        here = self._session.current
        if mixed.lacking and here is not None:
            self._features.ask([here])
        self._compare()

    def _take_features(self, slide_id: str) -> None:
        """Go on with what the networks have seen of a slide."""
        here = self._session.current
        if here is not None and self.on:
            self._want(self.scope)
            if slide_id == here.id:
                self._mixing.remix()
        self.changed.emit()

    def _end_features(self, trouble: str) -> None:
        self._say(trouble)
        if self._session.current is not None and self.on:
            self._want(self.scope)
        self.changed.emit()

    def _compare(self) -> None:
        """Count what changed side, in a thread."""
        turned = None if self._mixed is None else self._mixed.turned
        if turned is None:
            self._sharing.drop()
            self._show(None)
        else:
            threshold = self._session.threshold
            self._sharing.ask(lambda: turned.share(threshold), self._show)

    def _show(self, share: float | None) -> None:
        if share != self.changed_share:
            self.changed_share = share
            self.changed.emit()

    @property
    def said(self) -> str:
        """What a person is told of it, in one line; "" where no slide is open."""
        here = self._session.current
        if here is None:
            return ""
        return sentence(
            here.id,
            on=self.on,
            taught=bool(self.taught.heads),
            mapped=self._session.probability is not None,
            trouble=self._trouble,
            learning=self._learning.busy or bool(self._due),
            looks="looking" if self._features.busy else "stopped" if self._features.stopped else "",
            learnt=self._learnt.get(self.scope),
            share=self.changed_share,
        )


def _fitting(
    teacher: Teacher,
    reader: Callable[[], ReviewProject],
    scope: TaughtScope,
    slides: tuple[Slide, ...],
) -> Callable[[], tuple[Teaching, int]]:
    """Return what fits heads, in any thread, and counts the strokes that taught them."""

    def work() -> tuple[Teaching, int]:
        with reader() as project:
            found = teacher.teach(project, scope, slides)
            strokes = sum(len(SlideState.read(project, one).gestures) for one in found.used)
        return found, strokes

    return work
