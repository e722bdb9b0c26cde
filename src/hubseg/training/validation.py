"""How good what was trained is, on slides that it never saw, as a user's own run would show it.

Responsible for predicting slides from the files that were written, with the recipe's views and
merge, and for counting the maps against their truths. Does not decide who sees what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hubseg.inference import LoadedNetworks, predict
from hubseg.mask.metrics import dice, iou
from hubseg.probability.winners import winners
from hubseg.recipe import for_organ, in_words, occurring
from hubseg.thresholds.curves import Tally
from hubseg.training.label import nobody
from hubseg.training.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.probability import MapStore
    from hubseg.recipe import Recipe
    from hubseg.slide import Slide
    from hubseg.training.label import Label, Watch

__all__ = ["Judge", "Judged"]

JUDGING = "judging slides"


@dataclass(frozen=True, slots=True)
class Judged:
    """One structure of a slide, predicted by members that never saw it.

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
    structure
        What was judged; "" where the networks mark the organ's own structure alone.
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
    structure: str = ""


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
        """Judge slides by the members of one fold, or by all of them, structure by structure."""
        for number, label in enumerate(labels):
            self.watch(JUDGING, number, len(labels))
            maps = {name: self._map(label.slide, fold, name) for name in self._marked(label, fold)}
            for name, values in maps.items():
                own = label if name is None else label.of(name)
                if own is not None:
                    yield self._judged(own, fold, name, values, self._share(label, name, maps))
        self.watch(JUDGING, len(labels), len(labels))
        self._shelf.clear()

    def _marked(self, label: Label, fold: int | None) -> tuple[StructureName | None, ...]:
        """Return the structures that are marked in a slide; None is a network's only one."""
        organ, words = label.slide.organ, self.recipe.vocabulary
        members = for_organ(self.recipe.members(None if fold is None else [fold]), organ)
        if not any(member.channels.names for member in members):
            return (None,)
        return occurring(in_words(members, words, organ), words, organ)

    def _map(
        self, slide: Slide, fold: int | None, structure: StructureName | None
    ) -> NDArray[np.float32]:
        *_, probability = predict(
            slide,
            self.recipe,
            [self.weights],
            folds=None if fold is None else [fold],
            device=self.device,
            structure=structure,
            store=self.store,
            shelf=self._shelf,
        )
        return probability.values

    def _threshold(self, slide: Slide, structure: StructureName | None) -> float:
        table = self.recipe.thresholds.within(self.recipe.vocabulary)
        return table.value(slide.organ, slide.source, structure)

    def _share(
        self,
        label: Label,
        structure: StructureName | None,
        maps: Mapping[StructureName | None, NDArray[np.float32]],
    ) -> NDArray[np.bool_] | None:
        """Return where a structure may be, as a project has it; None is everywhere."""
        groups = (g for g in self.recipe.vocabulary.exclusive if structure in g)
        rivals = [name for name in next(groups, ()) if name in maps]
        if structure not in rivals or len(rivals) < 2:
            return None
        thresholds = [self._threshold(label.slide, name) for name in rivals]
        won = winners([maps[name] for name in rivals], thresholds)
        return np.asarray(won == rivals.index(structure))

    def _judged(
        self,
        label: Label,
        fold: int | None,
        structure: StructureName | None,
        values: NDArray[np.float32],
        share: NDArray[np.bool_] | None,
    ) -> Judged:
        slide, truth = label.slide, label.measuring_mask()
        threshold = self._threshold(slide, structure)
        mask = values > threshold
        if share is not None:
            mask &= share
        return Judged(
            slide.id,
            fold,
            str(slide.organ or ""),
            str(slide.source or ""),
            threshold,
            dice(mask, truth),
            iou(mask, truth),
            bool(truth.any()),
            Tally.of(values, truth),
            label.against,
            label.edited_share,
            self._made(label),
            str(structure or ""),
        )

    def _made(self, label: Label) -> bool:
        """Tell whether a mask is an unedited one of the networks that the training started from."""
        if label.against is not Origin.UNEDITED or label.made_by is None:
            return False
        return label.made_by.includes(self.starts)
