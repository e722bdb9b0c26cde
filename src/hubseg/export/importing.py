"""Masks that other programs wrote, taken over: as edits, as what a slide starts from, or as truth.

Responsible for never touching a slide that a person decided about, and for the structure that each
part goes onto. Does not know which file belongs to which slide (:mod:`hubseg.export.matching`), nor
how a mask comes to lie on it (:mod:`hubseg.export.parts`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.export.parts import parts_of
from hubseg.formats.rle import encode
from hubseg.project.receiving import in_words, receiving
from hubseg.tools.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubseg.export.matching import ImportPlan, OneMask
    from hubseg.export.parts import Part
    from hubseg.journal.imported import Role
    from hubseg.journal.verdict import Verdict
    from hubseg.outcome import Outcome
    from hubseg.session import ReviewSession

__all__ = ["How", "decided_already", "import_masks", "take_over"]


@dataclass(frozen=True, slots=True)
class How:
    """How masks are taken over.

    Attributes
    ----------
    role
        As what (:data:`hubseg.journal.imported.ROLES`).
    fit
        Enlarge or shrink rasters of the slide's shape and another size.
    only
        Take the objects of this class alone, by its name or number in the file; "" takes all. A
        class that is called as a structure of the slide is, goes onto that structure.
    onto
        The structure that it goes onto, whatever its class is called; "" leaves that to the class.
    """

    role: Role = "edits"
    fit: bool = False
    only: str = ""
    onto: str = ""


def import_masks(
    session: ReviewSession,
    plan: ImportPlan,
    outcome: Outcome,
    *,
    how: How | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Take each mask over on its slide.

    A slide that somebody accepted, corrected or rejected keeps its mask and is left out, unless it
    is about a truth; so is a mask that does not fit. One undo takes edits, or a mask, back.

    Parameters
    ----------
    session
        Open for writing.
    plan
        What :func:`hubseg.export.matching.plan_import` found.
    outcome
        Takes what was done, left out and noticed.
    how
        How they are taken over; default: as edits.
    on_progress
        Called with slides done and slides in all.

    Raises
    ------
    ValueError
        When no mask has an object of the class.
    """
    how = how or How()
    if how.only and not any(_has(mask, how.only) for mask in plan.matched.values()):
        raise ValueError(f"No mask has objects of {how.only}: name a class of the file.")
    trouble: list[str] = []
    session.failed.connect(trouble.append)
    try:
        for number, (slide_id, mask) in enumerate(plan.matched.items(), 1):
            trouble.clear()
            with outcome.attempt(slide_id):
                _import(session, slide_id, mask, outcome, how, trouble)
            if on_progress is not None:
                on_progress(number, len(plan.matched))
    finally:
        session.failed.disconnect(trouble.append)


def take_over(
    session: ReviewSession,
    slide_id: str,
    parts: Sequence[Part],
    file: str,
    role: Role,
    onto: str = "",
) -> tuple[str, ...] | None:
    """Take the parts of a mask over on a slide, which but for a truth is the one on screen.

    Parameters
    ----------
    file
        What its file is called.
    onto
        The structure that it goes onto; by default that of a part's name, or the chosen one.

    Returns
    -------
    tuple of str or None
        What was noticed; None when nothing changed, or nothing may be changed (the session says
        why).

    Raises
    ------
    ValueError
        When the slide has no such structure, or a truth holds no object: that would be no truth.
    OSError
        When a truth cannot be written.
    """
    notes: list[str] = []
    changed, came = False, 0
    for part in parts:
        named = onto or part.name
        meant = () if role == "truth" else session.structure_meant(named)
        if not meant and (onto or role == "labels"):
            notes.append(f"{named} is no structure of this slide: left out.")
            continue
        for structure in meant:
            session.choose(structure)
        changed |= _take(session, slide_id, part, file, role)
        notes += part.notes
        came += 1
    if not came:
        raise ValueError(f"{' '.join(notes)} It has {in_words(session.structures)}.")
    return tuple(notes) if changed else None


def _take(session: ReviewSession, slide_id: str, part: Part, file: str, role: Role) -> bool:
    inside = part.inside
    if role in ("edits", "labels"):
        return session.put(Change.whole(f"import of {file}"[:100], inside)) is not None
    if role == "mask":
        return session.start_from(inside, file)
    for name in session.structure_meant(part.name):
        if name in session.structures[1:]:
            raise ValueError(
                f"A truth is kept of {session.structures[0]} alone: compare {name} by "
                f"hubseg evaluate --truth FILE --structure {name}."
            )
    if not inside.any():
        raise ValueError(f"{file} holds no object: an empty truth is taken for none.")
    return session.keep_truth(slide_id, encode(inside))


def _has(mask: OneMask, only: str) -> bool:
    with suppress(OSError, ValueError):  # said where it is taken over
        return bool(mask.read().of_class(only).objects)
    return False


def _import(
    session: ReviewSession,
    slide_id: str,
    mask: OneMask,
    outcome: Outcome,
    how: How,
    trouble: list[str],
) -> None:
    why_not = decided_already(session.verdict(slide_id), how.role)
    if why_not:
        raise ValueError(why_not)
    slide = session.current if session.go_to(slide_id) else None
    if slide is None:
        raise ValueError(trouble[-1] if trouble else f"Slide {slide_id} cannot be opened.")
    if mask.whole and how.only and not _has(mask, how.only):
        outcome.note(slide_id, f"It holds no object of {how.only}: it stays as it is.")
        return
    parts = parts_of(mask, slide, how.role, fit=how.fit, only=how.only)
    before = receiving(session.project, (slide,))(slide_id)
    notes = take_over(session, slide_id, parts, mask.path.name, how.role, how.onto)
    if notes is None:
        if trouble:
            raise ValueError(trouble[-1])
        notes = (*(one for part in parts for one in part.notes), "It holds this mask already.")
    elif how.role == "truth" and before.has_truth:
        notes = (*notes, "In place of the truth that was known.")
    elif how.role in ("edits", "labels") and before.is_drawn:
        notes = (*notes, "In place of what was drawn there, which undo in the window brings back.")
    for note in notes:
        outcome.note(slide_id, note)


def decided_already(verdict: Verdict, role: Role) -> str:
    """Return why a slide of this verdict is left as it is, or ""."""
    if role == "truth" or verdict.needs_person:
        return ""
    return f"It is {verdict.value}, and what a person decided stays: a stroke opens it again."
