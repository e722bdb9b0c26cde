"""Running members on Dask, in processes of their own, and handing back ever better maps."""

from __future__ import annotations

from hubseg.engine.cluster import Engine
from hubseg.engine.cluster_training import ClusterTraining
from hubseg.engine.devices import local_devices
from hubseg.engine.features import FeatureRun, FeatureUpdate
from hubseg.engine.progress import Update
from hubseg.engine.run import Run
from hubseg.engine.training import Training, TrainingOrder

__all__ = [
    "ClusterTraining",
    "Engine",
    "FeatureRun",
    "FeatureUpdate",
    "Run",
    "Training",
    "TrainingOrder",
    "Update",
    "local_devices",
]
