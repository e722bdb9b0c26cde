"""The mask of a structure that is not drawn on, as a value, and what it is derived from.

Responsible for deriving such masks in any thread, each once for the rules that hold. Does not know
which are wanted, or who keeps them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hubseg.edits.claims import Claim
from hubseg.edits.structures import SlideEdits
from hubseg.journal.accepted import AcceptedMask
from hubseg.project.derived import by_rules
from hubseg.project.exclusive import rivals_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.project.share import Share
    from hubseg.slide import Slide

    Name = StructureName | None

__all__ = ["BesideMask", "BesideRequest"]


@dataclass(frozen=True, slots=True, eq=False)
class BesideMask:
    """The mask of one structure, and what it is made of without edits.

    Attributes
    ----------
    mask
        bool (H, W), written in place.
    base
        What map or import give, bool (H, W), never written.
    made
        What it was made of, whatever its pixels are; None where there is neither map nor import.
    imported
        Whether it starts from an imported mask.
    """

    mask: NDArray[np.bool_]
    base: NDArray[np.bool_]
    made: AcceptedMask | None
    imported: bool = False

    @property
    def start(self) -> NDArray[np.bool_] | None:
        """The imported mask that it starts from, or None."""
        return self.base if self.imported else None


@dataclass(frozen=True, slots=True, eq=False)
class BesideRequest:
    """All that the masks of some structures are derived from, frozen.

    Attributes
    ----------
    reader
        Opens the project for reading.
    slide, state
        Of the slide, with what a person told of it, and its standing rows.
    names
        The structures that are asked for.
    edits
        Of all structures of the slide; a copy.
    rules
        What each mask depends on, but for what is drawn.
    strokes
        How many gestures were seen.
    share, values
        Of the chosen structure, with its map, where that is all that was another one before.
    earlier
        What the masks were made of then.
    """

    reader: Callable[[], ReviewProject]
    slide: Slide
    state: SlideState
    names: tuple[Name, ...]
    edits: SlideEdits
    rules: Mapping[Name, object]
    strokes: int
    share: Share | None = None
    values: NDArray[np.float32] | None = None
    earlier: Mapping[Name, AcceptedMask] = field(default_factory=dict)

    def compute(self) -> dict[Name, BesideMask]:
        """Derive them; may run in any thread.

        Raises
        ------
        ValueError, OSError
            When the project or the slide's file cannot be read.
        """
        left = {}
        if self.share is not None and self.values is not None:
            left = self.share.of_others(self.values)
        with self.reader() as project:
            found: dict[Name, BesideMask] = {}
            for name in self.names:
                if name in left and name in self.earlier:
                    base, made = self._kept_to(left.pop(name), self.earlier[name])
                    found[name] = self._resolved(project, name, base, made)
                else:
                    found[name] = self._mask(project, name)
            return found

    def _kept_to(
        self, left: tuple[NDArray[np.bool_], NDArray[np.bool_]], earlier: AcceptedMask
    ) -> tuple[NDArray[np.bool_], AcceptedMask]:
        """Return a mask of what the chosen structure leaves, as :func:`by_rules` gives it."""
        (above, share), rules, name = left, self.state.rules, earlier.structure
        plan = rules.cleanup(self.slide.organ)
        in_px = plan.in_px(self.slide.um_per_px)
        base = above if in_px.is_identity else in_px.apply(above) & share
        threshold = rules.threshold(self.slide.organ, self.slide.source, name)
        return base, replace(earlier, threshold=threshold, cleanup=plan)

    def _mask(self, project: ReviewProject, name: Name) -> BesideMask:
        given, own = (project, self.slide, self.state, name), self.edits.of(name)
        base, made, imported = np.zeros(own.shape, np.bool_), None, False
        with suppress(ValueError):  # there is nothing but what is drawn
            nothing = SlideEdits(own.shape, self.edits.first)
            found = by_rules(*given, edits=nothing, alone=True, partial=True)
            base, imported = found.mask, bool(found.imported)
            rule = found.slide_digest, found.threshold, found.cleanup
            mixed = found.recipe_digest or "", found.members or (0, 0)
            made = AcceptedMask("", *rule, *mixed, name)
        return self._resolved(project, name, base, made, imported)

    def _resolved(
        self,
        project: ReviewProject,
        name: Name,
        base: NDArray[np.bool_],
        made: AcceptedMask | None,
        imported: bool = False,
    ) -> BesideMask:
        """Put the override over it, and let it give way."""
        one, own = BesideMask(base.copy(), base, made, imported), self.edits.of(name)
        own.resolve(one.mask, in_place=True)
        rivals = rivals_in(project, self.slide, self.state, name, self.edits)
        rivals.give_way(one.mask, Claim(own, one.start))
        return one
