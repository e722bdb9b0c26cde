"""The true masks of a table, read without its images.

Responsible for which rows hold a mask and of what size they say it is. Does not decode masks: a
run-length text is carried as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hubseg.slide.rows import read_rows
from hubseg.slide.table import is_train, table_of_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hubseg.slide.image import Slide

__all__ = ["Truth", "read_truth"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a table says of masks.

    Attributes
    ----------
    masks
        id → run-length text; an empty text is a slide known to hold nothing.
    sizes
        id → (height, width) in px as the table says, where it does.
    twice
        Ids that stand in the table twice: the first row counts.
    """

    masks: Mapping[str, str]
    sizes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    twice: frozenset[str] = frozenset()

    def notes_on(self, slides: Iterable[Slide]) -> Iterator[tuple[str, str]]:
        """Yield id and sentence of what a person should know before these slides are judged."""
        for slide in slides:
            if slide.id not in self.masks:
                continue
            if slide.id in self.twice:
                yield slide.id, f"Id {slide.id} stands in the table twice: the first row is used."
            told = self.sizes.get(slide.id)
            if told is not None and told != (str(slide.height), str(slide.width)):
                yield (
                    slide.id,
                    f"The table says {told[0]} x {told[1]} px, {slide.path.name} has "
                    f"{slide.height} x {slide.width}: its mask fits only if the table is of this "
                    "image.",
                )


def read_truth(path: Path | str) -> Truth:
    """Read the true masks of a table, or of the table in or beside a folder of images.

    Parameters
    ----------
    path
        A CSV with the columns ``id`` and ``rle``; none of its images need be there.

    Raises
    ------
    ValueError
        When the table has no such columns.
    OSError
        When it does not exist or cannot be read.
    """
    path = Path(path).absolute()
    if path.is_dir():
        table = table_of_folder(path)
        if table is None:
            raise ValueError(f"Folder {path} has no train.csv: name a table with an rle column.")
        path = table
    rows = read_rows(path)
    if rows and not any("rle" in row for row in rows):
        raise ValueError(f"{path} has no column 'rle': name a table with the true masks.")
    empty_counts = is_train(path, rows)
    masks: dict[str, str] = {}
    sizes: dict[str, tuple[str, str]] = {}
    twice = set()
    for row in rows:
        slide_id, rle = row["id"], row.get("rle", "")
        if slide_id in masks:
            twice.add(slide_id)
        elif slide_id and (rle or empty_counts):
            masks[slide_id] = rle
            told = row.get("img_height", ""), row.get("img_width", "")
            if all(told):
                sizes[slide_id] = told
    return Truth(masks, sizes, frozenset(twice))
