"""The rules of a review after the rows of its journal: thresholds, cleanup, members, words.

Responsible for what each such row means, and for the rows that a recipe's own rules are written
as. Does not know slides, edits or verdicts (:mod:`hubseg.journal.slide_state`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to
from hubseg.journal.rows import Entry, Kind
from hubseg.organ import BUILT_IN, ORGANS, DataSource, Organ, StructureName, Vocabulary
from hubseg.probability import Mixture, Taught, TaughtScope
from hubseg.thresholds.table import Cell, ThresholdTable, checked_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Key = TypeVar("Key")

__all__ = [
    "BESIDE_THRESHOLDS",
    "ReviewState",
    "damaged",
    "mixture_payload",
    "review_state",
    "taught_payload",
]

BESIDE_THRESHOLDS = frozenset(("cleanups", "default_cleanups", "mixtures", "taught"))
"""What of a :class:`ReviewState` says nothing of thresholds and words."""


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
        The cells whose value in `thresholds` is a person's.
    slide_thresholds
        This slide's own thresholds, 0-255, by structure; None is the organ's own structure.
    default_cleanups
        What a recipe tidies up in each organ.
    cleanups
        What holds for each organ: a person's over the defaults; None for slides without an organ.
    mixtures
        Members switched off and weights changed, by the digest of a recipe's networks.
    taught
        What corrections have taught, and whether it counts.
    default_vocabulary, own_vocabulary
        The words that a recipe brings, and those that a person took.
    """

    defaults: ThresholdTable = field(default_factory=ThresholdTable.published)
    thresholds: ThresholdTable = field(default_factory=ThresholdTable.published)
    own: frozenset[Cell] = frozenset()
    slide_thresholds: Mapping[StructureName | None, float] = field(default_factory=dict)
    default_cleanups: Mapping[Organ, Cleanup] = field(default_factory=dict)
    cleanups: Mapping[Organ | None, Cleanup] = field(default_factory=dict)
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    taught: Mapping[TaughtScope, Taught] = field(default_factory=dict)
    default_vocabulary: Vocabulary = BUILT_IN
    own_vocabulary: Vocabulary = BUILT_IN

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that are known."""
        return self.own_vocabulary.over(self.default_vocabulary)

    def cleanup(self, organ: Organ | None) -> Cleanup:
        """Return what is tidied up in slides of an organ, between threshold and edits."""
        return self.cleanups.get(organ, Cleanup())

    def slide_threshold(
        self, organ: Organ | None = None, structure: StructureName | None = None
    ) -> float | None:
        """Return the slide's own threshold of a structure, 0-255; None when the table's holds."""
        return self.slide_thresholds.get(self.thresholds.beside_own(organ, structure))

    def threshold(
        self,
        organ: Organ | None,
        source: DataSource | None,
        structure: StructureName | None = None,
    ) -> float:
        """Return the threshold of a structure that holds for the slide, 0-255; None is its own."""
        own = self.slide_threshold(organ, structure)
        return self.thresholds.value(organ, source, structure) if own is None else own

    def differing(self, other: ReviewState) -> set[str]:
        """Return the names of what is another in another state."""
        names = (one.name for one in fields(self))
        return {name for name in names if getattr(self, name) != getattr(other, name)}

    def taught_scope(
        self,
        networks: str,
        organ: Organ | None,
        source: DataSource | None,
        structure: StructureName | None = None,
    ) -> TaughtScope:
        """Return what teaching is about on slides of an organ and source; None is its own."""
        own = self.thresholds.beside_own(organ, structure)
        named = (None if one is None else str(one) for one in (organ, source, own))
        return TaughtScope(networks, *named)

    def adopting(
        self,
        thresholds: ThresholdTable,
        cleanups: Mapping[Organ, Cleanup],
        vocabulary: Vocabulary = BUILT_IN,
    ) -> list[tuple[Kind, dict[str, Any], str]]:
        """Return the rows, with their labels, that put a recipe's own below a person's."""
        rows: list[tuple[Kind, dict[str, Any], str]] = []
        if thresholds.within(self.vocabulary) != self.defaults:
            change = {"before": self.defaults.to_mapping(), "after": thresholds.to_mapping()}
            rows.append((Kind.THRESHOLD, {"scope": "default", **change}, "default thresholds"))
        if dict(cleanups) != dict(self.default_cleanups):
            change = {
                "before": cleanups_to(self.default_cleanups),
                "after": cleanups_to(cleanups),
            }
            rows.append((Kind.CLEANUP, {"scope": "default", **change}, "default cleanup"))
        words = vocabulary.over(self.default_vocabulary)  # one recipe does not take another's away
        if words != self.default_vocabulary:
            change = {
                "before": self.default_vocabulary.to_mapping(),
                "after": words.to_mapping(),
            }
            rows.append((Kind.VOCABULARY, {"scope": "default", **change}, "default vocabulary"))
        return rows

    def taking(self, vocabulary: Vocabulary) -> tuple[Kind, dict[str, Any]] | None:
        """Return the row that makes a person's words these; None when they are already."""
        if vocabulary == self.vocabulary:
            return None
        change = {"before": self.own_vocabulary.to_mapping(), "after": vocabulary.to_mapping()}
        return Kind.VOCABULARY, change


def review_state(rows: Iterable[Entry]) -> ReviewState:
    """Return what rows about thresholds, cleanup, mixtures, teaching and words amount to.

    Raises
    ------
    ValueError
        When a row is damaged.
    """
    found = _Rules()
    for row in rows:
        try:
            found.follow(row)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise damaged(row) from error
    return found.state()


class _Rules:
    """The rows of a journal, one after another."""

    def __init__(self) -> None:
        self._defaults = ThresholdTable.published()
        self._own: dict[Cell, float] = {}
        self._slide_thresholds: dict[StructureName | None, float] = {}
        self._cleanup = _Cleanups()
        self._mixtures: dict[str, Mixture] = {}
        self._taught: dict[TaughtScope, Taught] = {}
        self._words = {"default": BUILT_IN, "own": BUILT_IN}

    def follow(self, row: Entry) -> None:
        """Take the next row."""
        after = row.facts.get("after")
        if row.kind is Kind.CLEANUP:
            self._cleanup.follow(row.facts)
        elif row.kind is Kind.MIXTURE:
            self._mixtures[str(row.facts["networks"])] = Mixture.from_facts(after)
        elif row.kind is Kind.TAUGHT:
            self._follow_taught(row.facts)
        elif row.kind is Kind.VOCABULARY:
            scope = "default" if row.facts.get("scope") == "default" else "own"
            self._words[scope] = Vocabulary.from_mapping(after)
        else:
            self._follow_threshold(row.facts, after)

    def _follow_threshold(self, facts: Mapping[str, Any], after: Any) -> None:
        scope = facts.get("scope")
        if scope == "default":
            self._defaults = ThresholdTable.from_mapping(after or {})
        elif scope == "slide":
            _put(self._slide_thresholds, _structure_of(facts), after)
        else:
            cell = Organ.parse(facts["organ"]), DataSource.parse(facts["source"])
            _put(self._own, (*cell, _structure_of(facts)), after)

    def _follow_taught(self, facts: Mapping[str, Any]) -> None:
        """Take what a person taught; heads that follow a stroke leave switch and weight alone."""
        scope, after = TaughtScope.from_facts(facts["of"]), Taught.from_facts(facts["after"])
        if facts.get("scope") == "follows":
            after = self._taught.get(scope, Taught(on=False)).refitted(after)
        self._taught[scope] = after

    def state(self) -> ReviewState:
        """Return what they amount to."""
        words = self._words["own"].over(self._words["default"])
        defaults, own = self._defaults.within(words), ThresholdTable.of_cells(self._own)
        set_by_hand = own.within(words)
        return ReviewState(
            defaults=defaults,
            thresholds=replace(
                defaults,
                values={**defaults.values, **set_by_hand.values},
                others={**defaults.others, **set_by_hand.others},
            ),
            own=frozenset(set_by_hand.cells),
            slide_thresholds=self._slide_thresholds,
            default_cleanups=self._cleanup.defaults,
            cleanups=self._cleanup.all(),
            mixtures=self._mixtures,
            taught=self._taught,
            default_vocabulary=self._words["default"],
            own_vocabulary=self._words["own"],
        )


def _structure_of(facts: Mapping[str, Any]) -> StructureName | None:
    """Return the structure that a row is about; None is the organ's own."""
    name = facts.get("structure")
    return None if name is None else StructureName.parse(name)


def _put(values: dict[Key, float], key: Key, value: Any) -> None:
    """Set a threshold as the newest one, or take it away."""
    values.pop(key, None)
    if value is not None:
        values[key] = checked_threshold(value)


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
            held = dict.fromkeys([*ORGANS, None], self._everywhere)
        return {organ: plan for organ, plan in (held | self._own).items() if plan != Cleanup()}


def mixture_payload(networks: str, before: Mixture, after: Mixture) -> dict[str, Any]:
    """Return the row that changes which members are mixed, and their weights."""
    return {"networks": networks, "before": before.to_facts(), "after": after.to_facts()}


def taught_payload(
    scope: TaughtScope, before: Taught, after: Taught, *, follows: bool = False
) -> dict[str, Any]:
    """Return the row that changes what is taught.

    Parameters
    ----------
    follows
        Whether the heads alone follow what a person drew: no step of its own.
    """
    change = {"of": scope.to_facts(), "before": before.to_facts(), "after": after.to_facts()}
    return change | ({"scope": "follows"} if follows else {})


def damaged(row: Entry) -> ValueError:
    """Return the refusal of a row that cannot be read."""
    return ValueError(
        f"Row {row.seq} of the journal ({row.kind}) is damaged: take the project from a copy."
    )
