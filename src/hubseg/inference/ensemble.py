"""A whole recipe on a slide, in this process, as an iterator of ever better maps.

Responsible for the order of members, for what is taken from the store, and for reading the next
checkpoint while the current one runs. Does not know where it runs (:mod:`hubseg.engine`) nor who
looks at the maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubseg.inference.kept_tiles import KeptTiles
from hubseg.inference.loaded_networks import LoadedNetworks, Order
from hubseg.inference.member import open_pixels, predict_member
from hubseg.inference.tissue_tiles import said_of
from hubseg.probability import Mixer, file_digests, map_key
from hubseg.recipe import find_checkpoints, for_organ, in_words, occurring, with_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hubseg.probability import MapStore, MemberMap, ProbabilityMap
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["predict"]


def predict(
    slide: Slide,
    recipe: Recipe,
    weights: Sequence[Path],
    *,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    precision: str = "auto",
    structure: str | None = None,
    store: MapStore | None = None,
    shelf: LoadedNetworks | None = None,
    cancelled: Callable[[], bool] | None = None,
    said: Callable[[str], None] | None = None,
) -> Iterator[ProbabilityMap]:
    """Run a recipe on a slide; after each member that is for its organ, yield a better map.

    Members whose map the store holds are not computed again, so that the maps of a second structure
    of the same networks cost nothing.

    Parameters
    ----------
    precision
        auto, float32, float16 or bfloat16; auto is float16 on CUDA and float32 on a CPU.
    structure
        What the maps are of; None is the slide's first structure. Members that have another one
        alone are not run.
    shelf
        Networks that stay loaded from one slide to the next; default: one for this slide.
    cancelled
        Asked before each view and each layer.
    said
        Told in a few words when memory runs out and something gives way.

    Raises
    ------
    FileNotFoundError
        When checkpoints are missing; the message says where they were looked for.
    ValueError
        When a file is refused or does not fit, the device or precision is not there, or no network
        is for the slide's organ or marks the structure.
    Cancelled
        When `cancelled` says so.
    """
    asked, _ = _marking(recipe, folds, slide, structure)
    files = find_checkpoints([member for member, _ in asked], weights)
    recipe = with_scores(recipe, files)
    marking, wanted = _marking(recipe, folds, slide, structure)
    layers = {member.place: layer for member, layer in marking}
    digests = file_digests(files[member.checkpoint] for member, _ in marking)
    orders = [
        Order(recipe, member, path := files[member.checkpoint], digests[path], device, precision)
        for member, _ in marking
    ]
    finished: list[Member] = []
    shape = slide.height, slide.width
    mixer = Mixer(shape=shape, slide_digest=slide.digest, structure=wanted)
    own = LoadedNetworks() if shelf is None else shelf
    try:
        for order, made in _members(slide, orders, own, store, precision, cancelled, said):
            mixer.put(order.member, made.layer(layers[order.member.place]))
            finished.append(order.member)
            yield mixer.mix(recipe, finished, total=len(orders))
    finally:
        if shelf is None:
            own.clear()


def _marking(
    recipe: Recipe, folds: Sequence[int] | None, slide: Slide, structure: str | None
) -> tuple[list[tuple[Member, int]], str | None]:
    """Return the members that are run for a structure, each with the layer of its map that it is.

    None is the first structure that they mark in the slide. The third is which one it is.
    """
    words, organ = recipe.vocabulary, slide.organ
    told = in_words(for_organ(recipe.members(folds), organ), words, organ)
    if not told:
        raise ValueError(f"No network of recipe {recipe.name} is for the organ of {slide.id}.")
    if structure is None:
        wanted = occurring(told, words, organ)[0]
    elif (known := words.structure(structure)) is None:
        raise ValueError(f"{words.unknown('structure', structure)}.")
    else:
        wanted = known.name
    layers = ((one, one.channels.layer(wanted)) for one in told)
    marking = [(one, layer) for one, layer in layers if layer is not None]
    if not marking:
        raise ValueError(f"No network of recipe {recipe.name} marks {wanted}: name another one.")
    return marking, wanted


def _members(
    slide: Slide,
    orders: Sequence[Order],
    shelf: LoadedNetworks,
    store: MapStore | None,
    precision: str,
    cancelled: Callable[[], bool] | None,
    said: Callable[[str], None] | None,
) -> Iterator[tuple[Order, MemberMap]]:
    """Yield every member's map: from the store, or computed while the next one is being read."""
    keys = [_key(order, slide, precision) for order in orders]
    absent = [i for i, key in enumerate(keys) if store is None or key not in store]
    pixels = None
    for index, (order, key) in enumerate(zip(orders, keys, strict=True)):
        made = None if store is None or index in absent else store.get(key)
        if made is None:
            pixels = open_pixels(slide) if pixels is None else pixels
            network = shelf.take(order, said=said)
            following = next((i for i in absent if i > index), None)
            if following is not None:
                shelf.expect(orders[following])
            kept = None if store is None else KeptTiles(store, key)
            made = predict_member(
                network,
                pixels,
                order.recipe,
                order.member,
                um_per_px=slide.um_per_px,
                cancelled=cancelled,
                precision=precision,
                said=said,
                make_room=shelf.spare,
                kept=kept,
                tissue=said_of(slide),
            )
            if store is not None:
                store.put(key, made)
            if kept is not None:
                kept.let_go()
        yield order, made


def _key(order: Order, slide: Slide, precision: str) -> str:
    return map_key(
        order.recipe,
        order.member,
        slide_digest=slide.digest,
        checkpoint_digest=order.digest,
        precision=precision,
        tissue="" if slide.tissue is None else slide.tissue.digest,
    )
