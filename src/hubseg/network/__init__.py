"""Networks: how they are made, which files fit them, and what they cost."""

from __future__ import annotations

from hubseg.network.blueprint import ready
from hubseg.network.checkpoint import Checkpoint, read_checkpoint
from hubseg.network.cost import Cost, cost, shapes
from hubseg.network.encoder_weights import encoder_weights
from hubseg.network.families import blank, build, is_sized, without_auxiliary
from hubseg.network.fitting import check_checkpoint, fit, load_into
from hubseg.network.fused_layers import fold
from hubseg.network.prediction import Prediction
from hubseg.network.tensor_memory import cast_weights, take_from
from hubseg.network.unet import TimmUnet

__all__ = [
    "Checkpoint",
    "Cost",
    "Prediction",
    "TimmUnet",
    "blank",
    "build",
    "cast_weights",
    "check_checkpoint",
    "cost",
    "encoder_weights",
    "fit",
    "fold",
    "is_sized",
    "load_into",
    "read_checkpoint",
    "ready",
    "shapes",
    "take_from",
    "without_auxiliary",
]
