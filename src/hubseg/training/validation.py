"""How good what was trained is, on slides that it never saw, as a user's own run would show it.

Responsible for predicting slides from the files that were written, with the recipe's views and
merge, and for counting the maps against their truths. Does not decide who sees what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.inference import LoadedNetworks, predict
from hubseg.mask.metrics import dice, iou
from hubseg.thresholds.curves import Tally
from hubseg.training.origin import Origin
from hubseg.training.sources import nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hubseg.probability import MapStore
    from hubseg.recipe import Recipe
    from hubseg.training.sources import Label, Watch

__all__ = ["Judge", "Judged"]

JUDGING = "judging slides"


@dataclass(frozen=True, slots=True)
class Judged:
    """One slide, predicted by members that never saw it.

    Attributes
    ----------
    slide
        Its id.
    fold
        The fold whose members predicted it; None where all did.
    organ, source
        As they are written in tables; "" where not known.
    threshold
        The recipe's, 0-255.
    dice, iou
        Of the mask at that threshold.
    positive
        Whether the truth holds anything.
    tally
        The map counted against the truth, for every other threshold.
    against
        Where what is called the truth comes from.
    edited_share
        Share of its marked pixels that a person decided, 0-1; None where that is not known.
    same_networks
        Whether it is an unedited mask of the networks that the training started from.
    """

    slide: str
    fold: int | None
    organ: str
    source: str
    threshold: float
    dice: float
    iou: float
    positive: bool
    tally: Tally
    against: Origin = Origin.TRUE
    edited_share: float | None = None
    same_networks: bool = False


class Judge:
    """Predicts slides by the checkpoints of a training, each member map once.

    Parameters
    ----------
    weights
        Folder of the checkpoints.
    store
        Where member maps are kept.
    device
        Name of the device: auto, cpu or cuda:N.
    starts
        Digest of the file that each network started from, by checkpoint name.
    watch
        Told how many slides are judged.
    """

    def __init__(
        self,
        recipe: Recipe,
        weights: Path,
        store: MapStore,
        device: str,
        *,
        starts: Mapping[str, str] | None = None,
        watch: Watch = nobody,
    ) -> None:
        self.recipe, self.weights, self.store, self.device = recipe, weights, store, device
        self.starts, self.watch = starts or {}, watch
        self._shelf = LoadedNetworks()

    def judge(self, labels: Sequence[Label], fold: int | None) -> Iterator[Judged]:
        """Judge slides by the members of one fold, or by all of them."""
        for number, label in enumerate(labels):
            self.watch(JUDGING, number, len(labels))
            slide = label.slide
            *_, probability = predict(
                slide,
                self.recipe,
                [self.weights],
                folds=None if fold is None else [fold],
                device=self.device,
                store=self.store,
                shelf=self._shelf,
            )
            threshold = self.recipe.thresholds.value(slide.organ, slide.source)
            mask, truth = probability.values > threshold, label.measuring_mask()
            yield Judged(
                slide.id,
                fold,
                str(slide.organ or ""),
                str(slide.source or ""),
                threshold,
                dice(mask, truth),
                iou(mask, truth),
                bool(truth.any()),
                Tally.of(probability.values, truth),
                label.against,
                label.edited_share,
                self._made(label),
            )
        self.watch(JUDGING, len(labels), len(labels))
        self._shelf.clear()

    def _made(self, label: Label) -> bool:
        """Tell whether a mask is an unedited one of the networks that the training started from."""
        if label.against is not Origin.UNEDITED or label.made_by is None:
            return False
        return label.made_by.includes(self.starts)
