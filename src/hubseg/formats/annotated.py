"""What a file says of an image: its objects with their classes, and the mask they make.

Responsible for the one shape that every format is read into (:class:`AnnotatedImage`) and written
from (:class:`MaskedImage`), and for reading back what was written. Does not know a format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hubseg.formats import rle
from hubseg.formats.polygons import Polygon, polygons_of, rasterised
from hubseg.formats.uncollected import uncollected
from hubseg.slide.errors import check_same, same_pixels, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "AnnotatedImage",
    "Annotation",
    "MaskedImage",
    "images_of_labels",
    "proven",
    "put_and_compare",
]


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One object of a file.

    Attributes
    ----------
    name
        Its class; "" where it has none.
    polygons
        Its parts, in px; empty where it is given as runs.
    runs
        int64 (n, 2): first pixel and length of each run, counted down the columns.
    size
        Height and width of the image that runs were counted in; None where the file does not say.
    across
        Whether runs were counted along the rows and not down the columns.
    """

    name: str
    polygons: tuple[Polygon, ...] = ()
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    size: tuple[int, int] | None = None
    across: bool = False

    @classmethod
    def of_pixels(
        cls, name: str, inside: NDArray[np.bool_], place: tuple[int, int], size: tuple[int, int]
    ) -> Annotation:
        """Return the object of a patch, bool (h, w), whose upper left pixel lies at `place`.

        Raises
        ------
        ValueError
            When the patch reaches beyond the image.
        """
        top, left = place
        height, width = inside.shape
        if min(place) < 0 or top + height > size[0] or left + width > size[1]:
            raise ValueError("its pixels reach beyond the image")
        runs = rle.runs_of(inside)
        if height != size[0]:  # a run that goes on in the next column of the patch is two
            ends = runs.sum(axis=1)
            parts = (ends - 1) // max(height, 1) - runs[:, 0] // max(height, 1) + 1
            if (parts > 1).any():
                columns, rows = np.nonzero(inside.T)
                runs = np.stack((columns * height + rows, np.ones_like(rows)), axis=1)
        column, row = np.divmod(runs[:, 0], max(height, 1))
        starts = (column + left) * size[0] + row + top
        return cls(name, (), np.stack((starts, runs[:, 1]), axis=1).astype(np.int64), size)

    @property
    def area(self) -> float:
        """Area in px²."""
        return sum(one.area for one in self.polygons) + float(self.runs[:, 1].sum())


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """What a file holds of one image.

    Attributes
    ----------
    name
        Name of the image's file or its id; "" where the file does not say.
    size
        Height and width in px, or None where the file does not say.
    objects
        Every object with an area.
    left_out
        What is no area or cannot be read → how many: ``{"points": 3}``.
    notes
        What was repaired or could not be read, one sentence each.
    relative
        Whether corners are fractions of the image's width and height and not px.
    """

    name: str = ""
    size: tuple[int, int] | None = None
    objects: tuple[Annotation, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    relative: bool = False

    @property
    def is_raster(self) -> bool:
        """Whether it is made of pixels alone."""
        return bool(self.objects) and not any(one.polygons for one in self.objects)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of its objects, each once, as the file names or numbers them."""
        return tuple(dict.fromkeys(one.name for one in self.objects if one.name))

    def of_class(self, name: str) -> AnnotatedImage:
        """Return it with the objects of one class alone, whatever its case; "" is all."""
        wanted = name.casefold()
        chosen = (one for one in self.objects if not name or one.name.casefold() == wanted)
        return replace(self, objects=tuple(chosen))

    def polygons(self, height: int, width: int) -> list[Polygon]:
        """Return the outlines of all objects in px of an image of that size."""
        every = [polygon for one in self.objects for polygon in one.polygons]
        return [polygon.times(width, height) for polygon in every] if self.relative else every

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Return the pixels, bool (h, w), whose centre lies in one of the objects.

        Raises
        ------
        ValueError
            When they were drawn in an image of another size.
        """
        counted = [one for one in self.objects if len(one.runs)]
        for size in (self.size, *(one.size for one in counted)):
            if size is not None and size != (height, width):
                raise ValueError(
                    f"{self.name or 'It'} is annotated at {size[1]} × {size[0]} px, the slide has "
                    f"{width} × {height}: export the annotations of this image."
                )
        outlines = self.polygons(height, width)
        down, across = (
            [one.runs for one in counted if one.across == along] for along in (False, True)
        )
        inside = None if down and not outlines else rasterised(outlines, height, width)
        if down:
            inside = _joined(inside, rle.filled(np.concatenate(down), (height, width)))
        if across:
            inside = _joined(inside, rle.filled(np.concatenate(across), (width, height)).T)
        return np.zeros((height, width), np.bool_) if inside is None else inside


def _joined(one: NDArray[np.bool_] | None, other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return other if one is None else np.logical_or(one, other, out=one)


class MaskedImage:
    """An image's mask, and what a format may want to say of it.

    Attributes
    ----------
    id, file_name
        Of the image; its file without a folder.
    mask
        bool (h, w).
    name, number, colour
        Class of its objects, its number from 1, and its RGB.
    origin
        What the objects' ids are made of, with their place.
    um_per_px
        Height and width of a pixel in µm, where known.
    labels
        Of several structures the number of each pixel's, uint8 (h, w); None where it is one.
    colours
        The RGB of each of these numbers.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        id: str = "image",
        file_name: str = "",
        *,
        name: str = "object",
        number: int = 1,
        colour: Sequence[int] = (0, 213, 203),
        origin: str = "",
        um_per_px: tuple[float, float] | None = None,
        labels: NDArray[np.uint8] | None = None,
        colours: Mapping[int, Sequence[int]] | None = None,
        parts: Sequence[MaskedImage] = (),
    ) -> None:
        self._parts = tuple(parts)
        self.labels = labels
        self.colours = {number: colour} if colours is None else dict(colours)
        self.mask, self.id, self.file_name, self.name = mask, id, file_name or id, name
        self.number = number
        self.colour, self.origin, self.um_per_px = colour, origin, um_per_px

    @property
    def parts(self) -> tuple[MaskedImage, ...]:
        """The mask of each of several structures, of which `mask` holds all; else itself."""
        return self._parts or (self,)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.mask.shape[0], self.mask.shape[1]

    def witness(self) -> Callable[[AnnotatedImage], bool]:
        """Return what tells whether an image that was read holds this mask: a bit a pixel."""
        size, packed = self.size, np.packbits(self.mask)[None]
        return lambda found: same_pixels(np.packbits(found.mask(*size))[None], packed)

    @cached_property
    def objects(self) -> list[list[Polygon]]:
        """What is connected, each as its polygons."""
        return polygons_of(self.mask)

    @property
    def polygons(self) -> list[Polygon]:
        """Every polygon of every object, in order."""
        return [polygon for parts in self.objects for polygon in parts]


def images_of_labels(
    labels: NDArray[np.generic], names: Mapping[int, str] | None = None
) -> AnnotatedImage:
    """Return what a label image holds, (h, w): every value but 0 is an object.

    Parameters
    ----------
    labels
        Booleans or whole numbers.
    names
        Value → class; without it the objects have none.
    """
    size = labels.shape[0], labels.shape[1]
    parts = [_value_runs(labels, left, wide) for left, wide in rle.columns_together(*size)]
    values, starts, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    cuts = np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1
    objects = []
    for chosen in np.split(order, cuts) if len(order) else ():
        name = (names or {}).get(int(values[chosen[0]]), "")
        runs = np.stack((starts[chosen], lengths[chosen]), axis=1)
        objects.append(Annotation(name, (), runs, size))
    return AnnotatedImage("", size, tuple(objects))


def _value_runs(
    labels: NDArray[np.generic], left: int, wide: int
) -> tuple[NDArray[np.generic], NDArray[np.int64], NDArray[np.int64]]:
    """Return value, first pixel and length of the runs of a few columns, those of 0 left out."""
    down = np.ascontiguousarray(labels[:, left : left + wide].T).ravel()
    starts = np.append(0, np.flatnonzero(down[1:] != down[:-1]) + 1)
    lengths = np.diff(starts, append=down.size)
    inside = down[starts] != 0
    starts, lengths = starts[inside], lengths[inside]
    return down[starts], starts + left * labels.shape[0], lengths


def proven(
    path: Path | str,
    images: Iterable[MaskedImage],
    put: Callable[[Path, Iterable[MaskedImage]], object],
    read: Callable[[Path], Sequence[AnnotatedImage]],
) -> Path:
    """Write images, read them back and compare, and only then give the file its name.

    Parameters
    ----------
    path
        File to write; one that exists is replaced as a whole.
    images
        In the file's order.
    put, read
        What writes a file and what reads it.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    OSError
        When the file cannot be written, or reads back different.
    """
    path = Path(path).absolute()
    with writing(path) as part:
        put_and_compare(part, path, images, put, read)
    return path


def put_and_compare(
    part: Path,
    path: Path,
    images: Iterable[MaskedImage],
    put: Callable[[Path, Iterable[MaskedImage]], object],
    read: Callable[[Path], Sequence[AnnotatedImage]],
) -> None:
    """Write images to `part`, and compare what is read of it; `path` is named where they differ.

    Raises
    ------
    OSError
        When they do.
    """
    taken: list[Callable[[AnnotatedImage], bool]] = []

    def passing() -> Iterator[MaskedImage]:
        for image in images:
            taken.append(image.witness())
            yield image

    with uncollected():
        put(part, passing())
        found = read(part)
        check_same(len(found) == len(taken), path)
        for one, is_same in zip(found, taken, strict=True):
            check_same(is_same(one), path)
