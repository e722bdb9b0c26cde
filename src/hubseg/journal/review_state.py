"""The rules of a review after the rows of its journal: thresholds, cleanup, members, words.

Responsible for what each such row means, and for the rows that a recipe's own rules are written
as. Does not know slides, edits or verdicts (:mod:`hubseg.journal.slide_state`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hubseg.cleanup import Cleanup, cleanups_from, cleanups_to
from hubseg.journal.rows import Entry, Kind
from hubseg.organ import BUILT_IN, ORGANS, DataSource, Organ, Vocabulary
from hubseg.probability import Mixture
from hubseg.thresholds.table import ThresholdTable, checked_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ReviewState", "damaged", "mixture_payload", "review_state"]


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
    default_vocabulary, own_vocabulary
        The words that a recipe brings, and those that a person took.
    """

    defaults: ThresholdTable = field(default_factory=ThresholdTable.published)
    thresholds: ThresholdTable = field(default_factory=ThresholdTable.published)
    own: frozenset[tuple[Organ, DataSource]] = frozenset()
    slide_threshold: float | None = None
    default_cleanups: Mapping[Organ, Cleanup] = field(default_factory=dict)
    cleanups: Mapping[Organ | None, Cleanup] = field(default_factory=dict)
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    default_vocabulary: Vocabulary = BUILT_IN
    own_vocabulary: Vocabulary = BUILT_IN

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that are known."""
        return self.own_vocabulary.over(self.default_vocabulary)

    def cleanup(self, organ: Organ | None) -> Cleanup:
        """Return what is tidied up in slides of an organ, between threshold and edits."""
        return self.cleanups.get(organ, Cleanup())

    def threshold(self, organ: Organ | None, source: DataSource | None) -> float:
        """Return the threshold that holds for the slide, 0-255."""
        if self.slide_threshold is not None:
            return self.slide_threshold
        return self.thresholds.value(organ, source)

    def adopting(
        self,
        thresholds: ThresholdTable,
        cleanups: Mapping[Organ, Cleanup],
        vocabulary: Vocabulary = BUILT_IN,
    ) -> list[tuple[Kind, dict[str, Any], str]]:
        """Return the rows, with their labels, that put a recipe's own below a person's."""
        rows: list[tuple[Kind, dict[str, Any], str]] = []
        if replace(thresholds, of_organ=self.defaults.of_organ) != self.defaults:
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
    """Return what rows about thresholds, cleanup, mixtures and words amount to.

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
        self._own: dict[tuple[Organ, DataSource], float] = {}
        self._slide_threshold: float | None = None
        self._cleanup = _Cleanups()
        self._mixtures: dict[str, Mixture] = {}
        self._words = {"default": BUILT_IN, "own": BUILT_IN}

    def follow(self, row: Entry) -> None:
        """Take the next row."""
        after = row.facts.get("after")
        if row.kind is Kind.CLEANUP:
            self._cleanup.follow(row.facts)
        elif row.kind is Kind.MIXTURE:
            self._mixtures[str(row.facts["networks"])] = Mixture.from_facts(after)
        elif row.kind is Kind.VOCABULARY:
            self._words[str(row.facts.get("scope") or "own")] = Vocabulary.from_mapping(after)
        else:
            self._follow_threshold(row.facts, after)

    def _follow_threshold(self, facts: Mapping[str, Any], after: Any) -> None:
        scope = facts.get("scope")
        if scope == "default":
            self._defaults = ThresholdTable.from_mapping(after or {})
        elif scope == "slide":
            self._slide_threshold = None if after is None else checked_threshold(after)
        else:
            pair = Organ.parse(facts["organ"]), DataSource.parse(facts["source"])
            self._own.pop(pair, None)
            if after is not None:
                self._own[pair] = checked_threshold(after)

    def state(self) -> ReviewState:
        """Return what they amount to."""
        words = self._words["own"].over(self._words["default"])
        defaults = replace(self._defaults, of_organ=words.thresholds)
        return ReviewState(
            defaults=defaults,
            thresholds=replace(defaults, values={**defaults.values, **self._own}),
            own=frozenset(self._own),
            slide_threshold=self._slide_threshold,
            default_cleanups=self._cleanup.defaults,
            cleanups=self._cleanup.all(),
            mixtures=self._mixtures,
            default_vocabulary=self._words["default"],
            own_vocabulary=self._words["own"],
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
            held = dict.fromkeys([*ORGANS, None], self._everywhere)
        return {organ: plan for organ, plan in (held | self._own).items() if plan != Cleanup()}


def mixture_payload(networks: str, before: Mixture, after: Mixture) -> dict[str, Any]:
    """Return the row that changes which members are mixed, and their weights."""
    return {"networks": networks, "before": before.to_facts(), "after": after.to_facts()}


def damaged(row: Entry) -> ValueError:
    """Return the refusal of a row that cannot be read."""
    return ValueError(
        f"Row {row.seq} of the journal ({row.kind}) is damaged: take the project from a copy."
    )
