"""What the tree of members shows, resolved from recipe, choice, files and maps: pure functions.

Responsible for saying of each member whether it is mixed, kept, found or missing. Changes nothing.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from napari_hubseg.panels.members import Branch, MembersState

if TYPE_CHECKING:
    from hubseg.probability import Mixture
    from hubseg.probability.taught import Taught
    from hubseg.recipe import Member, Recipe, Resolution
    from hubseg.recipe.availability import Availability

__all__ = ["TAUGHT", "members_state"]

TAUGHT = (-1,)  # the place of what strokes have taught: behind every resolution's


def members_state(
    recipe: Recipe, mixture: Mixture, stock: Availability, taught: Taught | None = None
) -> MembersState:
    """Return the tree of a recipe's members, and of what strokes have taught them, if anything."""
    changed = mixture.of(recipe)
    rows = []
    for i, group in groupby(recipe.members(), key=lambda m: m.resolution):
        resolution = changed.resolutions[i]
        networks = []
        for j, own in groupby(group, key=lambda m: m.entry):
            folds = tuple(_fold(member, mixture, stock) for member in own)
            entry = resolution.members[j]
            weight = entry.weight if isinstance(entry.weight, (int, float)) else None
            name = entry.network.label
            if entry.only is not None:
                name += f" ({', '.join(map(recipe.vocabulary.label, entry.only.organs))} only)"
            networks.append(_above((i, j), name, weight, folds))
        rows.append(_above((i,), _size(resolution), resolution.weight, tuple(networks)))
    if taught is not None and taught.heads:
        rows.append(_taught(taught))
    files, complete = _files(stock)
    return MembersState(tuple(rows), files, complete)


def _taught(taught: Taught) -> Branch:
    state = "in the map" if taught.on else "kept"
    tip = (
        f"What your strokes taught {len(taught.heads)} networks: on average it moves a "
        f"probability by {100 * taught.departure:.1f} %. Weight 1 is all of it"
    )
    return Branch(TAUGHT, "taught by strokes", state, tip, taught.weight, taught.on)


def _size(resolution: Resolution) -> str:
    if resolution.size is not None:
        return f"{resolution.size} px"
    if resolution.scale:
        return f"at {100 * resolution.scale:g} % size"
    return f"{resolution.um_per_px:g} µm/px"


def _fold(member: Member, mixture: Mixture, stock: Availability) -> Branch:
    place = member.place
    path = None if stock.files is None else stock.files.get(member.checkpoint)
    missing = stock.files is not None and path is None
    on = place not in mixture.off
    if place in stock.maps:
        state = "in the map" if on else "kept"
    elif stock.files is None:
        state = "…"
    else:
        state = "missing" if missing else "found"
    tip = str(path) if path is not None else f"Looked for {member.checkpoint}"
    lacks = missing and place not in stock.maps
    return Branch(place, f"fold {member.fold}", state, tip, on=on, missing=lacks)


def _above(
    place: tuple[int, ...], name: str, weight: float | None, rows: tuple[Branch, ...]
) -> Branch:
    leaves = [leaf for row in rows for leaf in (row.rows or (row,))]
    count = len(leaves)
    ons = {leaf.on for leaf in leaves}
    mixed = sum(leaf.state == "in the map" for leaf in leaves)
    missing = sum(leaf.missing for leaf in leaves)
    if missing:
        state = f"{missing} missing"
    elif mixed:
        state = f"{mixed}/{count} in map"
    else:
        found = sum(leaf.state == "found" for leaf in leaves)
        state = f"{found}/{count} found" if found else leaves[0].state
    return Branch(
        place,
        name,
        state,
        f"{name}: {count} members, {mixed} in the map, {missing} missing",
        weight,
        ons.pop() if len(ons) == 1 else None,
        bool(missing),
        rows,
    )


def _files(stock: Availability) -> tuple[str, bool]:
    """Return one sentence about checkpoints, and whether all are there."""
    if stock.files is None:
        return "", True
    missing = [name for name, path in stock.files.items() if path is None]
    total = len(stock.files)
    if not missing:
        return f"All {total} checkpoints found.", True
    where = ", ".join(str(folder) for folder in stock.folders) or "no folder yet"
    return (
        f"{len(missing)} of {total} checkpoints are missing, such as {missing[0]}; looked in "
        f"{where}. Add the folder that holds them.",
        False,
    )
