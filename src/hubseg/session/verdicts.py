"""What a person decides about a slide, and notes on it.

Responsible for verdicts, with the mask that each stands for, and for notes. Does not know who
decides, or how it is undone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hubseg.journal.accepted import AcceptedMask, PackedMask, accepted_facts
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import SlideState
from hubseg.journal.verdict import Verdict
from hubseg.project.newest import newest_in_pieces
from hubseg.project.runs import mapped_structures
from hubseg.project.structures import names_of
from hubseg.session.beside import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.project.older_masks import OlderMask
    from hubseg.session.masks import Masks
    from hubseg.session.review import Review
    from hubseg.slide import Slide

__all__ = ["Verdicts"]


class Verdicts:
    """Accept, flag, reject, note.

    Parameters
    ----------
    review
        What is decided about.
    masks
        Give the mask that a verdict stands for.
    may_change
        Asked before anything is written; says why when it is not.
    """

    def __init__(self, review: Review, masks: Masks, may_change: Callable[[], bool]) -> None:
        self._review, self._masks, self._may_change = review, masks, may_change
        self._failed = review.signals.failed

    def set_verdict(self, verdict: Verdict, *, as_empty: bool = False) -> None:
        """Decide about the current slide; stays on it.

        A verdict that accepts keeps the mask as it is now, and is not given where that cannot be
        written: `failed` says why.

        Parameters
        ----------
        verdict
            What is decided.
        as_empty
            Accept a slide that shows no map, with what is drawn on it: there is nothing else to
            mark.
        """
        review, here = self._review, self._review.current
        if here is None or not self._may_change() or verdict is review.catalogue.verdict(here.id):
            return
        if not verdict.stands:
            self._give(verdict, None, f"{verdict} slide {here.id}")
        elif review.previewed_step:
            self._masks.preview_step("")
            self._failed.emit("The mask was shown before its last steps: look at all of it first.")
        elif not as_empty and (why := self._why_unseen(here)):
            self._failed.emit(why)
        else:
            empty = " as empty" if as_empty and self._masks.nothing_to_accept else ""
            self._give(verdict, self._masks.mask_now(), f"accepted slide {here.id}{empty}")

    def _why_unseen(self, slide: Slide) -> str:
        """Return why a slide without a map on screen is not accepted as it is; "" when it may."""
        if self._review.probability is not None or self._review.starting.imported is not None:
            return ""
        try:
            was_run = self._masks.was_run(slide)
            if was_run and self._is_unmarked(slide):
                return ""
        except (OSError, ValueError) as error:
            return str(error)
        if was_run:
            return (
                f"The map of slide {slide.id} is not on screen: wait for it, or run the ensemble "
                "again."
            )
        if self._review.structures.nothing_drawn:
            return (
                f"Slide {slide.id} has no map and nothing is drawn on it: run the ensemble, or "
                "accept it as empty."
            )
        return ""

    def _is_unmarked(self, slide: Slide) -> bool:
        """Whether no network marks the chosen structure, so that there is no map to wait for."""
        structures = self._review.structures
        mapped = mapped_structures(self._review.open_project(), slide) if structures.several else ()
        return bool(mapped) and structures.chosen not in mapped

    def accept_anew(self) -> None:
        """Accept what the rules give now (:attr:`mask_by_rules`) in place of the accepted mask."""
        review = self._review
        if review.standing.accepted is None or not self._may_change():
            return
        rules, here = review.mask_by_rules, review.current
        if rules is None:
            self._failed.emit("The mask that the rules give now is being computed: wait for it.")
        elif here is not None:
            self._give(self._acceptance, rules, f"accepted slide {here.id} anew")

    def _give(self, verdict: Verdict, mask: NDArray[np.bool_] | None, label: str) -> None:
        """Commit a verdict, together with the mask that it stands for."""
        review, here = self._review, self._review.current
        if here is None:
            return
        payload: dict[str, Any] = {"before": review.catalogue.verdict(here.id), "after": verdict}
        masks: list[PackedMask] = []
        try:
            if mask is not None:
                review.record_file()
                made = self._made_of(mask, here)
                masks = [packed for _, packed in made]
                payload |= accepted_facts(accepted for accepted, _ in made)
            review.keep(Kind.VERDICT, payload, here.id, label, masks=masks)
        except (OSError, ValueError) as error:
            self._failed.emit(f"The verdict on slide {here.id} was not given: {error}")
            return
        review.follow()

    def _made_of(
        self, mask: NDArray[np.bool_], slide: Slide
    ) -> list[tuple[AcceptedMask, PackedMask]]:
        """Return the mask of each structure that has one, and what it was made of."""
        review, structures = self._review, self._review.structures
        project = review.open_project()
        if not structures.several:
            return [self._chosen(mask, None)]
        names = names_of(project, slide, SlideState(review.history.done))
        made = []
        for name in names:
            if name == structures.chosen:
                made.append(self._chosen(mask, name))
                continue
            with suppress(ValueError):  # it has nothing to mark yet, or its maps are gone
                accepted = review.beside.of(name).made or self._drawn_alone(name, slide)
                packed = review.beside.packed(name)
                made.append((replace(accepted, digest=packed.digest), packed))
        return made or [self._chosen(mask, structures.chosen)]

    def _drawn_alone(self, name: StructureName | None, slide: Slide) -> AcceptedMask:
        """Return what the mask of a structure without a map is made of.

        Raises
        ------
        ValueError
            When nothing is drawn of it either, or maps of members are missing.
        """
        review, project = self._review, self._review.open_project()
        edits, rules = review.structures.edits, review.rules
        asked = None if name == review.structures.first else name
        if edits is None or edits.of(name).is_empty:
            raise ValueError("nothing is marked")
        newest_in_pieces(project, slide, structure=asked)
        threshold = rules.threshold(slide.organ, slide.source, name)
        given = project.digest(slide), threshold, rules.cleanup(slide.organ)
        return AcceptedMask("", *given, structure=name)

    def _chosen(
        self, mask: NDArray[np.bool_], structure: StructureName | None
    ) -> tuple[AcceptedMask, PackedMask]:
        packed = PackedMask.of(mask)
        return replace(origin_of(self._review, structure), digest=packed.digest), packed

    def keep_older(self, found: OlderMask | None) -> None:
        """Keep the mask of a verdict that an older version gave (:attr:`unkept`).

        Parameters
        ----------
        found
            What :func:`hubseg.project.derived.older_mask` found, in any thread; None is nothing
            to keep.
        """
        review, catalogue = self._review, self._review.catalogue
        if found is None or not review.writable or found.slide_id not in catalogue.unkept:
            return
        catalogue.unkept = tuple(i for i in catalogue.unkept if i != found.slide_id)
        try:
            entry = found.keep(review.open_project())
        except OSError as error:
            self._failed.emit(str(error))
            return
        if review.current is not None and review.current.id == found.slide_id:
            review.history.record(entry)
            review.follow()

    @property
    def _acceptance(self) -> Verdict:
        return Verdict.ACCEPTED if self._review.structures.nothing_drawn else Verdict.CORRECTED

    @property
    def note(self) -> str:
        """What was noted about the current slide."""
        here = self._review.current is not None
        return SlideState(self._review.history.done).note if here else ""

    def set_note(self, note: str, slide_id: str | None = None) -> None:
        """Note something about a slide; one row, which undo takes back where it was made.

        Parameters
        ----------
        note
            Blanks around it are left out; "" takes the note away.
        slide_id
            Which slide; None is the current one.

        Raises
        ------
        ValueError
            When there is no such slide.
        """
        review, note = self._review, note.strip()
        here = review.current.id if review.current is not None else None
        slide_id = slide_id or here
        if slide_id is None:
            return
        before = review.catalogue.note_on(slide_id)
        if note == before or not self._may_change():
            return
        payload = {"before": before, "after": note}
        if slide_id == here:
            review.keep(Kind.NOTE, payload, slide_id, "note")
            review.follow()
        else:  # a row of another slide is none of what can be undone here
            review.record_file(review.catalogue.slides[slide_id])
            review.open_project().append(Kind.NOTE, payload, slide_id=slide_id, label="note")
            review.catalogue.know_note(slide_id, note)
            review.report()

    def accept(self, *, as_empty: bool = False) -> None:
        """Accept the current slide: corrected when a person edited it, accepted otherwise.

        See :meth:`set_verdict`.
        """
        self.set_verdict(self._acceptance, as_empty=as_empty)

    def flag(self) -> None:
        """Flag the current slide for a second look."""
        self.set_verdict(Verdict.FLAGGED)

    def reject(self) -> None:
        """Reject the current slide: it is not to be used."""
        self.set_verdict(Verdict.REJECTED)
