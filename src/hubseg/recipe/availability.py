"""What there is of a recipe: its checkpoints, and the maps of its members. Reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Availability"]


@dataclass(frozen=True)
class Availability:
    """What there is of a recipe.

    Attributes
    ----------
    files
        Checkpoint → its file or None; None before anybody has looked.
    folders
        Where was looked.
    maps
        Members of which the slide on screen has a map, as (resolution, entry, fold).
    """

    files: Mapping[str, Path | None] | None = None
    folders: Sequence[Path] = ()
    maps: frozenset[tuple[int, int, int]] = frozenset()

    @property
    def home(self) -> Path | None:
        """Folder that holds all the checkpoints; None where there is no one such folder."""
        homes = {path.parent if path else None for path in (self.files or {}).values()}
        return homes.pop() if len(homes) == 1 else None
