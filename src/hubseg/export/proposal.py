"""What an import would do, mask by mask, before anything is done.

Responsible for looking into each mask without drawing it: what it holds, and whether it fits its
slide. Does not take anything over (:mod:`hubseg.export.importing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.export.importing import decided_already
from hubseg.export.matching import plan_files
from hubseg.export.parts import factor_of, parts_of
from hubseg.failure import EXPECTED, one_sentence
from hubseg.journal.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hubseg.export.importing import How
    from hubseg.export.matching import ImportPlan, OneMask, Sized
    from hubseg.export.parts import Part

__all__ = ["Proposed", "look_into", "look_into_files", "taken"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """One mask, and what would become of it.

    Attributes
    ----------
    name
        Of its file, or of its image in a file of several.
    slide_id
        Whose it is; "" where it is no slide's.
    mask
        What reads it; None where that is known to be of no use.
    objects
        How many objects with an area it holds, of every class.
    classes
        Their classes, each once.
    factor
        By how much it is enlarged to lie on the slide; 1 where it lies on it as it is.
    wrong
        Why it cannot be taken over, whatever a person says; "" where it can.
    verdict
        What was decided about the slide.
    """

    name: str
    slide_id: str = ""
    mask: OneMask | None = None
    objects: int = 0
    classes: tuple[str, ...] = ()
    factor: float = 1.0
    wrong: str = ""
    verdict: Verdict = Verdict.UNSEEN

    @property
    def holds(self) -> str:
        """What it holds, in a few words."""
        if self.objects == 1 and not self.classes:
            return "a mask"
        count = f"{self.objects} object{'' if self.objects == 1 else 's'}" if self.objects else ""
        return " · ".join(filter(None, (count, ", ".join(self.classes))))

    def why_not(self, how: How) -> str:
        """Return why it is not taken over so, in one sentence, or ""."""
        if self.wrong:
            return self.wrong
        if how.only and how.only.casefold() not in map(str.casefold, self.classes):
            return f"It holds no object of {how.only}."
        if how.role == "labels" and not self.classes:
            return "It names no classes: take it over as edits."
        if self.factor != 1.0 and not how.fit:
            return f"It is of another size: enlarged {self.factor:.4g} times it fits."
        return decided_already(self.verdict, how.role)

    def read(self, slide: Sized, how: How) -> tuple[Part, ...]:
        """Read the mask for its slide, as :func:`hubseg.export.parts.parts_of`."""
        if self.mask is None:
            raise ValueError(self.wrong)
        return parts_of(self.mask, slide, how.role, fit=how.fit, only=how.only)


def look_into_files(
    files: Sequence[Path],
    slides: Sequence[Sized],
    verdicts: Mapping[str, Verdict],
    here: str | None = None,
) -> tuple[Proposed, ...]:
    """Return what importing files would do; parameters as in :func:`plan_files`.

    Raises
    ------
    ValueError
        When no file holds a mask.
    """
    plan = plan_files(files, slides, here)
    if not plan.matched and not plan.unmatched:
        names = ", ".join(file.name for file in files[:3])
        raise ValueError(f"{names} holds no mask: export one of a format that is read.")
    return look_into(plan, slides, verdicts)


def look_into(
    plan: ImportPlan, slides: Sequence[Sized], verdicts: Mapping[str, Verdict]
) -> tuple[Proposed, ...]:
    """Return what a plan would do: each slide's mask in the project's order, then the others.

    Parameters
    ----------
    verdicts
        Id → what was decided; a slide that is not in it was not looked at.
    """
    own = [
        _into(plan.matched[slide.id], slide, verdicts.get(slide.id, Verdict.UNSEEN))
        for slide in slides
        if slide.id in plan.matched
    ]
    return (*own, *(Proposed(name, wrong=why) for name, why in plan.unmatched.items()))


def taken(proposed: Sequence[Proposed], how: How) -> list[Proposed]:
    """Return those that are taken over so."""
    return [one for one in proposed if not one.why_not(how)]


def _into(mask: OneMask, slide: Sized, verdict: Verdict) -> Proposed:
    name = mask.path.name
    try:
        image = mask.read()
        factor = 1.0
        if image.size is not None and image.size != (slide.height, slide.width):
            factor = factor_of(image.size, slide)
        wrong = "" if image.objects else _nothing_in(image.notes, image.left_out)
    except EXPECTED as error:
        return Proposed(name, slide.id, mask, wrong=one_sentence(error), verdict=verdict)
    count = len(image.objects)
    return Proposed(name, slide.id, mask, count, image.classes, factor, wrong, verdict)


def _nothing_in(notes: Sequence[str], left_out: Mapping[str, int]) -> str:
    """Return why a mask without an object is of no use; "" where it is simply empty."""
    if notes:
        return f"None of its annotations can be read. {notes[0]}"
    return "It holds points or lines only, no area: draw outlines." if left_out else ""
