"""Labelled slides at network scale, kept on disk so that each is decoded once.

Responsible for reading a slide as inference would show it, for its target and for how much each
pixel of it counts. Does not cut crops (:mod:`hubseg.training.crops`).
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

import cv2
import numpy as np

from hubseg.inference import resize_pixels
from hubseg.training.stain import Stains, macenko, statistics, vahadane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.recipe import Resolution
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.training.sources import Label

__all__ = ["LabelledSlide", "SlideCache", "soft_target"]

PLACES = 4096  # labelled pixels remembered of a slide, for crops to lie near


@dataclass(frozen=True, slots=True)
class LabelledSlide:
    """A slide and its label at network scale.

    Attributes
    ----------
    label
        Where they come from.
    pixels
        uint8 (h, w, 3) RGB.
    target
        uint8 (h, w), 0-255: share of truth in each pixel.
    weight
        uint8 (h, w), 0-255: how much each pixel counts; None where all count fully.
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


def soft_target(
    soft: NDArray[np.float32], threshold: float, band: float, person_weight: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Turn a model's map into a target and into how much each pixel of it counts.

    The map is stretched so that its threshold becomes ½; confidence is the distance from ½, from
    0 to 1. Pixels of less confidence than `band` do not count; others count by their confidence,
    a person's label `person_weight` times as much as the surest of them.

    Parameters
    ----------
    soft
        float32 (H, W), 0-255.

    Returns
    -------
    uint8 (H, W) each, 0-255.
    """
    below = soft / np.float32(2.0 * max(threshold, 1e-6))
    above = 0.5 + (soft - np.float32(threshold)) / np.float32(2.0 * max(255.0 - threshold, 1e-6))
    target = np.where(soft > threshold, above, below)
    confidence = np.abs(2.0 * target - 1.0)
    weight = np.where(confidence < band, 0.0, confidence) / person_weight
    return np.rint(target * 255.0).astype(np.uint8), np.rint(weight * 255.0).astype(np.uint8)


class SlideCache:
    """Slides at network scale: decoded when first asked for, then mapped from a file.

    Safe to ask from several threads; two that ask for one slide wait for one decoding.

    Parameters
    ----------
    folder
        Where the scaled pixels lie, named by content; several trainings may share it. A slide
        whose file finds no room on the disk is kept in memory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._known: dict[tuple[str, str, int], LabelledSlide] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(
        self, label: Label, resolution: Resolution, plan: TrainingPlan, fold: int
    ) -> LabelledSlide:
        """Return a slide as a network of `resolution` sees it, with its label for one fold.

        Raises
        ------
        ValueError
            When the label does not fit the slide, or its model belongs to the fold.
        """
        scale = resolution.model_dump_json(include={"size", "scale", "um_per_px"})
        key = label.slide.id, scale, -1 if label.by_person else fold
        with self._guard:
            lock = self._locks.setdefault(label.slide.id, threading.Lock())
        with lock:
            if key not in self._known:
                pixels = self._pixels(label, resolution, scale)
                self._known[key] = _labelled(label, pixels, plan, fold)
            return self._known[key]

    def _pixels(self, label: Label, resolution: Resolution, scale: str) -> NDArray[np.uint8]:
        slide = label.slide
        content = json.dumps([slide.digest, scale, slide.um_per_px, 1])
        name = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            pixels = resize_pixels(slide.read(), resolution, slide.um_per_px)
            if not _stored(path, pixels):
                return pixels
        return np.asarray(np.load(path, mmap_mode="r"))


def _stored(path: Path, pixels: NDArray[np.uint8]) -> bool:
    """Write an array, whole or not at all; tell whether there was room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, pixels)
        Path(part).replace(path)
    except OSError as error:
        Path(part).unlink(missing_ok=True)
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return False
    return True


def _labelled(
    label: Label, pixels: NDArray[np.uint8], plan: TrainingPlan, fold: int
) -> LabelledSlide:
    height, width = pixels.shape[:2]
    weight = None
    if label.soft is None:
        full = label.mask().astype(np.uint8) * np.uint8(255)
    else:
        soft = label.soft(fold)
        if soft is None:
            raise ValueError(
                f"The label of {label.slide.id} was made by the model of fold {fold}: it must not "
                "train that fold."
            )
        full, counts = soft_target(soft, label.threshold, plan.ignore_band, plan.person_weight)
        weight = np.asarray(_shrunk(counts, width, height), np.uint8)
    target = np.asarray(_shrunk(full, width, height), np.uint8)
    places = np.flatnonzero(target > 127)
    places = places[:: max(1, len(places) // PLACES)]
    tissue = np.stack(np.divmod(places, width), axis=1)
    wanted = plan.augmentation.transfer > 0
    stains, colours = _look(pixels, plan.augmentation.transfer_method) if wanted else (None, None)
    return LabelledSlide(label, pixels, target, weight, tissue, stains, colours)


def _look(
    pixels: NDArray[np.uint8], method: str
) -> tuple[Stains | None, tuple[NDArray[np.float64], NDArray[np.float64]] | None]:
    if method == "reinhard":
        return None, statistics(pixels)
    return (vahadane(pixels) if method == "vahadane" else macenko(pixels)), None


def _shrunk(values: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def empty_or_full(labels: Sequence[Label]) -> bool:
    """Tell whether no label of these has anything inside."""
    return not any(label.truth.strip() for label in labels)
