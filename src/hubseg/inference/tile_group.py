"""One member on some tiles of a very large slide.

Responsible for computing tiles one by one, so that no more than one is in memory. Does not know
where they are kept.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hubseg.inference.cpu_network import expect
from hubseg.inference.member import passes_for
from hubseg.inference.views import views
from hubseg.probability import Tile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import torch
    from torch import Tensor, nn

    from hubseg.inference.input_image import InputImage
    from hubseg.inference.tile_pixels import TilePixels
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe

__all__ = ["predict_tiles"]


def predict_tiles(
    network: nn.Module,
    pixels: TilePixels,
    recipe: Recipe,
    member: Member,
    places: Iterable[Place],
    *,
    cancelled: Callable[[], bool] | None = None,
    precision: str = "auto",
    said: Callable[[str], None] | None = None,
    make_room: Callable[[], bool] | None = None,
) -> Iterator[tuple[Place, Tile]]:
    """Yield tiles of one member's map, each as soon as it is computed.

    They are to the bit those that the map of the whole slide is put together of. Where the recipe
    leaves out glass, a tile of glass alone has no values.

    Parameters
    ----------
    network
        From :func:`hubseg.inference.load_member`; its device is used.
    places
        Which tiles, in which order.
    cancelled, precision, said, make_room
        As of :func:`hubseg.inference.predict_member`.

    Raises
    ------
    Cancelled
        When `cancelled` says so.
    ValueError, OSError
        When the precision or the slide's pixel size is wrong, or it can be read nowhere.
    MemoryError
        When not even one view fits.
    """
    pixels.check(recipe.resolutions[member.resolution])
    scene, side = pixels.image(recipe), pixels.layout.tiling.side
    passes = passes_for(
        network,
        recipe,
        member,
        precision=precision,
        cancelled=cancelled,
        said=said,
        make_room=make_room,
    )
    places = list(places)
    expect(network, len(views(recipe.tta)) * len(places), kept=True)
    for place in places:
        if recipe.tissue_only and not pixels.shows_tissue(place):
            yield place, Tile()
            continue
        made = passes.mean(passes.placed(partial(_image, scene, (*place, side, side))))
        yield place, Tile(made.values, made.organ, made.pixel_size, pixels.unread)


def _image(scene: InputImage, window: tuple[int, ...], device: torch.device) -> Tensor:
    return scene.tensor(*window, device=device)
