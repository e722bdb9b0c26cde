"""A head that a person's corrections have taught: one frozen choice, applied to member maps.

Responsible for the arithmetic from a member map and its features to the taught map, for the facts
that a journal keeps of it, and for how far it departs from the network's own head. Needs no torch.
Does not know how a head is fitted (:mod:`hubseg.probability.teaching`) or where features are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hubseg.probability.features import FeatureMap
    from hubseg.probability.values import MemberMap

__all__ = ["Place", "Taught", "TaughtHead", "TaughtScope", "changed_share", "sigmoid"]

Place = tuple[int, int, int]
"""Of a member in its recipe: resolution, entry, fold."""


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-logits)), float32, without overflow."""
    return np.asarray(0.5 * np.tanh(0.5 * logits) + 0.5, np.float32)


@dataclass(frozen=True, slots=True)
class TaughtScope:
    """Which maps something is taught for.

    Attributes
    ----------
    networks
        Of :func:`hubseg.probability.networks_digest`.
    organ, source
        Of the slides; None is one that nobody knows.
    structure
        Its word; None is the organ's own structure.
    """

    networks: str
    organ: str | None = None
    source: str | None = None
    structure: str | None = None

    def to_facts(self) -> dict[str, Any]:
        """Return it as a row of the journal keeps it."""
        names = {"organ": self.organ, "source": self.source, "structure": self.structure}
        told = {name: str(value) for name, value in names.items() if value is not None}
        return {"networks": self.networks, **told}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> TaughtScope:
        """Read what :meth:`to_facts` wrote.

        Raises
        ------
        KeyError
            When it does not say which networks.
        """
        names = (facts.get(name) for name in ("organ", "source", "structure"))
        return cls(str(facts["networks"]), *(None if n is None else str(n) for n in names))


@dataclass(frozen=True, slots=True)
class TaughtHead:
    """What is added to the last layer of one network.

    Attributes
    ----------
    weights
        One for each channel of the features; of a 3 x 3 layer they belong to its middle.
    bias
        Added to the layer's own.
    network
        Digest of the checkpoint that it was fitted for.
    stain
        Digest of the stains that slides are shown in; "" are their own.
    """

    weights: tuple[float, ...]
    bias: float
    network: str
    stain: str = ""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.weights, self.bias))):
            raise ValueError("A taught head must be finite: teach it again.")

    def fits(self, features: FeatureMap) -> bool:
        """Whether the features are of the very checkpoint, and stains, that it was fitted for."""
        return self._seen(features) is not None and len(self.weights) == len(features.values)

    def _seen(self, features: FeatureMap) -> FeatureMap | None:
        """Return the features that it was fitted for; None where they are not there."""
        for one in (features, features.aligned):
            if one is not None and (one.network, one.stain) == (self.network, self.stain):
                return one
        return None

    def change(self, features: FeatureMap, layer: int = 0, weight: float = 1.0) -> Any:
        """Return how the probability changes, float32 (h, w), -1 to 1.

        The logit is moved by `weight` times what was taught, so that a checkpoint whose last layer
        is moved by as much says the same. Where slides are shown in the stains that the network
        knows, what it says of them counts as taught, too.

        Parameters
        ----------
        features
            For which it :meth:`fits`.
        layer
            Which layer of the member's map.
        weight
            0 is the network's own head, 1 is all that was taught.
        """
        own, seen = features.logits[layer].astype(np.float32), self._seen(features) or features
        flat = seen.values.reshape(len(seen.values), -1).astype(np.float32)
        moved = np.asarray(self.weights, np.float32) @ flat + np.float32(self.bias)
        moved = moved.reshape(own.shape)
        if seen is not features:
            moved += seen.logits[layer].astype(np.float32) - own
        return sigmoid(own + np.float32(weight) * moved) - sigmoid(own)


@dataclass(frozen=True, slots=True)
class Taught:
    """The taught heads of the networks of a recipe, for one structure of one organ and source.

    As it is, nothing is taught and every map stays as it is, to the bit.

    Attributes
    ----------
    heads
        By the member's place; members that are not there keep their map.
    weight
        How much of what was taught counts, over 0 to 1.
    on
        Whether it counts at all.
    departure
        How far the taught heads depart from the networks' own: the mean absolute difference of
        the probability (0-1) over pixels taken evenly from the slides that taught them, and over
        the networks, at weight 1.
    """

    heads: Mapping[Place, TaughtHead] = field(default_factory=dict)
    weight: float = 1.0
    on: bool = True
    departure: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ValueError(
                f"A weight of {self.weight:g} is none for what was taught: give more than 0 and "
                "at most 1, or switch it off."
            )

    @property
    def counts(self) -> bool:
        """Whether it changes any map."""
        return self.on and bool(self.heads)

    def of(
        self, place: Place, made: MemberMap, features: FeatureMap | None, layer: int = 0
    ) -> MemberMap:
        """Return the map of a member as it is taught.

        Parameters
        ----------
        place
            The member's.
        made
            Its map of one structure, (h, w).
        features
            Of the same member on the same slide; None where they are not there.
        layer
            Which layer of the member's map `made` is.

        Returns
        -------
        MemberMap
            The change of the probability added to `made`, kept within 0-1; `made` itself where
            nothing is taught, it is off, or there are no features of the same network and size.
        """
        head = self.heads.get(place)
        if not self.on or head is None or features is None or not self.reaches(place, features):
            return made
        if made.values.shape != features.shape:
            return made
        values = made.values + head.change(features, layer, self.weight)
        return replace(made, values=np.clip(values, 0, 1, out=values))

    def reaches(self, place: Place, features: FeatureMap | None) -> bool:
        """Whether it has a head for a member, and features that this head was fitted for."""
        head = self.heads.get(place)
        return head is not None and features is not None and head.fits(features)

    def switched(self, on: bool) -> Taught:
        """Return it on or off."""
        return replace(self, on=on)

    def weighed(self, weight: float) -> Taught:
        """Return it with another weight.

        Raises
        ------
        ValueError
            When the weight is not over 0 and at most 1.
        """
        return replace(self, weight=float(weight))

    def refitted(self, other: Taught) -> Taught:
        """Return it with another one's heads, switch and weight as they are."""
        return replace(self, heads=other.heads, departure=other.departure)

    def to_facts(self) -> dict[str, Any]:
        """Return it as a row of the journal keeps it."""
        heads = [
            [list(place), list(head.weights), head.bias, head.network, *filter(None, [head.stain])]
            for place, head in sorted(self.heads.items())
        ]
        return {
            "heads": heads,
            "weight": self.weight,
            "on": self.on,
            "departure": self.departure,
        }

    @classmethod
    def from_facts(cls, facts: Any) -> Taught:
        """Read what :meth:`to_facts` wrote.

        Raises
        ------
        ValueError
            When something is missing or of another kind.
        """
        try:
            heads = {
                (int(i), int(j), int(k)): TaughtHead(
                    tuple(map(float, w)), float(b), *map(str, names)
                )
                for (i, j, k), w, b, *names in facts["heads"]
            }
            more = float(facts["weight"]), bool(facts["on"]), float(facts["departure"])
            return cls(heads, *more)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"What was taught is not complete ({error}).") from error


def changed_share(
    before: NDArray[np.float32], after: NDArray[np.float32], threshold: float
) -> float:
    """Return the share of pixels, 0-1, that change side of a threshold between two maps.

    Parameters
    ----------
    before, after
        Of one shape and scale, which is also that of `threshold`.
    """
    return float(np.mean((before > threshold) != (after > threshold)))
