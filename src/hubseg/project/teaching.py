"""What the slides of a project teach its networks: edits and accepted masks beside their features.

Responsible for fitting a head for each member, by what the slides of a scope say. Pure reading;
needs no torch. Does not know which slides those are (:mod:`hubseg.project.pupil`), how features are
computed, nor the arithmetic (:mod:`hubseg.probability.teaching`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hubseg.probability import MapStore, Taught
from hubseg.probability.marks import marks
from hubseg.probability.stain_choice import BothStains, gain_of, is_better, lessons_in
from hubseg.probability.teaching import choose, departure, fit, lesson, unchanged
from hubseg.project.pupil import Pupil

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubseg.probability import FeatureMap, TaughtScope
    from hubseg.probability.marks import Marks
    from hubseg.probability.teaching import Lesson
    from hubseg.project import ReviewProject
    from hubseg.project.pupil import Drawn
    from hubseg.recipe import Member
    from hubseg.slide import Slide

    Place = tuple[int, int, int]

__all__ = ["Teacher", "Teaching"]

_TOO_FINE = (
    "What was drawn is too fine for the networks to see: draw over more of it, or accept a slide."
)


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """What came of teaching.

    Attributes
    ----------
    taught
        The heads; none where nothing could be taught.
    used
        Ids of the slides that taught them.
    left_out
        Id of a slide with corrections → one sentence why it teaches nothing here.
    missing
        Slides that teach as soon as features are computed: with members and keys of their maps.
    note
        One sentence that a person should know, or "".
    layers
        Which layer of each taught member's map it is.
    accepted
        Whether one of those slides was accepted.
    """

    taught: Taught
    used: tuple[str, ...]
    left_out: dict[str, str]
    missing: tuple[tuple[Slide, tuple[tuple[Member, str], ...]], ...]
    note: str = ""
    layers: dict[Place, int] = field(default_factory=dict)
    accepted: bool = False


@dataclass(eq=False)
class Teacher:
    """Gathers what slides teach, and keeps it until their journals say something else.

    For one thread at a time, and one scope after another.

    Attributes
    ----------
    strength
        Of the prior, as of :func:`hubseg.probability.teaching.fit`; None: what slides that are
        held back say (:func:`hubseg.probability.teaching.choose`), asked again only when another
        one is accepted.
    """

    strength: float | None = None
    _kept: dict[tuple[object, ...], tuple[object, BothStains]] = field(default_factory=dict)
    _chosen: dict[Place, tuple[list[Lesson], float | None]] = field(default_factory=dict)

    def teach(
        self,
        project: ReviewProject,
        scope: TaughtScope,
        slides: Iterable[Slide] | None = None,
        *,
        now: tuple[str, Drawn] | None = None,
    ) -> Teaching:
        """Fit a head for each member that has maps and features of slides with corrections.

        Parameters
        ----------
        scope
            Of which networks, organ, source and structure: slides of others are left out.
        slides
            Those that may teach; None is all of the project's.
        now
            Id of the slide on screen and what stands on it, where that is newer than the journal
            or already at hand.

        Raises
        ------
        ValueError
            When a row of a journal is damaged, or maps are of different checkpoints.
        """
        lessons: dict[Place, dict[str, BothStains]] = {}
        layers: dict[Place, int] = {}
        used: list[str] = []
        left_out: dict[str, str] = {}
        missing: list[tuple[Slide, tuple[tuple[Member, str], ...]]] = []
        for slide in project.slides() if slides is None else slides:
            told = Pupil.of(project, slide, scope)
            if isinstance(told, str):
                if told:
                    left_out[slide.id] = told
                continue
            drawn = now[1] if now is not None and now[0] == slide.id else None
            found, absent = self._lessons(project, told, drawn)
            layers |= {member.place: layer for member, _, layer in told.keyed}
            for place, one in found.items():
                lessons.setdefault(place, {})[slide.id] = one
            if absent:
                missing.append((told.slide, absent))
            if found:
                used.append(slide.id)
        taught, note = self._fitted(lessons, used)
        accepted = any(one.own.whole for some in lessons.values() for one in some.values())
        return Teaching(taught, tuple(used), left_out, tuple(missing), note, layers, accepted)

    def _fitted(
        self, lessons: dict[Place, dict[str, BothStains]], used: list[str]
    ) -> tuple[Taught, str]:
        """Return the heads, in the stains that accepted slides are better shown in, and a note."""
        aligned, said = _stains(lessons, used)
        heads, apart, declined = {}, [], 0
        taken = {
            place: lessons_in(some.values(), aligned=aligned) for place, some in lessons.items()
        }
        for place, some in sorted(taken.items()):
            if not some:
                continue
            strength = self._strength(place, some)
            head = None if strength is None else fit(some, strength=strength)
            declined += strength is None
            if head is None and aligned:
                head = unchanged(some)
            if head is not None:
                heads[place] = head
                apart.append(departure(head, some))
        taught = Taught(heads, departure=float(np.mean(apart)) if apart else 0.0)
        notes = said, _lacking(taken.values()) or _declined(declined, len(taken))
        return taught, " ".join(filter(None, notes))

    def _strength(self, place: Place, some: list[Lesson]) -> float | None:
        if self.strength is not None:
            return self.strength
        judges = [one for one in some if one.whole]
        kept = self._chosen.get(place)
        if kept is None or kept[0] != judges:
            kept = self._chosen[place] = (judges, choose(some))
        return kept[1]

    def _lessons(
        self, project: ReviewProject, told: Pupil, drawn: Drawn | None
    ) -> tuple[dict[Place, BothStains], tuple[tuple[Member, str], ...]]:
        """Return what a slide teaches each member, and the members whose features are missing."""
        store = MapStore(project.maps)
        marked: dict[tuple[int, int], Marks] = {}
        found: dict[Place, BothStains] = {}
        absent: list[tuple[Member, str]] = []
        stamp: object = told.stamp if drawn is None else drawn
        for member, key, layer in told.keyed:
            where = told.slide.id, key, layer
            kept = self._kept.get(where)
            if kept is None or kept[0] != stamp:
                drawn = told.drawn() if drawn is None else drawn
                if not drawn.says_something:
                    return {}, ()
                features = store.get_features(store.beside(key, told.slide.region))
                if features is None or not features.knows(told.stain):
                    absent.append((member, key))
                    continue
                features, shown = told.inside(features, store.tiled(key))
                size = features.shape
                if size not in marked:
                    marked[size] = _marks(drawn.part(*shown), size)
                one = _both(features, marked[size], layer)
                kept = self._kept[where] = (stamp, one)
            found[member.place] = kept[1]
        return found, tuple(absent)


def _marks(drawn: Drawn, shape: tuple[int, int]) -> Marks:
    return marks(shape, added=drawn.added, erased=drawn.erased, mask=drawn.accepted)


def _both(features: FeatureMap, marked: Marks, layer: int) -> BothStains:
    """Return what a slide teaches in its own stains and in those that the network knows."""
    own, other = lesson(features, marked, layer), features.aligned
    return BothStains(own, None if other is None else lesson(other, marked, layer, of=features))


def _stains(lessons: dict[Place, dict[str, BothStains]], used: list[str]) -> tuple[bool, str]:
    """Return whether slides are shown in the stains that networks know, and what to say of it."""
    found = [gain_of(o[name] for o in lessons.values() if name in o) for name in used]
    gains = [gain for gain in found if gain is not None]
    if not is_better(gains):
        return False, ""
    slides = "slide" if len(gains) == 1 else f"{len(gains)} slides"
    gain = f"Dice {np.mean(gains):.2f} higher on your {slides}"
    return True, f"Stain matched: {gain}; look at the threshold again."


def _declined(count: int, total: int) -> str:
    """Return what to say of networks that are no better taught, on slides held back."""
    if not count:
        return ""
    return (
        f"The last layers of {count} of {total} networks stay as they are: on accepted slides that "
        "were held back, the taught ones were no better."
    )


def _lacking(lessons: Iterable[list[Lesson]]) -> str:
    """Return what strokes alone lack, and what would teach more; "" where they mark both sides."""
    every = [one for some in lessons for one in some]
    if not every or any(one.whole for one in every):
        return ""
    marked = np.concatenate([one.target for one in every])
    if not marked.size:
        return _TOO_FINE
    if (marked > 0.5).all():
        return "Every correction adds: also erase what is wrong, or accept a slide."
    if (marked < 0.5).all():
        return "Every correction erases: also add what was missed, or accept a slide."
    return ""
