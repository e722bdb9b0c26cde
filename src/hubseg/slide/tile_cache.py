"""Decoded tiles, kept within a budget of bytes: each is decoded once while it fits.

Responsible for which tiles stay, for threads that want the same one at the same time, and for the
count of decodes. Does not know files, or what a tile shows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SHARED", "TileCache"]

_BUDGET: Final = 512 * 2**20  # bytes: some 680 tiles of 512 px


class TileCache:
    """Tiles by their key; those that were not used for longest go first.

    Parameters
    ----------
    budget
        Bytes of pixels that may be kept. One tile more than the budget is returned, not kept.

    Attributes
    ----------
    decodes
        How many times a tile was decoded.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.decodes = 0
        self._kept: OrderedDict[Hashable, NDArray[np.uint8]] = OrderedDict()
        self._on_the_way: dict[Hashable, Future[NDArray[np.uint8]]] = {}
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Bytes that are kept now."""
        return self._held

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def peek(self, key: Hashable) -> NDArray[np.uint8] | None:
        """Return a tile that is kept, or None: nothing is decoded and nobody waits."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def get(self, key: Hashable, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return a tile, which nobody may write to; decode it where it is not kept.

        While one thread decodes it, others that want it wait for that one. What `decode` raises
        is raised in each of them, and nothing is kept.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
            coming = self._on_the_way.get(key)
            if coming is None:
                mine = self._on_the_way[key] = Future()
        if coming is not None:
            return coming.result()
        try:
            made = decode()
        except BaseException as exc:
            with self._lock:
                del self._on_the_way[key]
            mine.set_exception(exc)
            raise
        made.flags.writeable = False
        with self._lock:
            self.decodes += 1
            self._keep(key, made)
            del self._on_the_way[key]
        mine.set_result(made)
        return made

    def drop(self, chosen: Callable[[Hashable], bool]) -> None:
        """Let go of the tiles whose key is chosen."""
        with self._lock:
            for key in [key for key in self._kept if chosen(key)]:
                self._held -= self._kept.pop(key).nbytes

    def _keep(self, key: Hashable, made: NDArray[np.uint8]) -> None:
        if made.nbytes > self.budget:
            return
        self._kept[key] = made
        self._held += made.nbytes
        while self._held > self.budget:
            self._held -= self._kept.popitem(last=False)[1].nbytes


SHARED: Final = TileCache(_BUDGET)
"""The tiles of every slide that is looked at in this process."""
