"""What is said of a run of the ensemble while it is on, and when it ends.

Responsible for counting what a run has made, for keeping to one of the slides that are run
together, and for the sentences at its end. Does not know how anything is run, or who shows it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubseg.engine import Update

__all__ = ["RunWords"]


class RunWords:
    """Follows one run.

    Parameters
    ----------
    fast
        Whether the members behind the first look only where it leaves the mask in doubt.
    """

    def __init__(self, *, fast: bool = False) -> None:
        self._fast, self._tiles, self._members = fast, False, 0
        self._computed = self._found = 0  # maps: by networks, and in the store
        self._open: dict[str, Update] = {}  # the last one of each slide in work, the oldest first
        self._seen: dict[str, float] = {}  # id of a slide → share that every member saw, 0-1

    def steady(self, update: Update) -> Update:
        """Return the last update of the slide that is longest in work, with the newest estimate.

        A network runs on several slides before the next one does: their updates take turns.
        """
        self._open[update.slide_id] = replace(update, came=None)
        if update.finished:
            self._open.pop(update.slide_id)
        oldest = next(iter(self._open.values()), update)
        left, memory = update.seconds_left, update.memory
        return replace(oldest, came=None, seconds_left=left, memory=memory)

    def take(self, update: Update) -> None:
        """Count what came."""
        self._tiles = self._tiles or update.tiles is not None
        self._members = update.total
        if update.came is None:
            return
        self._computed += update.computed
        self._found += not update.computed
        share = update.came[1].share_seen
        self._seen[update.slide_id] = min(share, self._seen.get(update.slide_id, 1.0))

    @property
    def stopped(self) -> str:
        """What is said of a run that a person ended."""
        return f"Stopped: finished {'tiles' if self._tiles else 'networks'} are kept."

    def ended(self, slides: int) -> str:
        """Return what is said of a run of so many slides that ended well; "" is nothing."""
        said = ""
        if self._found and not self._computed:
            maps = "1 map" if self._found == 1 else f"{self._found} maps"
            said = f"Already computed: {maps}, nothing to run."
        elif slides > 1:
            said = f"The ensemble has run on {slides} slides."
        if self._fast and self._seen:
            share = 100 * sum(self._seen.values()) / len(self._seen)
            where = "slide" if len(self._seen) == 1 else "slides"
            said = f"{said} Fast: {share:.0f} % of the {where} by all {self._members}.".lstrip()
        return said
