"""The training of one member, on one device or shared by several.

Responsible for what a process needs to take part: the same network, its share of the crops, and
the state to go on from. Does not know folds.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.training.crops import Crops
from hubseg.training.data import SlideCache
from hubseg.training.distributed import together
from hubseg.training.label import nobody
from hubseg.training.loop import Fit, fit, member_seed, resolutions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import torch

    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide
    from hubseg.training.damage import Gaps
    from hubseg.training.distributed import ProcessGroup
    from hubseg.training.label import Label, Watch
    from hubseg.training.loop import Report

__all__ = ["Job", "training"]


@dataclass(frozen=True)
class Job:
    """One member to train.

    Attributes
    ----------
    labels
        What it learns from.
    cache
        Folder of the slides at network scale.
    saved
        File of the state to resume from.
    start
        Checkpoint it starts from, or None.
    resume
        Whether to go on from `saved`, where that is there.
    devices
        Those that train it together.
    encoder
        What its encoder starts from (:mod:`hubseg.training.pretrained`), or None.
    """

    member: Member
    recipe: Recipe
    labels: tuple[Label, ...]
    cache: Path
    saved: Path
    start: Path | None
    resume: bool
    devices: tuple[torch.device, ...]
    encoder: Path | None = None


@contextmanager
def training(
    job: Job,
    stopped: Callable[[], bool] | None = None,
    watch: Watch = nobody,
    damaged: Callable[[Slide, Gaps], object] = lambda *_: None,
) -> Iterator[tuple[Fit, Iterator[Report]]]:
    """Give a member's network, as far as it is trained, and what trains it and reports.

    Parameters
    ----------
    damaged
        As of :class:`hubseg.training.data.SlideCache`.

    Raises
    ------
    ValueError
        When the loss stops being a number, or the state is of another plan.
    OSError
        When there is no room for a state, or a process that trains with this one ends; the last
        good state stays.
    """
    with together(_help, (job,), job.devices) as ranks:
        network = _network(job, ranks)
        cache = SlideCache(job.cache, damaged)
        yield network, fit(network, _crops(job, ranks, cache), job.saved, stopped, watch)


def _help(ranks: ProcessGroup, job: Job) -> None:
    """Train along with the process that reports."""
    for _ in fit(_network(job, ranks), _crops(job, ranks, SlideCache(job.cache)), None):
        pass


def _network(job: Job, ranks: ProcessGroup) -> Fit:
    network = Fit(job.member, job.recipe, ranks, job.start, job.encoder)
    if job.resume and job.saved.is_file():
        network.restore(job.saved)
    return network


def _crops(job: Job, ranks: ProcessGroup, cache: SlideCache) -> Crops:
    return Crops(
        job.labels,
        job.recipe,
        resolutions_of(job.member, job.recipe),
        cache,
        fold=job.member.fold,
        seed=member_seed(job.recipe.training, job.member),
        part=(ranks.rank, ranks.count),
        on_device=ranks.device.type == "cuda",
        channels=job.member.channels,
    )
