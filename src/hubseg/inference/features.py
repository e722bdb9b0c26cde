"""What the last layer of a member sees of a slide: the member's map without its last step.

Responsible for one pass without turned views and without the activation, on the same path as a
member's map. Does not know how features are kept or taught with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hubseg.inference.cpu_network import CpuNetwork
from hubseg.inference.member import answer_of, passes_for, predict_member
from hubseg.network import is_sized
from hubseg.network.last_layer import LastLayer, last_layer
from hubseg.probability import FeatureMap
from hubseg.recipe import MULTIPLE
from hubseg.recipe.channels import ONE_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hubseg.inference.tile_pixels import TilePixels
    from hubseg.probability.tile_file import Window
    from hubseg.recipe import Channels, Member, Recipe
    from hubseg.slide import Slide

__all__ = ["predict_features", "predict_region_features"]


def predict_features(
    network: nn.Module,
    pixels: NDArray[np.uint8] | Slide,
    recipe: Recipe,
    member: Member,
    *,
    checkpoint_digest: str,
    **how: Any,
) -> FeatureMap:
    """Run one member of `recipe` on a slide, up to its last layer and with it.

    Parameters
    ----------
    network, pixels
        As of :func:`hubseg.inference.predict_member`.
    checkpoint_digest
        Of the file that the network was read from.
    how
        Further arguments of :func:`hubseg.inference.predict_member`.

    Returns
    -------
    FeatureMap
        Where the recipe knows its networks' stains, with the features of the slide shown in these.

    Raises
    ------
    ValueError
        When the network cannot be taught: what its last layer is, or outputs that share a pixel.
    Cancelled, MemoryError
        As of :func:`hubseg.inference.predict_member`.
    """
    bare = _Bare.of(network, member)

    def values(as_shown: Recipe) -> NDArray[np.float16]:
        given = bare.network, pixels, as_shown, bare.member
        return predict_member(*given, answer=_raw, **how).values.astype(np.float16)

    return bare.features(recipe, checkpoint_digest, values)


def predict_region_features(
    network: nn.Module,
    pixels: TilePixels,
    recipe: Recipe,
    member: Member,
    region: Window,
    *,
    checkpoint_digest: str,
    **how: Any,
) -> FeatureMap:
    """Run one member of `recipe` on a region of a very large slide, seen within its slide.

    Parameters
    ----------
    pixels
        The slide's.
    region
        (top, left, height, width) in level-0 px.
    network, checkpoint_digest, how
        As of :func:`predict_features`; of `how` what :func:`hubseg.inference.predict_tiles` takes.

    Returns
    -------
    FeatureMap
        Of the px of the input that :meth:`hubseg.probability.TileLayout.around` names: at any place
        what the network sees of a window with more of the slide around it.

    Raises
    ------
    ValueError, OSError
        As of :func:`predict_features`, and when the slide can be read nowhere.
    Cancelled, MemoryError
        As of :func:`hubseg.inference.predict_member`.
    """
    bare = _Bare.of(network, member)
    pixels.check(recipe.resolutions[member.resolution])
    windows = list(_windows(pixels, region, sized=is_sized(member.network)))
    around = pixels.layout.around(region)

    def values(as_shown: Recipe) -> NDArray[np.float16]:
        scene = pixels.image(as_shown)
        passes = passes_for(bare.network, as_shown, bare.member, answer=_raw, **how)
        made = np.empty((0, 0, 0), np.float16)
        for seen, wanted in windows:
            answer = answer_of(scene, passes, seen).values
            step = seen[2] // answer.shape[-2]
            if not made.size:
                sides = around[2] // step, around[3] // step
                made = np.empty((*answer.shape[:-2], *sides), np.float16)
            made[_from(wanted, around, step)] = answer[_from(wanted, seen, step)]
        return made

    return bare.features(recipe, checkpoint_digest, values)


@dataclass(frozen=True, slots=True)
class _Bare:
    """A network that answers with what its last layer sees, and its member as it is run then."""

    network: LastLayer
    member: Member
    channels: int
    kept: list[int]

    @classmethod
    def of(cls, network: nn.Module, member: Member) -> Self:
        """Return it; raises ValueError where the network cannot be taught."""
        if member.channels.activation != "sigmoid":
            raise ValueError(
                f"The outputs of {member.name} share each pixel between them (softmax), so "
                "corrections cannot teach it: use a network with activation sigmoid."
            )
        bare = network.network if isinstance(network, CpuNetwork) else network
        bare = getattr(bare, "_orig_mod", bare)
        count = last_layer(bare)[1].in_channels
        kept = [count + i for i in member.channels.kept]
        return cls(LastLayer(bare), replace(member, channels=ONE_OUTPUT), count, kept)

    def features(
        self, recipe: Recipe, digest: str, values: Callable[[Recipe], NDArray[np.float16]]
    ) -> FeatureMap:
        """Return what `values` makes of a slide as it is, and in the stains that a recipe knows."""

        def seen(as_shown: Recipe, stain: str = "") -> FeatureMap:
            made = values(as_shown)
            return FeatureMap(made[: self.channels], made[self.kept], digest, stain)

        once = recipe.model_copy(update={"tta": "none"})
        own, stain = seen(once), recipe.teachable_stain
        return replace(own, aligned=seen(once.aligned(), stain)) if stain else own


def _windows(pixels: TilePixels, region: Window, *, sized: bool) -> Iterator[tuple[Window, Window]]:
    """Yield windows of the input, each with the part of it that is wanted; none is over a tile."""
    layout = pixels.layout
    around, padded, tiling = layout.around(region), layout.padded, layout.tiling
    more = max(MULTIPLE, tiling.overlap // 2 // MULTIPLE * MULTIPLE)
    core = tiling.side - 2 * more
    axes = []
    for first, length, end in zip(around[:2], around[2:], padded, strict=True):
        cuts = []
        for start in range(first, first + length, core):
            stop = min(start + core, first + length)
            begin, behind = max(0, start - more), min(end, stop + more)
            if sized:
                begin = min(begin, end - tiling.side)
                behind = begin + tiling.side
            cuts.append((begin, behind - begin, start, stop - start))
        axes.append(cuts)
    for top, high, first, rows in axes[0]:
        for left, wide, begin, columns in axes[1]:
            yield (top, left, high, wide), (first, begin, rows, columns)


def _from(window: Window, other: Window, step: int) -> Any:
    """Return where a window of the input lies in the answer of another one."""
    firsts = [(window[axis] - other[axis]) // step for axis in (0, 1)]
    rows, columns = (
        slice(first, first + side // step) for first, side in zip(firsts, window[2:], strict=True)
    )
    return ..., rows, columns


def _raw(logits: Tensor, channels: Channels) -> Tensor:
    del channels
    return logits
