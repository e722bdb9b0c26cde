"""What is asked of a worker, and what it answers: frozen values that travel.

Responsible for what a worker needs to know and for the key of what it makes. Does not know workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hubseg.probability import TileLayout, features_key, file_digest, map_key
from hubseg.probability.doubt import MARGIN, SIDE
from hubseg.probability.keys import part_key
from hubseg.slide.mended import MendedSlide

if TYPE_CHECKING:
    from pathlib import Path

    from hubseg.engine.answers import EngineOf
    from hubseg.probability import FeatureMap, MemberMap
    from hubseg.probability.tile_layout import Place
    from hubseg.recipe import Member, Recipe
    from hubseg.slide import Slide

__all__ = ["Job", "Made", "Part", "Refused", "Window"]

Window = tuple[int, int, int, int]
"""(top, left, height, width) in level-0 px of a slide."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some tiles of a slide, where another member has seen the whole.

    Attributes
    ----------
    tiles
        Top and left of each, px of the network's input.
    key
        Of the map of that other member, which is taken everywhere else.
    around
        That map; None where the worker finds it in the store.
    """

    tiles: tuple[Place, ...]
    key: str
    around: MemberMap | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One member on one slide: all a worker needs to know.

    Attributes
    ----------
    device, precision
        What was asked for; auto leaves the choice to the worker.
    store
        Folder where the worker files the map itself, so that it is kept also when nobody is left
        to take it; None where the worker does not share our disk.
    layout, places
        Where the tiles of a very large slide lie, and which of them are asked for; else none.
    following
        How many slides the run has for this member right after, a few at most.
    features
        Whether what the network's last layer sees is asked for, and not the map.
    region
        Of a very large slide: the part whose features are asked for.
    part
        The tiles that are asked for where another member has seen the whole slide; None is all.
    """

    run_id: str
    slide: Slide
    slide_digest: str
    recipe: Recipe
    member: Member
    checkpoint: Path
    checkpoint_digest: str
    device: str
    precision: str = "auto"
    store: Path | None = None
    layout: TileLayout | None = None
    places: tuple[Place, ...] = ()
    following: int = 0
    features: bool = False
    region: Window | None = None
    part: Part | None = None

    @classmethod
    def of(
        cls,
        engine: EngineOf,
        run_id: str,
        slide: Slide,
        digest: str,
        recipe: Recipe,
        member: Member,
        checkpoint: Path,
    ) -> Self:
        """Return the job of a member on a slide, whose content has a digest."""
        resolution = recipe.resolutions[member.resolution]
        layout = TileLayout.of(resolution, slide.height, slide.width, slide.um_per_px)
        return cls(
            run_id=run_id,
            slide=MendedSlide.of(slide) if layout is None else slide,
            slide_digest=digest,
            recipe=recipe,
            member=member,
            checkpoint=checkpoint,
            checkpoint_digest=file_digest(checkpoint),
            device=engine.device,
            precision=engine.precision,
            store=engine.store.folder if engine.shares_disk else None,
            layout=layout,
        )

    @property
    def key(self) -> str:
        """Key of what the job makes, in the store: of the map, or of the features beside it."""
        return features_key(self.map_key, self.region) if self.features else self.map_key

    @property
    def map_key(self) -> str:
        """Key of the job's map in the store."""
        if self.part is None:
            return self.whole_key
        given = self.whole_key, self.part.key, self.part.tiles
        return part_key(*given, side=SIDE, margin=MARGIN)

    @property
    def whole_key(self) -> str:
        """Key of the map of the whole slide."""
        return map_key(
            self.recipe,
            self.member,
            slide_digest=self.slide_digest,
            checkpoint_digest=self.checkpoint_digest,
            precision=self.precision,
            field_of_view=0 if self.layout is None else self.layout.field_of_view,
            tissue="" if self.slide.tissue is None else self.slide.tissue.digest,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """What a job gives back.

    Attributes
    ----------
    map
        The member's map; None of tiles.
    where
        Where it was computed, for a person.
    memory
        Bytes taken on that device, and bytes it has.
    tiles
        The files of the tiles that were asked for, where the worker could not file them.
    unread
        Windows of the slide, px of level 0, that could not be decoded and were taken for grey.
    features
        What was asked for instead of a map.
    finer
        Levels of the slide of which a part was damaged, so that the next finer one served.
    """

    map: MemberMap | None
    where: str = ""
    memory: tuple[int, int] = (0, 0)
    tiles: tuple[tuple[Place, bytes], ...] = ()
    unread: tuple[Window, ...] = ()
    features: FeatureMap | None = None
    finer: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a task made nothing: an answer like any other, so that no worker prints a traceback."""

    why: str
