"""One member on some tiles of a slide, where another one has seen the whole.

Responsible for computing the tiles and for fading them into that other map. Does not know which
tiles those are, nor why (:mod:`hubseg.probability.doubt`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hubseg.inference.cpu_network import expect
from hubseg.inference.device import choose_precision
from hubseg.inference.input_image import see
from hubseg.inference.member import answer_of, passes_for
from hubseg.inference.passes import ExecutionPlan
from hubseg.inference.views import views
from hubseg.network import is_sized
from hubseg.probability.doubt import SIDE, faded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from hubseg.inference.input_image import InputImage
    from hubseg.inference.kept_tiles import KeptTiles
    from hubseg.inference.passes import Passes
    from hubseg.probability import MemberMap
    from hubseg.probability.doubt import TileAnswer
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["predict_some"]


def predict_some(
    network: nn.Module,
    pixels: NDArray[np.uint8] | Slide,
    recipe: Recipe,
    member: Member,
    tiles: Sequence[Place],
    around: MemberMap,
    *,
    um_per_px: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    precision: str = "auto",
    said: Callable[[str], None] | None = None,
    make_room: Callable[[], bool] | None = None,
    kept: KeptTiles | None = None,
    following: int = 0,
) -> MemberMap:
    """Run one member of `recipe` on some tiles of a slide.

    Parameters
    ----------
    tiles
        Top and left of each, px of the network's input, as of
        :func:`hubseg.probability.doubt.tiles_over`; at least one.
    around
        The map of the member that saw the whole slide: taken for this one's everywhere else.
    network, pixels, um_per_px, cancelled, precision, said, make_room, kept, following
        As of :func:`hubseg.inference.predict_member`.

    Raises
    ------
    Cancelled
        When `cancelled` says so.
    ValueError
        When the precision or the slide's pixel size is wrong, or the network sees images of one
        size alone.
    MemoryError
        When not even one view fits.
    """
    if is_sized(member.network):
        raise ValueError(
            f"{member.network.label} sees images of one size alone, and no tiles of {SIDE} px: run "
            "it in full."
        )
    scene = see(pixels, recipe, recipe.resolutions[member.resolution], um_per_px)
    # of tiles, unlike of a whole slide, all views at once fit into a processor's caches
    device, view_set = next(network.parameters()).device, views(recipe.tta)
    at_once = ExecutionPlan(device, choose_precision(precision, device), len(view_set))
    passes = passes_for(
        *(network, recipe, member),
        precision=precision,
        cancelled=cancelled,
        said=said,
        make_room=make_room,
        execution=at_once,
    )
    expect(network, len(tiles) * (1 + following))
    made = list(_answers(scene, passes, tiles, kept))
    step = SIDE // made[0][2].shape[-2]
    (high, wide), (rows, columns) = scene.valid, scene.padded
    answers = ((top // step, left // step, values) for top, left, values in made)
    return faded(around, answers, (high // step, wide // step), (rows // step, columns // step))


def _answers(
    scene: InputImage, passes: Passes, tiles: Sequence[Place], kept: KeptTiles | None
) -> Iterator[TileAnswer]:
    """Yield each tile's top and left, px of the input, and its values."""
    for top, left in tiles:
        size = SIDE, SIDE
        compute = partial(answer_of, scene, passes, (top, left, *size))
        made = compute() if kept is None else kept.answer(top, left, size, compute)
        yield top, left, made.values
