"""Keys that are pressed over the mask: a labels layer of napari's has some of these for itself.

Responsible for binding them in whichever layer is the mask. Does not know what a key does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MaskKeys"]


class MaskKeys:
    """Binds keys of the mask layer; napari key → function."""

    def __init__(self, keys: Mapping[str, Callable[[], object]]) -> None:
        self._keys = keys

    def bind(self, mask: Any) -> None:
        """Bind them in a layer, before napari's own."""
        for key, do in self._keys.items():
            mask.bind_key(key, lambda _, do=do: _quietly(do), overwrite=True)

    def unbind(self, mask: Any) -> None:
        """Give a layer its own keys back."""
        for key in self._keys:
            mask.bind_key(key, None)

    def take(self, keys: Mapping[str, Callable[[], object]], mask: Any) -> None:
        """Bind other ones from now on; `mask` is the layer that has them now, or None."""
        if mask is not None:
            self.unbind(mask)
        self._keys = keys
        if mask is not None:
            self.bind(mask)


def _quietly(function: Callable[[], object]) -> None:
    """Call a function bound to a key: napari would call what it returns when the key is let go."""
    function()
