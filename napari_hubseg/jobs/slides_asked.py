"""Which slides a run of the ensemble is of, and what is said of their tissue.

Responsible for the order in which slides are run. Does not run anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.project.runs import newest_run
from hubseg.project.tissue import with_tissue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hubseg.project import ReviewProject
    from hubseg.recipe import Recipe
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.choices import EnsembleChoice

__all__ = ["reader_of_tissue", "slides_asked", "why_not"]


def why_not(current: Slide, choice: EnsembleChoice) -> str:
    """Return the sentence why what is asked for cannot be run; "" where it can."""
    if choice.folds == ():
        return "No fold is chosen: tick at least one."
    if current.is_overview and not choice.all_slides:
        return f"{current.id} says where tissue is: run its slide or regions."
    return ""


def slides_asked(
    session: ReviewSession, choice: EnsembleChoice, coming: Collection[str] = ()
) -> tuple[Slide, ...]:
    """Return the slides that are asked for, the one on screen first: somebody waits for it.

    Those at low resolution, which say where tissue is, are never run. Where those are asked for
    that were not run yet, ids of `coming` are left out: they are run anyway.
    """
    current, project = session.current, session.project
    if current is None or project is None:
        return ()
    if not choice.all_slides:
        return (current,)
    every = tuple(slide for slide in session.slides if not slide.is_overview)
    if choice.unrun:
        every = tuple(slide for slide in every if slide.id not in coming)
        every = tuple(slide for slide in every if newest_run(project, slide) is None)
    first = tuple(slide for slide in every if slide.id == current.id)
    return first + tuple(slide for slide in every if slide not in first)


def reader_of_tissue(
    project: ReviewProject, slides: tuple[Slide, ...], recipe: Recipe
) -> Callable[[], tuple[Slide, ...]]:
    """Return what gives slides with their tissue as people corrected it, in any thread.

    Of a recipe that runs glass too it gives them as they are. It raises ValueError and OSError
    where the project or a file cannot be read.
    """
    reader = project.reader()

    def read() -> tuple[Slide, ...]:
        if not recipe.tissue_only:
            return slides
        with reader() as opened:
            return with_tissue(opened, slides)

    return read
