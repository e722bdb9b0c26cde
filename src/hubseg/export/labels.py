"""Pseudo-labels of a project: of whole slides and regions, or of tiles cut from them.

Responsible for what of a derived mask a set is given, and for which tiles are left out. Does not
know the set's layout (:mod:`hubseg.formats.pseudo_labels`), nor how a tile is cut
(:mod:`hubseg.formats.pseudo_tiles`).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from hubseg.formats.provenance import provenance
from hubseg.formats.pseudo_labels import PseudoLabel, write_pseudo_labels
from hubseg.project.tissue import with_tissue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubseg.export.source import Source
    from hubseg.formats.pseudo_tiles import TiledSlide, TileSize
    from hubseg.project.derived import Derived

__all__ = ["write_labels"]


def write_labels(source: Source, out: Path) -> tuple[Path, list[Path]]:
    """Write a set of what a source derives; return its folder and its table.

    Raises
    ------
    ValueError
        When there is nothing to write.
    OSError
        When `out` cannot be written, or reads back different.
    """
    source.every = source.has_several
    facts = provenance(format="pseudo-labels")
    facts["slides"] = source.maps  # complete once the last label was taken
    labels = _wholes(source)
    if source.tiles is not None:
        facts["tiles"] = {"side": source.tiles.side, "um_per_px": source.tiles.um_per_px}
        labels = _tiles(source, source.tiles)
    return out, [write_pseudo_labels(out, labels, facts)]


def _wholes(source: Source) -> Iterator[PseudoLabel]:
    several = source.every
    for derived in source:
        soft = None if derived.probability is None else derived.probability.rounded()
        yield PseudoLabel(
            slide=derived.slide,
            mask=derived.mask,
            soft=soft,
            threshold=derived.threshold,
            verdict=derived.verdict.value,
            structure=str(derived.name or "") if several else "",
        )
    if not source.outcome.done:
        raise source.nothing()


def _tiles(source: Source, size: TileSize) -> Iterator[PseudoLabel]:
    """Yield the labels of each tile that shows tissue, or has anything marked.

    A tile of which a part cannot be decoded is left out, which is noted.
    """
    from hubseg.formats.pseudo_tiles import TiledSlide  # it loads what a window does without

    for slide_id, masks in groupby(source, key=lambda derived: derived.slide.id):
        given = list(masks)
        try:
            (slide,) = with_tissue(source.project, [given[0].slide])
            tiled = TiledSlide(slide, size)
        except ValueError as error:
            source.refuse(slide_id, str(error))
            continue
        written = unread = 0
        for labels in _of_slide(tiled, given, several=source.every):
            written, unread = written + bool(labels), unread + (not labels)
            yield from labels
            source.report()
        if unread:
            said = f"{unread} of its tiles cannot be decoded and are left out: get the file again."
            source.outcome.note(slide_id, said)
        if not written:
            source.refuse(slide_id, "None of its tiles can be decoded: get the file again.")
    if not source.outcome.done:
        raise source.nothing()


def _of_slide(
    tiled: TiledSlide, given: list[Derived], *, several: bool
) -> Iterator[list[PseudoLabel]]:
    """Yield a label of each structure for each tile; none where it cannot be decoded."""
    softs = [None if one.probability is None else one.probability.rounded() for one in given]
    for tile in tiled:
        masks = [tiled.mask(tile, one.mask) for one in given]
        if not tile.tissue and not any(mask.any() for mask in masks):
            continue
        pixels = tiled.image(tile)
        if pixels is None:
            yield []
            continue
        yield [
            PseudoLabel(
                slide=tile.slide,
                mask=mask,
                soft=None if soft is None else tiled.soft(tile, soft),
                threshold=one.threshold,
                verdict=one.verdict.value,
                structure=str(one.name or "") if several else "",
                pixels=None if number else pixels,
                place=(tiled.whole.id, *tile.window),
            )
            for number, (one, mask, soft) in enumerate(zip(given, masks, softs, strict=True))
        ]
