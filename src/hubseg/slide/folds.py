"""Which slide validates which fold, and which train it: seeded.

Responsible for the assignment only: slides of one donor stay together, tissue that is validated is
never trained on in another crop, every organ and source is spread over the folds, and so is every
structure. Does not read pixels (:mod:`hubseg.slide.overlap` does) or write tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hubseg.slide import Slide

__all__ = ["Folds", "assign_folds", "continue_folds"]

Pair = tuple[str, str]
Stratum = tuple[str, ...]
"""Organ and source, or these and a structure that occurs in the slide."""


@dataclass(frozen=True)
class Folds:
    """A fair plan of who sees what.

    Attributes
    ----------
    of
        Slide id → the fold it validates, 0 to count - 1; slides that are held out have none.
    group
        Slide id → number of its group: one donor, or tissue that overlaps.
    held_out
        Ids that no fold sees.
    overlaps
        Pairs of ids that show the same tissue, or are of one donor.
    unjudged
        Ids that no fold can judge fairly: networks of several folds have seen their tissue.
    """

    of: Mapping[str, int]
    group: Mapping[str, int] = field(default_factory=dict)
    held_out: frozenset[str] = frozenset()
    overlaps: frozenset[Pair] = frozenset()
    unjudged: frozenset[str] = frozenset()

    @property
    def known(self) -> set[str]:
        """Ids that this plan is about."""
        return {*self.of, *self.held_out, *self.unjudged}

    def validation(self, fold: int) -> list[str]:
        """Return the ids that judge a fold."""
        return [name for name, own in self.of.items() if own == fold]

    def left_out(self, fold: int) -> set[str]:
        """Return the ids that must not train a fold: its own, the held out, and what overlaps."""
        judged = {*self.validation(fold), *self.held_out}
        beside = {
            b if a in judged else a for a, b in self.overlaps if (a in judged) != (b in judged)
        }
        return judged | beside

    def training(self, fold: int) -> list[str]:
        """Return the ids that train a fold."""
        never = self.left_out(fold)
        return [name for name in self.of if name not in never]


def assign_folds(
    slides: Sequence[Slide],
    count: int,
    *,
    seed: int = 0,
    donors: Mapping[str, str] | None = None,
    overlaps: Iterable[Pair] = (),
    hold_out: int = 0,
    occurring: Mapping[str, Collection[str]] | None = None,
) -> Folds:
    """Assign each slide the fold whose network never sees it.

    Every organ × source is spread evenly over the folds, whole groups at a time, and so is every
    structure of theirs, the rarest first; the order is random but fixed by `seed`. A group of
    overlapping tissue too large for one fold is cut into runs of neighbours (reverse Cuthill-McKee
    order, which keeps neighbours near); slides of other folds that overlap a run's slides then do
    not train the run's fold.

    Parameters
    ----------
    donors
        Slide id → whose tissue it is; a donor is never cut.
    overlaps
        Pairs of ids that show the same tissue; pairs with other ids are kept for
        :meth:`Folds.left_out`.
    hold_out
        About how many slides no fold may see: whole groups, as many as fit.
    occurring
        Slide id → structures that are marked in it; None where slides have one structure.

    Raises
    ------
    ValueError
        When there are fewer slides, or groups, than folds, or nothing could be held out.
    """
    strata = {slide.id: (str(slide.organ), str(slide.source)) for slide in slides}
    ids = sorted(strata)
    _check_enough(len(ids), count, hold_out)
    told = {name: donor for name, donor in (donors or {}).items() if donor}
    pairs = frozenset({(min(a, b), max(a, b)) for a, b in overlaps} | _same_donor(ids, told))
    groups = _components(ids, pairs)
    random = np.random.default_rng(seed)
    groups = [groups[i] for i in random.permutation(len(groups))]
    held = _hold_out(groups, strata, hold_out) if hold_out else []
    units = _units([g for g in groups if g not in held], count, told, pairs)
    if len(units) < count:
        raise ValueError(
            f"{count} folds need slides of at least {count} donors, and there are {len(units)}: "
            "ask for fewer folds or add slides of other donors."
        )
    return Folds(
        of=_deal(units, _Strata.of(strata, occurring), count),
        group={name: number for number, group in enumerate(sorted(groups)) for name in group},
        held_out=frozenset(name for kept in held for name in kept),
        overlaps=pairs,
    )


def continue_folds(
    before: Folds,
    slides: Sequence[Slide],
    count: int,
    *,
    donors: Mapping[str, str] | None = None,
    overlaps: Iterable[Pair] = (),
    occurring: Mapping[str, Collection[str]] | None = None,
) -> Folds:
    """Give slides folds for a training that goes on from networks of other folds.

    A slide that has a fold keeps it, or stays held out. A new slide that shows the tissue of such
    slides joins their fold, and none where they have several: no network could judge it fairly.
    Other new slides are dealt, whole groups at a time, where there are fewest.

    Parameters
    ----------
    before
        The folds of the networks that the training starts from.
    donors, overlaps, occurring
        As for :func:`assign_folds`.

    Raises
    ------
    ValueError
        When a slide is in a fold that there is not among `count`.
    """
    strata = {slide.id: (str(slide.organ), str(slide.source)) for slide in slides}
    told = {name: donor for name, donor in (donors or {}).items() if donor}
    ids = sorted(strata)
    new = {(min(a, b), max(a, b)) for a, b in overlaps} | _same_donor(ids, told)
    pairs = before.overlaps | new
    of = {name: before.of[name] for name in ids if name in before.of}
    if (most := max(of.values(), default=-1) + 1) > count:
        raise ValueError(
            f"The networks to start from have seen these slides in {most} folds, and you "
            f"ask for {count}: give as many folds, or start from random weights."
        )
    joined = {name: _joins(name, before, pairs) for name in ids if name not in before.known}
    of |= {name: place for name, place in joined.items() if not isinstance(place, str)}
    free = [name for name, place in joined.items() if place == "free"]
    groups = _components(ids, pairs)
    return Folds(
        of={**of, **_deal(_components(free, pairs), _Strata.of(strata, occurring), count, of)},
        group={name: number for number, group in enumerate(sorted(groups)) for name in group},
        held_out=(before.held_out & strata.keys()) | _placed(joined, "held out"),
        overlaps=pairs,
        unjudged=(before.unjudged & strata.keys()) | _placed(joined, "unjudged"),
    )


def _joins(name: str, before: Folds, pairs: Iterable[Pair]) -> int | str:
    """Return the fold that a new slide must join, "unjudged", "held out", or "free"."""
    beside = {b if a == name else a for a, b in pairs if name in (a, b)} & before.known
    seen_by = {before.of[other] for other in beside if other in before.of}
    if len(seen_by) > 1 or beside & before.unjudged:
        return "unjudged"
    if seen_by:
        return seen_by.pop()
    return "held out" if beside else "free"


def _placed(joined: Mapping[str, int | str], place: str) -> frozenset[str]:
    return frozenset(name for name, one in joined.items() if one == place)


def _check_enough(slides: int, count: int, hold_out: int) -> None:
    if slides - hold_out < count:
        besides = f" besides {hold_out} held out" if hold_out else ""
        raise ValueError(
            f"{count} folds need at least {count} labelled slides{besides}, and there are "
            f"{slides}: label more or ask for fewer folds."
        )


def _same_donor(ids: Sequence[str], donors: Mapping[str, str]) -> set[Pair]:
    """Return all pairs of slides that have one donor."""
    slides: dict[str, list[str]] = {}
    for name in ids:
        if name in donors:
            slides.setdefault(donors[name], []).append(name)
    return {(a, b) for own in slides.values() for i, a in enumerate(own) for b in own[i + 1 :]}


def _components(ids: Sequence[str], pairs: Collection[Pair]) -> list[list[str]]:
    _, labels = connected_components(_graph(ids, pairs), directed=False)
    groups: dict[int, list[str]] = {}
    for name, label in zip(ids, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(name)
    return list(groups.values())


def _graph(ids: Sequence[str], pairs: Collection[Pair]) -> coo_array:
    place = {name: i for i, name in enumerate(ids)}
    known = [(place[a], place[b]) for a, b in sorted(pairs) if a in place and b in place]
    both = np.array(known + [(b, a) for a, b in known], np.int32).reshape(-1, 2)
    ones = np.ones(len(both), np.int8)
    return coo_array((ones, (both[:, 0], both[:, 1])), shape=(len(ids), len(ids))).tocsr()


def _hold_out(
    groups: Sequence[list[str]], strata: Mapping[str, Stratum], wanted: int
) -> list[list[str]]:
    """Choose whole groups until about `wanted` slides are held out, every stratum in its turn."""
    sizes = Counter(strata.values())
    taken: Counter[Stratum] = Counter()
    chosen: list[list[str]] = []
    left, waiting = wanted, list(groups)
    while fitting := [group for group in waiting if len(group) <= left]:
        best = min(fitting, key=lambda g: (taken[strata[g[0]]] + 1) / sizes[strata[g[0]]])
        waiting.remove(best)
        chosen.append(best)
        taken.update(strata[name] for name in best)
        left -= len(best)
    if not chosen:
        smallest = min(len(group) for group in groups)
        raise ValueError(
            f"No group of slides is small enough to hold out {wanted}: the smallest shows one "
            f"tissue in {smallest} slides; hold out at least {smallest}."
        )
    return chosen


def _units(
    groups: Sequence[list[str]], count: int, donors: Mapping[str, str], pairs: Collection[Pair]
) -> list[list[str]]:
    """Return what is dealt whole; a group larger than a fold's share is cut, a donor never."""
    share = -(-sum(map(len, groups)) // count)
    units = []
    for group in groups:
        if len(group) <= share or any(name in donors for name in group):
            units.append(group)
            continue
        order = reverse_cuthill_mckee(_graph(group, pairs), symmetric_mode=True)
        parts = np.array_split(order, -(-len(group) // share))
        units.extend([group[i] for i in part.tolist()] for part in parts)
    return units


@dataclass(frozen=True)
class _Strata:
    """What each slide brings to a fold."""

    main: Mapping[str, Stratum]
    brings: Mapping[str, tuple[Stratum, ...]]
    sizes: Mapping[Stratum, int]

    @classmethod
    def of(
        cls, main: Mapping[str, Stratum], occurring: Mapping[str, Collection[str]] | None
    ) -> _Strata:
        brings = {
            name: (own, *((*own, what) for what in sorted((occurring or {}).get(name, ()))))
            for name, own in main.items()
        }
        # without structures each slide counts as one, whatever its organ
        sizes = Counter(s for tags in brings.values() for s in tags) if occurring else {}
        return cls(main, brings, sizes)

    def together(self, unit: Sequence[str]) -> Counter[Stratum]:
        return Counter(stratum for name in unit for stratum in self.brings[name])

    def rarest(self, unit: Sequence[str]) -> int:
        return min((self.sizes[s] for s in self.together(unit)), default=0) if self.sizes else 0

    def cost(self, dealt: Counter[Stratum], brings: Counter[Stratum]) -> float:
        if not self.sizes:
            return sum(dealt[s] * n for s, n in brings.items())
        return sum(dealt[s] * n / self.sizes[s] for s, n in brings.items())


def _deal(
    units: Sequence[list[str]],
    strata: _Strata,
    count: int,
    begun: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Deal units, large ones first, each to the fold that has least of what it brings."""
    dealt: list[Counter[Stratum]] = [Counter() for _ in range(count)]
    for name, fold in (begun or {}).items():
        dealt[fold].update(strata.brings[name])
    folds: dict[str, int] = {}
    by_size = sorted(units, key=lambda u: (-len(u), strata.rarest(u), strata.main[u[0]]))
    for unit in by_size:
        brings = strata.together(unit)
        fold = min(range(count), key=lambda f: (strata.cost(dealt[f], brings), dealt[f].total()))
        dealt[fold].update(brings)
        folds.update(dict.fromkeys(unit, fold))
    return folds
