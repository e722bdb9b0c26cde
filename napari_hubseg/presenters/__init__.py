"""The panels at the desk: one module per panel, which connects its wishes and shows its state.

Responsible for what one panel asks of the desk and for when it is shown what; a new panel is a new
module here and a line in :mod:`napari_hubseg.dock`. Does not know the other panels.
"""

from __future__ import annotations

from napari_hubseg.presenters.accepted import AcceptedPresenter
from napari_hubseg.presenters.alike import AlikePresenter
from napari_hubseg.presenters.calibrate import CalibratePresenter
from napari_hubseg.presenters.cleanup import CleanupPresenter
from napari_hubseg.presenters.correct import CorrectPresenter
from napari_hubseg.presenters.doubt import DoubtPresenter
from napari_hubseg.presenters.ensemble import EnsemblePresenter
from napari_hubseg.presenters.export import ExportPresenter
from napari_hubseg.presenters.facts import FactsPresenter
from napari_hubseg.presenters.files import FilesPresenter
from napari_hubseg.presenters.foreign_layers import OthersPresenter
from napari_hubseg.presenters.keys import KeysInUse
from napari_hubseg.presenters.legend import LegendPresenter
from napari_hubseg.presenters.letters import letters
from napari_hubseg.presenters.overlay import OverlayPresenter
from napari_hubseg.presenters.presenter import Presenter
from napari_hubseg.presenters.progress import ProgressPresenter
from napari_hubseg.presenters.queue import QueuePresenter
from napari_hubseg.presenters.queue_table import QueueTablePresenter
from napari_hubseg.presenters.run_places import RunPlacesPresenter
from napari_hubseg.presenters.start import StartPresenter
from napari_hubseg.presenters.structures import StructuresPresenter
from napari_hubseg.presenters.teach import TeachPresenter
from napari_hubseg.presenters.thresholds import ThresholdsPresenter
from napari_hubseg.presenters.train import TrainPresenter
from napari_hubseg.presenters.verdict import VerdictPresenter

__all__ = [
    "AcceptedPresenter",
    "AlikePresenter",
    "CalibratePresenter",
    "CleanupPresenter",
    "CorrectPresenter",
    "DoubtPresenter",
    "EnsemblePresenter",
    "ExportPresenter",
    "FactsPresenter",
    "FilesPresenter",
    "KeysInUse",
    "LegendPresenter",
    "OthersPresenter",
    "OverlayPresenter",
    "Presenter",
    "ProgressPresenter",
    "QueuePresenter",
    "QueueTablePresenter",
    "RunPlacesPresenter",
    "StartPresenter",
    "StructuresPresenter",
    "TeachPresenter",
    "ThresholdsPresenter",
    "TrainPresenter",
    "VerdictPresenter",
    "letters",
]
