"""Which of some names an id means, although it was written in another way.

Responsible for Unicode forms, bytes of another encoding, suffixes, and for what spreadsheets do to
ids. An id that could mean two names means none.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.slide.kinds import SUFFIXES, stem_of
from hubseg.slide.rows import decoded_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence


def readable(name: str) -> str:
    """Return a file's name as text that can be written anywhere; its bytes may be no UTF-8."""
    return decoded_name(os.fsencode(name))[0]


def without_suffix(name: str) -> str:
    """Return a file's name without an image's suffix, ``.ome.tiff`` counted as one, in any case."""
    return re.sub(rf"(\.ome)?({'|'.join(map(re.escape, SUFFIXES))})$", "", name, flags=re.I)


def _canonical(name: str) -> str:
    return unicodedata.normalize("NFC", readable(name))


def _without_zeros(name: str) -> str:
    """Return a whole number as a spreadsheet keeps it: ``00044`` and ``44.0`` are ``44``."""
    number = re.fullmatch(r"0*(\d+)(?:[.,]0+)?", name)
    return number[1] if number else name


_WAYS: tuple[Callable[[str], str], ...] = (
    _canonical,
    lambda name: without_suffix(_canonical(name)),
    lambda name: without_suffix(_canonical(name)).casefold(),
    lambda name: _without_zeros(without_suffix(_canonical(name)).casefold()),
)


class Names:
    """Names that ids may mean."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._known = set(self._names)
        self._by_way: dict[int, dict[str, list[str]]] = {}

    def find(self, wanted: str, meant: Collection[str] = ()) -> str | None:
        """Return the name that is meant; None when there is none, or more than one.

        The name as it stands comes first, then the same letters in another Unicode form, then
        without suffix, then in another case, then without leading zeros or ``.0``.

        Parameters
        ----------
        wanted
            An id.
        meant
            Ids in use: a name that is one of them as it stands is meant by no other.
        """
        if wanted in self._known:
            return wanted
        for number, way in enumerate(_WAYS):
            if number not in self._by_way:
                index: dict[str, list[str]] = defaultdict(list)
                for name in dict.fromkeys(self._names):
                    index[way(name)].append(name)
                self._by_way[number] = index
            if found := self._by_way[number].get(way(wanted)):
                free = number == 0 or found[0] not in meant
                return found[0] if len(found) == 1 and free else None
        return None


class ImageFiles:
    """The images of a table's folder, by the ids that mean them."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        images = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
        self._names = set(images)
        self._stems: dict[str, list[str]] = {}
        for name in images:
            self._stems.setdefault(stem_of(Path(name)), []).append(name)
        self._known = Names(self._stems)

    def find(self, slide_id: str, meant: Collection[str] = ()) -> Path:
        """Return the file that an id means; `meant` as in :meth:`Names.find`.

        Raises
        ------
        FileNotFoundError
            When there is none, or more than one.
        """
        if slide_id in self._names:
            return self._folder / slide_id
        stem = self._known.find(slide_id, meant)
        if stem is None:
            raise FileNotFoundError(
                f"No image of {slide_id} in {self._folder} (tried {slide_id}{SUFFIXES[0]} and "
                "others): say where the images are."
            )
        # of several files of one name the competition's kind first, as it is usually written
        return self._folder / min(self._stems[stem], key=_preference)

    def id_of(self, slide_id: str, path: Path) -> str:
        """Return the slide's id: the file's name without suffix, where that tells it apart."""
        stem = stem_of(path)
        alone = len(self._stems.get(stem, ())) == 1 or slide_id not in self._names
        return stem if alone else slide_id


def _preference(name: str) -> tuple[int, bool, bool]:
    suffix = Path(name).suffix
    ome = stem_of(Path(name)) != Path(name).stem
    return SUFFIXES.index(suffix.lower()), ome, suffix not in (suffix.lower(), suffix.upper())
