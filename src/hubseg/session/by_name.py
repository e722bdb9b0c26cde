"""Facts that the names of files tell, for many slides at once.

Responsible for what a pattern would tell each slide, for telling it, and for never telling over a
person's word. Does not know patterns (:mod:`hubseg.slide.name_pattern`) or windows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubseg.journal.rows import Entry, Kind
from hubseg.journal.slide_state import parsed_facts
from hubseg.slide.name_pattern import FIELDS, read_name
from hubseg.slide.pixel_size import check_plausible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hubseg.organ import Vocabulary
    from hubseg.session.review import Review
    from hubseg.slide import Slide

__all__ = ["FactsByName", "NamedSlide"]


@dataclass(frozen=True)
class NamedSlide:
    """A slide whose name fits a pattern.

    Attributes
    ----------
    id
        The slide.
    told
        What it would be told: those of organ, source and µm/px that are new to it.
    stays
        Those that stay, because a person told them.
    why
        Why it can be told nothing: a word that is no organ, a size no microscope has; or "".
    """

    id: str
    told: Mapping[str, Any] = field(default_factory=dict)
    stays: tuple[str, ...] = ()
    why: str = ""


class FactsByName:
    """Tell slides what their names say.

    Parameters
    ----------
    review
        Whose slides.
    may_change
        Asked before anything is written; says why when it is not.
    """

    def __init__(self, review: Review, may_change: Callable[[], bool]) -> None:
        self._review, self._may_change = review, may_change

    def by_name(self, pattern: str, facts: Mapping[str, Any]) -> tuple[NamedSlide, ...]:
        """Return the slides whose names fit a pattern, and what each would be told.

        Parameters
        ----------
        pattern
            As :func:`hubseg.slide.name_pattern.read_name` takes it.
        facts
            Organ, source and µm/px for all of them, where the pattern does not say; None is
            nothing.

        Raises
        ------
        ValueError
            When the pattern is none.
        """
        given = {name: value for name, value in facts.items() if value is not None}
        words = self._review.rules.vocabulary
        found = []
        for slide in self._review.catalogue.slides.values():
            read = read_name(pattern, slide.id)
            if read is not None:
                found.append(_named(slide, {**given, **read}, words))
        return tuple(found)

    def tell_by_name(self, named: Iterable[NamedSlide]) -> tuple[Entry, ...]:
        """Tell slides, and return the rows that did it."""
        found = [one for one in named if one.told and not one.why]
        if not found or not self._may_change():
            return ()
        return self.tell({one.id: one.told for one in found}, "facts by file name")

    def tell(self, told: Mapping[str, Mapping[str, Any]], label: str) -> tuple[Entry, ...]:
        """Note what a person says about slides, id → facts; return the rows that did it."""
        review, rows = self._review, []
        project = review.open_project()
        here = "" if review.current is None else review.current.id
        for slide_id, facts in told.items():
            slide = review.catalogue.slides[slide_id]
            before = {name: getattr(slide, name) for name in facts}
            payload = {"before": before, "after": dict(facts)}
            review.record_file(slide)
            row = project.append(Kind.FACTS, payload, slide_id=slide_id, label=label)
            rows.append(row)
            if slide_id == here:
                review.history.record(row)
            else:
                review.catalogue.slides[slide_id] = slide.told(**facts)
        if here in told:
            review.follow()
        else:
            review.signals.facts_changed.emit()
            review.report()
        return tuple(rows)


def _named(slide: Slide, said: Mapping[str, Any], words: Vocabulary) -> NamedSlide:
    told = {name: said[name] for name in FIELDS if name in said}
    for kind in ("organ", "source"):
        if kind not in told:
            continue
        text = str(told[kind])
        told[kind] = words.word(kind, text)
        if told[kind] is None:
            return NamedSlide(slide.id, why=f"{words.unknown(kind, text)}.")
    try:
        if "um_per_px" in told:
            told["um_per_px"] = float(str(told["um_per_px"]).replace(",", "."))
            check_plausible(told["um_per_px"])
        known = parsed_facts(told)
    except ValueError as error:
        return NamedSlide(slide.id, why=str(error))
    stays = tuple(name for name in known if slide.origins.get(name) == "person")
    new = {
        name: value
        for name, value in known.items()
        if name not in stays and getattr(slide, name) != value
    }
    return NamedSlide(slide.id, new, stays)
