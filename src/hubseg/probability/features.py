"""What a network's last layer sees of a slide, and what it makes of it: one frozen value.

Responsible for its units, for its key and for refusing what is none. Does not know how it is made
(:mod:`hubseg.inference.features`), kept (:mod:`hubseg.probability.store`) or taught with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.probability.tile_file import Window

__all__ = ["FeatureMap", "features_key"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """The input of a network's last layer on one slide, seen once and not turned, and its logits.

    Attributes
    ----------
    values
        float16 (C, h, w): the input of the last convolution, at the network's output resolution.
    logits
        float16 (structures, h, w): what that convolution makes of it, one for each layer of the
        member's map.
    network
        Digest of the checkpoint that made it: a head is taught for one checkpoint only.
    stain
        Digest of the stains that the slide was shown in; "" are its own.
    aligned
        The same of the slide in the stains that the network knows; None where nobody knows these.
    """

    values: NDArray[np.float16]
    logits: NDArray[np.float16]
    network: str
    stain: str = ""
    aligned: FeatureMap | None = None

    def __post_init__(self) -> None:
        fits = self.values.ndim == self.logits.ndim == 3
        if not fits or self.values.shape[1:] != self.logits.shape[1:]:
            raise ValueError(
                f"Features {self.values.shape} and logits {self.logits.shape} do not belong "
                "together: compute them again."
            )
        if not (np.isfinite(self.values).all() and np.isfinite(self.logits).all()):
            raise ValueError(
                "The features of a member must be finite, and these hold NaN or infinity: this "
                "network cannot be taught in half precision."
            )

        if self.aligned is not None and self.aligned.values.shape != self.values.shape:
            raise ValueError(
                f"Features {self.values.shape} and those in other stains "
                f"{self.aligned.values.shape} do not belong together: compute them again."
            )

    def knows(self, stain: str) -> bool:
        """Whether it holds features in the stains of a digest; "" are the slide's own."""
        return not stain or (self.aligned is not None and self.aligned.stain == stain)

    def part(self, rows: slice, columns: slice) -> FeatureMap:
        """Return a part of it, px of the network's output; a view."""
        there = ..., rows, columns
        other = None if self.aligned is None else self.aligned.part(rows, columns)
        return replace(self, values=self.values[there], logits=self.logits[there], aligned=other)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        more = 0 if self.aligned is None else self.aligned.nbytes
        return self.values.nbytes + self.logits.nbytes + more

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px of the network's output."""
        return self.values.shape[1], self.values.shape[2]


def features_key(map_key: str, region: Window | None = None) -> str:
    """Return the key under which the features beside a member map are kept.

    Parameters
    ----------
    region
        (top, left, height, width) in level-0 px: of which part of the map; None is all of it.
    """
    name = f"{map_key}/features" + ("" if region is None else f"/{list(region)}")
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
