"""Where labels come from: a project, a pseudo-label set or a table.

Responsible for telling labels that a person stands behind from those a model made, and for whose
model that was. Does not read slides' pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats.pseudo_labels import MANIFEST, PROVENANCE, read_pseudo_labels
from hubseg.formats.rle import decode, encode
from hubseg.outcome import Outcome
from hubseg.project import ReviewProject, Verdict
from hubseg.slide import SlideTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.formats.pseudo_labels import PseudoLabelSet
    from hubseg.slide import Slide

__all__ = ["Label", "Soft", "labels_of", "readable"]

PEOPLE = frozenset({Verdict.ACCEPTED.value, Verdict.CORRECTED.value})

Soft = Callable[[int], "NDArray[np.float32] | None"]
"""A model's map (H, W), 0-255, that may train a fold; None where that fold's model made it."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one slide's mask.

    Attributes
    ----------
    slide
        The slide.
    truth
        Run-length text of the mask.
    soft
        The model's map, for a label that no person stands behind; else None.
    threshold
        The value, 0-255, above which that map was inside.
    donor
        Whose tissue it is; "" where it is not known.
    """

    slide: Slide
    truth: str
    soft: Soft | None = None
    threshold: float = 127.0
    donor: str = ""

    @property
    def by_person(self) -> bool:
        """Whether a person drew or accepted it."""
        return self.soft is None

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask, bool (H, W).

        Raises
        ------
        ValueError
            When it does not fit the slide.
        """
        try:
            return decode(self.truth, (self.slide.height, self.slide.width))
        except ValueError as error:
            raise ValueError(
                f"The mask of {self.slide.id} does not fit its slide of {self.slide.height} x "
                f"{self.slide.width} px ({error})"
            ) from error

    def may_train(self, fold: int) -> bool:
        """Tell whether the label may train a fold: not where that fold's model made it."""
        return self.soft is None or self.soft(fold) is not None


def labels_of(
    path: Path | str,
    *,
    images: Path | None = None,
    models: bool = False,
    outcome: Outcome | None = None,
) -> list[Label]:
    """Return the labels of a project, a pseudo-label set or a table.

    Parameters
    ----------
    path
        ``NAME.hubseg``, a folder or manifest of pseudo-labels, a CSV or a folder of images.
    images
        Where a CSV's images are.
    models
        Of a project, also the slides that nobody has judged yet, labelled by their newest map.
        Slides that were flagged, rejected or are in work are never taken.
    outcome
        Takes the slides that are left out because they cannot be read, and what tables note.

    Raises
    ------
    ValueError
        When there is no label at all, or `path` is none of these.
    OSError
        When something cannot be read.
    """
    path, outcome = Path(path), Outcome() if outcome is None else outcome
    if ReviewProject.exists(path):
        found = _of_project(path, models, outcome)
    elif (folder := _manifest_folder(path)) is not None:
        labels = read_pseudo_labels(folder)
        outcome.take_table(labels)
        found = _of_set(labels)
    else:
        table = SlideTable.open(path, images=images)
        outcome.take_table(table)
        found = _of_table(table)
    if not found and outcome.left_out:
        raise ValueError(f"No slide of {path} has a label: {next(iter(outcome.left_out.values()))}")
    if not found:
        raise ValueError(
            f"No slide of {path} has a label: accept slides in a project, or give a table with an "
            "rle column."
        )
    return found


def readable(labels: Sequence[Label], outcome: Outcome) -> list[Label]:
    """Return the labels whose mask fits and whose pixels can be decoded; others are left out.

    Of a pyramid only the smallest level is read.
    """
    found = []
    for label in labels:
        with outcome.attempt(label.slide.id):
            label.mask()
            label.slide.read(level=len(label.slide.levels) - 1)
            found.append(label)
    return found


def _manifest_folder(path: Path) -> Path | None:
    folder = path.parent if path.name == MANIFEST else path
    return folder if (folder / MANIFEST).is_file() and (folder / PROVENANCE).is_file() else None


def _of_table(table: SlideTable) -> list[Label]:
    donors = table.donors
    return [
        Label(slide, table.truth[slide.id], donor=donors.get(slide.id, ""))
        for slide in table.slides
        if slide.id in table.truth
    ]


def _of_set(labels: PseudoLabelSet) -> list[Label]:
    """Labels of a set; one that no person accepted is a model's, of folds the set may name."""
    told = labels.provenance.get("folds")
    made_by = None if told is None else frozenset(map(int, told))
    found = []
    for one in _of_table(labels):
        if labels.verdicts.get(one.slide.id) in PEOPLE:
            found.append(one)
            continue
        soft = partial(_soft_of_set, labels, one.slide.id, made_by)
        threshold = labels.thresholds[one.slide.id]
        found.append(Label(one.slide, one.truth, soft, threshold, one.donor))
    return found


def _soft_of_set(
    labels: PseudoLabelSet, slide_id: str, made_by: frozenset[int] | None, fold: int
) -> NDArray[np.float32] | None:
    if made_by is None or fold in made_by:
        return None
    soft = labels.soft(slide_id)
    return labels.mask(slide_id).astype(np.float32) * np.float32(255) if soft is None else soft


def _of_project(path: Path, models: bool, outcome: Outcome) -> list[Label]:
    from hubseg.derive import derive, verdicts

    found = []
    with ReviewProject.open(path) as project:
        said = verdicts(project, outcome)
        ready = {name for name, verdict in said.items() if verdict.value in PEOPLE}
        unseen = {
            name
            for name, verdict in said.items()
            if models and verdict is Verdict.UNSEEN and project.runs(name)
        }
        for slide in outcome.slides_of(project, [name for name in said if name in ready | unseen]):
            with outcome.attempt(slide.id, last=False):
                derived = derive(project, slide)
                soft = None
                if slide.id in unseen:
                    soft = partial(_soft_of_project, path, derived.slide)
                threshold = 127.0 if soft is None else derived.threshold
                found.append(Label(derived.slide, encode(derived.mask), soft, threshold))
    return found


def _soft_of_project(path: Path, slide: Slide, fold: int) -> NDArray[np.float32] | None:
    """Mix the slide's newest run again, without the members of one fold."""
    from hubseg.maps import newest_members
    from hubseg.probability import mix

    with ReviewProject.open(path) as project:
        newest = newest_members(project, slide)
        digest = project.digest(slide)
    if newest is None:
        return None
    recipe, members, _ = newest
    others = [(member, made) for member, made in members if member.fold != fold]
    if not others:
        return None
    return mix(recipe, others, shape=(slide.height, slide.width), slide_digest=digest).values
