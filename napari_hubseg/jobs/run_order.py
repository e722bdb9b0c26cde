"""Which slides a run is asked for, in the order in which they are run.

Responsible for what "this slide", "all slides" and "those not yet run" mean. Does not run anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.project.runs import newest_run

if TYPE_CHECKING:
    from hubseg.session import ReviewSession
    from hubseg.slide import Slide
    from napari_hubseg.jobs.choices import EnsembleChoice

__all__ = ["asked_slides"]


def asked_slides(session: ReviewSession, choice: EnsembleChoice) -> tuple[Slide, ...]:
    """Return the slides that are asked for, the one on screen first: somebody waits for it."""
    current, project = session.current, session.project
    if current is None or project is None:
        return ()
    if not choice.all_slides:
        return (current,)
    every = session.slides
    if choice.unrun:
        every = tuple(slide for slide in every if newest_run(project, slide) is None)
    first = tuple(slide for slide in every if slide.id == current.id)
    return first + tuple(slide for slide in every if slide not in first)
