"""The panels at the desk: one module per panel, which connects its wishes and shows its state.

Responsible for what one panel asks of the desk and for when it is shown what; a new panel is a new
module here and a line in :mod:`napari_hubseg.dock`. Does not know the other panels.
"""

from __future__ import annotations

from napari_hubseg.presenters.accepted import AcceptedWiring
from napari_hubseg.presenters.calibrate import CalibrateWiring
from napari_hubseg.presenters.cleanup import CleanupWiring
from napari_hubseg.presenters.correct import CorrectWiring
from napari_hubseg.presenters.doubt import DoubtWiring
from napari_hubseg.presenters.ensemble import EnsembleWiring
from napari_hubseg.presenters.export import ExportWiring
from napari_hubseg.presenters.facts import FactsWiring
from napari_hubseg.presenters.files import FilesWiring
from napari_hubseg.presenters.letters import letters
from napari_hubseg.presenters.others import OthersWiring
from napari_hubseg.presenters.overlay import OverlayWiring
from napari_hubseg.presenters.presenter import Wiring
from napari_hubseg.presenters.queue import QueueWiring
from napari_hubseg.presenters.queue_table import QueueTableWiring
from napari_hubseg.presenters.start import StartWiring
from napari_hubseg.presenters.thresholds import ThresholdsWiring
from napari_hubseg.presenters.train import TrainWiring

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
    "letters",
]
