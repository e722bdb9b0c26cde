"""The napari plugin: one dock in which a person reviews what an ensemble of networks found.

Responsible for what a person sees and does. Does no arithmetic on pixels and never imports torch:
:mod:`hubseg` derives masks, and networks run in a process of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_hubseg.dock import HubSegWidget

__all__ = ["HubSegWidget"]


def __getattr__(name: str) -> object:
    """Import the dock on first use: reading the manifest must not start Qt."""
    if name == "HubSegWidget":
        from napari_hubseg.dock import HubSegWidget

        return HubSegWidget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
