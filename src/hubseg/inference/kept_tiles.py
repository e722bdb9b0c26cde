"""Tiles of a map that is not finished yet, filed as they are made.

Responsible for taking up a large slide's map where a run was killed or stopped. Does not compute
anything, nor know how tiles are put together.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hubseg.inference.passes import Answer
from hubseg.probability import MemberMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.probability import MapStore

__all__ = ["KeptTiles"]


class KeptTiles:
    """The tiles of one member's map of one slide, in the store that the map will be in.

    They are named by the map's key and by where they lie, so that they count towards the store's
    limit, leave it as maps do, and one that is damaged is computed again.

    Parameters
    ----------
    key
        That of the map (:func:`hubseg.probability.map_key`).
    """

    def __init__(self, store: MapStore, key: str) -> None:
        self._store, self._key = store, key
        self._filed: list[str] = []

    def answer(
        self, top: int, left: int, size: tuple[int, int], compute: Callable[[], Answer]
    ) -> Answer:
        """Return a tile's answer, from the store or computed and filed.

        Parameters
        ----------
        top, left, size
            Where the tile lies and its height and width, px of the network's input.
        """
        place = f"{self._key}/{top}/{left}/{size[0]}/{size[1]}"
        key = hashlib.blake2b(place.encode(), digest_size=16).hexdigest()
        self._filed.append(key)
        kept = self._store.get(key)
        if kept is not None:
            return Answer(kept.values, kept.organ, kept.um_per_px)
        made = compute()
        self._store.put(key, MemberMap(made.values, made.organ, made.pixel_size))
        return made

    def let_go(self) -> None:
        """Remove the tiles: the whole map is filed."""
        self._store.discard(self._filed)
        self._filed.clear()
