"""Do corrections make the next tile better: a scripted reviewer, with Teach and without.

    python benchmarks/teach.py [--shift none] [--orders 3] [--gestures] [--folds-of 0]

Each fold's held-out tiles are a queue for that fold's network alone, which never saw them. The
network looks once (no turned views). Before each tile's own first gesture the Dice of its mask is
noted, by the map as it is and by the taught one; then the tile is corrected and accepted, and what
was taught is fitted anew. Without `--gestures` a tile is corrected to its truth at once; with it,
the scripted reviewer of reviewer.py repairs it to Dice 0.95, once on the map as it is and once on
the taught one, and gestures and modelled minutes are counted. `--shift` shows the tiles in another
stain: Macenko or Reinhard to an H&E slide, or a turn of the hue. `--strength` fits with that prior
whatever slides that are held back say.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from _hand import Effort, Reviewer
from _out_of_fold import options
from _unseen import shifts, unseen_tiles

from hubseg.cleanup import Cleanup
from hubseg.edits.gesture import ADD, ERASE
from hubseg.probability import Taught, TaughtHead, mix
from hubseg.probability.marks import marks
from hubseg.probability.stain_choice import BothStains, gain_of, is_better, lessons_in
from hubseg.probability.teaching import choose, fit, lesson, unchanged
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from _unseen import UnseenTile
    from numpy.typing import NDArray

AIM = 0.95
PLACE = (0, 0, 0)


@dataclass(frozen=True)
class Seen:
    """What came of one tile of a queue.

    Attributes
    ----------
    own, taught
        Dice before its first gesture, by the map as it is and by the taught one.
    gestures, minutes
        On the map as it is and on the taught one; 0 where nobody repaired it.
    taught_with
        Strength of the prior that the heads before it were fitted with; None: they were not.
    aligned
        Whether it was shown in the stains that the network knows.
    """

    fold: int
    order: int
    number: int
    id: str
    own: float
    taught: float
    gestures: tuple[int, int] = (0, 0)
    minutes: tuple[float, float] = (0.0, 0.0)
    taught_with: float | None = None
    aligned: bool = False


class Queue:
    """One order of one fold's tiles, corrected one after another.

    Parameters
    ----------
    strength
        Of the prior; None: what slides that are held back say.
    gestures
        Whether the scripted reviewer repairs each tile.
    """

    def __init__(self, recipe: Recipe, strength: float | None, *, gestures: bool) -> None:
        self._recipe, self._strength, self._gestures = recipe, strength, gestures
        self._lessons: list[BothStains] = []
        self._head: TaughtHead | None = None
        self._with: float | None = None
        self._aligned = False

    def work(self, tile: UnseenTile, order: int, number: int) -> Seen:
        """Look at the next tile, correct it, and learn from it."""
        own = self._reviewer(tile, None)
        taught = self._reviewer(tile, self._head)
        dice = own.effort.start, taught.effort.start
        efforts: tuple[Effort, Effort] | None = None
        if self._gestures:
            efforts = (own.repair(AIM), taught.repair(AIM))
        seen = Seen(
            *(tile.fold, order, number, tile.slide.id, *dice),
            gestures=(0, 0) if efforts is None else (efforts[0].gestures, efforts[1].gestures),
            minutes=(0.0, 0.0) if efforts is None else (efforts[0].minutes, efforts[1].minutes),
            taught_with=self._with,
            aligned=self._aligned,
        )
        self._learn(tile, taught)
        return seen

    def starts(self, tile: UnseenTile) -> tuple[float, float]:
        """Return the Dice of a tile before its first gesture, as it is and taught."""
        both = self._reviewer(tile, None), self._reviewer(tile, self._head)
        return both[0].effort.start, both[1].effort.start

    def _reviewer(self, tile: UnseenTile, head: TaughtHead | None) -> Reviewer:
        recipe, slide, made = self._recipe, tile.slide, tile.map
        if head is not None:
            made = Taught({PLACE: head}).of(PLACE, made, tile.features)
        member = recipe.members([tile.fold])[0]
        shape = slide.height, slide.width
        values = mix(recipe, [(member, made)], shape=shape, slide_digest="").values
        cleanup = Cleanup() if slide.organ is None else recipe.cleanup.get(slide.organ, Cleanup())
        return Reviewer(
            *(tile.truth, values, recipe.thresholds.value(slide.organ, slide.source)),
            cleanup=cleanup.in_px(slide.um_per_px),
            tools=True,
            longest=300,
            curved=True,
            tremor=3,
        )

    def _learn(self, tile: UnseenTile, reviewer: Reviewer) -> None:
        override = reviewer.edits.override()
        mask: NDArray[np.bool_] = reviewer.mask if self._gestures else tile.truth
        drawn = {"added": override == ADD, "erased": override == ERASE}
        said = marks(tile.features.shape, mask=mask, **drawn)
        own, other = lesson(tile.features, said), tile.features.aligned
        shown = None if other is None else lesson(other, said, of=tile.features)
        self._lessons.append(BothStains(own, shown))
        gains = [gain for one in self._lessons if (gain := gain_of([one])) is not None]
        self._aligned = is_better(gains)
        taken = lessons_in(self._lessons, aligned=self._aligned)
        self._with = choose(taken) if self._strength is None else self._strength
        self._head = None if self._with is None else fit(taken, strength=self._with)
        if self._head is None and self._aligned:
            self._head = unchanged(taken)


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    from pathlib import Path

    parser = options(__doc__ or "")
    parser.add_argument(
        "--shift", default="none", help="none, hue +0.08, hue -0.08, macenko or reinhard"
    )
    parser.add_argument("--orders", type=int, default=3, help="of each queue")
    parser.add_argument("--folds-of", default="01234", help="which folds' queues")
    parser.add_argument("--most", type=int, default=20, help="tiles of a queue")
    parser.add_argument("--strength", type=float, help="of the prior; default: held-back slides")
    parser.add_argument("--gestures", action="store_true", help="repair each tile, twice")
    parser.add_argument("--json", type=Path, help="where every tile's figures are written")
    return parser.parse_args()


def work(given: argparse.Namespace) -> list[Seen]:
    """Work through every queue in every order; what is finished is written at once."""
    if given.shift not in shifts(given.data):
        raise SystemExit(f"No shift {given.shift!r} here: {', '.join(shifts(given.data))}.")
    recipe, found = Recipe.load(given.recipe), list[Seen]()
    tiles = [tile for tile in unseen_tiles(given, given.shift) if str(tile.fold) in given.folds_of]
    for order in range(given.orders):
        for fold in sorted({tile.fold for tile in tiles}):
            own = [tile for tile in tiles if tile.fold == fold]
            np.random.default_rng(order).shuffle(own)  # type: ignore[arg-type]
            queue = Queue(recipe, given.strength, gestures=given.gestures)
            for number, tile in enumerate(own[: given.most]):
                found.append(queue.work(tile, order, number))
                _write(given.json, found)
    return found


def _write(path: Path | None, found: list[Seen]) -> None:
    if path is not None:
        path.write_text(json.dumps([asdict(one) for one in found], indent=1))


def report(found: list[Seen], most: int) -> None:
    """Print Dice before the first gesture, and gestures, for parts of the queue."""
    parts = {"all tiles": 0, "from the sixth": 5, "second half": most // 2}
    for name, first in parts.items():
        part = [one for one in found if one.number >= first]
        if not part:
            continue
        gain = np.array([one.taught - one.own for one in part])
        low, high = _interval(gain)
        print(
            f"{name:15s} n {len(part):4d}  Dice before the first gesture: as it is "
            f"{np.mean([one.own for one in part]):.4f}, taught "
            f"{np.mean([one.taught for one in part]):.4f}  ({gain.mean():+.4f}, 95 % {low:+.4f} to "
            f"{high:+.4f}); better {np.sum(gain > 0.001)}, worse {np.sum(gain < -0.001)}"
        )
        if any(sum(one.gestures) for one in part):
            for what in ("gestures", "minutes"):
                sums = [sum(getattr(one, what)[i] for one in part) for i in (0, 1)]
                print(f"{'':15s} {what}: as it is {sums[0]:.1f}, taught {sums[1]:.1f}")
    used = [one.taught_with for one in found]
    kinds = sorted({one for one in used if one is not None})
    said = ", ".join(f"{one:g} on {used.count(one)}" for one in kinds)
    shown = sum(one.aligned for one in found)
    print(f"strength of the prior: {said or 'none'}; not taught on {used.count(None)}")
    print(f"shown in the stains that the network knows: {shown} of {len(found)}")


def _interval(gain: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean."""
    random = np.random.default_rng(0)
    means = random.choice(gain, (2000, gain.size)).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Measure."""
    given = arguments()
    repaired = "repaired to 0.95" if given.gestures else "corrected to its truth"
    print(f"shift {given.shift}; each tile {repaired}")
    report(work(given), given.most)


if __name__ == "__main__":
    main()
