"""Which picture of a file is meant, where it holds several.

Responsible for the words behind a file's name, ``stack.tif#image=2&plane=5`` or
``slide.svs#region=4096,0,4096,4096``, and for their refusal. Does not know what a file holds
(:mod:`hubseg.slide.series`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hubseg.window import Window

_ASKED = re.compile(r"#((?:\d+|[a-z]+=[\d,]+)(?:&[a-z]+=[\d,]+)*)$")


class Part(NamedTuple):
    """One picture of a file; numbers of images, planes and channels count from 1.

    Attributes
    ----------
    image
        Which image; None is the largest.
    plane
        Which plane of a stack; None is the first.
    channels
        One channel, shown grey, or those shown as red, green and blue; none: the file's own.
    region
        Which window of the picture, (top, left, height, width) in level-0 px; None is all of it.
    overview
        Longer side, px, of the whole picture at low resolution that is meant; None is the picture
        itself.
    """

    image: int | None = None
    plane: int | None = None
    channels: tuple[int, ...] = ()
    region: Window | None = None
    overview: int | None = None

    @property
    def whole(self) -> Part:
        """The picture that a region, or an overview, is of."""
        return self._replace(region=None, overview=None)

    @classmethod
    def parse(cls, text: str) -> Part:
        """Return what ``image=2&plane=5&channels=3,2,1`` asks for; ``2`` alone is ``image=2``.

        Raises
        ------
        ValueError
            When a word or a number is none.
        """
        asked: dict[str, tuple[int, ...]] = {}
        for word in text.split("&") if text else ():
            key, _, value = word.rpartition("=")
            numbers = value.split(",")
            if not all(number.isdecimal() and 0 < len(number) < 10 for number in numbers):
                raise _refusal(text)
            asked[key or "image"] = tuple(map(int, numbers))
        channels, region = asked.pop("channels", ()), asked.pop("region", None)
        if region is not None and (len(region) != 4 or 0 in region[2:]):
            raise _refusal(text)
        single = {key: numbers[0] for key, numbers in asked.items() if len(numbers) == 1}
        wrong = len(single) < len(asked) or not set(single) <= {"image", "plane", "overview"}
        wrong = wrong or (region is not None and "overview" in single)
        if wrong or len(channels) not in (0, 1, 3) or 0 in (*single.values(), *channels):
            raise _refusal(text)
        top, left, height, width = region or (0, 0, 0, 0)
        window = None if region is None else (top, left, height, width)
        image, plane, overview = (single.get(name) for name in ("image", "plane", "overview"))
        return cls(image, plane, channels, window, overview)

    def __str__(self) -> str:
        """Return the text that :meth:`parse` understands."""
        words = [
            f"{name}={value}"
            for name, value in zip(("image", "plane"), self[:2], strict=True)
            if value is not None
        ]
        if self.channels:
            words.append(f"channels={','.join(map(str, self.channels))}")
        if self.region is not None:
            words.append(f"region={','.join(map(str, self.region))}")
        if self.overview is not None:
            words.append(f"overview={self.overview}")
        return "&".join(words)


def split_part(path: Path | str) -> tuple[Path, str]:
    """Return a path without the part that its name asks for, and that part's text.

    A file whose own name ends so is meant as a whole.
    """
    path = Path(path)
    if (found := _ASKED.search(path.name)) and found.start() and not path.exists():
        return path.with_name(path.name[: found.start()]), found[1]
    return path, ""


def _refusal(text: str) -> ValueError:
    return ValueError(
        f"{text!r} names no part of a file: write image=2, plane=5, channels=1 or channels=3,2,1, "
        "counted from 1, region=TOP,LEFT,HEIGHT,WIDTH or overview=SIDE in px; joined by '&'."
    )
