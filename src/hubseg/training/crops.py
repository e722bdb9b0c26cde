"""Batches of random crops, made ahead of the network by threads, the same whoever makes them.

Every crop is drawn from a generator seeded by member, step and place in the batch: so threads,
ranks and a resumed training cut the same crops. Responsible for batches and for how long the
network waited for them. Does not know networks.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hubseg.organ import FACTS, ORGANS
from hubseg.recipe.channels import ONE_OUTPUT
from hubseg.slide.stain import stain_transfer
from hubseg.training.augment import cut, place
from hubseg.training.colour import Colour, draw_colour, recolour, recolour_batch
from hubseg.training.label import told
from hubseg.training.stain import Reinhard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hubseg.recipe import Channels, Recipe, Resolution
    from hubseg.training.data import LabelledSlide, SlideCache
    from hubseg.training.label import Label

__all__ = ["Batch", "Crop", "Crops"]

AHEAD = 2  # batches made while the network works on one
_PLACES = {organ: place for place, organ in enumerate(ORGANS)}


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop and what is known of it.

    Attributes
    ----------
    slide
        Id of its slide.
    pixels
        uint8 (crop, crop, 3).
    target, weight
        uint8 (crop, crop), of several structures (structures, crop, crop).
    colour
        Change of colours still to be applied; None when it is done.
    organ
        Place in :data:`hubseg.organ.ORGANS`, or -1: not known, or none of the five.
    pixel_size
        µm/px of the crop, divided by 10 as the published head is; NaN when it is not known.
    """

    slide: str
    pixels: NDArray[np.uint8]
    target: NDArray[np.uint8]
    weight: NDArray[np.uint8]
    colour: Colour | None
    organ: int
    pixel_size: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What one forward pass takes.

    Attributes
    ----------
    images
        float32 (B, 3, crop, crop), normalised as the recipe says.
    target, weight
        float32 (B, structures, crop, crop), 0-1.
    organ, pixel_size
        int64 (B,) and float32 (B,): facts for the heads; -1 and NaN where not known.
    slides
        Ids.
    """

    images: Tensor
    target: Tensor
    weight: Tensor
    organ: Tensor
    pixel_size: Tensor
    slides: tuple[str, ...]


class Crops:
    """The crops of one member's training.

    Parameters
    ----------
    labels
        Slides to cut from, each as often as any other.
    resolutions
        At which the network will see slides; each crop is cut at one of them.
    cache
        Where their pixels are.
    fold
        The fold that is trained.
    channels
        What the outputs of the network are.
    seed
        Of this member.
    part
        (rank, ranks): which share of each batch is made here.
    on_device
        Whether colours are changed on the device instead of in the threads.
    """

    def __init__(
        self,
        labels: Sequence[Label],
        recipe: Recipe,
        resolutions: Sequence[Resolution],
        cache: SlideCache,
        *,
        fold: int,
        seed: int,
        part: tuple[int, int] = (0, 1),
        on_device: bool = False,
        channels: Channels = ONE_OUTPUT,
    ) -> None:
        self.labels, self.recipe, self.resolutions = list(labels), recipe, tuple(resolutions)
        self.cache, self.fold, self.seed = cache, fold, seed
        self.part, self.on_device, self.channels = part, on_device, channels
        self.waited = 0.0
        """Seconds that the consumer of :meth:`ahead` has waited."""

    def one(self, number: int, index: int) -> Crop:
        """Cut crop `index` of batch `number`."""
        plan = self.recipe.training
        random = np.random.default_rng([self.seed, number, index])
        several = len(self.resolutions) > 1
        resolution = self.resolutions[int(random.integers(len(self.resolutions))) if several else 0]
        slide = self._slide(int(random.integers(len(self.labels))), resolution)
        shape = slide.pixels.shape
        placing = place(
            (shape[0], shape[1]),
            slide.tissue,
            plan.augmentation,
            plan.crop,
            random,
            on_tissue=plan.on_tissue,
            scale=self._other_pixel_size(slide, resolution, random),
        )
        made = cut(
            slide.pixels, slide.target, slide.weight, placing, plan.augmentation, plan.crop, random
        )
        colour = self._colour(slide, resolution, random)
        pixels = made.pixels if self.on_device else recolour(made.pixels, colour)
        own = slide.label.slide
        organ = -1 if own.organ is None else _PLACES.get(own.organ, -1)
        per_px = np.nan if own.um_per_px is None else own.um_per_px * own.height / shape[0]
        pixel_size = per_px / placing.scale / 10.0
        waiting = colour if self.on_device else None
        return Crop(own.id, pixels, made.target, made.weight, waiting, organ, pixel_size)

    def _slide(self, index: int, resolution: Resolution) -> LabelledSlide:
        label = self.labels[index]
        outputs = told(self.channels, self.recipe.vocabulary, label)
        return self.cache.get(
            *(label, resolution, self.recipe.training, self.fold, outputs), recipe=self.recipe
        )

    def _other_pixel_size(
        self, slide: LabelledSlide, resolution: Resolution, random: np.random.Generator
    ) -> float:
        """Return the size change that shows a slide as the organ's other source would."""
        share = self.recipe.training.augmentation.other_pixel_size
        own = slide.label.slide
        if random.random() >= share or resolution.um_per_px is not None:
            return 1.0
        facts = None if own.organ is None else FACTS.get(own.organ)
        if facts is None or own.source is None or own.source not in facts.um_per_px:
            return 1.0
        known = facts.um_per_px
        others = [um for source, um in known.items() if source is not own.source]
        return (own.um_per_px or known[own.source]) / float(random.choice(others))

    def _colour(
        self, slide: LabelledSlide, resolution: Resolution, random: np.random.Generator
    ) -> Colour:
        plan = self.recipe.training.augmentation
        transfer, style = None, None
        if plan.transfer:
            other = self._slide(int(random.integers(len(self.labels))), resolution)
            if slide.stains is not None and other.stains is not None:
                transfer = stain_transfer(slide.stains, other.stains)
            if slide.colours is not None and other.colours is not None:
                style = Reinhard(slide.colours, other.colours)
        return draw_colour(plan, random, transfer=transfer, style=style)

    def batch(self, number: int, device: torch.device | None = None) -> Batch:
        """Make batch `number` here and now."""
        return self._assemble([self.one(number, i) for i in self._indices()], device)

    def _indices(self) -> range:
        rank, ranks = self.part
        return range(rank, self.recipe.training.batch, ranks)

    def ahead(self, start: int, stop: int, device: torch.device | None = None) -> Iterator[Batch]:
        """Yield batches `start` to `stop` - 1, made by the plan's threads while others are used."""
        workers = self.recipe.training.workers
        if not workers:
            for number in range(start, stop):
                began = time.perf_counter()
                made = self.batch(number, device)
                self.waited += time.perf_counter() - began
                yield made
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
        queue: deque[list[Future[Crop]]] = deque()
        try:
            following = iter(range(start, stop))
            for number in following:
                queue.append([pool.submit(self.one, number, i) for i in self._indices()])
                if len(queue) > AHEAD:
                    break
            while queue:
                began = time.perf_counter()
                crops = [future.result() for future in queue.popleft()]
                self.waited += time.perf_counter() - began
                for number in following:
                    queue.append([pool.submit(self.one, number, i) for i in self._indices()])
                    break
                yield self._assemble(crops, device)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _assemble(self, crops: Sequence[Crop], device: torch.device | None) -> Batch:
        images = _to(np.stack([crop.pixels for crop in crops]), device).permute(0, 3, 1, 2)
        colours = [crop.colour for crop in crops if crop.colour is not None]
        values = recolour_batch(images, colours) if colours else images.float()
        if self.recipe.channel_order == "bgr":
            values = values.flip(1)
        normal = self.recipe.normalize
        return Batch(
            images=values / normal.divide - normal.subtract,
            target=_shares(np.stack([crop.target for crop in crops]), device),
            weight=_shares(np.stack([crop.weight for crop in crops]), device),
            organ=_to(np.array([crop.organ for crop in crops], np.int64), device),
            pixel_size=_to(np.array([crop.pixel_size for crop in crops], np.float32), device),
            slides=tuple(crop.slide for crop in crops),
        )


def _shares(values: NDArray[np.uint8], device: torch.device | None) -> Tensor:
    """Return 0-255 of one structure (B, h, w) or of several as 0-1, (B, structures, h, w)."""
    made = _to(values, device)
    return (made[:, None] if made.ndim == 3 else made) / 255.0


def _to(values: NDArray[Any], device: torch.device | None) -> Tensor:
    made = torch.from_numpy(values)
    if device is None or device.type == "cpu":
        return made
    return made.pin_memory().to(device, non_blocking=True)
