"""The review session: the one owner of all mutable review state, for any view.

Responsible for what a view may see and ask of a review; the parts that do it are held here, each
with its own state: the review itself (:mod:`~hubseg.session.review`), going about among slides,
masks, gestures, verdicts, rules, undo, and files that changed. Signals are facts in the past tense,
and a change is on the disk before `saved` fires. Does not know Qt, napari, networks, or how the
project stores its rows.

All methods are called from one thread; only :meth:`MaskRequest.compute` runs elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from hubseg.mask.live import MaskRequest
from hubseg.session.decided import Decisions
from hubseg.session.elsewhere import Elsewhere
from hubseg.session.files import ChangedFile, Files
from hubseg.session.gestures import Gestures
from hubseg.session.masks import Masks
from hubseg.session.navigation import Navigation
from hubseg.session.regions import Regions
from hubseg.session.review import Review
from hubseg.session.rules import Rules
from hubseg.session.signals import SessionSignals
from hubseg.session.slides import Slides
from hubseg.session.standing import Departure
from hubseg.session.starting import Imports
from hubseg.session.steps import Steps
from hubseg.session.verdicts import Verdicts
from hubseg.slide import unknown_names

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup import Cleanup
    from hubseg.edits.override import Edits
    from hubseg.journal.accepted import AcceptedMask
    from hubseg.journal.imported import ImportedMask
    from hubseg.organ import StructureName, Vocabulary
    from hubseg.probability import ProbabilityMap
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide, UnknownName
    from hubseg.thresholds.table import ThresholdTable

__all__ = ["ChangedFile", "Departure", "MaskRequest", "ReviewSession", "Verdict"]


class ReviewSession(SessionSignals):
    """What is being reviewed, and everything a person does to it.

    What a person does in a slide never raises because of the disk or a second writer: `failed`
    says so in one sentence. A full disk keeps the work in memory and it is written with the next
    change, by :meth:`save`, or by :meth:`close`.

    What is shown is a property here; what is done is a method of a part, under the same name.

    Parameters
    ----------
    author
        Who reviews; default: the user of the machine.

    Attributes
    ----------
    review, catalogue
        What is on screen, and what is known of every slide: its order, and what a filter hides.
    steps
        Undo, and how far it reaches back.
    decisions, elsewhere
        Objects that were removed or kept here, and like ones of slides that are not on screen.
    """

    def __init__(self, *, author: str | None = None) -> None:
        self.review = review = Review(self)
        self.catalogue = catalogue = review.catalogue
        slides = Slides(review, author)
        self.open, self.prepare, self.enter = slides.open, slides.prepare, slides.enter
        self.save, self.close, self.go_to = slides.save, slides.close, slides.go_to
        self.is_quick, self.read_visit = slides.is_quick, slides.read_visit
        self.take_visit = slides.take_visit

        go = Navigation(review, slides.go_to)
        self.in_order, self.neighbour, self.stay = catalogue.in_order, go.neighbour, go.stay
        self.next_slide, self.previous_slide = go.next_slide, go.previous_slide
        self.to_do, self.advance, self.finish = go.to_do, go.advance, go.finish
        self.verdict, self.note_on = catalogue.verdict, catalogue.note_on

        self._regions = regions = Regions(review, slides.may_change)
        self.prepare_regions, self.region_at = regions.prepare_regions, regions.region_at
        self.prepare_tissue, self.tissue_of = regions.prepare_tissue, regions.tissue_of
        self.paint_beside, self.prepare_divided = regions.paint_beside, regions.prepare_divided

        self._masks = masks = Masks(review)
        self.show, self.preview_step = masks.show, masks.preview_step
        self.mask_request, self.take_mask = masks.mask_request, masks.take_mask
        self.mask_now, self.request_for = masks.mask_now, masks.request_for

        self._gestures = gestures = Gestures(review, masks, regions.may_draw)
        self.paint, self.put, self.reassign = gestures.paint, gestures.put, gestures.reassign
        self.threshold_at, self.open_again = gestures.threshold_at, gestures.open_again
        structures = review.structures
        self.choose, self.step_structure = structures.choose, structures.step
        self.decisions, self.elsewhere = Decisions(review), Elsewhere(review)
        self.structure_meant = structures.meant

        imports = Imports(review, regions.may_draw)
        self.start_from, self.keep_truth = imports.start_from, imports.keep_truth

        self._verdicts = verdicts = Verdicts(review, masks, regions.may_draw)
        self.set_verdict, self.accept = verdicts.set_verdict, verdicts.accept
        self.accept_anew = verdicts.accept_anew
        self.flag, self.reject = verdicts.flag, verdicts.reject
        self.set_note, self.keep_older = verdicts.set_note, verdicts.keep_older

        rules = Rules(review, slides.may_change)
        self.tell, self.adopt, self.set_cleanup = rules.tell, rules.adopt, rules.set_cleanup
        self.alike, self.tell_alike = rules.alike, rules.tell_alike
        self.take_name, self.set_vocabulary = rules.take_name, rules.set_vocabulary
        self.by_name, self.tell_by_name = rules.names.by_name, rules.names.tell_by_name
        self.set_threshold, self.reset_threshold = rules.set_threshold, rules.reset_threshold
        self.mixture, self.set_mixture = rules.mixture, rules.set_mixture
        self.taught_scope, self.taught = rules.taught_scope, rules.taught
        self.set_taught = rules.set_taught

        self.steps = steps = Steps(review, slides.may_change)
        self.undo, self.redo = steps.undo, steps.redo
        self.take_back, self.bring_back = steps.take_back, steps.bring_back

        self._files = files = Files(review, slides)
        self.keep_edits, self.set_edits_aside = files.keep_edits, files.set_edits_aside
        self.moved = files.moved

    # ------------------------------------------------------------------ what is open

    @property
    def kept_as_drawn(self) -> bool:
        """Whether what was opened again last is drawn where its settings do not give it."""
        return self._gestures.kept_as_drawn

    @property
    def project(self) -> ReviewProject | None:
        """The open project, or None."""
        return self.review.project

    @property
    def last_saved(self) -> datetime | None:
        """When a change last reached the disk, UTC."""
        return self.review.last_saved

    @property
    def slides(self) -> tuple[Slide, ...]:
        """The slides, with what a person told about them."""
        return tuple(self.catalogue.slides.values())

    @property
    def current(self) -> Slide | None:
        """The slide that is shown."""
        return self.review.current

    @property
    def refused(self) -> bool:
        """Whether nothing may be done to the current slide: its file is another one, or broken."""
        return bool(self.review.refusal)

    @property
    def unopened(self) -> str:
        """Why the current slide's file cannot be opened; "" where it can."""
        return self.review.unopened

    @property
    def too_large(self) -> bool:
        """Whether the current slide is too large to be drawn on whole: its regions are."""
        return self._regions.too_large

    @property
    def can_divide(self) -> bool:
        """Whether the current slide is no region, and regions of it can be kept."""
        return self._regions.can_divide

    @property
    def has_several_regions(self) -> bool:
        """Whether the current slide is no region, and larger than one of its regions may be."""
        return self._regions.has_several

    @property
    def regions(self) -> tuple[Slide, ...]:
        """The regions of the slide that the current one is a region of; () of any other slide."""
        return tuple(self._regions.siblings)

    @property
    def changed_file(self) -> ChangedFile | None:
        """What a person is asked about the current slide; None when its file is the right one."""
        return self._files.changed_file

    # ------------------------------------------------------------------ what holds for the slide

    @property
    def thresholds(self) -> ThresholdTable:
        """The table that holds: a person's values over the defaults."""
        return self.review.rules.thresholds

    @property
    def vocabulary(self) -> Vocabulary:
        """The organs, sources and structures that the project knows."""
        return self.review.rules.vocabulary

    @property
    def unknown_names(self) -> tuple[UnknownName, ...]:
        """The names in the tables of slides that nobody knows, each once."""
        return unknown_names(self.catalogue.slides.values(), self.vocabulary)

    @property
    def structure(self) -> StructureName | None:
        """What is drawn on and shown; None is the organ's own where the slide has no other."""
        return self.review.structure

    @property
    def structures(self) -> tuple[StructureName | None, ...]:
        """What may be drawn on the current slide, the first one first."""
        return self.review.structures.here

    @property
    def threshold(self) -> float:
        """The threshold that holds for what is shown of the current slide, 0-255."""
        return self.review.threshold

    @property
    def slide_threshold(self) -> float | None:
        """The current slide's own threshold; None when the table's holds."""
        return self.review.slide_threshold

    @property
    def cleanup(self) -> Cleanup:
        """What is tidied up between threshold and edits, in every slide of this organ."""
        return self.review.cleanup

    @property
    def previewed_step(self) -> str:
        """The step of the cleanup that :attr:`mask` ends with; "" is its last."""
        return self.review.previewed_step

    @property
    def probability(self) -> ProbabilityMap | None:
        """The map of the current slide, when one is shown; None while :attr:`imported` is."""
        return self.review.probability

    @property
    def imported(self) -> ImportedMask | None:
        """The mask of another program that the current slide starts from, in place of a map."""
        return self.review.starting.imported

    @property
    def edits(self) -> Edits | None:
        """The current slide's override; to be read only."""
        return self.review.edits

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask, bool (H, W), not to be written; None until one was computed.

        Of an accepted slide it is the one that was accepted; else what map, threshold, cleanup and
        edits give.
        """
        return self.review.mask

    @property
    def mask_by_rules(self) -> NDArray[np.bool_] | None:
        """What map, threshold, cleanup and edits give now, bool (H, W), not to be written.

        The same as :attr:`mask` unless that is an accepted one; None until it was computed.
        """
        return self.review.mask_by_rules

    @property
    def mask_is_stale(self) -> bool:
        """Whether what the rules give waits to be computed.

        See :meth:`mask_request` and :meth:`take_mask`; of an accepted slide :attr:`mask` stays.
        """
        return self._masks.mask_is_stale

    # ------------------------------------------------------------------ what was decided

    @property
    def accepted(self) -> AcceptedMask | None:
        """What :attr:`mask` was made of when a person accepted it; None where nobody stands by it.

        None too for a verdict that an older version gave, until its mask is kept
        (:func:`hubseg.project.derived.keep_older_masks`).
        """
        return self.review.standing.accepted

    @property
    def departure(self) -> Departure | None:
        """How far what the rules give now is from the accepted mask of the current slide.

        None where no mask is accepted, where there is no map to give one, or until it was computed
        (:meth:`take_mask`).
        """
        return self.review.standing.departure

    @property
    def nothing_to_accept(self) -> bool:
        """Whether the current slide has no map and nothing is drawn on it, and nobody accepted it.

        Then :meth:`accept` asks for `as_empty`.
        """
        return self._masks.nothing_to_accept

    @property
    def note(self) -> str:
        """What was noted about the current slide."""
        return self._verdicts.note

    @property
    def can_undo(self) -> bool:
        """Whether something here can be undone."""
        return self.steps.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether something here can be redone."""
        return self.steps.can_redo

    @property
    def undo_text(self) -> str:
        """What undo would undo, in a person's words; "" when nothing."""
        return self.steps.undo_text

    @property
    def redo_text(self) -> str:
        """What redo would redo, in a person's words; "" when nothing."""
        return self.steps.redo_text
