"""The labels of a project, a pseudo-label set or a table, each with its origin.

Responsible for telling labels that a person stands behind from those a model made, and for whose
model that was. Does not read slides' pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats.pseudo_labels import MANIFEST, PROVENANCE, read_pseudo_labels
from hubseg.formats.rle import decode, encode
from hubseg.journal.verdict import Verdict
from hubseg.organ import BUILT_IN, Vocabulary
from hubseg.outcome import Outcome
from hubseg.project import ReviewProject
from hubseg.project.words import vocabulary_of
from hubseg.slide import SlideTable, in_words, take_new
from hubseg.training.origin import MadeBy, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.formats.pseudo_labels import PseudoLabelSet
    from hubseg.project.derived import Derived
    from hubseg.slide import Slide

__all__ = ["Label", "Soft", "Watch", "labels_of", "nobody", "readable", "words_of"]

_ORIGINS = {
    Verdict.ACCEPTED.value: Origin.UNEDITED,
    Verdict.CORRECTED.value: Origin.EDITED,
}

Soft = Callable[[int], "NDArray[np.float32] | None"]
"""A model's map (H, W), 0-255, that may train a fold; None where that fold's model made it."""

READING, OPENING, TRAINING = "reading slides", "opening slides", "training"

Watch = Callable[[str, int, int], object]
"""Told what is being done, how many slides or steps are done, and how many there are."""


def nobody(what: str, done: int, total: int) -> None:
    """Watch nothing."""
    del what, done, total


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
    origin
        Where the mask comes from.
    edited_share
        Share of the marked pixels that a person decided, 0-1; None where that is not known.
    made_by
        The networks whose map it was cut from; None where that is not known, or there are none.
    known
        Run-length text of the true mask, where a table has one beside the mask that is learnt from.
    """

    slide: Slide
    truth: str
    soft: Soft | None = None
    threshold: float = 127.0
    donor: str = ""
    origin: Origin = Origin.TRUE
    edited_share: float | None = None
    made_by: MadeBy | None = None
    known: str | None = None

    @property
    def against(self) -> Origin:
        """Where the mask comes from that a network is measured against."""
        return self.origin if self.known is None else Origin.TRUE

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
        return self._decoded(self.truth)

    def measuring_mask(self) -> NDArray[np.bool_]:
        """Return the mask that a network is measured against, bool (H, W): the true one if known.

        Raises
        ------
        ValueError
            When it does not fit the slide.
        """
        return self._decoded(self.truth if self.known is None else self.known)

    def _decoded(self, text: str) -> NDArray[np.bool_]:
        try:
            return decode(text, (self.slide.height, self.slide.width))
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
    watch: Watch = nobody,
    vocabulary: Vocabulary = BUILT_IN,
    new: bool = False,
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
    watch
        Told how many slides of a project have been read.
    vocabulary
        What a table's organs and sources mean; a project has its own, and a set's are all words.
    new
        Take those of a table that it does not know as new words.

    Raises
    ------
    ValueError
        When there is no label at all, or `path` is none of these.
    OSError
        When something cannot be read.
    """
    path, outcome = Path(path), Outcome() if outcome is None else outcome
    if ReviewProject.exists(path):
        found = _of_project(path, models, outcome, watch)
    elif (folder := _manifest_folder(path)) is not None:
        labels = read_pseudo_labels(folder)
        outcome.take_table(labels)
        found = _in_words(_of_set(labels), vocabulary, new=True)
    else:
        table = SlideTable.open(path, images=images)
        outcome.take_table(table)
        found = _in_words(_of_table(table), vocabulary, new=new)
    if not found and outcome.left_out:
        raise ValueError(f"No slide of {path} has a label: {next(iter(outcome.left_out.values()))}")
    if not found:
        raise ValueError(
            f"No slide of {path} has a label: accept slides in a project, or give a table with an "
            "rle column."
        )
    return found


def _in_words(labels: list[Label], vocabulary: Vocabulary, *, new: bool) -> list[Label]:
    """Return labels whose slides have what their table says, as far as it is known."""
    if new:
        vocabulary = take_new((label.slide for label in labels), vocabulary)
    return [replace(label, slide=in_words(label.slide, vocabulary)) for label in labels]


def words_of(path: Path, labels: Sequence[Label], vocabulary: Vocabulary) -> Vocabulary:
    """Return a vocabulary with the words of a project (OSError: unreadable), or of a table."""
    if ReviewProject.exists(path):
        with ReviewProject.for_reading(path, check=False) as project:
            return vocabulary_of(project).over(vocabulary)
    for slide in (label.slide for label in labels):
        if slide.organ is not None:
            vocabulary = vocabulary.taking("organ", slide.unread.get("organ", slide.organ))
        if slide.source is not None:
            vocabulary = vocabulary.taking("source", slide.unread.get("source", slide.source))
    return vocabulary


def readable(labels: Sequence[Label], outcome: Outcome, watch: Watch = nobody) -> list[Label]:
    """Return the labels whose mask fits and whose pixels can be decoded; others are left out.

    Of a pyramid only the smallest level is read.
    """
    found = []
    for number, label in enumerate(labels):
        watch(OPENING, number, len(labels))
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
        origin = _ORIGINS.get(labels.verdicts.get(one.slide.id, ""), Origin.MODEL)
        if origin is not Origin.MODEL:
            found.append(replace(one, origin=origin))
            continue
        soft = partial(_soft_of_set, labels, one.slide.id, made_by)
        threshold = labels.thresholds[one.slide.id]
        found.append(replace(one, soft=soft, threshold=threshold, origin=origin))
    return found


def _soft_of_set(
    labels: PseudoLabelSet, slide_id: str, made_by: frozenset[int] | None, fold: int
) -> NDArray[np.float32] | None:
    if made_by is None or fold in made_by:
        return None
    soft = labels.soft(slide_id)
    return labels.mask(slide_id).astype(np.float32) * np.float32(255) if soft is None else soft


def _of_project(path: Path, models: bool, outcome: Outcome, watch: Watch) -> list[Label]:
    from hubseg.project.derived import derive
    from hubseg.project.verdicts import verdicts

    found = []
    with ReviewProject.for_reading(path) as project:
        said = verdicts(project, outcome)
        unseen = {
            name
            for name, verdict in said.items()
            if models and verdict is Verdict.UNSEEN and project.runs(name)
        }
        chosen = [n for n, verdict in said.items() if verdict.value in _ORIGINS or n in unseen]
        slides = outcome.slides_of(project, chosen)
        for number, slide in enumerate(slides):
            watch(READING, number, len(slides))
            with outcome.attempt(slide.id, last=False):
                derived = derive(project, slide)
                made_by = _made_by(project, derived)
                label = Label(derived.slide, encode(derived.mask), made_by=made_by)
                if slide.id not in unseen:
                    known = _known(project, label, outcome)
                    found.append(replace(_by_a_person(label, derived), known=known))
                    continue
                soft = partial(_soft_of_project, path, derived.slide)
                model = replace(label, soft=soft, threshold=derived.threshold, origin=Origin.MODEL)
                found.append(model)
        watch(READING, len(slides), len(slides))
    return found


def _known(project: ReviewProject, label: Label, outcome: Outcome) -> str | None:
    """Return the true mask of a project's table, where it has one that fits."""
    known = project.truth(label.slide.id)
    try:
        replace(label, known=known).measuring_mask()
    except ValueError:
        outcome.note(label.slide.id, "The table's mask does not fit the slide: it judges nothing.")
        return None
    return known


def _by_a_person(label: Label, derived: Derived) -> Label:
    """Return the label of an accepted slide: edited, or as the networks made it."""
    share = min(1.0, derived.corrected / max(1, int(derived.mask.sum())))
    unedited = derived.recipe_digest and not share
    origin = Origin.UNEDITED if unedited else Origin.EDITED
    return replace(label, origin=origin, edited_share=share)


def _made_by(project: ReviewProject, derived: Derived) -> MadeBy | None:
    """Return the networks whose map a mask was cut from; None for a mask without one."""
    from hubseg.project.runs import recorded

    if not derived.recipe_digest:
        return None
    runs = [
        run for run in project.runs(derived.slide.id) if run.slide_digest == derived.slide_digest
    ]
    # a recipe whose weights were changed is recorded under its digest before that
    same = [run for run in runs if run.recipe_digest == derived.recipe_digest] or runs
    if not same:
        return None
    recipe, keys = recorded(same[-1])
    return MadeBy(recipe, tuple((m, key) for m, key in keys if key), derived.slide_digest)


def _soft_of_project(path: Path, slide: Slide, fold: int) -> NDArray[np.float32] | None:
    """Mix the slide's newest run again, without the members of one fold."""
    from hubseg.probability import mix
    from hubseg.project.runs import newest_members

    with ReviewProject.for_reading(path, check=False) as project:
        newest = newest_members(project, slide)
        digest = project.digest(slide)
    if newest is None:
        return None
    recipe, members, _ = newest
    others = [(member, made) for member, made in members if member.fold != fold]
    if not others:
        return None
    return mix(recipe, others, shape=(slide.height, slide.width), slide_digest=digest).values
