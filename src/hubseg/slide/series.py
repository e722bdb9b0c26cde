"""Which of a TIFF's images is shown, and on which pages it stands.

Responsible for finding the images of a file (series, planes, channels, pyramid levels), for
choosing the largest where nobody asks for another, and for saying so. Does not check pages
(:mod:`hubseg.slide.header`) or decode pixels.
"""

from __future__ import annotations

import html
import itertools
import math
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hubseg.slide.errors import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tifffile

    from hubseg.slide.part import Part

_MOST_PLANES = 2**20  # of one declared stack, in pages of the file's smallest size
_MOST_PAGES = 2**17
_PAGES_SEEN = 256  # of an OME file, to know how small its pages are
_GUARDED = 90  # pages in which tifffile itself finds a ring
_WORTH_SAYING = 8  # an image of less than this share of the largest is a label or a thumbnail


class PageRef(NamedTuple):
    """Where a page begins, and how many bytes behind its own pixels the plane's pixels lie."""

    offset: int
    behind: int = 0


@dataclass(frozen=True)
class Choice:
    """The image that is shown.

    Attributes
    ----------
    levels
        Pages of each pyramid level; one page, or three channels of a page each.
    samples
        Channels picked out of one page, counted from 0; none: its own colours.
    pixels
        Attributes of its ``Pixels`` in OME-XML.
    note
        What was chosen among several, in one sentence; "" where there was no choice.
    """

    levels: tuple[tuple[PageRef, ...], ...]
    samples: tuple[int, ...]
    pixels: dict[str, str]
    note: str


def choose_image(
    tif: tifffile.TiffFile, part: Part, name: str, showable: Callable[[Any], bool]
) -> Choice | str:
    """Return the image that is asked for, else the largest; or why there is none, as a clause.

    Parameters
    ----------
    name
        The file's name, for the sentences.
    showable
        Tells of a page whether it can be shown: an image that cannot gives way to one that can.
    """
    found = list(tif.series)
    if not found:
        return "it holds no image"
    if part.image is not None and part.image > len(found):
        return f"it has no image {part.image}: it holds {len(found)}"
    areas = [_area(one) for one in found]
    chosen = _largest(found, areas, showable) if part.image is None else part.image - 1
    series = found[chosen]
    stack = _Stack(series)
    plane = (part.plane or 1) - 1
    if plane >= stack.planes:
        return f"it has no plane {part.plane}: image {chosen + 1} holds {stack.planes}"
    channels = stack.channels if stack.channels > 1 else _samples(series)
    picked = tuple(number - 1 for number in part.channels)
    if picked and max(picked) >= channels:
        return f"it has no channel {max(picked) + 1}: image {chosen + 1} holds {channels}"
    if not picked and stack.channels not in (1, 3):
        return (
            f"it holds {stack.channels} channels that are not red, green and blue"
            f"{_channel_names(tif)}; {how_to_choose(name, stack.channels)}"
        )
    untold = channels if _samples(series) == 2 else 1
    levels = [_Stack(level).pages(plane, picked) for level in [series, *series.levels[1:]]]
    if not all(levels):
        return "a page of it is missing"
    levels += _reductions(found, series)
    pixels = ome_pixels(tif.pages.first.description)
    return Choice(
        tuple(tuple(pages) for pages in levels),
        picked if stack.channels == 1 else (),
        _pixels_of(pixels, series, found[:chosen]),
        said_of_choice(name, chosen, areas, stack.planes, part, untold),
    )


def how_to_choose(name: str, channels: int) -> str:
    """Return how to name the channels to be shown, as a clause."""
    three = f"{name}#channels=1,2,3 or " if channels > 2 else name
    return f"choose channels by number, as {three}#channels=1"


def shown_of(note: str) -> dict[str, tuple[int, int]]:
    """Return which image and plane a file's note says is shown, and of how many: by name.

    The inverse of the note of :class:`Choice`: ``{"image": (1, 3), "plane": (2, 5)}``.
    """
    said = note.rpartition("is shown:")[2].partition("; open ")[0] if "is shown:" in note else ""
    found = re.findall(r"\b(image|plane) (\d+) of (\d+)", said)
    return {name: (int(number), int(count)) for name, number, count in found}


def ome_pixels(description: str) -> list[dict[str, str]]:
    """Return the attributes of each ``Pixels`` of an OME-XML text, in its order."""
    text = re.sub(r"<!--.*?-->", "", description, flags=re.DOTALL)
    return [
        {key: html.unescape(one or other) for key, one, other in _ATTRIBUTE.findall(tag)}
        for tag in re.findall(r"<(?:\w+:)?Pixels\b([^<>]*)>", text)
    ]


_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def is_bounded(tif: tifffile.TiffFile) -> bool:
    """Tell whether the file's XML can be handed to tifffile, which believes it.

    Entities are expanded and declared stacks are laid out in memory there, however large.
    """
    text = tif.pages.first.description
    if "<!DOCTYPE" in text or "<!ENTITY" in text or re.search(r"ModuloAlong|<\w*:?Along", text):
        return False
    known = ome_pixels(text)
    first = itertools.islice(tif.pages, _PAGES_SEEN) if known else ()
    areas = (page.imagewidth * page.imagelength for page in first)
    room = _MOST_PLANES * min(areas, default=1)
    for pixels in known:
        sizes = [_whole(pixels.get(f"Size{axis}", "1")) for axis in "XYZCT"]
        if min(sizes) < 1 or math.prod(sizes) > room or math.prod(sizes[2:]) > _MOST_PLANES:
            return False
    counts = re.findall(r"""\b(?:NumPlanes|PlaneCount|IFD|First[ZCT])\s*=\s*["']([^"']*)""", text)
    return all(0 <= _whole(count) <= _MOST_PLANES for count in counts)


def check_chain(tif: tifffile.TiffFile) -> None:
    """Refuse pages that follow each other without end, for which tifffile has only a weak guard.

    Raises
    ------
    ValueError
        When they do.
    """
    stream, form = tif.filehandle, tif.tiff
    offset, seen = tif.pages.first.offset, set[int]()
    while 0 < offset < stream.size and offset not in seen and len(seen) <= _MOST_PAGES:
        seen.add(offset)
        stream.seek(offset)
        count = stream.read(form.tagnosize)
        tags = struct.unpack(form.tagnoformat, count)[0] if len(count) == form.tagnosize else 0
        stream.seek(offset + form.tagnosize + tags * form.tagsize)
        following = stream.read(form.offsetsize)
        if len(following) < form.offsetsize:
            break
        offset = struct.unpack(form.offsetformat, following)[0]
    if len(seen) > _MOST_PAGES or (offset in seen and len(seen) > _GUARDED):
        raise ValueError("its pages follow each other without end")
    len(tif.pages)  # finds a shorter ring, and cuts it


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else -1


class _Stack:
    """The pages of a series by plane and channel."""

    def __init__(self, series: Any) -> None:
        lead = [
            (axis, size)
            for axis, size in zip(series.axes, series.shape, strict=True)
            if axis not in "YXS"
        ]
        self._pages, self._key = series.pages, series.keyframe
        at = next((i for i, (axis, _) in enumerate(lead) if axis == "C"), len(lead))
        if "S" in series.axes:  # ImageJ calls the planes of a colour stack channels
            at = len(lead)
        self._after = math.prod(size for _, size in lead[at + 1 :])
        self.channels = lead[at][1] if at < len(lead) else 1
        self.planes = math.prod(size for i, (_, size) in enumerate(lead) if i != at)
        if not self._is_whole():
            self.channels, self.planes, self._after = 1, max(1, len(self._pages)), 1

    def _is_whole(self) -> bool:
        """Tell whether the pages hold what the series declares, one by one or in one piece."""
        count = self.planes * self.channels
        self._contiguous = count > 1 and len(self._pages) == 1 and self._key.is_contiguous
        if self._contiguous:
            end = self._key.dataoffsets[0] + count * self._key.nbytes
            return bool(end <= self._key.parent.filehandle.size)
        return bool(count == len(self._pages))

    def pages(self, plane: int, picked: Sequence[int]) -> list[PageRef]:
        """Return a plane's pages: one, or those of the channels; none where one is missing."""
        if self.channels == 1:
            channels: Sequence[int] = (0,)
        else:
            channels = picked or range(self.channels)
        before, after = divmod(plane, self._after)
        refs = [self._ref((before * self.channels + c) * self._after + after) for c in channels]
        return [ref for ref in refs if ref is not None] if None not in refs else []

    def _ref(self, index: int) -> PageRef | None:
        if self._contiguous:
            return PageRef(self._key.offset, index * self._key.nbytes)
        page = self._pages[index] if index < len(self._pages) else None
        return None if page is None else PageRef(page.offset)


def _largest(found: Sequence[Any], areas: Sequence[int], showable: Callable[[Any], bool]) -> int:
    return max(range(len(found)), key=lambda i: (_can(showable, found[i]), areas[i], -i))


def _area(series: Any) -> int:
    return int(series.keyframe.imagelength * series.keyframe.imagewidth)


def _samples(series: Any) -> int:
    return int(series.keyframe.samplesperpixel)


def _can(showable: Callable[[Any], bool], series: Any) -> bool:
    try:
        return showable(series.keyframe)
    except DAMAGE:
        return False


def _reductions(found: Sequence[Any], series: Any) -> list[list[PageRef]]:
    """Return images that call themselves reduced ones (NewSubfileType) and follow no pyramid.

    Only of a single picture: whose plane a reduction shows is not said. Of a pyramid with a level
    left out, tifffile takes those behind the gap for pictures of their own.
    """
    smallest = series.levels[-1]
    if len(series.pages) > 1 or (len(series.levels) > 1 and series.kind != "generic"):
        return []
    reduced = [
        one
        for one in found
        if one is not series
        and one.keyframe.is_reduced
        and len(one.pages) == 1
        and _samples(one) == _samples(series)
        and not one.keyframe.is_mask
        and (len(series.levels) == 1 or _area(one) < _area(smallest))
    ]
    return [[PageRef(one.keyframe.offset)] for one in sorted(reduced, key=_area, reverse=True)]


def _pixels_of(pixels: list[dict[str, str]], series: Any, before: Sequence[Any]) -> dict[str, str]:
    """Return the OME attributes of a series: those of its size, by their order."""

    def alike(height: Any, width: Any) -> bool:
        return str(height) == str(series.keyframe.imagelength) and str(width) == str(
            series.keyframe.imagewidth
        )

    same = [one for one in pixels if alike(one.get("SizeY"), one.get("SizeX"))]
    earlier = sum(alike(one.keyframe.imagelength, one.keyframe.imagewidth) for one in before)
    return same[min(earlier, len(same) - 1)] if same else {}


def _channel_names(tif: tifffile.TiffFile) -> str:
    names = re.findall(
        r"""<(?:\w+:)?Channel\b[^<>]*\bName\s*=\s*["']([\w -]{1,30})["']""",
        tif.pages.first.description,
    )
    return f" ({', '.join(names[:6])})" if names else ""


def said_of_choice(
    name: str, chosen: int, areas: Sequence[int], planes: int, part: Part, channels: int
) -> str:
    """Return what is shown of a file of several pictures, in one sentence; "" of one.

    Parameters
    ----------
    name
        The file's name.
    chosen
        Which image, from 0.
    areas
        Of each image, px.
    planes
        Of the chosen image.
    channels
        Channels of which the first is shown alone; 1 where there is no such choice.
    """
    said, others = [], []
    rivals = sum(area * _WORTH_SAYING >= areas[chosen] for area in areas)
    if len(areas) > 1 and (chosen or rivals > 1):
        how = "the largest" if part.image is None else "as asked"
        said.append(f"image {chosen + 1} of {len(areas)} ({how})")
        others.append(f"image={1 if chosen else 2}")
    if planes > 1:
        plane = part.plane or 1
        said.append(f"plane {plane} of {planes}")
        others.append(f"plane={1 if plane > 1 else 2}")
    if part.channels:
        said.append(f"channels {', '.join(map(str, part.channels))}")
    elif channels > 1:
        said.append(f"channel 1 of {channels}")
        others.append("channels=2")
    if not said:
        return ""
    how = f"; open {name}#{'&'.join(others)} for another" if others else ""
    return f"Of {name} is shown: {', '.join(said)}{how}."
