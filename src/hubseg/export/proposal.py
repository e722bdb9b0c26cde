"""What an import would do, mask by mask, before anything is done.

Responsible for looking into each mask without drawing it: what it holds, and whether it fits its
slide. Does not take anything over (:mod:`hubseg.export.importing`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hubseg.export.importing import decided_already
from hubseg.export.matching import plan_files
from hubseg.export.parts import factor_of, parts_of
from hubseg.failure import EXPECTED, one_sentence
from hubseg.journal.imported import ROLES
from hubseg.project.receiving import UNKNOWN, Receiving, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hubseg.export.importing import How
    from hubseg.export.matching import ImportPlan, OneMask, Sized
    from hubseg.export.parts import Part
    from hubseg.journal.imported import Role

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
    counts
        Class → how many objects with an area it holds of it; "" is those without a class.
    factor
        By how much it is enlarged to lie on the slide; 1 where it lies on it as it is.
    wrong
        Why it cannot be taken over, whatever a person says; "" where it can.
    onto
        How the slide stands.
    remark
        What a person should know of its file as a whole, of a slide that is worked on in regions;
        of its regions the first one has it.
    """

    name: str
    slide_id: str = ""
    mask: OneMask | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    factor: float = 1.0
    wrong: str = ""
    onto: Receiving = UNKNOWN
    remark: str = ""

    @property
    def objects(self) -> int:
        """How many objects it holds, of every class."""
        return sum(self.counts.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of its objects, each once."""
        return tuple(filter(None, self.counts))

    def holds(self, only: str = "") -> str:
        """Return what it holds, of one class or of all (""), in a few words."""
        if self.objects == 1 and not self.classes:
            return "a mask"
        if not self.counts:
            return ""
        chosen = {one: n for one, n in self.counts.items() if _is(one, only)}
        count = sum(chosen.values())
        said = f"{count} object{'' if count == 1 else 's'}" if count or only else ""
        return " · ".join(filter(None, (said, ", ".join(filter(None, chosen)))))

    def why_not(self, how: How) -> str:
        """Return why it is not taken over so, in one sentence, or ""."""
        if self.wrong:
            return self.wrong
        if how.only and not any(_is(one, how.only) for one in self.classes):
            return f"It holds no object of {how.only}."
        if how.role == "labels" and not self.classes:
            return "It names no classes: take it over as edits."
        named, nowhere = self._named(how), self._nowhere(how)
        if named and named == nowhere:
            has = in_words(self.onto.structures)
            return f"{', '.join(nowhere)}: no structure of this slide. It has {has}."
        if self.factor != 1.0 and not how.fit:
            return f"It is of another size: it would fit, enlarged {self.factor:.4g} times."
        return decided_already(self.onto.verdict, how.role)

    def becomes(self, how: How) -> str:
        """Return what it becomes where it is taken over so, in a few words."""
        larger = f"enlarged {self.factor:.4g} times, " if self.factor != 1.0 else ""
        said = f"{larger}{ROLES[how.role]}"
        nowhere = self._nowhere(how)
        if nowhere:
            said += f"; without {', '.join(nowhere)}: no structure of this slide"
        if len(self.classes) > 1 and not how.only and how.role != "labels":
            said += f"; {', '.join(self.classes)} as one"
        here = self.onto.structures
        if how.role in ("edits", "mask") and how.only and not self.onto.has(how.only):
            said += (
                f"; as {here[0] or 'its mask'}" if len(here) == 1 else "; as the chosen structure"
            )
        return "; ".join(filter(None, (said, self.replaces(how.role))))

    def replaces(self, role: Role) -> str:
        """Return what of the slide it comes in the place of, in a few words; "" is nothing."""
        if role == "truth":
            return "in place of the truth that is there" if self.onto.has_truth else ""
        if not self.onto.is_drawn:
            return ""
        return f"{'below' if role == 'mask' else 'in place of'} what is drawn there"

    def _named(self, how: How) -> list[str]:
        """Return the structures that it goes onto by their names."""
        if how.onto:
            return [how.onto]
        return [one for one in self.classes if how.role == "labels" and _is(one, how.only)]

    def _nowhere(self, how: How) -> list[str]:
        """Return those of them that the slide does not have."""
        return [one for one in self._named(how) if not self.onto.has(one)]

    def read(self, slide: Sized, how: How) -> tuple[Part, ...]:
        """Read the mask for its slide, as :func:`hubseg.export.parts.parts_of`."""
        if self.mask is None:
            raise ValueError(self.wrong)
        return parts_of(self.mask, slide, how.role, fit=how.fit, only=how.only)


def look_into_files(
    files: Sequence[Path],
    slides: Sequence[Sized],
    stands: Callable[[str], Receiving],
    here: str | None = None,
) -> tuple[Proposed, ...]:
    """Return what importing files would do.

    Parameters
    ----------
    files, slides, here
        As in :func:`plan_files`.
    stands
        As in :func:`look_into`.

    Raises
    ------
    ValueError
        When no file holds a mask.
    """
    plan = plan_files(files, slides, here)
    if not plan.matched and not plan.unmatched:
        names = ", ".join(file.name for file in files[:3])
        raise ValueError(f"{names} holds no mask: export one of a format that is read.")
    return look_into(plan, slides, stands)


def look_into(
    plan: ImportPlan, slides: Sequence[Sized], stands: Callable[[str], Receiving]
) -> tuple[Proposed, ...]:
    """Return what a plan would do: each slide's mask in the project's order, then the others.

    Parameters
    ----------
    stands
        How a slide stands, by its id.
    """
    own, notes = list[Proposed](), dict(plan.notes)
    for slide in slides:
        if (mask := plan.matched.get(slide.id)) is not None:
            remark = notes.pop(mask.whole, "")
            own.append(replace(_into(mask, slide, stands), remark=remark))
    return (*own, *(Proposed(name, wrong=why) for name, why in plan.unmatched.items()))


def taken(proposed: Sequence[Proposed], how: How) -> list[Proposed]:
    """Return those that are taken over so."""
    return [one for one in proposed if not one.why_not(how)]


def _into(mask: OneMask, slide: Sized, stands: Callable[[str], Receiving]) -> Proposed:
    name = mask.path.name
    onto = UNKNOWN
    try:
        onto = stands(slide.id)
        image = mask.read()
        factor = 1.0
        if image.size is not None and image.size != (slide.height, slide.width):
            factor = factor_of(image.size, slide)
        wrong = "" if image.objects else _nothing_in(image.notes, image.left_out)
    except EXPECTED as error:
        return Proposed(name, slide.id, mask, wrong=one_sentence(error), onto=onto)
    counts = Counter(one.name for one in image.objects)
    return Proposed(name, slide.id, mask, counts, factor, wrong, onto)


def _is(name: str, only: str) -> bool:
    """Whether objects of a class are taken, where one class is, or all ("") are."""
    return not only or name.casefold() == only.casefold()


def _nothing_in(notes: Sequence[str], left_out: Mapping[str, int]) -> str:
    """Return why a mask without an object is of no use; "" where it is simply empty."""
    if notes:
        return f"None of its annotations can be read. {notes[0]}"
    return "It holds points or lines only, no area: draw outlines." if left_out else ""
