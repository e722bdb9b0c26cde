"""What one member says of a slide or of a part, and what a mix of members says: frozen values.

Responsible for their units and for refusing a map that is none. Does not know how one becomes the
other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MapFacts", "MapPart", "MemberMap", "ProbabilityMap"]


@dataclass(frozen=True, slots=True)
class MemberMap:
    """The mean over views of one member on one slide.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, at the network's output resolution; of a network with several
        structures (structures, h, w), in the order of its outputs.
    organ
        Share of each organ in the order of :data:`hubseg.organ.ORGANS`, the mean over views of
        the softmax, where the network has that head. Not calibrated.
    um_per_px
        The slide's pixel size as the network sees it, µm/px, where it has that head.
    seen
        bool (h, w): where the network looked, of a map that is another member's everywhere else
        (:func:`hubseg.probability.doubt.faded`); None where it saw the whole slide.
    """

    values: NDArray[np.float32]
    organ: tuple[float, ...] | None = None
    um_per_px: float | None = None
    seen: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim not in (2, 3):
            raise ValueError(
                f"The map of a member has the axes h, w or structures, h, w, and not those of "
                f"{self.values.shape}: give it as the network made it."
            )
        if not np.isfinite(self.values).all():
            raise ValueError(
                "The map of a member must be finite, and this one holds NaN or infinity: check its "
                "checkpoint, or run it with --precision float32."
            )
        if self.seen is not None and self.seen.shape != self.values.shape[-2:]:
            raise ValueError(
                f"Where the member looked has {self.seen.shape} px and its map "
                f"{self.values.shape[-2:]}: both must be of one size."
            )

    @property
    def share_seen(self) -> float:
        """Share of the slide that the network saw, 0-1."""
        return 1.0 if self.seen is None else float(self.seen.mean())

    def layer(self, index: int) -> MemberMap:
        """Return the map of one structure alone, a view: all that is mixed is of one structure.

        Parameters
        ----------
        index
            From :meth:`hubseg.recipe.Channels.layer`.

        Raises
        ------
        ValueError
            When the map has no such layer.
        """
        layers = self.values[None] if self.values.ndim == 2 else self.values
        if index >= len(layers):
            raise ValueError(
                f"A map of {len(layers)} structures has none of number {index + 1}: run the "
                "ensemble again."
            )
        return replace(self, values=layers[index])


@dataclass(frozen=True, slots=True)
class MapPart:
    """A part of a member's map.

    Attributes
    ----------
    values
        float32 (h, w), 0-1, or (structures, h, w); 0 where no tile is there.
    covered
        bool (h, w): where every tile that says something is there.
    organ, pixel_sizes
        What the heads say of its tiles: rows of shares, and µm/px of the input divided by 10.
    seen
        As of :class:`MemberMap`.
    """

    values: NDArray[np.float32]
    covered: NDArray[np.bool_]
    organ: tuple[tuple[float, ...], ...] = ()
    pixel_sizes: tuple[float, ...] = ()
    seen: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapFacts:
    """All that is known of a mix of member maps but its values.

    Attributes
    ----------
    disagreement
        float32 (h, w), 0-255: weighted standard deviation between members at the resolution of
        the finest member map; None with fewer than two members.
    slide_digest, recipe_digest
        What it was made of.
    done, total
        Members mixed so far, and members the recipe asks for.
    organ
        Share of each organ in the order of :data:`hubseg.organ.ORGANS`, the plain mean over the
        mixed members that have that head; None where none has. Not calibrated.
    um_per_px
        The slide's pixel size as the networks see it, µm/px, the plain mean likewise.
    structure
        The word of the structure that it is of; None is the organ's own, which has no name where
        every network has one output.
    members
        uint8 (h, w), as large as the disagreement: how many members saw each px, of a run where
        not all of them looked everywhere; None where each of the `done` saw all.
    """

    disagreement: NDArray[np.float32] | None
    slide_digest: str
    recipe_digest: str
    done: int
    total: int
    organ: tuple[float, ...] | None = None
    um_per_px: float | None = None
    structure: str | None = None
    members: NDArray[np.uint8] | None = None

    @property
    def is_partial(self) -> bool:
        """Whether members that the recipe asks for are not mixed yet."""
        return self.done < self.total

    def facts(self) -> dict[str, Any]:
        """Return them by name, as arguments of another mix of the same maps."""
        return {one.name: getattr(self, one.name) for one in fields(MapFacts)}


@dataclass(frozen=True, slots=True)
class ProbabilityMap(MapFacts):
    """A mix of member maps at slide resolution, of one structure.

    Attributes
    ----------
    values
        float32 (H, W), 0-255: the scale of every threshold.
    """

    values: NDArray[np.float32]

    @property
    def seen_by_all(self) -> float:
        """Share of the slide that every mixed member saw, 0-1."""
        return 1.0 if self.members is None else float((self.members == self.done).mean())

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not np.isfinite(self.values).all():
            raise ValueError(
                f"A probability map must be a finite two-dimensional array, not one of shape "
                f"{self.values.shape}: run the ensemble again."
            )
