"""The panels at the desk: one module per panel, which connects its wishes and shows its state.

Responsible for what one panel asks of the desk and for when it is shown what; a new panel is a new
module here and a line in :mod:`napari_hubseg._widget`. Does not know the other panels.
"""

from __future__ import annotations

from napari_hubseg._wiring.accepted import AcceptedWiring
from napari_hubseg._wiring.calibrate import CalibrateWiring
from napari_hubseg._wiring.cleanup import CleanupWiring
from napari_hubseg._wiring.correct import CorrectWiring
from napari_hubseg._wiring.doubt import DoubtWiring
from napari_hubseg._wiring.ensemble import EnsembleWiring
from napari_hubseg._wiring.export import ExportWiring
from napari_hubseg._wiring.facts import FactsWiring
from napari_hubseg._wiring.files import FilesWiring
from napari_hubseg._wiring.others import OthersWiring
from napari_hubseg._wiring.overlay import OverlayWiring
from napari_hubseg._wiring.queue import QueueWiring
from napari_hubseg._wiring.queue_table import QueueTableWiring
from napari_hubseg._wiring.start import StartWiring
from napari_hubseg._wiring.thresholds import ThresholdsWiring
from napari_hubseg._wiring.train import TrainWiring
from napari_hubseg._wiring.wire import Wiring

__all__ = [
    "AcceptedWiring",
    "CalibrateWiring",
    "CleanupWiring",
    "CorrectWiring",
    "DoubtWiring",
    "EnsembleWiring",
    "ExportWiring",
    "FactsWiring",
    "FilesWiring",
    "OthersWiring",
    "OverlayWiring",
    "QueueTableWiring",
    "QueueWiring",
    "StartWiring",
    "ThresholdsWiring",
    "TrainWiring",
    "Wiring",
]
