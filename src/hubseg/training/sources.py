"""The labels of a project, a pseudo-label set or a table, each with its origin.

Responsible for telling labels that a person stands behind from those a model made, and for whose
model that was. Does not read slides' pixels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats.pseudo_labels import MANIFEST, read_pseudo_labels
from hubseg.formats.rle import encode
from hubseg.formats.staged_folder import PROVENANCE
from hubseg.journal.verdict import Verdict
from hubseg.organ import BUILT_IN, StructureName, Vocabulary
from hubseg.outcome import Outcome
from hubseg.project import ReviewProject
from hubseg.project.words import vocabulary_of
from hubseg.slide import SlideTable, in_words, take_new
from hubseg.slide.mended import MendedSlide
from hubseg.slide.table import table_of_folder
from hubseg.training.class_labels import has_classes, of_class_images, of_class_table
from hubseg.training.label import OPENING, READING, Label, Watch, nobody
from hubseg.training.origin import MadeBy, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from hubseg.formats.pseudo_labels import PseudoLabelSet
    from hubseg.organ import DataSource, Organ
    from hubseg.project.derived import Derived
    from hubseg.slide import Slide

__all__ = ["labels_of", "readable", "told_of", "words_of"]

_ORIGINS = {
    Verdict.ACCEPTED.value: Origin.UNEDITED,
    Verdict.CORRECTED.value: Origin.EDITED,
}


def labels_of(
    path: Path | str,
    *,
    images: Path | None = None,
    models: bool = False,
    outcome: Outcome | None = None,
    watch: Watch = nobody,
    vocabulary: Vocabulary = BUILT_IN,
    new: bool = False,
    structures: Sequence[StructureName] = (),
    unlisted_empty: bool = False,
) -> list[Label]:
    """Return the labels of a project, a pseudo-label set or a table.

    Parameters
    ----------
    path
        ``NAME.hubseg``, a folder or manifest of pseudo-labels, a CSV, a folder of images with a
        table, or, with `images`, a folder of label images.
    images
        Where a CSV's images are, or those of label images.
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
    structures
        What the numbers of classes in a table or in label images mean, from 1
        (:func:`hubseg.training.class_labels.marked_by`).
    unlisted_empty
        Images without a row in a table with numbers of classes hold nothing.

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
    elif has_classes(path):
        given = path, images, structures, outcome
        own = of_class_table(*given, unlisted_empty=unlisted_empty)
        found = _in_words(own, vocabulary, new=new)
    elif images is not None and path.is_dir() and table_of_folder(path) is None:
        found = _in_words(of_class_images(path, images, structures, outcome), vocabulary, new=new)
    else:
        table = SlideTable.open(path, images=images)
        outcome.take_table(table)
        found = _in_words(_of_table(table), vocabulary, new=new)
    if not found:
        raise _no_label(path, outcome)
    return found


def _no_label(path: Path, outcome: Outcome) -> ValueError:
    """Return what is said where there is no label: why the first slide was left out, if one was."""
    remedy = "accept slides in a project, or give a table with an rle column."
    return ValueError(
        f"No slide of {path} has a label: {next(iter(outcome.left_out.values()), remedy)}"
    )


def _in_words(labels: list[Label], vocabulary: Vocabulary, *, new: bool) -> list[Label]:
    """Return labels whose slides have what their table says, as far as it is known."""
    if new:
        vocabulary = take_new((label.slide for label in labels), vocabulary)
    return [label.with_slide(in_words(label.slide, vocabulary)) for label in labels]


def told_of(
    labels: Iterable[Label], *, organ: Organ | None = None, source: DataSource | None = None
) -> list[Label]:
    """Return labels whose slides know organ and source, where they did not know one before."""
    found = []
    for label in labels:
        slide = label.slide
        told = slide.told(
            organ=organ if slide.organ is None else None,
            source=source if slide.source is None else None,
        )
        found.append(label.with_slide(told))
    return found


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

    Of a pyramid only the smallest level is read. Damage that costs a slide some tiles is passed
    over, as training does (:mod:`hubseg.slide.mended`).
    """
    found = []
    for number, label in enumerate(labels):
        watch(OPENING, number, len(labels))
        with outcome.attempt(label.slide.id):
            for one in (label, *label.others):
                one.mask()
            MendedSlide.of(label.slide).read(level=len(label.slide.levels) - 1)
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
        own = labels.structures.get(one.slide.id)
        named = replace(one, structure=StructureName(own) if own else None)
        verdict, threshold = labels.verdicts.get(one.slide.id, ""), labels.thresholds[one.slide.id]
        first = _as_judged(labels, named, verdict, threshold, made_by, "")
        others = []
        for more in labels.further.get(one.slide.id, ()):
            label = replace(one, truth=more.truth, structure=StructureName(more.structure))
            told = more.verdict, more.threshold, made_by, more.structure
            others.append(_as_judged(labels, label, *told))
        found.append(replace(first, others=tuple(others)))
    return found


def _as_judged(
    labels: PseudoLabelSet,
    label: Label,
    verdict: str,
    threshold: float,
    made_by: frozenset[int] | None,
    further: str,
) -> Label:
    """Return a label of a set as a person's, or as a model's where none accepted it."""
    origin = _ORIGINS.get(verdict, Origin.MODEL)
    if origin is not Origin.MODEL:
        return replace(label, origin=origin)
    soft = partial(_soft_of_set, labels, label.slide.id, made_by, further)
    return replace(label, soft=soft, threshold=threshold, origin=origin)


def _soft_of_set(
    labels: PseudoLabelSet,
    slide_id: str,
    made_by: frozenset[int] | None,
    further: str,
    fold: int,
) -> NDArray[np.float32] | None:
    if made_by is None or fold in made_by:
        return None
    soft = labels.soft(slide_id, further)
    if soft is not None:
        return soft
    return labels.mask(slide_id, further).astype(np.float32) * np.float32(255)


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
                label = _derived(project, derived)
                if slide.id not in unseen:
                    known = _known(project, label, outcome)
                    others = tuple(_others(project, slide))
                    own = replace(_by_a_person(label, derived), known=known, others=others)
                    found.append(own)
                    continue
                soft = partial(_soft_of_project, path, derived.slide)
                model = replace(label, soft=soft, threshold=derived.threshold, origin=Origin.MODEL)
                found.append(model)
        watch(READING, len(slides), len(slides))
    return found


def _derived(project: ReviewProject, derived: Derived) -> Label:
    made_by = _made_by(project, derived)
    return Label(derived.slide, encode(derived.mask), made_by=made_by, structure=derived.name)


def _others(project: ReviewProject, slide: Slide) -> Iterator[Label]:
    """Yield the labels of the slide's further structures that a person stands behind."""
    from hubseg.project.derived import derive
    from hubseg.project.structures import structures_of

    for name in structures_of(project, slide)[1:]:
        derived = derive(project, slide, name)
        if derived.verdict.stands:
            yield _by_a_person(_derived(project, derived), derived)


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
    from hubseg.project.tissue import said_tissue

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
    said = said_tissue(project, derived.slide) if recipe.tissue_only else None
    members = tuple((member, key) for member, key in keys if key)
    return MadeBy(recipe, members, derived.slide_digest, "" if said is None else said.digest)


def _soft_of_project(path: Path, slide: Slide, fold: int) -> NDArray[np.float32] | None:
    """Mix the slide's newest run again, without the members of one fold."""
    from hubseg.probability import mix
    from hubseg.project.newest import newest_members

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
