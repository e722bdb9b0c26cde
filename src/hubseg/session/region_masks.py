"""What is drawn of regions that are not on screen: derived once for what it is made of, and kept.

Responsible for telling what a region's mask is made of, for deriving it with a person's edits or
taking the accepted one, and for files that can be thrown away. Does not know which regions are
wanted, or who shows them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hubseg.journal.slide_state import SlideState
from hubseg.mask.drawing import drawn, edge_width, hand_of
from hubseg.mask.slide_mask import COARSE, RegionMask
from hubseg.probability import MapStore
from hubseg.probability.tile_file import write_file
from hubseg.project.derived import derive
from hubseg.project.runs import newest_keys
from hubseg.project.structures import first_of, names_of
from hubseg.project.taught_maps import taught_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.project.newest import Newest
    from hubseg.slide import Slide

__all__ = ["FOLDER", "FoundMask", "find_region_mask"]

FOLDER: Final = "region_masks"
"""Name of the folder in a project; what is in it can be thrown away."""

_BUDGET: Final = 512 * 2**20  # bytes of all files in the folder: some 50 KB each
_FORM: Final = "1"  # of the files, and of what is drawn: another one is another name


@dataclass(frozen=True, slots=True, eq=False)
class FoundMask:
    """What was found of a region.

    Attributes
    ----------
    key
        What its mask is made of; "" where it was neither run nor drawn on.
    mask
        None where it has none, or where what was known holds.
    """

    key: str
    mask: RegionMask | None


def find_region_mask(
    project: ReviewProject,
    slide: Slide,
    structure: StructureName | None,
    steps: Sequence[int],
    *,
    known: str = "",
    keep: bool = True,
) -> FoundMask:
    """Return what is drawn of a region's mask; may run in any thread.

    Parameters
    ----------
    slide
        A region, with what a person told of it.
    structure
        None is its first one.
    steps
        px of level 0 for one of each level that is wanted; all of :data:`COARSE` and more.
    known
        What a mask that is there already was made of: one of the same is not made again.
    keep
        Whether a file may be put into the project's folder.

    Raises
    ------
    ValueError, OSError
        When the project or the slide's file cannot be read.
    """
    state = SlideState.read(project, slide.id)
    facts = _facts(project, slide.told(**state.facts), state, structure)
    key: str = facts["key"]
    if not key or key == known or slide.region is None:
        return FoundMask(key, None)
    file = project.path / FOLDER / f"{key}.npz"
    made = _kept(file, steps)
    if made is not None:
        return FoundMask(key, RegionMask(slide.region, made, **facts))
    try:
        found = derive(project, slide, structure, partial=True)
    except ValueError:
        return FoundMask(key, None)  # it is said when somebody goes there
    first = first_of(project, found.slide, state)
    hand = hand_of(state.edits(found.mask.shape, project.payload, first).of(found.name))
    values = drawn(found.mask, edge_width(found.mask.shape), hand)
    mask = RegionMask.of(values, slide.region, steps, **facts)
    if keep:
        _keep(file, mask, values)
    return FoundMask(key, mask)


def _facts(
    project: ReviewProject, slide: Slide, state: SlideState, structure: StructureName | None
) -> dict[str, Any]:
    """Return what a mask is made of, as attributes of a RegionMask; the key of nothing is ""."""
    stands, first = state.stands, first_of(project, slide, state)
    accepted = None if stands is None else stands.of(structure, first)
    drawn_by_hand = [list(state.gestures), str(structure or ""), str(first or "")]
    said: list[Any] = [_FORM, project.digest(slide), slide.id, drawn_by_hand]
    if accepted is not None:
        key = _digest([*said, "accepted", accepted.digest])
        return {"key": key, "mapped": False, "decided": True}
    store, rules = MapStore(project.maps), state.rules
    newest = list(_newest(project, slide, state))
    maps = [_said(store, slide, one) for one in newest]
    imported = [repr(one) for one in state.imported.values()]
    mapped = any(key for _, members in maps for key, *_ in members)
    if not (mapped or imported or state.gestures or stands):
        return {"key": ""}
    names = names_of(project, slide, state)
    thresholds = [[str(one), rules.threshold(slide.organ, slide.source, one)] for one in names]
    verdict = None if stands is None else stands.row.seq
    made = [maps, thresholds, repr(rules.cleanup(slide.organ)), slide.um_per_px, imported, verdict]
    seen = [_seen(store, slide, one) for one in newest]
    taught = [_taught(project, slide, *one) for one in zip(newest, seen, strict=True)]
    if any(taught):
        made.append(taught)
    decided = stands is not None
    return {
        "key": _digest([*said, *made]),
        "mapped": mapped,
        "decided": decided,
        "follows": not decided and any(seen),
        "drawn_alone": not (mapped or imported or decided),
    }


def _newest(project: ReviewProject, slide: Slide, state: SlideState) -> Iterator[Newest]:
    """Yield of each structure which maps are mixed."""
    first = first_of(project, slide, state)
    for name in names_of(project, slide, state):
        newest = newest_keys(project, slide, structure=None if name == first else name)
        if newest is not None:
            yield newest


def _said(store: MapStore, slide: Slide, newest: Newest) -> tuple[str, list[tuple[Any, ...]]]:
    """Return which maps those are, and how much of them is there."""
    recipe, members, what = newest
    keyed = [(key, *one.place, layer, _there(store, key, slide)) for one, key, layer in members]
    return f"{what} {recipe.digest}", keyed


def _seen(store: MapStore, slide: Slide, newest: Newest) -> list[str]:
    """Return keys of the maps beside which it is kept what their networks see of a region."""
    keys = [key for _, key, _ in newest[1] if key]
    return [key for key in keys if store.in_one_piece(store.beside(key, slide.region))]


def _taught(project: ReviewProject, slide: Slide, newest: Newest, seen: list[str]) -> list[Any]:
    """Return what changes those maps, of what was taught; [] is nothing."""
    taught = taught_of(project, slide, newest[0], newest[2])
    return [taught.to_facts(), seen] if taught.counts else []


def _there(store: MapStore, key: str, slide: Slide) -> int:
    """Return how many tiles of a map in tiles a region has; 0 of one in a piece."""
    tiles = store.tiled(key) if key and not store.in_one_piece(key) else None
    if tiles is None:
        return 0
    return len(tiles.places().intersection(tiles.layout.touching(slide.region)))


def _digest(said: object) -> str:
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()


def _kept(file: Path, steps: Sequence[int]) -> dict[int, tuple[int, int, NDArray[np.uint8]]] | None:
    """Return the levels of a mask that was kept; None where there is none, or it is damaged."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            window = tuple(map(int, kept["window"]))
            made = {
                step: (*map(int, kept[f"at{step}"]), kept[f"step{step}"])
                for step in steps
                if step >= COARSE
            }
            fine = [step for step in steps if step < COARSE]
            if fine:
                values = np.unpackbits(kept["bits"], axis=-1, count=window[3])
                values = (values * np.array([[[1]], [[2]], [[4]]], np.uint8)).sum(0, np.uint8)
                finer = RegionMask.of(values, (window[0], window[1], window[2], window[3]), fine)
                made |= finer.levels
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    with suppress(OSError):
        file.touch()
    return made


def _keep(file: Path, mask: RegionMask, values: NDArray[np.uint8]) -> None:
    """Keep a mask: what is coarse as it is, and level 0 as bits; a full disk keeps nothing."""
    held: dict[str, Any] = {"window": np.array(mask.window)}
    for step, (top, left, level) in mask.levels.items():
        if step >= COARSE:
            held |= {f"at{step}": np.array((top, left)), f"step{step}": level}
    held["bits"] = np.stack([np.packbits(values >> bit & 1, axis=-1) for bit in range(3)])
    content = io.BytesIO()
    np.savez_compressed(content, **held)
    with suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        write_file(file, content.getvalue())
        _make_room(file)


def _make_room(newest: Path) -> None:
    """Remove the files that were not used for longest, never the newest."""
    found = []
    for one in newest.parent.glob("*.npz"):
        with suppress(OSError):
            stat = one.stat()
            found.append((stat.st_mtime_ns, stat.st_size, one))
    held = sum(size for _, size, _ in found)
    for _, size, one in sorted(found):
        if held <= _BUDGET:
            return
        if one != newest:
            with suppress(OSError):
                one.unlink()
                held -= size
