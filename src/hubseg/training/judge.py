"""How good what was trained is, on slides that it never saw, as a user's own run would show it.

Responsible for predicting slides from the files that were written, with the recipe's views and
merge, and for counting the maps against their truths. Does not decide who sees what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubseg.curves import Tally
from hubseg.inference import load_member, predict_member
from hubseg.probability import file_digest, map_key, mix
from hubseg.recipe import find_checkpoints
from hubseg.training.metrics import dice, iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from hubseg.probability import MapStore, MemberMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide
    from hubseg.training.sources import Label

__all__ = ["Judge", "Judged"]


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


class Judge:
    """Predicts slides by the checkpoints of a training, each member map once.

    Parameters
    ----------
    weights
        Folder of the checkpoints.
    store
        Where member maps are kept.
    """

    def __init__(
        self, recipe: Recipe, weights: Path, store: MapStore, device: torch.device
    ) -> None:
        self.recipe, self.weights, self.store, self.device = recipe, weights, store, device

    def judge(self, labels: Sequence[Label], fold: int | None) -> Iterator[Judged]:
        """Judge slides by the members of one fold, or by all of them."""
        members = self.recipe.members(None if fold is None else [fold])
        for label in labels:
            slide = label.slide
            maps = self._maps(slide, members)
            shape = (slide.height, slide.width)
            probability = mix(self.recipe, maps, shape=shape, slide_digest=slide.digest)
            threshold = self.recipe.thresholds.value(slide.organ, slide.source)
            mask, truth = probability.values > threshold, label.mask()
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
            )

    def _maps(self, slide: Slide, members: Sequence[Member]) -> list[tuple[Member, MemberMap]]:
        files = find_checkpoints(members, [self.weights])
        pixels: NDArray | None = None  # type: ignore[type-arg]
        made = []
        for member in members:
            path = files[member.checkpoint]
            key = map_key(
                self.recipe, member, slide_digest=slide.digest, checkpoint_digest=file_digest(path)
            )
            found = self.store.get(key)
            if found is None:
                pixels = slide.read() if pixels is None else pixels
                network = load_member(self.recipe, member, path, self.device)
                found = predict_member(
                    network, pixels, self.recipe, member, um_per_px=slide.um_per_px
                )
                self.store.put(key, found)
            made.append((member, found))
        return made
