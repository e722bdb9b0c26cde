"""A run of the ensemble that is asked for, as it was when it was asked for.

Responsible for which slides it is of, and for the order in which they are run; for why one cannot
be run. Facts about the slides are taken as they are known when it begins: a person may tell them
while it waits. Does not run anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.recipe.bundled import weights_for
from hubseg.slide import in_words
from napari_hubseg.jobs.slides_asked import slides_asked, why_not

if TYPE_CHECKING:
    from collections.abc import Collection

    from hubseg.probability import Mixture
    from hubseg.recipe import Member, Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.choices import EnsembleChoice

__all__ = ["RunOrder", "folders_for", "order_of"]


@dataclass(frozen=True)
class RunOrder:
    """What is run, on what, and where.

    Attributes
    ----------
    recipe, name
        What it says, and its built-in name or path.
    members
        Those of its members that are switched on.
    slides
        Ids, in the order in which they are run.
    folders
        Where checkpoints are looked for.
    choice
        What a person chose.
    project
        Folder of the project that the slides are in.
    """

    recipe: Recipe
    name: str
    members: tuple[Member, ...]
    slides: tuple[str, ...]
    folders: tuple[Path, ...]
    choice: EnsembleChoice
    project: Path

    @property
    def title(self) -> str:
        """Its slide, or how many they are."""
        return self.slides[0] if len(self.slides) == 1 else f"{len(self.slides)} slides"

    def slides_of(self, session: ReviewSession) -> tuple[Slide, ...]:
        """Return its slides with the facts that are known of them now.

        Raises
        ------
        ValueError
            When none of them is there any more.
        """
        there = {slide.id: slide for slide in session.slides}
        words = session.vocabulary.over(self.recipe.vocabulary)  # which it brings with its map
        found = tuple(in_words(there[one], words) for one in self.slides if one in there)
        if not found:
            raise ValueError(f"{self.title}: no longer among the slides, so it is not run.")
        return found


def order_of(
    session: ReviewSession,
    recipe: Recipe,
    name: str,
    mixture: Mixture,
    choice: EnsembleChoice,
    coming: Collection[str],
) -> RunOrder | None:
    """Return the run that is asked for; None where every slide that is meant was run before.

    Parameters
    ----------
    coming
        Ids of slides that are run anyway.

    Raises
    ------
    ValueError
        When it cannot be run: no slide is open, or nothing is chosen.
    """
    if session.project is None or session.current is None:
        raise ValueError("No slide is open: open slides first.")
    if refused := why_not(session.current, choice):
        raise ValueError(refused)
    slides = slides_asked(session, choice, coming)
    if not slides:
        return None
    members = tuple(mixture.members(recipe, choice.folds))
    if not members:
        raise ValueError("No network is switched on: tick at least one.")
    ids, folders = tuple(slide.id for slide in slides), folders_for(recipe, name, choice.weights)
    return RunOrder(recipe, name, members, ids, folders, choice, session.project.path)


def folders_for(recipe: Recipe, name: str, weights: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return where a recipe's checkpoints are looked for: what was said, beside it, ours."""
    file = Path(name)
    beside = (file.parent, file.parent / "weights") if file.is_file() else ()
    return tuple(weights_for(recipe, (*weights, *beside)))
