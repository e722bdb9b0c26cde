"""What was taught, about a region of a very large slide whose maps are in tiles.

Responsible for the taught map of the part of a member that shows the region. Does not know where
features are kept, nor how windows are mixed (:mod:`hubseg.project.large_maps`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubseg.probability.feature_window import FeatureWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.probability import FeatureMap, MemberMap, Taught, TileLayout
    from hubseg.probability.taught import Place
    from hubseg.probability.tile_file import Window
    from hubseg.recipe import Member

__all__ = ["TaughtRegion"]


@dataclass(frozen=True, slots=True, eq=False)
class TaughtRegion:
    """Applies taught heads to the members' maps of one region.

    Attributes
    ----------
    taught
        What counts.
    region
        (top, left, height, width) in level-0 px of the slide.
    features
        Returns what a member has seen of the region, or of the whole slide where its map is in one
        piece; None where that is not known.
    lacking, followed
        Members that were taught, whose maps could not follow, and those whose did, so far.
    """

    taught: Taught
    region: Window
    features: Callable[[Member], FeatureMap | None]
    lacking: set[Place] = field(default_factory=set)
    followed: set[Place] = field(default_factory=set)

    def of(
        self,
        member: Member,
        made: MemberMap,
        layer: int,
        extent: tuple[tuple[int, int], tuple[int, int]],
        layout: TileLayout | None,
    ) -> MemberMap:
        """Return the map of a member, where it shows the region, as it is taught.

        Parameters
        ----------
        made
            Its map of one structure, (h, w): the rows and columns `extent` of the whole.
        layer
            Which layer of the member's map it is.
        layout
            Of its tiles; None of a map in one piece.
        """
        if member.place not in self.taught.heads or not self.taught.on:
            return made
        after, seen = made, self.features(member)
        if seen is not None:
            origin = (0, 0)
            if layout is not None:
                origin = FeatureWindow.in_tiles(layout, self.region, seen.shape).origin
            cut = FeatureWindow(origin, (1.0, 1.0)).cut(seen, *extent)
            after = self.taught.of(member.place, made, cut, layer)
        (self.lacking if after is made else self.followed).add(member.place)
        return after
