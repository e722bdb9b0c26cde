"""The slides of an export, one derived after the other.

Responsible for which slides leave, for what each is made of, and for what is noted of it. Does not
know a format.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hubseg.journal.verdict import Verdict
from hubseg.outcome import Outcome
from hubseg.project.derived import Derived, derive, other_file
from hubseg.project.newest import untaught_note
from hubseg.project.older_masks import older_mask
from hubseg.project.structures import class_numbers, structures_of
from hubseg.project.unread import said_of_unread
from hubseg.project.verdicts import verdicts
from hubseg.project.words import vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hubseg.formats.pseudo_tiles import TileSize
    from hubseg.project import ReviewProject

__all__ = ["Source", "source_of"]


class Source:
    """Derives one slide after the other; one that cannot be derived is left out.

    Attributes
    ----------
    every
        Whether each slide comes with all of its structures, and not with the first alone.
    tiles
        Which tiles a set of pseudo-labels is of; None is whole slides and regions.
    """

    def __init__(
        self,
        project: ReviewProject,
        slides: Sequence[str] | None,
        on_progress: Callable[[int, int], None] | None,
        partial: bool,
        outcome: Outcome,
    ) -> None:
        self.project = project
        self.outcome = outcome
        if slides is None:
            slides = self._not_rejected()
        self.slides = self.outcome.slides_of(project, slides)
        self.maps: dict[str, dict[str, object]] = {}
        self.every = False
        self.tiles: TileSize | None = None
        self._on_progress = on_progress
        self._taken = 0
        self._partial = partial

    def _not_rejected(self) -> list[str]:
        said = verdicts(self.project, self.outcome)
        rejected = [name for name, verdict in said.items() if verdict is Verdict.REJECTED]
        if rejected:
            self.outcome.note("rejected", f"{', '.join(rejected)}: not written, being rejected.")
        return [name for name in said if name not in rejected]

    def __iter__(self) -> Iterator[Derived]:
        for number, slide in enumerate(self.slides, 1):
            masks: list[Derived] = []
            with self.outcome.attempt(slide.id):
                if not self.project.read_only and (older := older_mask(self.project, slide)):
                    older.keep(self.project)
                names = structures_of(self.project, slide) if self.every else (None,)
                found = [derive(self.project, slide, name, partial=self._partial) for name in names]
                if found[0].slide.digest != found[0].slide_digest:  # the file, not its dates
                    raise other_file(slide)
                masks = found
                self.maps[slide.id] = _origin(masks[0])
                self._note_gaps(masks[0])
            yield from masks
            self._taken = number
            self.report()

    def report(self) -> None:
        """Tell how many slides were taken; also within one: an export can be ended there."""
        if self._on_progress is not None:
            self._on_progress(self._taken, len(self.slides))

    def refuse(self, slide_id: str, why: str) -> None:
        """Leave out a slide that was derived and cannot be written."""
        self.outcome.done.remove(slide_id)
        self.outcome.leave_out(slide_id, why)

    @property
    def has_several(self) -> bool:
        """Whether any of the slides has several structures."""
        for slide in self.slides:
            with suppress(ValueError, OSError):  # said where its mask is derived
                if len(structures_of(self.project, slide)) > 1:
                    return True
        return False

    def colours(self) -> dict[str, tuple[int, int, int]]:
        """Return the RGB of each structure that the project knows, by its label."""
        known = vocabulary_of(self.project).structures
        return {one.label: (*bytes.fromhex(one.colour[1:]),) for one in known}

    def numbers(self) -> dict[str, int]:
        """Return the number of each structure that the slides have, from 1, by its label."""
        words = vocabulary_of(self.project)
        numbers = class_numbers(self.project, self.slides)
        known = {name: None if name is None else words.structure(name) for name in numbers}
        labels = {name: one.label for name, one in known.items() if one is not None}
        return {labels.get(name, str(name or "object")): numbers[name] for name in numbers}

    def nothing(self) -> ValueError:
        """Return why there is nothing to write."""
        why = next(
            iter(self.outcome.left_out.values()), "no slide was chosen, or all are rejected."
        )
        return ValueError(f"There is no mask to export: {why}")

    def _note_gaps(self, derived: Derived) -> None:
        if derived.members is not None and derived.members[0] < derived.members[1]:
            said = "Its map is mixed of {} of {} members.".format(*derived.members)
            self.outcome.note(derived.slide.id, said)
        if derived.members is None:
            return
        slide = derived.slide
        notes = [said_of_unread(self.project, slide)]
        if not derived.verdict.stands:
            notes.append(untaught_note(self.project, slide, structure=derived.name))
        for said in filter(None, notes):
            self.outcome.note(slide.id, said)


def source_of(
    project: ReviewProject, slides: Sequence[str] | None = None, *, partial: bool = False
) -> Source:
    """Return a source with an outcome of its own; by default of every slide that is not rejected.

    Raises
    ------
    OSError
        When the project cannot be read.
    """
    return Source(project, slides, None, partial, Outcome())


def _origin(derived: Derived) -> dict[str, object]:
    return {
        "slide_digest": derived.slide_digest,
        "recipe_digest": derived.recipe_digest,
        "members": None if derived.members is None else list(derived.members),
        "imported": derived.imported or None,
        "threshold": None if derived.imported else derived.threshold,
        "cleanup": None if derived.imported else derived.cleanup.model_dump(mode="json"),
        "verdict": derived.verdict.value,
        "corrected_px": derived.corrected,
    }
