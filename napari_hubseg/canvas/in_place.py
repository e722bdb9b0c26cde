"""Our layers lie on the slide, px on px: napari's transform tool does not move them.

Responsible for taking back at once what would lay mask and tissue apart: whoever decides sees the
pixels that leave. Does not know which layers are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["hold_in_place"]

_SAID = "HubSeg's layers stay where the slide is: its pixels and the mask's belong together."


def hold_in_place(layer: Any, moved: Callable[[str], object]) -> None:
    """Let a layer stay where it was laid; `moved` is told, in a sentence, when it was not to."""

    def put_back(event: Any) -> None:
        own = np.asarray(event.source.affine.affine_matrix)
        if not np.allclose(own, np.eye(len(own))):
            event.source.affine = np.eye(len(own))
            moved(_SAID)

    layer.events.affine.connect(put_back)
