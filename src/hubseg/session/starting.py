"""The imported mask that the slide on screen starts from, and masks taken over as that or truth.

Responsible for one import being one row of the journal, and for reading its pixels once. Does not
know formats, or what is drawn over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.journal.accepted import PackedMask
from hubseg.journal.imported import ImportedMask
from hubseg.journal.rows import Kind
from hubseg.project.imported import imported_mask, newest_run_id, pixels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.session.review import Review
    from hubseg.slide import Slide

__all__ = ["Imports", "StartingMask"]


class StartingMask:
    """The imported mask of one slide.

    Attributes
    ----------
    imported
        Which one it is; None while a map, or nothing, stands in its place.
    mask
        bool (H, W), not to be written; None likewise.
    """

    def __init__(self) -> None:
        self.imported: ImportedMask | None = None
        self.mask: NDArray[np.bool_] | None = None

    def follow(
        self,
        project: ReviewProject,
        slide: Slide,
        state: SlideState,
        structure: StructureName | None = None,
        first: StructureName | None = None,
    ) -> bool:
        """Take the mask that stands now for a structure, or none; whether it is another one.

        `first` is the slide's first structure.

        Raises
        ------
        ValueError
            When the row or the mask is damaged.
        OSError
            When the project cannot be read.
        """
        imported = imported_mask(project, slide.id, state, structure, first)
        if imported == self.imported:
            return False
        mask = None
        if imported is not None:
            mask = pixels_of(project, imported, slide)
            mask.flags.writeable = False
        self.imported, self.mask = imported, mask
        return True


class Imports:
    """Start from a mask that another program made, or keep one to compare with.

    Parameters
    ----------
    review
        What is on screen.
    may_change
        Asked before anything is written; says why when it is not.
    """

    def __init__(self, review: Review, may_change: Callable[[], bool]) -> None:
        self._review, self._may_change = review, may_change

    def keep_truth(self, slide_id: str, text: str | None) -> bool:
        """Keep a mask as what a slide is compared with, in place of what was known.

        Parameters
        ----------
        text
            Its run lengths, as the competition's tables hold them; None is no truth.

        Returns
        -------
        bool
            False when it is known already.

        Raises
        ------
        OSError
            When the project cannot be written.
        """
        project = self._review.open_project()
        if project.truth(slide_id) == text:
            return False
        project.record_truth(slide_id, text)
        self._review.signals.truth_changed.emit(slide_id)
        return True

    def start_from(self, mask: NDArray[np.bool_], file: str) -> bool:
        """Make a mask what the chosen structure of the current slide starts from, for its map.

        It lies below what a person drew, no threshold and no cleanup acts on it, and a later run
        takes its place. One row, which undo takes back.

        Parameters
        ----------
        mask
            bool (H, W) of the slide.
        file
            What its file is called.

        Returns
        -------
        bool
            False when nothing changed, or nothing may be changed (`failed` says why).

        Raises
        ------
        ValueError
            When the mask is not bool (H, W) of the slide.
        """
        review, here = self._review, self._review.current
        if here is None or not self._may_change():
            return False
        if mask.shape != (here.height, here.width):
            raise ValueError(
                f"The mask is {mask.shape} and slide {here.id} {(here.height, here.width)} px: "
                "give one of this image."
            )
        packed, project = PackedMask.of(mask), review.open_project()
        structures = review.structures
        what = structures.chosen if structures.several else None
        imported = ImportedMask(file, packed.digest, newest_run_id(project, here.id), what)
        if imported == review.starting.imported:
            return False
        try:
            facts, label = imported.to_facts(), str(imported)[:100]
            review.keep(Kind.IMPORTED, facts, here.id, label, masks=(packed,))
        except OSError as error:
            review.signals.failed.emit(f"{file} was not imported: {error}")
            return False
        review.follow()
        return True
