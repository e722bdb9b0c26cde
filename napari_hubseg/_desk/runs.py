"""What takes time: the ensemble and exports, asked for by name.

Responsible for starting and stopping them. Does not know how they run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hubseg._desk.core import DeskCore
from napari_hubseg._states import ready_ids

if TYPE_CHECKING:
    from napari_hubseg._panels.export import ExportChoice

__all__ = ["Runs"]


class Runs(DeskCore):
    """Stop a run, unload networks, export."""

    def cancel_run(self) -> None:
        """Stop the ensemble."""
        self.ensemble.cancel()

    def unload_networks(self) -> None:
        """End the worker and free its memory."""
        self.ensemble.unload()

    def export(self, choice: ExportChoice) -> None:
        """Write the chosen slides."""
        self.exports.start(choice, ready_ids(self.session))
