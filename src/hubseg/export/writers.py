"""Every way of writing masks: the registry's formats, given the slides of a project.

Responsible for which file belongs to which slide, and for refusing what a format cannot hold before
anything of it is written. Does not know how a format looks (:mod:`hubseg.formats`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from hubseg.export.labels import write_labels
from hubseg.formats import ndpa, nnunet, ome_zarr_maps
from hubseg.formats.annotated import MaskedImage
from hubseg.formats.pseudo_labels import MANIFEST
from hubseg.formats.regions import together
from hubseg.formats.registry import FORMATS as FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hubseg.export.source import Source
    from hubseg.formats.format import Format as Form
    from hubseg.project.derived import Derived

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing masks.

    Attributes
    ----------
    title, sentence
        For a person.
    name
        What a file or folder of it is called unless a person says otherwise.
    is_folder
        Whether a folder is written and not one file.
    file
        A file that an export of a slide leaves below a target.
    write
        Writes what a source derives to a target; returns the target and the files.
    """

    title: str
    sentence: str
    name: str
    is_folder: bool
    file: Callable[[Path, str], Path]
    write: Callable[[Source, Path], tuple[Path, list[Path]]]


def _image_of(derived: Derived, numbers: dict[str, int]) -> MaskedImage:
    """Return what is written of a slide; classes are numbered from 1 as they come."""
    slide = derived.slide
    name = derived.structure
    return MaskedImage(
        derived.mask,
        slide.id,
        slide.path.name,
        name=name,
        number=numbers.setdefault(name, len(numbers) + 1),
        origin=derived.slide_digest,
        um_per_px=slide.spacing,
    )


def _images(source: Source, form: Form, numbers: dict[str, int]) -> Iterator[MaskedImage]:
    """Yield what a format can hold; the other slides are left out, with the reason."""
    for derived in source:
        image = _image_of(derived, numbers)
        if refusal := form.refusal(image):
            source.refuse(image.id, refusal)
            continue
        if loss := form.loss(image):
            source.outcome.note(image.id, loss)
        yield image
    if not source.outcome.done:
        raise source.nothing()


def _file(form: Form, out: Path) -> Path:
    """Return the one file of an export: the target, or the usual file in that folder."""
    return out if out.suffix.lower() == form.suffixes[0] else out / form.target


def _all_in_one(form: Form, source: Source, out: Path) -> tuple[Path, list[Path]]:
    path = _file(form, out)
    path.parent.mkdir(parents=True, exist_ok=True)
    source.every = form.structures
    numbers = source.numbers() if form.structures else {}
    form.write(path, _images(source, form, numbers))
    return path, [path]


def _one_a_slide(form: Form, source: Source, out: Path) -> tuple[Path, list[Path]]:
    written: list[Path] = []
    numbers: dict[str, int] = {}
    images = _images(source, form, numbers)
    if form.structures and source.has_several:
        source.every, numbers = True, source.numbers()
        images = (_parted if form.classes else _labelled)(source, numbers)
    slides = {slide.id: slide for slide in source.slides}
    for _, image in together(form, images, slides, source.refuse):
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{image.id}{form.suffixes[0]}"
        form.write(path, image)
        written.append(path)
    if not written:
        raise source.nothing()
    if form.index:
        index = getattr(form.code, form.index)
        written.append(index(out, {number: name for name, number in numbers.items()}))
    return out, written


def _parted(source: Source, numbers: dict[str, int]) -> Iterator[MaskedImage]:
    """Yield each slide with the mask of each of its structures, in the vocabulary's colours."""
    colours = source.colours()
    for _, masks in groupby(source, key=lambda derived: derived.slide.id):
        parts = [_image_of(derived, numbers) for derived in masks]
        if len(parts) == 1:
            yield parts[0]
            continue
        for part in parts:
            part.colour = colours.get(part.name, part.colour)
        whole = np.logical_or.reduce([part.mask for part in parts])
        yield MaskedImage(
            whole, parts[0].id, parts[0].file_name, um_per_px=parts[0].um_per_px, parts=parts
        )
    if not source.outcome.done:
        raise source.nothing()


def _labelled(source: Source, numbers: dict[str, int]) -> Iterator[MaskedImage]:
    """Yield each slide with the number of each pixel's structure; numbers are noted once.

    A slide on which two structures share a pixel is left out.
    """
    colours = source.colours()
    shown = {number: colours.get(name, _WHITE) for name, number in numbers.items()}
    told = ", ".join(f"{number} {name}" for name, number in numbers.items())
    source.outcome.note("numbers", f"The structures are numbered {told}.")
    for slide_id, masks in groupby(source, key=lambda derived: derived.slide.id):
        given = list(masks)
        labels, clash = np.zeros(given[0].mask.shape, np.uint8), ""
        for derived in given:
            taken = labels[derived.mask]
            if taken.any():
                clash = f"{derived.structure} and another structure share {np.count_nonzero(taken)}"
                break
            labels[derived.mask] = numbers[derived.structure]
        if clash:
            source.outcome.done.remove(slide_id)
            source.outcome.leave_out(
                slide_id,
                f"{clash} px, and an image of numbers has one a pixel: let the vocabulary say that "
                "they exclude each other, or write a table.",
            )
            continue
        slide = given[0].slide
        yield MaskedImage(
            labels > 0,
            *(slide.id, slide.path.name),
            um_per_px=slide.spacing,
            labels=labels,
            colours=shown,
        )
    if not source.outcome.done:
        raise source.nothing()


def _nnunet(source: Source, out: Path) -> tuple[Path, list[Path]]:
    numbers: dict[str, int] = {}
    written: list[Path] = []
    slides = {slide.id: slide for slide in source.slides}
    images: Iterator[MaskedImage] = (_image_of(derived, numbers) for derived in source)
    if source.has_several:
        source.every, numbers = True, source.numbers()
        images = _labelled(source, numbers)
    for image in images:
        written += nnunet.write_case(out, image, slides[image.id])
    if not written:
        raise source.nothing()
    there = [slides[name] for name in slides if name in source.outcome.done]
    names = {number: name for name, number in numbers.items()}
    last = max(names) + 1  # known once all are written
    damaged = nnunet.ignore_damage(out, there, last)
    source.outcome.take_notes(damaged.items())
    if damaged:
        source.outcome.note("ignore", _IGNORE.format(last))
    index = nnunet.write_dataset(out, names, len(written) // 2, ignored=last if damaged else None)
    splits = nnunet.write_splits(out, there)
    source.outcome.note("folds", _FOLDS if splits else _NO_FOLDS)
    return out, [index, *filter(None, [splits]), *written]


def _maps(source: Source, out: Path) -> tuple[Path, list[Path]]:
    """Write an image a slide, with a channel for each of several structures."""
    written: list[Path] = []
    source.every, colours = source.has_several, source.colours()
    for slide_id, masks in groupby(source, key=lambda derived: derived.slide.id):
        given = [(one.slide, one.structure, one.read_map()) for one in masks]
        found = [(name, one) for _, name, one in given if one is not None]
        if not found:
            source.refuse(slide_id, "It has no map: run an ensemble on it.")
            continue
        without = [name for _, name, one in given if one is None]
        if without:
            source.outcome.note(slide_id, f"There is no map of {', '.join(without)}: left out.")
        out.mkdir(parents=True, exist_ok=True)
        maps = [
            ome_zarr_maps.SoftMap(name, one.pieces(), colours.get(name, _WHITE))
            for name, one in found
        ]
        path, slide, shape = _map_file(out, slide_id), given[0][0], found[0][1].shape
        written.append(ome_zarr_maps.write_map(path, shape, maps, um_per_px=slide.spacing))
    if not written:
        raise source.nothing()
    return out, written


def _ndpa(source: Source, out: Path) -> tuple[Path, list[Path]]:
    slides = {slide.id: slide for slide in source.slides}
    written: list[Path] = []

    def of_ndpi() -> Iterator[MaskedImage]:
        for image in _images(source, FORMS["ndpa"], {}):
            if slides[image.id].path.suffix.casefold() == ".ndpi":
                yield image
            else:
                source.refuse(image.id, "It is no NDPI slide: write another format.")

    for slide, image in together(FORMS["ndpa"], of_ndpi(), slides, source.refuse):
        out.mkdir(parents=True, exist_ok=True)
        written.append(ndpa.write(out / f"{slide.path.name}.ndpa", image, slide.path))
    if not written:
        raise source.nothing()
    return out, written


def _map_file(out: Path, slide_id: str) -> Path:
    return out / f"{slide_id}.ome.zarr"


_WHITE = (255, 255, 255)
_FOLDS = (
    f"{nnunet.SPLITS} keeps slides that show the same tissue in one fold: put it into the data "
    "set's folder below nnUNet_preprocessed, or nnU-Net makes folds that do not."
)
_IGNORE = (
    "Parts of slides that cannot be decoded are {} (ignore) in the label images: nnU-Net learns "
    "and measures nothing there."
)
_NO_FOLDS = "There are no folds: one needs two slides that do not show the same tissue."


_OF_A_PROJECT: Mapping[
    str,
    tuple[Callable[[Source, Path], tuple[Path, list[Path]]], Callable[[Path, str], Path]],
] = {
    "pseudo-labels": (write_labels, lambda out, _: out / MANIFEST),
    "nnunet": (_nnunet, lambda out, _: out / nnunet.INDEX),
    "ome-zarr-map": (_maps, _map_file),
    "ndpa": (_ndpa, lambda out, slide_id: out / f"{slide_id}.ndpi.ndpa"),
}


def _written(form: Form) -> Format:
    if form.writes == "project":
        write, file = _OF_A_PROJECT[form.name]
        return _format(form, form.title, True, file, write)
    if form.writes == "all":
        return _format(
            form, form.title, False, lambda out, _: _file(form, out), partial(_all_in_one, form)
        )
    return _format(
        form,
        f"{form.title}, one file a slide",
        True,
        lambda out, slide_id: out / f"{slide_id}{form.suffixes[0]}",
        partial(_one_a_slide, form),
    )


def _format(
    form: Form,
    title: str,
    is_folder: bool,
    file: Callable[[Path, str], Path],
    write: Callable[[Source, Path], tuple[Path, list[Path]]],
) -> Format:
    return Format(title, form.sentence, form.target, is_folder, file, write)


FORMATS: Mapping[str, Format] = {
    name: _written(form) for name, form in FORMS.items() if form.writes
}
"""Every way of writing masks, by its name on the command line."""
