"""Labelled slides at network scale, kept on disk so that each is decoded once.

Responsible for reading a slide as inference would show it, and for which parts of it could not be
decoded: they count nowhere. What a network shall say of it is :mod:`hubseg.training.targets`'s.
Does not cut crops (:mod:`hubseg.training.crops`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.inference import input_size, resize_pixels
from hubseg.inference.input_image import transfer_to
from hubseg.inference.resample import Resampled
from hubseg.probability.gaps import file_gaps, gaps_of
from hubseg.recipe.channels import ONE_OUTPUT, Channels
from hubseg.slide.mended import places_of, unread_of
from hubseg.slide.stain import Stains, in_stains, macenko
from hubseg.training.stain import statistics, vahadane
from hubseg.training.targets import not_counted, target_of, tissue_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hubseg.recipe import Recipe, Resolution
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.slide import Slide
    from hubseg.training.damage import Gaps
    from hubseg.training.label import Label

__all__ = ["LabelledSlide", "SlideCache"]


@dataclass(frozen=True, slots=True)
class LabelledSlide:
    """A slide and its label at network scale.

    Attributes
    ----------
    label
        Where they come from.
    pixels
        uint8 (h, w, 3) RGB.
    target, weight
        Of :func:`hubseg.training.targets.target_of`.
    tissue
        int64 (n, 2): rows and columns of some labelled pixels.
    stains, colours
        For stain transfer, where the plan asks for it.
    """

    label: Label
    pixels: NDArray[np.uint8]
    target: NDArray[np.uint8]
    weight: NDArray[np.uint8] | None
    tissue: NDArray[np.int64]
    stains: Stains | None = None
    colours: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


class SlideCache:
    """Slides at network scale: decoded when first asked for, then mapped from a file.

    Safe to ask from several threads; two that ask for one slide wait for one decoding.

    Parameters
    ----------
    folder
        Where the scaled pixels lie, named by content; several trainings may share it. A slide
        whose file finds no room on the disk is kept in memory.
    damaged
        Told of a slide of which parts cannot be decoded, and of these windows, in any thread.
    """

    def __init__(
        self,
        folder: Path,
        damaged: Callable[[Slide, Gaps], object] = lambda *_: None,
    ) -> None:
        self.folder, self._damaged = Path(folder), damaged
        self._known: dict[tuple[str, str, int, Channels, str], LabelledSlide] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(
        self,
        label: Label,
        resolution: Resolution,
        plan: TrainingPlan,
        fold: int,
        channels: Channels = ONE_OUTPUT,
        recipe: Recipe | None = None,
    ) -> LabelledSlide:
        """Return a slide as a network of `resolution` sees it, with its label for one fold.

        Parameters
        ----------
        channels
            What the network's outputs are, in the labels' words.
        recipe
            Which may show slides in other stains; None shows them in their own.

        Raises
        ------
        ValueError
            When the label does not fit the slide, or its model belongs to the fold.
        """
        scale = resolution.model_dump_json(include={"size", "scale", "um_per_px"})
        alike = all(one.by_person and one.agreed is None for one in (label, *label.others))
        stain = recipe.stain.digest if recipe is not None and recipe.stain and recipe.aligns else ""
        key = label.slide.id, scale, -1 if alike else fold, channels, stain
        with self._guard:
            lock = self._locks.setdefault(label.slide.id, threading.Lock())
        with lock:
            if key not in self._known:
                pixels = self._pixels(label, resolution, scale)
                transfer = None if recipe is None else transfer_to(recipe, label.slide)
                pixels = pixels if transfer is None else in_stains(pixels, transfer)
                unread = self.unread(label.slide)
                if unread:
                    self._damaged(label.slide, unread)
                self._known[key] = _labelled(label, pixels, unread, plan, fold, channels)
            return self._known[key]

    def unread(self, slide: Slide) -> Gaps:
        """Return what of a slide could not be decoded whenever it was read for this folder.

        Windows, (top, left, height, width) in level-0 px of its file.
        """
        return tuple(sorted({*gaps_of(self.folder, slide.digest), *unread_of(slide)}))

    def _pixels(self, label: Label, resolution: Resolution, scale: str) -> NDArray[np.uint8]:
        slide = label.slide
        coarser = _coarser(slide, resolution)
        content = json.dumps([slide.digest, scale, slide.um_per_px, 1 if coarser is None else 2])
        name = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            if coarser is None:
                pixels = resize_pixels(slide.read(), resolution, slide.um_per_px)
            else:
                pixels = coarser.read(0, 0, coarser.height, coarser.width)
            if not self._stored(path, slide, pixels):
                return pixels
        return np.asarray(np.load(path, mmap_mode="r"))

    def _stored(self, path: Path, slide: Slide, pixels: NDArray[np.uint8]) -> bool:
        """Write pixels, and what of the slide they lack; tell whether there was room."""
        try:
            file_gaps(self.folder, slide.digest, unread_of(slide))
            _write(path, pixels)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return False
        return True


def _coarser(slide: Slide, resolution: Resolution) -> Resampled | None:
    """Return a slide at network scale as a coarser level of it gives that, window by window.

    None where level 0 has to be read. A region is read from level 0: it is small, and px of other
    levels lie across its border.
    """
    if resolution.size is not None or slide.region is not None or len(slide.levels) == 1:
        return None
    size = input_size(resolution, slide.height, slide.width, slide.um_per_px)
    seen = Resampled(slide, *size, area=True)
    return seen if seen.level else None


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an array, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, pixels)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _labelled(
    label: Label,
    pixels: NDArray[np.uint8],
    unread: Gaps,
    plan: TrainingPlan,
    fold: int,
    channels: Channels,
) -> LabelledSlide:
    size = pixels.shape[0], pixels.shape[1]
    target, weight = target_of(label, channels, plan, fold, size)
    seen = pixels
    if unread:
        places = places_of(unread, label.slide, size, around=1)  # resizing has mixed them
        target, weight = not_counted(target, weight, places)
        there = np.ones(size, np.bool_)
        for place in places:
            there[place] = False
        seen = pixels[there]
    wanted = plan.augmentation.transfer > 0
    stains, colours = _look(seen, plan.augmentation.transfer_method) if wanted else (None, None)
    return LabelledSlide(label, pixels, target, weight, tissue_of(target), stains, colours)


def _look(
    pixels: NDArray[np.uint8], method: str
) -> tuple[Stains | None, tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
    """Return stains or colours of RGB pixels, uint8 (..., 3)."""
    if method == "reinhard":
        return None, statistics(pixels)
    return (vahadane(pixels) if method == "vahadane" else macenko(pixels)), None
