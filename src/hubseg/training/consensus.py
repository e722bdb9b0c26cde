"""Labels that agree: what all outlines say that show a tissue, for networks to learn from.

Tiles cut from one section overlap, and what two of them show was outlined twice, not always alike.
Responsible for the label of a slide as the mean or STAPLE's probability
(:mod:`hubseg.training.staple`) of all outlines that show it. It knows only the labels that it is
given: those that train a fold, never one that judges it. Changes nothing that a network is
measured against.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from hubseg.formats.rle import decode
from hubseg.slide.placement import offset_between, place
from hubseg.training.label import nobody
from hubseg.training.staple import Decisions, Performance, estimate, probability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hubseg.organ import StructureName
    from hubseg.slide.placement import Offset, Placed
    from hubseg.training.label import Label, Watch

__all__ = ["Agreed", "Agreement", "Consensus", "Outline"]

PLACING = "looking where slides lie on each other"
MOST = 16  # outlines that are asked about one pixel: its slide's own first, then in order of ids
KEPT = 32  # masks that are kept decoded while a set is gone through

Method = Literal["mean", "staple"]


@dataclass(frozen=True, slots=True)
class Outline:
    """Somebody's outlines of a structure, and where their slide lies.

    Attributes
    ----------
    truth
        Run-length text.
    shape
        Height and width of its slide, px.
    at
        Row and column of its first pixel, px of whatever it is put onto.
    rater
        Whose it is, as a number of :class:`hubseg.training.staple.Performance`.
    """

    truth: str
    shape: tuple[int, int]
    at: tuple[int, int]
    rater: int

    def shown_on(self, other: Outline) -> bool:
        """Tell whether some pixel is on both."""
        return all(
            a < b + long and b < a + own
            for a, b, own, long in zip(self.at, other.at, self.shape, other.shape, strict=True)
        )


@dataclass(frozen=True, eq=False, slots=True)
class Agreed:
    """What outlines say together of one slide.

    Attributes
    ----------
    outlines
        The slide's own first, at (0, 0).
    performance
        How good each of them is, for STAPLE; None is their mean.
    """

    outlines: tuple[Outline, ...]
    performance: Performance | None = None

    def __call__(self) -> NDArray[np.uint8]:
        """Return the label, uint8 (H, W), 0-255; a pixel that no other slide shows is its own."""
        own = self.outlines[0]
        made = np.empty(own.shape, np.uint8)
        for (rows, columns), seen, code in _patterns(self.outlines, own.shape):
            made[rows, columns] = self._values([one.rater for one in seen])[code]
        return made

    def _values(self, raters: Sequence[int]) -> NDArray[np.uint8]:
        """Return the label of every pattern of answers, 0-255; bit i is what the i-th says."""
        codes = np.arange(2 ** len(raters))
        inside = codes >> np.arange(len(raters))[:, None] & 1 > 0
        if self.performance is None or len(raters) == 1:
            share = inside.mean(axis=0)
        else:
            share = probability(self.performance, np.array(raters), inside)
        return np.asarray(np.rint(share * 255.0), np.uint8)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What became of the labels of one training.

    Attributes
    ----------
    method
        mean or staple.
    slides, sets
        How many slides share tissue with others that train, and how many sets they form.
    contradicting
        Pairs that were left out: surer ones say that they lie elsewhere.
    performance
        STAPLE's of each set and structure: slide → sensitivity and specificity, 0-1.
    """

    method: Method
    slides: int = 0
    sets: int = 0
    contradicting: tuple[tuple[str, str], ...] = ()
    performance: Sequence[Mapping[str, tuple[float, float]]] = field(default_factory=tuple)

    def sentence(self) -> str:
        """Return what a person is to know, or ""."""
        if not self.slides:
            return (
                "No two slides that train show the same tissue: there is nothing to agree about, "
                "and every slide keeps its own outlines."
            )
        if not self.contradicting:
            return ""
        return (
            f"{len(self.contradicting)} pairs of slides, such as "
            f"{' and '.join(self.contradicting[0])}, seem to lie elsewhere on each other than the "
            "slides around them say: they were not used to place slides."
        )

    def facts(self) -> dict[str, str]:
        """Return what a checkpoint says of the labels that it was trained on."""
        return {"method": self.method, "slides": str(self.slides), "sets": str(self.sets)}


class Consensus:
    """Puts labels of overlapping slides together; where slides lie is looked up once.

    Parameters
    ----------
    pairs
        Ids of slides that may show the same tissue; the first is the smaller one.
    watch
        Told how many pairs have been looked at.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], watch: Watch = nobody) -> None:
        self._pairs, self._watch = sorted(set(pairs)), watch
        self._offsets: dict[tuple[str, str], Offset | None] = {}

    def of(self, labels: Sequence[Label], method: Method) -> tuple[list[Label], Agreement]:
        """Return labels with what all of these say together, and what became of them.

        A label that a model made neither takes part nor changes, and a slide whose structure
        nobody marked says nothing of it. Slides of different organs or sources share no tissue.

        Raises
        ------
        ValueError, OSError
            When a slide cannot be read.
        """
        own = {label.slide.id: label for label in labels}
        sets, contradicting = place(self._offsets_of(own))
        agreed: dict[tuple[str, StructureName | None], Agreed] = {}
        performance = []
        for one in sets:
            for name in sorted({s for n in one.at for s in _names(own[n])}, key=str):
                outlines = _outlines(one, own, name)
                good = None
                if method == "staple":
                    good = estimate(decisions(list(outlines.values())))
                    performance.append(_told(outlines, good))
                agreed |= {(slide, name): _on(slide, outlines, good) for slide in outlines}
        made = Agreement(
            method,
            slides=sum(len(one.at) for one in sets),
            sets=len(sets),
            contradicting=tuple((o.first, o.second) for o in contradicting),
            performance=performance,
        )
        return [_with(label, agreed) for label in labels], made

    def _offsets_of(self, own: Mapping[str, Label]) -> list[Offset]:
        pairs = [pair for pair in self._pairs if _comparable(own, *pair)]
        for number, (a, b) in enumerate(pairs):
            self._watch(PLACING, number, len(pairs))
            if (a, b) not in self._offsets:
                self._offsets[a, b] = offset_between(own[a].slide, own[b].slide)
        self._watch(PLACING, len(pairs), len(pairs))
        found = (self._offsets[pair] for pair in pairs)
        return [one for one in found if one is not None]


def _comparable(own: Mapping[str, Label], a: str, b: str) -> bool:
    if a not in own or b not in own or not (own[a].by_person and own[b].by_person):
        return False
    one, two = own[a].slide, own[b].slide
    return (one.organ, one.source) == (two.organ, two.source)


def _names(label: Label) -> list[StructureName | None]:
    return [one.structure for one in (label, *label.others) if one.by_person]


def _outlines(
    one: Placed, own: Mapping[str, Label], name: StructureName | None
) -> dict[str, Outline]:
    """Return the outlines of a structure in a set of slides, by slide."""
    found: dict[str, Outline] = {}
    for slide, at in one.at.items():
        label = own[slide].of(name)
        if label is not None and label.by_person:
            shape = label.slide.height, label.slide.width
            found[slide] = Outline(label.truth, shape, at, len(found))
    return found


def _on(slide: str, outlines: Mapping[str, Outline], good: Performance | None) -> Agreed:
    """Return what all say of one slide, with places on it."""
    own = outlines[slide]
    beside = [one for name, one in outlines.items() if name != slide and one.shown_on(own)]
    moved = (
        replace(one, at=(one.at[0] - own.at[0], one.at[1] - own.at[1])) for one in (own, *beside)
    )
    return Agreed(tuple(moved), good)


def _told(outlines: Mapping[str, Outline], good: Performance) -> dict[str, tuple[float, float]]:
    return {
        slide: (float(good.sensitivity[one.rater]), float(good.specificity[one.rater]))
        for slide, one in outlines.items()
    }


def _with(label: Label, agreed: Mapping[tuple[str, StructureName | None], Agreed]) -> Label:
    others = tuple(_with(one, agreed) for one in label.others)
    found = agreed.get((label.slide.id, label.structure)) if label.by_person else None
    return replace(label, others=others, agreed=found)


def decisions(outlines: Sequence[Outline]) -> Decisions:
    """Count what outlines say of the pixels that two of them and more show."""
    shape = tuple(max(o.at[axis] + o.shape[axis] for o in outlines) for axis in (0, 1))
    counts: list[NDArray[np.float64]] = []
    asked: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]] = []
    patterns = 0
    for _, seen, code in _patterns(outlines, (shape[0], shape[1]), least=2):
        found = np.bincount(code.ravel())
        codes = np.flatnonzero(found)
        counts.append(found[codes].astype(np.float64))
        number = np.arange(patterns, patterns + len(codes))
        for bit, one in enumerate(seen):
            asked.append((number, np.full(len(codes), one.rater), codes >> bit & 1 > 0))
        patterns += len(codes)
    if not asked:
        nothing = np.zeros(0, np.int64)
        return Decisions(np.zeros(0), nothing, nothing, np.zeros(0, bool), len(outlines))
    pattern, rater, inside = (np.concatenate(column) for column in zip(*asked, strict=True))
    return Decisions(np.concatenate(counts), pattern, rater, inside, len(outlines))


def _patterns(
    outlines: Sequence[Outline], shape: tuple[int, int], least: int = 1
) -> Iterator[tuple[tuple[slice, slice], list[Outline], NDArray[np.int32]]]:
    """Yield rectangles that the same outlines show, these, and what they say of each pixel there.

    Bit i of a pixel's pattern, int32 (h, w), is what the i-th of them says. Rectangles that fewer
    than `least` show are left out.
    """
    mask: Callable[[int], NDArray[np.bool_]] = lru_cache(KEPT)(
        lambda number: decode(outlines[number].truth, outlines[number].shape)
    )
    rows, columns = (_cuts(outlines, shape[axis], axis) for axis in (0, 1))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            seen = [n for n, one in enumerate(outlines) if _covers(one, top, left)][:MOST]
            if len(seen) < least:
                continue
            code = np.zeros((bottom - top, right - left), np.int32)
            for bit, number in enumerate(seen):
                y, x = outlines[number].at
                own = mask(number)[top - y : bottom - y, left - x : right - x]
                code |= own.astype(np.int32) << bit
            yield (slice(top, bottom), slice(left, right)), [outlines[n] for n in seen], code


def _cuts(outlines: Iterable[Outline], length: int, axis: int) -> list[int]:
    """Return where the set of outlines that show a row or column may change, in order."""
    ends = {end for o in outlines for end in (o.at[axis], o.at[axis] + o.shape[axis])}
    return sorted({0, length, *(end for end in ends if 0 < end < length)})


def _covers(one: Outline, row: int, column: int) -> bool:
    (top, left), (height, width) = one.at, one.shape
    return top <= row < top + height and left <= column < left + width
