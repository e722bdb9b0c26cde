"""The step that a person takes next, and which slides are ready. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubseg.session import ReviewSession

__all__ = ["next_step", "ready_ids"]


def next_step(session: ReviewSession, *, running: bool) -> str:
    """Return the step to take next: "open", "run", "accept", "export", or "" while one is on."""
    if session.current is None:
        return "open"
    if running:
        return ""
    if session.refused:
        return ""
    if session.verdict(session.current.id).is_open:
        made = session.probability
        whole = made is not None and not made.is_partial  # else its run is not finished
        return "accept" if whole or session.imported else "run"
    if any(session.verdict(slide.id).is_open for slide in session.slides):
        return ""
    return "export" if ready_ids(session) else ""


def ready_ids(session: ReviewSession) -> tuple[str, ...]:
    """Return the ids of the slides that are accepted or corrected."""
    return tuple(slide.id for slide in session.slides if session.verdict(slide.id).stands)
