"""How a slide stands after the rows of its journal: thresholds, cleanup, facts, verdict, edits.

Responsible for the meaning of each kind of row, and for going through the rows once. Does not know
where rows come from or who looks at the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to
from hubseg.edits.gesture import Gesture
from hubseg.edits.override import Edits
from hubseg.journal.accepted import AcceptedMask
from hubseg.journal.rows import Entry, Kind, standing
from hubseg.journal.verdict import Verdict
from hubseg.organ import DataSource, Organ
from hubseg.probability import Mixture
from hubseg.thresholds.table import ThresholdTable, checked_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "ReviewState",
    "SlideState",
    "Standing",
    "mixture_payload",
    "parsed_facts",
]


@dataclass(frozen=True, slots=True)
class ReviewState:
    """The rules that hold for one slide.

    Attributes
    ----------
    defaults
        The thresholds below a person's own: published, or a recipe's.
    thresholds
        The table that holds: `defaults` with a person's values over it.
    own
        The (organ, source) whose value in `thresholds` is a person's.
    slide_threshold
        This slide's own threshold, 0-255; None when the table's holds.
    default_cleanups
        What a recipe tidies up in each organ.
    cleanups
        What holds for each organ: a person's over the defaults; None for slides without an organ.
    mixtures
        Members switched off and weights changed, by the digest of a recipe's networks.
    """

    defaults: ThresholdTable = field(default_factory=ThresholdTable.published)
    thresholds: ThresholdTable = field(default_factory=ThresholdTable.published)
    own: frozenset[tuple[Organ, DataSource]] = frozenset()
    slide_threshold: float | None = None
    default_cleanups: Mapping[Organ, Cleanup] = field(default_factory=dict)
    cleanups: Mapping[Organ | None, Cleanup] = field(default_factory=dict)
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)

    def cleanup(self, organ: Organ | None) -> Cleanup:
        """Return what is tidied up in slides of an organ, between threshold and edits."""
        return self.cleanups.get(organ, Cleanup())

    def threshold(self, organ: Organ | None, source: DataSource | None) -> float:
        """Return the threshold that holds for the slide, 0-255."""
        if self.slide_threshold is not None:
            return self.slide_threshold
        return self.thresholds.value(organ, source)

    def adopting(
        self, thresholds: ThresholdTable, cleanups: Mapping[Organ, Cleanup]
    ) -> list[tuple[Kind, dict[str, Any], str]]:
        """Return the rows, with their labels, that put a recipe's own below a person's."""
        rows: list[tuple[Kind, dict[str, Any], str]] = []
        if thresholds != self.defaults:
            change = {"before": self.defaults.to_mapping(), "after": thresholds.to_mapping()}
            rows.append((Kind.THRESHOLD, {"scope": "default", **change}, "default thresholds"))
        if dict(cleanups) != dict(self.default_cleanups):
            change = {
                "before": cleanups_to(self.default_cleanups),
                "after": cleanups_to(cleanups),
            }
            rows.append((Kind.CLEANUP, {"scope": "default", **change}, "default cleanup"))
        return rows


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict that stands for a mask.

    Attributes
    ----------
    row
        Of the journal.
    accepted
        The mask; None where an older version gave the verdict and nobody has kept its mask since.
    """

    row: Entry
    accepted: AcceptedMask | None


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
            elif row.kind is Kind.GESTURE or (row.kind is Kind.THRESHOLD and row.slide_id):
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
        """Thresholds, cleanup and mixtures; ValueError when a row is damaged."""
        kinds = (Kind.THRESHOLD, Kind.CLEANUP, Kind.MIXTURE)
        return _rules(row for kind in kinds for row in self._of.get(kind, ()))

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
                raise _damaged(row) from error
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
            raise _damaged(given[-1]) from error
        opened_again = self._worked and (verdict.stands or verdict is Verdict.UNSEEN)
        return Verdict.IN_WORK if opened_again else verdict

    @cached_property
    def stands(self) -> Standing | None:
        """The verdict by which a person stands behind the slide's mask, or None.

        That is the newest one, if it accepts and nothing was done to the slide since. ValueError
        when a row is damaged.
        """
        if not self.verdict.stands:
            return None
        row = self._of[Kind.VERDICT][-1]
        later = [one for one in self._of.get(Kind.MASK, ()) if one.target == row.seq]
        facts = (later[-1] if later else row).facts.get("accepted")
        try:
            return Standing(row, None if facts is None else AcceptedMask.from_facts(facts))
        except ValueError as error:
            raise _damaged(row) from error

    @cached_property
    def note(self) -> str:
        """What was noted last; "" when nothing was. ValueError when the row is damaged."""
        notes = self._of.get(Kind.NOTE)
        if not notes:
            return ""
        note = notes[-1].facts.get("after")
        if not isinstance(note, str):
            raise _damaged(notes[-1])
        return note

    @property
    def gestures(self) -> tuple[int, ...]:
        """The numbers of the gestures that stand, oldest first."""
        return tuple(row.seq for row in self._of.get(Kind.GESTURE, ()))

    def edits(self, shape: tuple[int, int], payload: Callable[[int], bytes]) -> Edits:
        """Return the slide's edits: some 60-150 ms for 1,200 gestures.

        Parameters
        ----------
        shape
            (height, width) of the slide, px.
        payload
            Gives the bytes of a row by its number, where a row comes without them.

        Raises
        ------
        ValueError
            When a gesture is damaged or does not fit.
        """
        edits = Edits(shape)
        for row in self._of.get(Kind.GESTURE, ()):
            try:
                edits.apply(Gesture.from_bytes(row.payload or payload(row.seq)))
            except ValueError as error:
                raise _damaged(row) from error
        return edits


def _rules(rows: Iterable[Entry]) -> ReviewState:
    """Return what rows about thresholds, cleanup and mixtures amount to."""
    defaults = ThresholdTable.published()
    own: dict[tuple[Organ, DataSource], float] = {}
    slide_threshold: float | None = None
    cleanup = _Cleanups()
    mixtures: dict[str, Mixture] = {}
    for row in rows:
        after = row.facts.get("after")
        scope = row.facts.get("scope")
        try:
            if row.kind is Kind.CLEANUP:
                cleanup.follow(row.facts)
            elif row.kind is Kind.MIXTURE:
                mixtures[str(row.facts["networks"])] = Mixture.from_facts(after)
            elif scope == "default":
                defaults = ThresholdTable.from_mapping(after or {})
            elif scope == "slide":
                slide_threshold = None if after is None else checked_threshold(after)
            else:
                pair = Organ.parse(row.facts["organ"]), DataSource.parse(row.facts["source"])
                own.pop(pair, None)
                if after is not None:
                    own[pair] = checked_threshold(after)
        except (ValueError, KeyError, AttributeError) as error:
            raise _damaged(row) from error
    return ReviewState(
        defaults=defaults,
        thresholds=ThresholdTable({**defaults.values, **own}),
        own=frozenset(own),
        slide_threshold=slide_threshold,
        default_cleanups=cleanup.defaults,
        cleanups=cleanup.all(),
        mixtures=mixtures,
    )


class _Cleanups:
    """The cleanup rows of a journal, one after another."""

    def __init__(self) -> None:
        self.defaults: dict[Organ, Cleanup] = {}
        self._everywhere: Cleanup | None = None
        self._own: dict[Organ | None, Cleanup] = {}

    def follow(self, facts: Mapping[str, Any]) -> None:
        """Take the next row: of one organ, of a recipe's defaults, or (older rows) of all."""
        after = facts.get("after")
        if facts.get("scope") == "default":
            self.defaults = cleanups_from(after or {})
        elif "organ" in facts:
            organ = None if facts["organ"] is None else Organ.parse(facts["organ"])
            self._own[organ] = Cleanup.model_validate(after)
        else:
            self._own.clear()
            self._everywhere = Cleanup.model_validate(after)

    def all(self) -> dict[Organ | None, Cleanup]:
        """Return what holds for each organ, and for slides without one."""
        held: dict[Organ | None, Cleanup] = {o: plan for o, plan in self.defaults.items()}  # noqa: C416
        if self._everywhere is not None:
            held = dict.fromkeys([*Organ, None], self._everywhere)
        return {organ: plan for organ, plan in (held | self._own).items() if plan != Cleanup()}


def parsed_facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about a slide in their own types.

    Raises
    ------
    ValueError
        When an organ or source is unknown, or the pixel size no number.
    """
    read: dict[str, Callable[[Any], Any]] = {
        "organ": Organ.parse,
        "source": DataSource.parse,
        "um_per_px": float,
    }
    return {name: read[name](value) for name, value in told.items()}


def mixture_payload(networks: str, before: Mixture, after: Mixture) -> dict[str, Any]:
    """Return the row that changes which members are mixed, and their weights."""
    return {"networks": networks, "before": before.to_facts(), "after": after.to_facts()}


def _damaged(row: Entry) -> ValueError:
    return ValueError(
        f"Row {row.seq} of the journal ({row.kind}) is damaged: take the project from a copy."
    )
