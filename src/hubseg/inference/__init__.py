"""Running networks on slides: one member, or a whole recipe as an iterator of ever better maps."""

from __future__ import annotations

from hubseg.inference.device import choose_device, choose_devices, choose_precision
from hubseg.inference.ensemble import predict
from hubseg.inference.features import predict_features, predict_region_features
from hubseg.inference.input_image import InputImage, input_size, normalise, resize_pixels, see
from hubseg.inference.kept_tiles import KeptTiles
from hubseg.inference.loaded_networks import LoadedNetworks, Order
from hubseg.inference.member import check_member, load_member, open_pixels, predict_member
from hubseg.inference.passes import Cancelled
from hubseg.inference.some_tiles import predict_some
from hubseg.inference.tile_group import predict_tiles
from hubseg.inference.tile_pixels import TilePixels
from hubseg.inference.tissue_tiles import said_of
from hubseg.probability.tiling import Tiling

__all__ = [
    "Cancelled",
    "InputImage",
    "KeptTiles",
    "LoadedNetworks",
    "Order",
    "TilePixels",
    "Tiling",
    "check_member",
    "choose_device",
    "choose_devices",
    "choose_precision",
    "input_size",
    "load_member",
    "normalise",
    "open_pixels",
    "predict",
    "predict_features",
    "predict_member",
    "predict_region_features",
    "predict_some",
    "predict_tiles",
    "resize_pixels",
    "said_of",
    "see",
]
