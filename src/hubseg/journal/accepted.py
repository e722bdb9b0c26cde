"""The mask that a person accepted: its pixels packed, and what they were made of.

Responsible for both as values that are read back without trust. Does not know the journal that
keeps them, or who accepted.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hubseg.cleanup import Cleanup
from hubseg.organ import StructureName

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AcceptedMask", "PackedMask", "accepted_facts"]


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A mask in a few KB: one bit a pixel, each row as what differs from the one above, deflated.

    Attributes
    ----------
    digest
        Hex digest of shape and pixels (BLAKE2b, 16 bytes); two equal masks have the same one.
    height, width
        Of the mask, px.
    data
        Deflated bits.
    """

    digest: str
    height: int
    width: int
    data: bytes

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """Pack a mask, bool (H, W).

        Raises
        ------
        ValueError
            When it is not bool (H, W).
        """
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise ValueError(f"The mask is {mask.dtype} {mask.shape}: give a bool (H, W) array.")
        height, width = mask.shape
        bits = np.packbits(mask, axis=1)
        changes = bits.copy()
        changes[1:] ^= bits[:-1]
        digest = _digest(height, width, bits.tobytes())
        return cls(digest, height, width, zlib.compress(changes.tobytes(), 3))

    def unpack(self) -> NDArray[np.bool_]:
        """Return the mask, bool (H, W), the caller's own.

        Raises
        ------
        ValueError
            When the bytes are not those of the mask that was packed.
        """
        across = (self.width + 7) // 8
        size = self.height * across
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(self.data, size + 1)  # never more than the mask takes
        except zlib.error as error:
            raise self._damaged() from error
        if len(data) != size:
            raise self._damaged()
        changes = np.frombuffer(data, np.uint8).reshape(self.height, across)
        rows = np.bitwise_xor.accumulate(changes, axis=0)
        if _digest(self.height, self.width, rows.tobytes()) != self.digest:
            raise self._damaged()
        return np.unpackbits(rows, axis=1, count=self.width).view(np.bool_)

    def _damaged(self) -> ValueError:
        return ValueError(
            f"The accepted mask {self.digest[:8]} is damaged: take the project from a copy."
        )


def _digest(height: int, width: int, bits: bytes) -> str:
    content = hashlib.blake2b(f"{height} {width} ".encode(), digest_size=16)
    content.update(bits)
    return content.hexdigest()


@dataclass(frozen=True, slots=True)
class AcceptedMask:
    """Which mask a verdict stands for, and what it was made of.

    Attributes
    ----------
    digest
        Of the mask (:class:`PackedMask`).
    slide_digest
        Content of the slide's file that it was accepted on.
    threshold
        That cut it, 0-255.
    cleanup
        That tidied it up.
    recipe_digest
        Of the recipe whose map it was cut from; "" where there was no map.
    members
        Members mixed into that map, and members it was to have; (0, 0) without a map.
    structure
        What it marks; None is the slide's first one.
    """

    digest: str
    slide_digest: str
    threshold: float
    cleanup: Cleanup
    recipe_digest: str = ""
    members: tuple[int, int] = (0, 0)
    structure: StructureName | None = None

    def to_facts(self) -> dict[str, Any]:
        """Return it as a row of the journal keeps it."""
        what = {} if self.structure is None else {"structure": self.structure}
        return {
            "mask": self.digest,
            "slide": self.slide_digest,
            "threshold": self.threshold,
            "cleanup": self.cleanup.model_dump(mode="json"),
            "recipe": self.recipe_digest,
            "members": list(self.members),
            **what,
        }

    @classmethod
    def from_facts(cls, facts: object) -> Self:
        """Read what :meth:`to_facts` wrote.

        Raises
        ------
        ValueError
            When something is missing or of another kind.
        """
        if not isinstance(facts, Mapping):
            raise ValueError("An accepted mask is no table.")
        try:
            done, total = facts["members"]
            what = facts.get("structure")
            return cls(
                str(facts["mask"]),
                str(facts["slide"]),
                float(facts["threshold"]),
                Cleanup.model_validate(facts["cleanup"]),
                str(facts["recipe"]),
                (int(done), int(total)),
                None if what is None else StructureName(str(what)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"The facts of an accepted mask are not complete ({error})."
            ) from error


def accepted_facts(masks: Iterable[AcceptedMask]) -> dict[str, Any]:
    """Return what a row says of accepted masks, the first structure's first; {} of none."""
    first, *others = [*(one.to_facts() for one in masks), None]
    told = [one for one in others if one is not None]
    return ({} if first is None else {"accepted": first}) | ({"others": told} if told else {})
