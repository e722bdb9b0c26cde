"""What a network shall say of a slide, and how much each pixel of that counts.

Responsible for the targets of one structure and of several, from labels of people and of models.
Does not know crops or losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from hubseg.recipe import Channels
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.training.label import Label

__all__ = ["not_counted", "nothing_marked", "planes_of", "soft_target", "target_of", "tissue_of"]

_PLACES = 4096  # labelled pixels remembered of a slide, for crops to lie near

_Target = tuple["NDArray[np.uint8]", "NDArray[np.uint8] | None"]


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


def target_of(
    label: Label, channels: Channels, plan: TrainingPlan, fold: int, size: tuple[int, int]
) -> _Target:
    """Return what a network shall say of a slide, and how much each pixel counts.

    A structure of which nobody has said where it is counts nowhere. Where structures exclude each
    other, a pixel counts if all of them are known, or if it is known to be of one. A label that
    others agreed with (:mod:`hubseg.training.consensus`) is what they say together.

    Parameters
    ----------
    channels
        What its outputs are, in the words of the label.
    size
        Height and width at network scale, px.

    Returns
    -------
    target
        uint8, 0-255, the share of truth in each pixel: (h, w) of one structure, (structures, h, w)
        of several.
    weight
        Likewise; None where all pixels count fully.

    Raises
    ------
    ValueError
        When the label does not fit the slide, or its model belongs to the fold.
    """
    known = label.known_of(channels)
    if len(known) == 1:
        return _of_one(known[0] or label, plan, fold, size)
    made = [None if one is None else _if_it_may(one, plan, fold, size) for one in known]
    nothing = np.zeros(size, np.uint8)
    target = np.stack([nothing if one is None else one[0] for one in made])
    if all(one is not None and one[1] is None for one in made):
        return target, None
    full = np.full(size, 255, np.uint8)
    weight = np.stack([nothing if x is None else full if x[1] is None else x[1] for x in made])
    if channels.activation == "softmax":
        sure = np.where(target > 127, weight, 0).max(axis=0)
        weight = np.broadcast_to(np.maximum(weight.min(axis=0), sure), target.shape).copy()
    return target, weight


def not_counted(
    target: NDArray[np.uint8],
    weight: NDArray[np.uint8] | None,
    places: Iterable[tuple[slice, slice]],
) -> _Target:
    """Return a target and its weights with places, rows and columns, that count nowhere.

    Nothing is marked there either: no crop is cut to lie near it.
    """
    target = target.copy()
    weight = np.full(target.shape, 255, np.uint8) if weight is None else weight.copy()
    for place in places:
        target[(..., *place)] = weight[(..., *place)] = 0
    return target, weight


def _if_it_may(
    label: Label, plan: TrainingPlan, fold: int, size: tuple[int, int]
) -> _Target | None:
    """Return the target of one structure of several; None where its label may not train a fold."""
    return _of_one(label, plan, fold, size) if label.may_train(fold) else None


def _of_one(label: Label, plan: TrainingPlan, fold: int, size: tuple[int, int]) -> _Target:
    height, width = size
    weight = None
    if label.agreed is not None:
        full = label.agreed()
    elif label.soft is None:
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
    return np.asarray(_shrunk(full, width, height), np.uint8), weight


def _shrunk(values: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def planes_of(values: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return the planes (h, w) of a target or weight of one structure or of several."""
    return [values] if values.ndim == 2 else list(values)


def tissue_of(target: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return rows and columns of some labelled pixels, int64 (n, 2).

    Of several structures each has as many, so that crops lie near a rare one as often.
    """
    width, planes = target.shape[-1], planes_of(target)
    each = [np.flatnonzero(plane > 127) for plane in planes]
    most = _PLACES // len(planes)
    found = [places[:: max(1, len(places) // most)] for places in each]
    if len(found) > 1:
        found = [np.resize(places, most) for places in found if len(places)]
    places = np.concatenate(found) if found else np.zeros(0, np.int64)
    return np.stack(np.divmod(places, width), axis=1)


def nothing_marked(labels: Iterable[Label], channels: Sequence[Channels]) -> bool:
    """Tell whether no label of these has anything marked that a network marks.

    Parameters
    ----------
    channels
        What the outputs are, for each label.
    """
    each = (one for x, own in zip(labels, channels, strict=True) for one in x.known_of(own))
    return not any(one.truth.strip() for one in each if one is not None)
