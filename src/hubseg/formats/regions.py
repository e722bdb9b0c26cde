"""Regions of a slide leave as their slide, and what is drawn on all of it comes to them.

Responsible for which regions belong together and under which name. Does not know a format, nor how
objects that a border cuts are put together (:mod:`hubseg.formats.stitched`) or cut
(:mod:`hubseg.formats.cut`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubseg.formats.cut import CutImage
from hubseg.formats.stitched import RegionMask, StitchedImage
from hubseg.slide import Slide
from hubseg.slide.regions import slide_of, whole_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hubseg.formats.annotated import AnnotatedImage, MaskedImage
    from hubseg.formats.format import Format

__all__ = ["SlideRegions", "regions_by_slide", "together", "written_as"]

_OVERLAP = (
    "Regions of its slide overlap, and an image of numbers has one a pixel: leave one of them out "
    "(reject it), or write outlines."
)


@dataclass(eq=False)
class _Whole:
    """What is known of a slide by its regions."""

    slide: Slide
    ids: list[str] = field(default_factory=list)
    masks: list[RegionMask] = field(default_factory=list)
    parts: dict[str, tuple[MaskedImage, list[RegionMask]]] = field(default_factory=dict)

    def take(self, region: Slide, image: MaskedImage) -> None:
        """Take a region's mask, of each structure."""
        window = region.region or (0, 0, region.height, region.width)
        self.ids.append(region.id)
        self.masks.append(RegionMask.of(window, image.mask))
        for part in image.parts:
            known = self.parts.setdefault(part.name, (part, []))
            packed = self.masks[-1] if part is image else RegionMask.of(window, part.mask)
            known[1].append(packed)

    def image(self) -> StitchedImage:
        """Return the slide with all that was taken."""
        parts = [self._put(part, masks) for part, masks in self.parts.values()]
        if len(parts) == 1:
            return parts[0]
        return self._put(next(iter(self.parts.values()))[0], self.masks, parts)

    def _put(
        self, like: MaskedImage, masks: list[RegionMask], parts: Iterable[StitchedImage] = ()
    ) -> StitchedImage:
        slide = self.slide
        return StitchedImage(
            (slide.height, slide.width),
            *(masks, slide.id),
            file_name=slide.path.name,
            name=like.name,
            number=like.number,
            colour=like.colour,
            origin=slide.digest,
            um_per_px=slide.spacing,
            parts=tuple(parts),
        )


def written_as(form: Format, slide: Slide) -> str:
    """Return the id that a slide is written under: that of its slide, where regions leave so."""
    return slide_of(slide).id if form.of_file and slide.region is not None else slide.id


def together(
    form: Format,
    images: Iterable[MaskedImage],
    slides: Mapping[str, Slide],
    refuse: Callable[[str, str], object],
) -> Iterator[tuple[Slide, MaskedImage]]:
    """Yield each image with its slide; regions of a slide at the end, as that slide.

    Parameters
    ----------
    form
        What they are written as.
    images
        Of slides and of regions.
    slides
        Each image's slide, by its id.
    refuse
        Told the id of each region whose slide the format cannot hold, and why.
    """
    wholes: dict[tuple[str, str], _Whole] = {}
    for image in images:
        slide = slides[image.id]
        if not form.of_file or slide.region is None:
            yield slide, image
            continue
        whole = slide_of(slide)
        wholes.setdefault((whole.place, whole.id), _Whole(whole)).take(slide, image)
    for one in wholes.values():
        made = one.image()
        if refusal := form.refusal(made) or (made.overlap and form.one_a_pixel and _OVERLAP):
            for region in one.ids:
                refuse(region, refusal)
        else:
            yield one.slide, made


@dataclass(frozen=True)
class SlideRegions:
    """The regions that a slide is worked on in.

    Attributes
    ----------
    regions
        In the order of their project.
    """

    regions: tuple[Slide, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """What each is called."""
        return tuple(one.id for one in self.regions)

    def cut(self, image: AnnotatedImage) -> CutImage:
        """Cut what a file holds of the slide: a window for each region.

        Raises
        ------
        ValueError
            When it is of another size than the slide.
        OSError
            When the slide's file cannot be read.
        """
        whole = slide_of(self.regions[0])
        windows = [one.region for one in self.regions if one.region is not None]
        return CutImage.of(image, (whole.height, whole.width), windows)


def regions_by_slide(slides: Iterable[object]) -> dict[str, SlideRegions]:
    """Return the regions among slides, by what the slide that they are of is called."""
    found: dict[str, list[Slide]] = {}
    for one in slides:
        if isinstance(one, Slide) and one.region is not None:
            found.setdefault(whole_id(one), []).append(one)
    return {name: SlideRegions(tuple(regions)) for name, regions in found.items()}
