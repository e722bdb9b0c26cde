"""Keys: a digest of all that decides a member map's values.

Responsible for naming content by content. Does not know where maps are kept.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe

__all__ = ["map_key", "part_key"]


def map_key(
    recipe: Recipe,
    member: Member,
    *,
    slide_digest: str,
    checkpoint_digest: str,
    precision: str = "auto",
    field_of_view: int = 0,
    tissue: str = "",
) -> str:
    """Return the key of a member map: a digest of all that decides its values.

    Slide pixels, checkpoint bytes, network, resolution, views, preprocessing, stains that slides
    are shown in and a precision that was asked for count, and so do activation and which outputs
    are structures where there are several; names, also those of structures, weights, folds and
    thresholds do not.

    Parameters
    ----------
    field_of_view
        Of a resolution by ``size``, where the slide was not squeezed into it but seen part by part
        (:class:`hubseg.probability.TileLayout`); else 0.
    tissue
        Digest of where a person says that tissue is; "" where it is found. It counts where a recipe
        leaves glass out.
    """
    resolution = recipe.resolutions[member.resolution]
    content = {
        "slide": slide_digest,
        "checkpoint": checkpoint_digest,
        "network": member.network.model_dump(mode="json"),
        "resolution": resolution.model_dump(mode="json", include={"size", "scale", "um_per_px"}),
        "tta": recipe.tta,
        "channel_order": recipe.channel_order,
        "normalize": recipe.normalize.model_dump(mode="json"),
        "format": 1,
    }
    if channels := member.channels.decides:
        content["channels"] = channels
    if recipe.tissue_only:
        content["tissue_only"] = tissue or 1  # of how tissue is found
    if recipe.stain is not None and recipe.stain.align:
        content["stain"] = recipe.stain.digest
    if field_of_view:
        content["field_of_view"] = field_of_view
    if precision != "auto":
        content["precision"] = precision
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def part_key(key: str, around: str, tiles: Sequence[Place], *, side: int, margin: int) -> str:
    """Return the key of a member map that is its own in some tiles, and another one's elsewhere.

    Parameters
    ----------
    key, around
        Keys of the whole maps of the member, and of the one that is taken elsewhere.
    tiles
        Top and left of each, px of the network's input, whatever their order.
    side, margin
        Of a tile, px of the input.
    """
    content = ["part 1", key, around, sorted(tiles), side, margin]
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
