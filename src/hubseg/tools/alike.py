"""Objects like those that a person decided about: how alike each is, and the same done to them.

Responsible for the likeness and for one change that decides several objects. Does not know how an
object is measured (:mod:`hubseg.tools.looks`), where decisions are kept, or any view.

An object lies between the mean of what was decided so and the mean of what was decided otherwise;
how alike it is says to which of the two it is nearer. Where nobody has decided otherwise, the
objects that the map is surest about stand for that. (Nearest neighbours, a ridge regression and the
distance to the decided objects alone were tried beside it: benchmarks/RESULTS.md.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np

from hubseg.edits.gesture import ADD
from hubseg.tools.change import Change
from hubseg.tools.looks import FEATURES
from hubseg.tools.reshape import drop, keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.tools.looks import Looks
    from hubseg.tools.piece import Piece

__all__ = ["USUAL", "Decision", "Likeness", "decide", "undecided"]

Decision = Literal["drop", "keep"]
USUAL: Final = 0.5
"""How alike an object must be at first, 0-1 (benchmarks/alike.py)."""

_DEEDS = {"drop": drop, "keep": keep}
_SURER: Final = 25.5  # of 255: how much surer the map must be of what stands for the other decision
_SUREST: Final = 2  # objects that stand for it
_FAR: Final = 9.0  # squared deviations beyond which a single feature says no more
_OBJECTS: Final = 10  # as many the usual spread counts, where a slide has few objects
# Spread of each feature between objects of a slide: 100 PAS-stained kidney tiles, threshold 20
_SPREAD: Final = (
    *(65.0, 21.0, 70.0, 0.3, 0.3, 0.3),
    *(15.0, 1.3, 0.3, 0.06),
    *(0.03, 0.1, 0.03, 0.015, 0.045, 0.01),
    *(0.03, 0.1, 0.025),
)
# Columns of the map, of shape, of colour, and what each group counts for
_GROUPS: Final = ((slice(0, 7), 2.0), (slice(7, 10), 1.0), (slice(10, len(FEATURES)), 0.5))
_DEEP: Final = 1.0  # what the features of networks count for


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """What was decided, as something that objects of any slide are compared with.

    Attributes
    ----------
    spread, weights
        Of each feature, float64 (features,).
    so, otherwise
        What was decided so, and otherwise, float64 (objects, features); `otherwise` may be empty.
    against
        What `so` is told apart from, float64 (objects, features): `otherwise`, or what stands for
        it; empty where nothing does.
    """

    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    so: NDArray[np.float64]
    otherwise: NDArray[np.float64]
    against: NDArray[np.float64]

    @classmethod
    def of(cls, how: Decision, so: Looks, otherwise: Looks, around: Looks) -> Self:
        """Learn from the decisions on a slide.

        Parameters
        ----------
        how
            What was decided.
        so, otherwise
            The objects that it was decided about, and those that the opposite was.
        around
            The undecided objects of the slide.

        Raises
        ------
        ValueError
            When nothing was decided, or the objects were not measured alike.
        """
        widths = {one.values.shape[1] for one in (so, otherwise, around)}
        if not so.pieces or len(widths) != 1:
            raise ValueError(
                "There is nothing to compare with: remove or keep an object of this slide first."
            )
        every = np.concatenate([so.values, otherwise.values, around.values])
        against = otherwise.values if otherwise.pieces else _surest(how, so, around)
        return cls(_spread(every), _weights(every.shape[1]), so.values, otherwise.values, against)

    def judge(self, looks: Looks) -> NDArray[np.float64]:
        """Return how alike objects are, float64 (objects,), 0-1.

        1 is what was decided so, 0 what was decided otherwise.
        """
        near = self._distance(looks.values, self.so.mean(axis=0))
        if len(self.against):
            far = self._distance(looks.values, self.against.mean(axis=0))
            both = near + far
            alike = np.divide(far, both, out=np.full(both.shape, 0.5), where=both > 0)
        else:
            alike = np.exp(-near)
        alike[_among(looks.values, self.otherwise)] = 0.0
        alike[_among(looks.values, self.so)] = 1.0
        return np.asarray(alike, np.float64)

    def _distance(
        self, values: NDArray[np.float64], place: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        apart = np.minimum(((values - place) / self.spread) ** 2, _FAR)
        return np.asarray(np.sqrt(apart @ self.weights), np.float64)


def undecided(pieces: Sequence[Piece], how: Decision, edits: Edits | None) -> tuple[Piece, ...]:
    """Return the objects that nobody has decided about.

    What a person drew or kept is not offered to be dropped, and what is kept whole not to be kept.
    """
    if edits is None or edits.is_empty:
        return tuple(pieces)
    left = []
    for piece in pieces:
        by_hand = (edits.override(piece.window) == ADD)[piece.inside]
        if not (by_hand.any() if how == "drop" else by_hand.all()):
            left.append(piece)
    return tuple(left)


def decide(how: Decision, mask: NDArray[np.bool_], pieces: Sequence[Piece]) -> Change | None:
    """Return the change that drops or keeps objects of a mask at once; None where there is none.

    Parameters
    ----------
    mask
        bool (H, W).
    pieces
        Objects of it.
    """
    changes = []
    for piece in pieces:
        row, column = (int(v) for v in np.argwhere(piece.inside)[0] + piece.window[:2])
        change = _DEEDS[how](mask, row, column)
        changes += [] if change is None else [change]
    if not changes:
        return None
    made = Change.together(changes)
    return Change(f"{how} {len(changes)} like this", made.top, made.left, made.values)


def _surest(how: Decision, so: Looks, around: Looks) -> NDArray[np.float64]:
    """Return what the map is surest of, where nobody said so: inside for drop, outside for keep."""
    sign = 1.0 if how == "drop" else -1.0
    sure, least = sign * around.values[:, 0], (sign * so.values[:, 0]).max() + _SURER
    order = np.argsort(-sure, kind="stable")
    surest = order[sure[order] > least][:_SUREST]
    return np.asarray(around.values[surest], np.float64)


def _spread(every: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each feature's spread: of the objects, with the usual one where they are few."""
    count, own = len(every), every.var(axis=0)
    usual = np.asarray(_SPREAD) ** 2
    known = slice(0, len(usual))
    own[known] = (count * own[known] + _OBJECTS * usual) / (count + _OBJECTS)
    return np.asarray(np.sqrt(np.maximum(own, 1e-12)), np.float64)


def _weights(features: int) -> NDArray[np.float64]:
    """Return what each feature counts for; together 1."""
    weights = np.zeros(features)
    deep = slice(len(FEATURES), features)
    for columns, share in (*_GROUPS, (deep, _DEEP)):
        count = columns.stop - columns.start
        weights[columns] = share / count if count else 0.0
    return np.asarray(weights / weights.sum(), np.float64)


def _among(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of `values` are rows of `known`, bool (rows,)."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    return np.asarray((values[:, None] == known[None]).all(axis=2).any(axis=1), np.bool_)
