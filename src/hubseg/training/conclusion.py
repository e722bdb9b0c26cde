"""What is left behind when a fold is judged, and when all are.

Responsible for the order of it: published checkpoints, figures, thresholds, held-out slides and
provenance. The files themselves are :mod:`hubseg.training.outcome`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.organ import Organ
from hubseg.probability import file_digest
from hubseg.recipe.scores import labels_from
from hubseg.training import outcome
from hubseg.training.data import SlideCache
from hubseg.training.known_stain import knowing_stains
from hubseg.training.measured import Measured
from hubseg.training.state import save_published
from hubseg.training.validation import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.recipe import Member, Recipe
    from hubseg.training.run import TrainingRun
    from hubseg.training.validation import Judged

__all__ = ["conclude", "measured_by", "publish"]


def publish(run: TrainingRun, members: Sequence[Member], judged: Sequence[Judged]) -> None:
    """Write a fold's checkpoints as the published ones are, with their fold's Dice as the score."""
    from hubseg.network import build, load_into, read_checkpoint

    counted = {
        label.slide.id for fold in {m.fold for m in members} for label in run.measuring(fold)
    }
    for member in members:
        own = [j for j in judged if j.slide in counted and _marks(run.recipe, member, j)]
        score = sum(one.dice for one in own) / len(own) if own else 0.0
        read = read_checkpoint(run.checkpoint(member))
        network = build(member.network, size=run.recipe.resolutions[member.resolution].size)
        load_into(network, read)
        published = run.out / "published" / member.checkpoint
        published.parent.mkdir(exist_ok=True)
        save_published(published, network, epoch=read.epoch or 0, best_score=score)


def _marks(recipe: Recipe, member: Member, one: Judged) -> bool:
    """Tell whether a member marks what was judged."""
    organ = Organ(one.organ) if one.organ else None
    names = member.channels.in_words_of(recipe.vocabulary, organ).structures
    return not one.structure or one.structure in names


def conclude(run: TrainingRun, judge: Judge, judged: Sequence[Judged]) -> float | None:
    """Write what can be said so far; with the last fold, thresholds and held-out slides too."""
    outcome.write_metrics(run.out / "metrics.csv", judged)
    if len({one.slide for one in judged}) < len(run.folds.of):
        outcome.write_out_of_fold(run.out / "out_of_fold.csv", judged, {})
        return None
    recipe, chosen = outcome.calibrated(run.recipe, judged)
    recipe = knowing_stains(recipe, [label.slide for label in run.own])
    honest = outcome.write_out_of_fold(run.out / "out_of_fold.csv", judged, chosen)
    (run.out / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
    if held := [label for label in run.own if label.slide.id in run.folds.held_out]:
        fair = Judge(recipe, judge.weights, judge.store, judge.device)
        alone = {fold: list(fair.judge(held, fold)) for fold in run.recipe.folds}
        outcome.write_held_out(run.out / "held_out.csv", list(fair.judge(held, None)), alone)
    names = dict.fromkeys(member.checkpoint for member in run.recipe.members())
    files = {name: run.weights / f"{name}.safetensors" for name in names}
    told = {name: labels_from(path) for name, path in files.items()}
    cache = SlideCache(run.cache)
    agreed = {name: facts for name, facts in told.items() if facts}
    outcome.write_provenance_of(
        run.out / "provenance.json",
        recipe,
        run.folds,
        [*run.own, *run.beside],
        plan=run.plan,
        weights={name: file_digest(path) for name, path in files.items()},
        unread={one.slide.id: cache.unread(one.slide) for one in (*run.own, *run.beside)},
        extra={
            "start": dict(run.digests),
            **({"pretrained": dict(run.origins)} if run.origins else {}),
            **({"agreed": agreed} if agreed else {}),
            "measured": measured_by(run, judged, honest).facts(),
        },
    )
    return honest


def measured_by(run: TrainingRun, judged: Sequence[Judged], honest: float | None) -> Measured:
    """Return what the figures so far were measured against."""
    return Measured.of(judged, held_out=honest, unknown_past=run.unknown_past)
