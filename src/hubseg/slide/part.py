"""Which picture of a file is meant, where it holds several.

Responsible for the words behind a file's name, ``stack.tif#image=2&plane=5``, and for their
refusal. Does not know what a file holds (:mod:`hubseg.slide.series`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_ASKED = re.compile(r"#((?:\d+|[a-z]+=[\d,]+)(?:&[a-z]+=[\d,]+)*)$")


class Part(NamedTuple):
    """One picture of a file; all numbers count from 1.

    Attributes
    ----------
    image
        Which image; None is the largest.
    plane
        Which plane of a stack; None is the first.
    channels
        One channel, shown grey, or those shown as red, green and blue; none: the file's own.
    """

    image: int | None = None
    plane: int | None = None
    channels: tuple[int, ...] = ()

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
        channels = asked.pop("channels", ())
        single = {key: numbers[0] for key, numbers in asked.items() if len(numbers) == 1}
        wrong = len(single) < len(asked) or not set(single) <= {"image", "plane"}
        if wrong or len(channels) not in (0, 1, 3) or 0 in (*single.values(), *channels):
            raise _refusal(text)
        return cls(single.get("image"), single.get("plane"), channels)

    def __str__(self) -> str:
        """Return the text that :meth:`parse` understands."""
        words = [
            f"{name}={value}"
            for name, value in zip(("image", "plane"), self[:2], strict=True)
            if value is not None
        ]
        if self.channels:
            words.append(f"channels={','.join(map(str, self.channels))}")
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
        "joined by '&' and counted from 1."
    )
