"""What holds for a slide: facts told by a person, thresholds, cleanup, members that are mixed.

Responsible for changing these, each change one row of the journal. Does not know pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hubseg.journal.review_state import mixture_payload, taught_payload
from hubseg.journal.rows import Kind
from hubseg.journal.slide_state import parsed_facts
from hubseg.probability import Mixture, Taught, networks_digest
from hubseg.session.by_name import FactsByName
from hubseg.slide.pixel_size import check_plausible
from hubseg.thresholds.table import checked_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.cleanup import Cleanup
    from hubseg.journal.rows import Entry
    from hubseg.organ import DataSource, Organ, StructureName, Vocabulary
    from hubseg.organ.vocabulary import Kind as WordKind
    from hubseg.probability import TaughtScope
    from hubseg.recipe import Recipe
    from hubseg.session.review import Review
    from hubseg.slide import Slide
    from hubseg.thresholds.table import Cell

__all__ = ["Rules"]

_FACTS = ("organ", "source", "um_per_px")


class Rules:
    """Tell facts, set thresholds and cleanup.

    Parameters
    ----------
    review
        What they hold for.
    may_change
        Asked before anything is written; says why when it is not.

    Attributes
    ----------
    names
        Tells many slides at once.
    """

    def __init__(self, review: Review, may_change: Callable[[], bool]) -> None:
        self._review, self._may_change = review, may_change
        self.names = FactsByName(review, may_change)

    def tell(
        self,
        *,
        organ: Organ | str | None = None,
        source: DataSource | str | None = None,
        um_per_px: float | None = None,
    ) -> None:
        """Note what a person says about the current slide; None leaves a fact as it is.

        Raises
        ------
        ValueError
            When a name is not known (:meth:`take_name`), or the pixel size is none that a
            microscope's image can have.
        """
        if um_per_px is not None:
            check_plausible(um_per_px)
        facts = {"organ": organ, "source": source, "um_per_px": um_per_px}
        known = parsed_facts({k: value for k, value in facts.items() if value is not None})
        words = self._review.rules.vocabulary
        named: dict[WordKind, str | None] = {"organ": organ, "source": source}
        for kind, text in named.items():
            if text is not None:
                known[kind] = words.word(kind, text)
                if known[kind] is None:
                    raise ValueError(f"{words.unknown(kind, text)}.")
        here = self._review.current
        if here is None or not known or not self._may_change() or here.told(**known) == here:
            return
        before = {name: getattr(here, name) for name in known}
        shown = {n: v if n == "um_per_px" else words.label(v) for n, v in known.items()}
        label = ", ".join(f"{name.replace('um_per_px', 'µm/px')} {v}" for name, v in shown.items())
        self._write(Kind.FACTS, {"before": before, "after": known}, here.id, label)

    def take_name(self, kind: WordKind, text: str, meant: str = "") -> None:
        """Know a name from now on: slides whose table says it are told so.

        Parameters
        ----------
        kind
            Whether it is an organ's or a source's.
        text
            The name.
        meant
            The known word that it is another name of; "" makes it a new word.

        Raises
        ------
        ValueError
            When it can be no name, or `meant` is not known.
        """
        label = f"{kind} {text}" + (f" is {meant}" if meant else "")
        self.set_vocabulary(self._review.rules.vocabulary.taking(kind, text, meant), label)

    def set_vocabulary(self, vocabulary: Vocabulary, label: str = "vocabulary") -> None:
        """Make these the words of the project; `label` is the text of undo."""
        row = self._review.rules.taking(vocabulary)
        if row is not None and self._may_change():
            self._write(*row, None, label)

    def alike(self) -> tuple[Slide, ...]:
        """Return the other slides of which no more is known than was of this one.

        None while a person has told nothing of this one.
        """
        told, here = self._told, self._review.current
        if here is None or not told:
            return ()
        before = self._review.catalogue.untold[here.id]
        return tuple(
            slide
            for slide in self._review.catalogue.slides.values()
            if slide.id != here.id
            and all(getattr(slide, name) == getattr(before, name) for name in told)
        )

    @property
    def _told(self) -> dict[str, Any]:
        """What a person told of the current slide."""
        here = self._review.current
        facts = {} if here is None else {name: getattr(here, name) for name in _FACTS}
        own = {name for name in _FACTS if here is not None and here.origins.get(name) == "person"}
        return {name: value for name, value in facts.items() if name in own}

    def tell_alike(self) -> tuple[Entry, ...]:
        """Tell those of :meth:`alike` what was told of this one; return the rows that did it."""
        told, alike, review = self._told, self.alike(), self._review
        if not alike or not self._may_change():
            return ()
        label = f"facts as of {review.current.id}" if review.current else "facts"
        return self.names.tell({slide.id: told for slide in alike}, label)

    def set_threshold(
        self,
        value: float,
        *,
        organ: Organ | None = None,
        source: DataSource | None = None,
        structure: StructureName | None = None,
        scope: Literal["table", "slide"] = "table",
    ) -> None:
        """Set a threshold; one row of the journal each time, so call it when the hand rests.

        Parameters
        ----------
        value
            0-255; a pixel is inside where its probability is greater.
        organ, source
            Which cell of the table; default: the current slide's. Where they are not known the
            threshold is set for the slide alone, and `told` says so.
        structure
            Of what; None is the one on screen, and the organ's own where an organ is given.
        scope
            "table" for all slides of that organ and source, "slide" for the current one.

        Raises
        ------
        ValueError
            When `value` is not a number on 0-255.
        """
        value = checked_threshold(value)
        slide = self._review.current
        if not self._may_change():
            return
        if organ is None and structure is None:
            structure = self._review.structure
        if slide is not None:
            organ, source = organ or slide.organ, source or slide.source
        if scope == "table" and organ is not None and source is not None:
            self._set_cell((organ, source, structure), value)
            return
        if slide is None:
            raise ValueError("There is no slide to set a threshold for: give organ and source.")
        if scope == "table":
            self._review.signals.told.emit(
                f"The organ or source of {slide.id} is not known, so its threshold is set for "
                "this slide only: choose both to set it for all of their kind."
            )
        self._set_slide_threshold(value, structure)

    def reset_threshold(self) -> None:
        """Take back the slide's own threshold; without one, the table's value to its default."""
        slide, structure = self._review.current, self._review.structure
        if slide is None or not self._may_change():
            return
        if self._review.slide_threshold is not None:
            self._set_slide_threshold(None, structure)
        elif slide.organ is not None and slide.source is not None:
            self._set_cell((slide.organ, slide.source, structure), None)

    def _write(self, kind: Kind, payload: dict[str, Any], slide_id: str | None, label: str) -> None:
        self._review.keep(kind, payload, slide_id, label)
        self._review.follow()

    def _set_cell(self, cell: Cell, value: float | None) -> None:
        rules, (organ, source, structure) = self._review.rules, cell
        structure = rules.thresholds.beside_own(organ, structure)
        own = (organ, source, structure) in rules.own
        before = rules.thresholds.value(organ, source, structure)
        if (value is None and not own) or before == value:
            return
        after = rules.defaults.value(organ, source, structure) if value is None else value
        payload = {
            "scope": "table",
            "organ": organ,
            "source": source,
            **_about(structure),
            "before": before if own else None,
            "after": value,
        }
        what = f"{organ}/{source}" + ("" if structure is None else f" {structure}")
        label = f"threshold {what} {before:g} → {after:g}"
        self._write(Kind.THRESHOLD, payload, None, label)

    def _set_slide_threshold(self, value: float | None, structure: StructureName | None) -> None:
        here = self._review.current
        if here is None:
            return
        rules = self._review.rules
        before = rules.slide_threshold(here.organ, structure)
        if before == value:
            return
        structure = rules.thresholds.beside_own(here.organ, structure)
        payload = {"scope": "slide", **_about(structure), "before": before, "after": value}
        of = "" if structure is None else f"{structure} of "
        label = f"threshold of {of}this slide " + ("reset" if value is None else f"{value:g}")
        self._write(Kind.THRESHOLD, payload, here.id, label)

    def adopt(self, recipe: Recipe) -> None:
        """Put a recipe's thresholds, cleanups and words below a person's own."""
        rules = self._review.rules
        rows = rules.adopting(recipe.thresholds, recipe.cleanup, recipe.vocabulary)
        if not rows or not self._may_change():
            return
        for kind, payload, label in rows:
            self._write(kind, payload, None, label)

    def set_cleanup(self, cleanup: Cleanup) -> None:
        """Set what is tidied up in every slide of the current one's organ; edits stay."""
        before = self._review.cleanup
        if cleanup == before or not self._may_change():
            return
        organ = None if self._review.current is None else self._review.current.organ
        payload = {"organ": organ, "before": before.model_dump(), "after": cleanup.model_dump()}
        self._write(Kind.CLEANUP, payload, None, f"cleanup {organ}" if organ else "cleanup")

    def mixture(self, recipe: Recipe) -> Mixture:
        """Return which members of a recipe's networks are mixed, and with which weights."""
        networks = networks_digest(recipe)
        chosen, project = self._review.rules.mixtures.get(networks), self._review.project
        if chosen is not None or project is None:
            return chosen or Mixture()
        return Mixture.of_older(project.maps, networks)

    def set_mixture(self, recipe: Recipe, mixture: Mixture, label: str = "members mixed") -> None:
        """Set which members of a recipe's networks are mixed in every slide, and their weights.

        Parameters
        ----------
        recipe
            Whose networks.
        mixture
            What is mixed.
        label
            What was changed, in a person's words: the text of undo.
        """
        before = self.mixture(recipe)
        if mixture == before or not self._may_change():
            return
        payload = mixture_payload(networks_digest(recipe), before, mixture)
        self._write(Kind.MIXTURE, payload, None, label)

    def taught_scope(self, recipe: Recipe, structure: StructureName | None = None) -> TaughtScope:
        """Return what teaching is about while the current slide is on screen.

        Parameters
        ----------
        structure
            None is the organ's own.
        """
        here = self._review.current
        organ, source = (None, None) if here is None else (here.organ, here.source)
        networks = networks_digest(recipe)
        return self._review.rules.taught_scope(networks, organ, source, structure)

    def taught(self, scope: TaughtScope) -> Taught:
        """Return what was taught for some maps; nothing, and off, where nobody has."""
        return self._review.rules.taught.get(scope, Taught(on=False))

    def set_taught(
        self, scope: TaughtScope, taught: Taught, label: str = "taught", *, follows: bool = False
    ) -> None:
        """Set what is taught for some maps, whether it counts, and how much.

        Parameters
        ----------
        label
            What was changed, in a person's words: the text of undo.
        follows
            Heads alone that follow a stroke: no step of undo; switch and weight stay.
        """
        before = self.taught(scope)
        after = before.refitted(taught) if follows else taught
        if after == before or not self._may_change():
            return
        payload = taught_payload(scope, before, after, follows=follows)
        self._write(Kind.TAUGHT, payload, None, label)


def _about(structure: StructureName | None) -> dict[str, Any]:
    """Return what a row says of a structure; nothing of the organ's own."""
    return {} if structure is None else {"structure": structure}
