"""Probability maps: member maps kept at network resolution, mixed on demand, kept on disk.

Responsible for the arithmetic that turns any weighted subset of member maps into one map at slide
resolution, for the disagreement between members, and for the content-addressed store. Needs no
torch: whoever has the member maps can mix them. Does not know how a member map is made.
"""

from __future__ import annotations

from hubseg.probability.digests import digest_ahead, file_digest, file_digests
from hubseg.probability.features import FeatureMap, features_key
from hubseg.probability.keys import map_key
from hubseg.probability.mixing import Mixer, mix
from hubseg.probability.mixture import Mixture, networks_digest
from hubseg.probability.pieces import MapInPieces
from hubseg.probability.store import MapStore
from hubseg.probability.taught import Taught, TaughtHead, TaughtScope
from hubseg.probability.tile_file import Tile
from hubseg.probability.tile_layout import TileLayout
from hubseg.probability.tiled_map import TiledMap
from hubseg.probability.tiling import Tiling
from hubseg.probability.values import MemberMap, ProbabilityMap

__all__ = [
    "FeatureMap",
    "MapInPieces",
    "MapStore",
    "MemberMap",
    "Mixer",
    "Mixture",
    "ProbabilityMap",
    "Taught",
    "TaughtHead",
    "TaughtScope",
    "Tile",
    "TileLayout",
    "TiledMap",
    "Tiling",
    "digest_ahead",
    "features_key",
    "file_digest",
    "file_digests",
    "map_key",
    "mix",
    "networks_digest",
]
