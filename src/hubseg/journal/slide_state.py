"""How a slide stands after the rows of its journal: rules, facts, verdict, edits.

Responsible for the meaning of each kind of row, and for going through the rows once. Does not know
where rows come from or who looks at the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from hubseg.edits.structures import SlideEdits, SlideGesture
from hubseg.journal.accepted import AcceptedMask
from hubseg.journal.imported import ImportedMask
from hubseg.journal.review_state import ReviewState, damaged, review_state
from hubseg.journal.rows import Entry, Kind, standing
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ, StructureName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hubseg.organ import Vocabulary
    from hubseg.probability import Mixture, Taught, TaughtScope

__all__ = [
    "SlideState",
    "Standing",
    "parsed_facts",
]


_WORK = (Kind.GESTURE, Kind.IMPORTED)  # what opens an accepted slide again


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict that stands for the masks of a slide.

    Attributes
    ----------
    row
        Of the journal.
    masks
        One for each structure, the first one first; () where an older version gave the verdict and
        nobody has kept its mask since.
    """

    row: Entry
    masks: tuple[AcceptedMask, ...]

    @property
    def accepted(self) -> AcceptedMask | None:
        """The mask of the first structure; None where it was not kept."""
        return self.masks[0] if self.masks else None

    def of(
        self, structure: StructureName | None, first: StructureName | None
    ) -> AcceptedMask | None:
        """Return the mask of a structure; None where there was none when the verdict was given.

        Parameters
        ----------
        structure
            None is the first one.
        first
            The slide's first structure: a mask without a name is of that.
        """
        wanted = first if structure is None else structure
        found = (one for one in self.masks if (one.structure or first) == wanted)
        return next(found, None)


class _Journal(Protocol):
    def entries(self, slide_id: str | None = ..., *, pixels: bool = ...) -> Sequence[Entry]: ...


class SlideState:
    """How one slide stands: its rows are gone through once, and each answer is found once.

    What nobody asks for is not read, so that a damaged row is told where it matters.

    Parameters
    ----------
    rows
        Standing rows of the slide and of the whole project, oldest first.
    """

    def __init__(self, rows: Iterable[Entry]) -> None:
        self.rows = tuple(rows)
        self._of: dict[Kind, list[Entry]] = {}
        self._worked = False  # since the newest verdict
        for row in self.rows:
            self._of.setdefault(row.kind, []).append(row)
            if row.kind is Kind.VERDICT:
                self._worked = False
            elif row.kind in _WORK or (row.kind is Kind.THRESHOLD and row.slide_id):
                self._worked = True

    @classmethod
    def read(cls, journal: _Journal, slide_id: str, *, until: Entry | None = None) -> Self:
        """Read it from a project.

        Parameters
        ----------
        journal
            The project.
        slide_id
            Whose; "" is the project as a whole.
        until
            A row: how the slide stood when it was made. None is now.

        Raises
        ------
        OSError
            When the project cannot be read.
        """
        rows = journal.entries(slide_id, pixels=False)
        return cls(standing(row for row in rows if until is None or row.seq <= until.seq))

    @cached_property
    def rules(self) -> ReviewState:
        """Thresholds, cleanup, mixtures, teaching and words; ValueError when a row is damaged."""
        kinds = (Kind.THRESHOLD, Kind.CLEANUP, Kind.MIXTURE, Kind.TAUGHT, Kind.VOCABULARY)
        return review_state(row for kind in kinds for row in self._of.get(kind, ()))

    @cached_property
    def mixtures(self) -> Mapping[str, Mixture]:
        """Which members count, by recipe; ValueError when a row about them is damaged."""
        return review_state(self._of.get(Kind.MIXTURE, ())).mixtures

    @cached_property
    def taught(self) -> Mapping[TaughtScope, Taught]:
        """What corrections have taught; ValueError when a row about it is damaged."""
        return review_state(self._of.get(Kind.TAUGHT, ())).taught

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words that the project knows; ValueError when a row about them is damaged."""
        return review_state(self._of.get(Kind.VOCABULARY, ())).vocabulary

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a person told of the slide, as keywords of :meth:`hubseg.slide.Slide.told`.

        ValueError when a row is damaged.
        """
        facts: dict[str, Any] = {}
        for row in self._of.get(Kind.FACTS, ()):
            try:
                facts |= parsed_facts(row.facts["after"])
            except (ValueError, KeyError, TypeError) as error:
                raise damaged(row) from error
        return facts

    @cached_property
    def verdict(self) -> Verdict:
        """The newest one, or "in work" where the slide was worked on since.

        A flag or a rejection stays until a person takes it back. ValueError when the row is
        damaged.
        """
        given = self._of.get(Kind.VERDICT)
        if not given:
            return Verdict.IN_WORK if self._worked else Verdict.UNSEEN
        try:
            verdict = Verdict(given[-1].facts["after"])
        except (ValueError, KeyError) as error:
            raise damaged(given[-1]) from error
        opened_again = self._worked and (verdict.stands or verdict is Verdict.UNSEEN)
        return Verdict.IN_WORK if opened_again else verdict

    @cached_property
    def stands(self) -> Standing | None:
        """The verdict by which a person stands behind the slide's masks, or None.

        That is the newest one, if it accepts and nothing was done to the slide since. ValueError
        when a row is damaged.
        """
        if not self.verdict.stands:
            return None
        row = self._of[Kind.VERDICT][-1]
        later = [one for one in self._of.get(Kind.MASK, ()) if one.target == row.seq]
        facts = (later[-1] if later else row).facts
        told = [facts["accepted"], *facts.get("others", ())] if "accepted" in facts else []
        try:
            return Standing(row, tuple(map(AcceptedMask.from_facts, told)))
        except (ValueError, TypeError) as error:
            raise damaged(row) from error

    @cached_property
    def imported(self) -> dict[StructureName | None, ImportedMask]:
        """The mask that was imported last for each structure to start from; None is the first one.

        A run may have taken its place (:func:`hubseg.project.imported.imported_mask`). ValueError
        when a row is damaged.
        """
        found: dict[StructureName | None, ImportedMask] = {}
        for row in self._of.get(Kind.IMPORTED, ()):
            try:
                one = ImportedMask.from_facts(row.facts)
            except ValueError as error:
                raise damaged(row) from error
            found.pop(one.structure, None)
            found[one.structure] = one  # the newest comes last
        return found

    @cached_property
    def note(self) -> str:
        """What was noted last; "" when nothing was. ValueError when the row is damaged."""
        notes = self._of.get(Kind.NOTE)
        if not notes:
            return ""
        note = notes[-1].facts.get("after")
        if not isinstance(note, str):
            raise damaged(notes[-1])
        return note

    @property
    def gestures(self) -> tuple[int, ...]:
        """The numbers of the gestures that stand, oldest first."""
        return tuple(row.seq for row in self._of.get(Kind.GESTURE, ()))

    @property
    def named(self) -> tuple[StructureName, ...]:
        """The structures that gestures, imported and accepted masks name.

        ValueError when a row is damaged.
        """
        return tuple(StructureName(name) for name in self._marked if name)

    @property
    def is_unnamed(self) -> bool:
        """Whether a gesture, an imported or an accepted mask is of the first structure, unnamed."""
        return None in self._marked

    @cached_property
    def _marked(self) -> tuple[str | None, ...]:
        drawn = (name for row in self._of.get(Kind.GESTURE, ()) for name in row.structures)
        kept = () if self.stands is None else (one.structure for one in self.stands.masks)
        return tuple(dict.fromkeys((*drawn, *self.imported, *kept)))

    def edits(
        self,
        shape: tuple[int, int],
        payload: Callable[[int], bytes],
        first: StructureName | None = None,
    ) -> SlideEdits:
        """Return the edits of the slide's structures: some 60-150 ms for 1,200 gestures.

        Parameters
        ----------
        shape
            (height, width) of the slide, px.
        payload
            Gives the bytes of a row by its number, where a row comes without them.
        first
            The slide's first structure: gestures without a name are about that.

        Raises
        ------
        ValueError
            When a gesture is damaged or does not fit.
        """
        edits = SlideEdits(shape, first)
        for row in self._of.get(Kind.GESTURE, ()):
            try:
                edits.apply(SlideGesture.from_bytes(row.payload or payload(row.seq)))
            except ValueError as error:
                raise damaged(row) from error
        return edits


def parsed_facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about a slide in their own types.

    Raises
    ------
    ValueError
        When an organ or source can be no name, or the pixel size no number.
    """
    read: dict[str, Callable[[Any], Any]] = {
        "organ": Organ.parse,
        "source": DataSource.parse,
        "um_per_px": float,
    }
    return {name: read[name](value) for name, value in told.items()}
