"""A plain model of a person with a mouse: what one gesture can do, and how far the pointer goes.

A brush stroke is one pass of a disc along a curved path of limited length; so is a line that
redraws a part of an outline. The hand that follows either is off by a few px. A click is one
gesture, a hold-and-drag is one gesture. The truth is read only to choose where to act and how far
to drag, as a person does who looks at the tissue and at the preview.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hubseg import tools
from hubseg.edits.override import Edits

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubseg.cleanup import Cleanup
    from hubseg.tools import Change

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Path = list[tuple[float, float]]

SIZES = (10, 20, 40)  # px: what napari's own brush slider offers, which ends at 40
COARSE = 4  # strokes are planned on every fourth px, and painted on all
TURNS = np.linspace(-np.pi / 3, np.pi / 3, 7)  # how sharply a moving hand turns in one step
ANGLES = np.linspace(0, np.pi, 13)[:-1]
ANGLES_ALL = np.linspace(0, 2 * np.pi, 17)[:-1]
DRAGS = (-96, -64, -40, -24, -12, 12, 24, 40, 64, 96)  # levels a drag moves a boundary by
TOLERANCES = (8, 16, 24, 32, 48, 64, 96)
GROWTH = (-12, -8, -4, 4, 8, 12)  # px


_DECIDES, _POINTS, _PRESSES, _TYPES = 1.35, 1.1, 0.2, 0.28  # s
_DRAWS = 0.16 / 38  # s a px


@dataclass
class Proposal:
    """One gesture that could be made."""

    kind: str
    change: Change | None  # None: the threshold moves
    path: Path
    gain: float = 0.0
    threshold: float = 0.0
    drawn: Callable[[Path], Change | None] | None = None  # what another path would do


@dataclass
class Effort:
    """What a repair took."""

    gestures: int = 0
    travel: float = 0.0
    switches: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    steps: list[tuple[str, float]] = field(default_factory=list)  # what was done, Dice after it
    _last: tuple[float, float] | None = None
    _tool: str = ""

    @property
    def minutes(self) -> float:
        """Modelled time of a person, minutes: the keystroke-level model.

        S. K. Card, T. P. Moran and A. Newell, Communications of the ACM 23(7), 1980: for each
        gesture a decision (M, 1.35 s), pointing (P, 1.1 s), pressing and letting go (2 B, 0.2 s),
        and drawing (0.16 s a cm, at 38 px a cm of a screen that shows a px of the slide as one);
        for each change of tool a decision and a key (K, 0.28 s). No time for looking around.
        """
        seconds = self.gestures * (_DECIDES + _POINTS + _PRESSES) + self.travel * _DRAWS
        return (seconds + self.switches * (_DECIDES + _TYPES)) / 60

    def add(self, proposal: Proposal) -> None:
        """Count a gesture: the way to it, and the way within it."""
        points = [*([self._last] if self._last else []), *proposal.path]
        self.travel += sum(math.dist(a, b) for a, b in itertools.pairwise(points))
        self.gestures += 1
        self.switches += proposal.kind != self._tool
        self.kinds[proposal.kind] = self.kinds.get(proposal.kind, 0) + 1
        self._last, self._tool = proposal.path[-1], proposal.kind


class Reviewer:
    """Repairs one mask until it is good enough, with the tools it is given."""

    def __init__(
        self,
        truth: Mask,
        values: np.ndarray | None,
        threshold: float,
        *,
        cleanup: Cleanup,
        tools: bool,
        longest: float,
        curved: bool = False,
        tremor: float = 0.0,
    ) -> None:
        self.truth = truth
        self.values = values
        self.threshold = threshold
        self.cleanup = cleanup
        self.edits = Edits(truth.shape)
        self._tools = tools and values is not None
        self._longest, self._curved, self._tremor = longest, curved, tremor
        self._hand = np.random.default_rng(0)
        self._true = int(truth.sum())
        self.effort = Effort(start=self.dice(), end=self.dice())

    @property
    def mask(self) -> Mask:
        """What is on screen."""
        return self._mask_at(self.threshold)

    def _mask_at(self, threshold: float) -> Mask:
        if self.values is None:
            return self.edits.resolve(np.zeros(self.truth.shape, np.bool_))
        return self.edits.resolve(self.cleanup.apply(self.values > threshold))

    def dice(self, mask: Mask | None = None) -> float:
        """Dice of a mask against the truth."""
        mask = self.mask if mask is None else mask
        both = np.count_nonzero(mask & self.truth)
        total = np.count_nonzero(mask) + self._true
        return 2 * both / total if total else 1.0

    def repair(self, aim: float, most: int = 200) -> Effort:
        """Make the gesture that helps most, again and again."""
        while self.effort.end < aim and self.effort.gestures < most:
            best = max(self._proposals(), key=lambda p: p.gain, default=None)
            if best is None or best.gain <= 0:
                break
            change = best.change
            if best.drawn is not None and self._tremor:
                change = best.drawn(self._shaken(best.path))
            if best.change is None:
                self.threshold = best.threshold
            elif change is not None:
                self.edits.put(change.values, top=change.top, left=change.left, kind=best.kind)
            self.effort.add(best)
            self.effort.end = self.dice()
            self.effort.steps.append((best.kind, self.effort.end))
        return self.effort

    def _shaken(self, path: Path) -> Path:
        """Return a path as a hand follows it: off by some px, differently every 20 px."""
        points = np.asarray(path, float)
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        at = np.linspace(0, along[-1], max(2, round(along[-1] / 20) + 1))
        smooth = np.stack([np.interp(at, along, points[:, i]) for i in (0, 1)], axis=1)
        shaken = smooth + self._hand.normal(0, self._tremor, smooth.shape)
        return [(float(y), float(x)) for y, x in shaken]

    def _proposals(self) -> list[Proposal]:
        mask = self.mask
        self._both = int(np.count_nonzero(mask & self.truth))
        self._area = int(np.count_nonzero(mask))
        found = [*self._strokes(mask, add=True), *self._strokes(mask, add=False)]
        if self._tools:
            found += [*self._on_objects(mask), *self._wands(mask), *self._thresholds()]
            found += self._outlines(mask) if self._curved else []
        return found

    def _worth(
        self,
        kind: str,
        mask: Mask,
        change: Change | None,
        path: Path,
        drawn: Callable[[Path], Change | None] | None = None,
    ) -> list[Proposal]:
        """Return a proposal with what it would add to Dice."""
        if change is None:
            return []
        top, left, height, width = change.window
        cut = slice(top, top + height), slice(left, left + width)
        before, truth = mask[cut], self.truth[cut]
        after = (before | (change.values == 1)) & (change.values != 2)
        both = self._both + np.count_nonzero(after & truth) - np.count_nonzero(before & truth)
        area = self._area + np.count_nonzero(after) - np.count_nonzero(before)
        now = 2 * self._both / max(self._area + self._true, 1)
        return [
            Proposal(kind, change, path, 2 * both / max(area + self._true, 1) - now, 0.0, drawn)
        ]

    # ---- brush and eraser ----------------------------------------------------------------------

    def _strokes(self, mask: Mask, *, add: bool) -> list[Proposal]:
        wanted = (self.truth & ~mask) if add else (mask & ~self.truth)
        harmed = ~(self.truth | mask) if add else (mask & self.truth)
        score = _reduced(wanted.astype(np.float32) - harmed.astype(np.float32))
        found = []
        for size in SIZES:
            path = self._path(score.copy(), size / COARSE)
            if path:
                draw = partial(tools.painted, diameter=size, shape=self.truth.shape, add=add)
                kind = "brush" if add else "eraser"
                found += self._worth(kind, mask, draw(path), path, draw)
        return found

    def _path(self, score: np.ndarray, size: float) -> Path:
        """Return the best path of a disc over what is worth painting, px of the slide."""
        disc, gain = _disc(size), cv2.filter2D(score, -1, _disc(size), borderType=0)
        at = np.array(np.unravel_index(int(gain.argmax()), gain.shape), float)
        if gain.max() <= 0:
            return []
        if self._curved:
            path = self._sweep(score, [at], None, disc, self._longest / COARSE)
        else:
            lines = [self._line(score.copy(), at, angle, disc) for angle in ANGLES]
            path = max(lines, key=lambda line: line[0])[1]
        return [(COARSE * (y + 0.5), COARSE * (x + 0.5)) for y, x in path]

    def _line(
        self, score: np.ndarray, at: np.ndarray, angle: float, disc: np.ndarray
    ) -> tuple[float, list[np.ndarray]]:
        """Return what a straight stroke through a place gains, and its two ends."""
        before, longest = float(score.sum()), self._longest / COARSE
        there = self._sweep(score, [at], angle, disc, longest)
        left = longest - math.dist(there[0], there[-1])
        back = self._sweep(score, [at], angle + np.pi, disc, left)
        return before - float(score.sum()), [there[-1], back[-1]]

    def _sweep(
        self,
        score: np.ndarray,
        path: list[np.ndarray],
        heading: float | None,
        disc: np.ndarray,
        left: float,
    ) -> list[np.ndarray]:
        """Move a disc on while that gains; what it went over is taken from `score`."""
        size = float(disc.shape[0])
        step = max(size / 2, 1.5)
        turns = TURNS if self._curved else np.zeros(1)
        _take(score, path[-1], disc)
        while left >= step:
            ways = ANGLES_ALL if heading is None else turns + heading
            ends = [path[-1] + step * np.array([np.sin(a), np.cos(a)]) for a in ways]
            gains = [_sum(score, end, disc) for end in ends]
            best = int(np.argmax(gains))
            if gains[best] <= 0.05 * step * size:
                break
            heading = float(ways[best])
            path.append(ends[best])
            _take(score, ends[best], disc)
            left -= step
        return path

    # ---- our tools -----------------------------------------------------------------------------

    def _on_objects(self, mask: Mask) -> list[Proposal]:
        found = []
        labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
        wrong = np.bincount(labels[self.truth != mask], minlength=labels.max() + 1)
        near = cv2.dilate(labels.astype(np.float32), np.ones((25, 25), np.uint8)).astype(int)
        wrong += np.bincount(near[self.truth & ~mask], minlength=len(wrong))
        for label in np.argsort(wrong)[::-1][:8]:
            if label == 0 or wrong[label] == 0:
                continue
            y, x = _middle(labels == label)
            click = [(float(y), float(x))]
            offers: list[tuple[str, Change | None, float]] = [
                ("drop", tools.drop(mask, y, x), 0),
                ("fill holes", tools.fill_holes(mask, y, x), 0),
                ("smooth", tools.smooth(mask, y, x, 6), 0),
            ]
            offers += [("grow", tools.grow(mask, y, x, by), 4 * by) for by in GROWTH]
            for drag in DRAGS:
                level = float(np.clip(self.threshold + drag, 1, 254))
                moved = tools.local_threshold(mask, self.values, y, x, level)
                offers.append(("local threshold", moved, drag))
            for kind, change, drag in offers:
                path = [*click, *([(float(y - drag), float(x))] if drag else [])]
                found += self._worth(kind, mask, change, path)
        return found

    def _outlines(self, mask: Mask) -> list[Proposal]:
        """Redraw a part of an outline, no longer than the longest stroke."""
        found = []
        edge = (self.truth != mask).astype(np.uint8)
        outlines, _ = cv2.findContours(
            self.truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        draw = partial(tools.redraw, mask)
        for outline in outlines:
            ring = outline[:, 0, ::-1].astype(float)
            if len(ring) < 40 or not edge[tuple(ring.astype(int).T)].any():
                continue
            step = max(1, round(self._longest / 5))
            for start in range(0, len(ring), step):
                arc = np.roll(ring, -start, axis=0)[: round(self._longest)]
                lengths = np.cumsum(np.hypot(*np.diff(arc, axis=0).T))
                arc = arc[: int(np.searchsorted(lengths, self._longest)) + 1][::12]
                path = [(float(y), float(x)) for y, x in arc]
                found += self._worth("redraw outline", mask, draw(path), path, draw)
        return found

    def _wands(self, mask: Mask) -> list[Proposal]:
        found = []
        for add, errors in ((True, self.truth & ~mask), (False, mask & ~self.truth)):
            _, labels, stats, _ = cv2.connectedComponentsWithStats(errors.astype(np.uint8))
            for label in np.argsort(stats[1:, cv2.CC_STAT_AREA])[::-1][:3] + 1:
                y, x = _middle(labels == label)
                hill = tools.hill_at(mask, self.values, y, x) if add else None
                for by in TOLERANCES:
                    if add:
                        change = None if hill is None else hill.change(by - TOLERANCES[-1] / 2)
                    else:
                        change = tools.wand_erasing(mask, self.values, y, x, by)
                    path = [(float(y), float(x)), (float(y - by), float(x))]
                    found += self._worth("wand", mask, change, path)
        return found

    def _thresholds(self) -> list[Proposal]:
        """Move the slider of this slide; the pointer goes to the dock, beside the slide."""
        found = []
        now = self.dice()
        for drag in DRAGS:
            threshold = float(np.clip(self.threshold + drag, 1, 254))
            gain = self.dice(self._mask_at(threshold)) - now
            beside = (self.truth.shape[0] / 2, float(self.truth.shape[1]))
            path = [beside, (beside[0], beside[1] + abs(drag))]
            found.append(Proposal("slide threshold", None, path, gain, threshold))
        return found


def _reduced(score: np.ndarray) -> np.ndarray:
    height, width = score.shape
    size = (math.ceil(width / COARSE), math.ceil(height / COARSE))
    return cv2.resize(score, size, interpolation=cv2.INTER_AREA)


def _disc(size: float) -> np.ndarray:
    radius = size / 2
    reach = max(1, math.ceil(radius))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return (np.hypot(y, x) <= radius).astype(np.float32)


def _under(score: np.ndarray, at: np.ndarray, disc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a score under a disc, and the part of the disc on the score."""
    reach = disc.shape[0] // 2
    y, x = (round(float(v)) for v in at)
    top, left = max(y - reach, 0), max(x - reach, 0)
    bottom, right = min(y + reach + 1, score.shape[0]), min(x + reach + 1, score.shape[1])
    if bottom <= top or right <= left:
        return score[:0, :0], disc[:0, :0]
    part = disc[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach]
    return score[top:bottom, left:right], part


def _sum(score: np.ndarray, at: np.ndarray, disc: np.ndarray) -> float:
    under, part = _under(score, at, disc)
    return float((under * part).sum())


def _take(score: np.ndarray, at: np.ndarray, disc: np.ndarray) -> None:
    under, part = _under(score, at, disc)
    under[part > 0] = 0


def _middle(inside: Mask) -> tuple[int, int]:
    """Return the px of a region that is farthest from its outline."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    padded = np.pad(inside[cut].astype(np.uint8), 1)
    away = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(away.argmax()), away.shape)
    return int(y) - 1 + int(rows[0]), int(x) - 1 + int(columns[0])
