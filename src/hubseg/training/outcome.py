"""What a training leaves behind beside its checkpoints: tables, curves, thresholds, provenance.

Responsible for these files. Does not train or predict.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubseg.formats.provenance import provenance, write_provenance
from hubseg.organ import DataSource, Organ, StructureName
from hubseg.slide.cells import plain_cell, safe_row
from hubseg.thresholds import calibration
from hubseg.training.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hubseg.recipe import Recipe
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.slide.folds import Folds
    from hubseg.training.damage import Gaps
    from hubseg.training.label import Label
    from hubseg.training.loop import Report
    from hubseg.training.validation import Judged

__all__ = [
    "CURVES",
    "Curves",
    "calibrated",
    "write_held_out",
    "write_metrics",
    "write_out_of_fold",
    "write_provenance_of",
]

CURVES = ("member", "step", "loss", "rate", "waiting")


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(map(safe_row, rows))
    part.replace(path)


class Curves:
    """The learning curves of all members, as a CSV that grows while they learn.

    Parameters
    ----------
    path
        The file; what it holds of other members, or of earlier steps, is kept.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self._path = path
        self._rows: list[list[str]] = []
        if keep and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._rows = [list(map(plain_cell, row)) for row in csv.reader(file)][1:]

    def begin(self, member: str, step: int) -> None:
        """Forget what was written of a member after a step that it now goes on from."""
        self._rows = [r for r in self._rows if r[0] != member or int(r[1]) <= step]

    def add(self, member: str, report: Report) -> None:
        """Add one report and write the file."""
        numbers = f"{report.loss:.6g}", f"{report.rate:.6g}", f"{report.waiting:.4f}"
        self._rows.append([member, str(report.step), *numbers])
        _write(self._path, CURVES, self._rows)


@dataclass(frozen=True, slots=True)
class _Chosen:
    threshold: int
    by_fold: Mapping[int, int]


def calibrated(recipe: Recipe, judged: Sequence[Judged]) -> tuple[Recipe, dict[str, _Chosen]]:
    """Set the recipe's thresholds to what out-of-fold maps ask for.

    An organ, source and structure with too few slides, or without a positive one, keeps the
    recipe's.

    Returns
    -------
    The recipe, and what was chosen for each ``organ/source`` or ``organ/source/structure``, with
    what the other folds chose.
    """
    thresholds, words, chosen = recipe.thresholds, recipe.vocabulary, {}
    table = thresholds.within(words)
    for what in dict.fromkeys(one.structure for one in judged):
        known = [
            calibration.Judged(j.slide, Organ(j.organ), DataSource(j.source), j.tally, j.fold)
            for j in judged
            if j.organ and j.source and j.structure == what
        ]
        for (organ, source), own in calibration.by_kind(known).items():
            if len(own) < calibration.ENOUGH or not any(one.tally.truth for one in own):
                continue
            found = calibration.calibrate(own)
            name = table.beside_own(organ, StructureName(what)) if what else None
            thresholds = thresholds.replaced(organ, source, float(found.threshold), name)
            words = words.taking("organ", organ).taking("source", source)
            chosen[_cell(organ, source, what)] = _Chosen(
                found.threshold, dict(found.fold_thresholds)
            )
    changed = {"thresholds": thresholds, "vocabulary": words}
    return recipe.model_copy(update=changed), chosen


def _cell(organ: str, source: str, structure: str) -> str:
    return "/".join(filter(None, (f"{organ}/{source}", structure)))


def _at(judged: Judged, threshold: float) -> float:
    """Dice at a threshold; a map is tallied at whole ones."""
    return float(judged.tally.dice()[int(threshold)])


def write_out_of_fold(
    path: Path, judged: Sequence[Judged], chosen: Mapping[str, _Chosen]
) -> float | None:
    """Write how each slide was predicted by the fold that never saw it.

    ``dice`` is at the recipe's threshold, ``dice_calibrated`` at the one that all slides chose,
    ``dice_held_out`` at the one that the other folds chose: the honest figure.

    ``against`` is what the slide's label comes from (:class:`hubseg.training.origin.Origin`).

    Returns
    -------
    The mean of ``dice_held_out`` over slides with a true or edited mask, where each has one.
    """
    rows, honest = [], []
    measuring = sum(one.against.measures for one in judged)
    for one in sorted(judged, key=lambda j: j.slide):
        found = chosen.get(_cell(one.organ, one.source, one.structure))
        fair = None
        if found is not None and one.fold is not None and one.fold in found.by_fold:
            fair = _at(one, found.by_fold[one.fold])
            honest += [fair] if one.against.measures else []
        rows.append(
            [
                *(one.slide, one.fold, one.organ, one.source, one.threshold),
                *(f"{one.dice:.6f}", f"{one.iou:.6f}", int(one.positive)),
                "" if found is None else found.threshold,
                "" if found is None else f"{_at(one, found.threshold):.6f}",
                "" if fair is None else f"{fair:.6f}",
                one.against,
                one.structure,
            ]
        )
    head = ["id", "fold", "organ", "data_source", "threshold", "dice", "iou", "positive"]
    also = ["calibrated", "dice_calibrated", "dice_held_out", "against", "structure"]
    _write(path, [*head, *also], rows)
    return sum(honest) / len(honest) if honest and len(honest) == measuring else None


def write_metrics(path: Path, judged: Sequence[Judged]) -> None:
    """Write means over slides: all, per organ and source, and each by what it was judged against.

    Positives and negatives stand apart, and so does each structure.
    """
    every = "all", "all", "all", "all"
    groups: dict[tuple[str, str, str, str], list[Judged]] = {every: list(judged)}
    for origin in Origin:
        if own := [one for one in judged if one.against is origin]:
            groups["all", "all", origin, "all"] = own
    for one in judged:
        if one.structure:
            groups.setdefault(("all", "all", "all", one.structure), []).append(one)
    for one in judged:
        groups.setdefault((one.organ, one.source, "all", one.structure or "all"), []).append(one)
    rows = []
    for (organ, source, kind, what), own in groups.items():
        positive = [one.dice for one in own if one.positive]
        negative = [one.dice for one in own if not one.positive]
        means = [_mean([one.dice for one in own]), _mean([one.iou for one in own])]
        counts = len(own), len(positive), len(negative)
        rows.append([organ, source, *counts, *means, _mean(positive), _mean(negative), kind, what])
    head = ["organ", "data_source", "slides", "positives", "negatives", "dice", "iou"]
    _write(path, [*head, "dice_positives", "dice_negatives", "against", "structure"], rows)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.6f}" if values else ""


def write_held_out(
    path: Path, ensemble: Sequence[Judged], folds: Mapping[int, Sequence[Judged]]
) -> None:
    """Write Dice of slides that no fold saw: by the whole ensemble, and by each fold alone."""
    single = {
        fold: {(one.slide, one.structure): one.dice for one in own} for fold, own in folds.items()
    }
    head = ["id", "organ", "data_source", "threshold", "against", "ensemble"]
    rows = [
        [
            *(one.slide, one.organ, one.source, one.threshold, one.against, f"{one.dice:.6f}"),
            *(f"{single[fold][one.slide, one.structure]:.6f}" for fold in single),
            one.structure,
        ]
        for one in sorted(ensemble, key=lambda j: j.slide)
    ]
    _write(path, [*head, *(f"fold_{fold}" for fold in single), "structure"], rows)


def write_provenance_of(
    path: Path,
    recipe: Recipe,
    folds: Folds,
    labels: Sequence[Label],
    *,
    plan: TrainingPlan,
    weights: Mapping[str, str],
    unread: Mapping[str, Gaps],
    extra: Mapping[str, Any],
) -> None:
    """Write what was trained on what, by which plan, and how it was asked for.

    Parameters
    ----------
    unread
        Id of a slide → windows of its file that could not be decoded, where nothing was learnt.
    """
    slides = {
        label.slide.id: {
            "digest": label.slide.digest,
            "label": label.origin,
            "against": label.against,
            "edited_share": label.edited_share,
            "fold": folds.of.get(label.slide.id),
            **(
                {"structures": [str(x.structure) for x in (label, *label.others)]}
                if label.others
                else {}
            ),
            **({"unread": gaps} if (gaps := unread.get(label.slide.id)) else {}),
        }
        for label in labels
    }
    facts = provenance(
        recipe=recipe.digest,
        training=plan.model_dump(mode="json"),
        seed=plan.seed,
        command=list(sys.argv),
        slides=slides,
        held_out=sorted(folds.held_out),
        weights=dict(weights),
        thresholds=recipe.thresholds,
        **extra,
    )
    write_provenance(path, facts)
