"""A worker's task: one member on one slide, and which damaged parts of the slide it went over.

Responsible for saying so with the answer, and beside the map. Does not know how a map is made
(:mod:`hubseg.engine.worker`), nor how damage is passed over (:mod:`hubseg.slide.mended`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hubseg.engine.job import Made
from hubseg.engine.worker import run_member
from hubseg.outcome import Outcome
from hubseg.probability.gaps import file_gaps
from hubseg.slide.mended import unread_of

if TYPE_CHECKING:
    from hubseg.engine.job import Job, Refused

__all__ = ["run_task"]


def run_task(job: Job) -> Made | Refused:
    """Run a job in a worker; its answer has the windows that were taken for grey."""
    made = run_member(job)
    if not isinstance(made, Made) or job.layout is not None:
        return made
    unread, outcome = made.unread, Outcome()
    with outcome.attempt(job.slide.id):  # a file that is gone by now was read
        unread = unread_of(job.slide)
        if unread and job.store is not None:
            file_gaps(job.store, job.slide_digest, unread)
    return replace(made, unread=unread)
