"""What a person mixes: which members are left out, and other weights than the recipe's.

Responsible for one frozen choice and for applying it to a recipe. It holds for every slide of a
project that was run with the same networks, and is kept in its journal. Does not mix.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hubseg.recipe import Member, Recipe

__all__ = ["Mixture", "networks_digest"]

_FILE = "mix.json"  # of versions before schema 3; now the choice is a row of the journal


@dataclass(frozen=True, slots=True)
class Mixture:
    """Members left out, and weights changed; as it is, the recipe's own mix.

    Attributes
    ----------
    off
        Members left out, as (resolution, entry, fold).
    entries
        (resolution, entry, weight) of networks whose weight was changed.
    resolutions
        (resolution, weight) of resolutions whose weight was changed.
    """

    off: frozenset[tuple[int, int, int]] = frozenset()
    entries: tuple[tuple[int, int, float], ...] = ()
    resolutions: tuple[tuple[int, float], ...] = ()

    def of(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the changed weights."""
        sizes = dict(self.resolutions)
        weights = {(i, j): weight for i, j, weight in self.entries}
        resolutions = tuple(
            resolution.model_copy(
                update={
                    "weight": sizes.get(i, resolution.weight),
                    "members": tuple(
                        entry.model_copy(update={"weight": weights.get((i, j), entry.weight)})
                        for j, entry in enumerate(resolution.members)
                    ),
                }
            )
            for i, resolution in enumerate(recipe.resolutions)
        )
        return recipe.model_copy(update={"resolutions": resolutions})

    def members(self, recipe: Recipe, folds: Sequence[int] | None = None) -> tuple[Member, ...]:
        """Return the recipe's members that are mixed, with the changed weights, in order."""
        members = self.of(recipe).members(folds)
        return tuple(m for m in members if m.place not in self.off)

    def switched(self, places: Iterable[tuple[int, int, int]], *, on: bool) -> Mixture:
        """Return the choice with some members switched on or off."""
        places = frozenset(places)
        return replace(self, off=self.off - places if on else self.off | places)

    def weighed(self, place: tuple[int, ...], weight: float) -> Mixture:
        """Return the choice with another weight of a resolution (i,) or a network (i, j).

        Raises
        ------
        ValueError
            When the weight is not greater than 0.
        """
        if not 0 < weight < float("inf"):
            raise ValueError(f"A weight of {weight:g} cannot be mixed: give a number above 0.")
        if len(place) == 1:
            others = tuple(pair for pair in self.resolutions if pair[0] != place[0])
            return replace(self, resolutions=tuple(sorted((*others, (place[0], weight)))))
        rest = tuple(one for one in self.entries if one[:2] != place)
        return replace(self, entries=tuple(sorted((*rest, (place[0], place[1], weight)))))

    def to_facts(self) -> dict[str, Any]:
        """Return it as a row of the journal keeps it."""
        return {
            "off": sorted(self.off),
            "entries": self.entries,
            "resolutions": self.resolutions,
        }

    @classmethod
    def from_facts(cls, facts: Any) -> Mixture:
        """Read what :meth:`to_facts` wrote.

        Raises
        ------
        ValueError
            When something is missing or of another kind.
        """
        try:
            return cls(
                off=frozenset((int(i), int(j), int(k)) for i, j, k in facts["off"]),
                entries=tuple((int(i), int(j), float(w)) for i, j, w in facts["entries"]),
                resolutions=tuple((int(i), float(w)) for i, w in facts["resolutions"]),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"A choice of members is not complete ({error}).") from error

    @classmethod
    def of_older(cls, folder: Path, networks: str) -> Mixture:
        """Read what an older version kept beside the maps, for a digest of networks.

        The recipe's own mix where it kept nothing, or nothing that can be read.
        """
        try:
            return cls.from_facts(json.loads((folder / _FILE).read_text("utf-8"))[networks])
        except (OSError, ValueError, KeyError, TypeError):
            return cls()


def networks_digest(recipe: Recipe) -> str:
    """Return a digest of what is run, weights left aside: they are what is chosen here."""
    networks = [
        [
            (resolution.size, resolution.scale, resolution.um_per_px),
            [(e.network.model_dump(mode="json"), e.checkpoint) for e in resolution.members],
        ]
        for resolution in recipe.resolutions
    ]
    text = json.dumps([networks, recipe.tta, recipe.folds], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
