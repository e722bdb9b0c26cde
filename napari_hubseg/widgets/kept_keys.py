"""The keys that a person gave to actions, from one start of the dock to the next.

Responsible for keeping them. Does not know what a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg.keys import fitting
from napari_hubseg.widgets.remembered import recall, remember

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["keep_keys", "kept_keys"]

_KEPT = "keys"


def kept_keys() -> dict[str, str]:
    """Return name of an action → its key, as napari spells it, where a person gave it another one.

    A file that says what cannot be says nothing.
    """
    return fitting(recall(_KEPT, {}))


def keep_keys(chosen: Mapping[str, str]) -> None:
    """Keep the keys of those actions that have another one than their own."""
    remember(_KEPT, dict(chosen))
