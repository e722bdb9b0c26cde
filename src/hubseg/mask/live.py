"""The mask, always derived: override(edits, cleanup(probability > threshold)).

Where structures exclude each other it gives way to what is said of them.

Responsible for computing it in any thread from a frozen request, which knows the last answer so
that only what has changed is cleaned again, and for keeping the newest answer up to date window by
window while a person paints. Does not know slides, the journal or any view.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hubseg.cleanup import CleanedMask, Cleanup
from hubseg.edits.claims import Claim, Rivals
from hubseg.window import slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hubseg.edits.override import Edits
    from hubseg.window import Window

__all__ = ["Difference", "LiveMask", "MaskAnswer", "MaskRequest"]


class ShareOf(Protocol):
    """Gives where a structure may be, of its map: bool (H, W), or None for everywhere."""

    def __call__(
        self, values: NDArray[np.float32], *, inside: bool = False
    ) -> NDArray[np.bool_] | None:
        """Return it; with `inside` only where the map is above the threshold too."""


_STAMPS = count(1)  # never the same twice in a process: an answer fits one slide only


@dataclass(frozen=True, slots=True, eq=False)
class MaskAnswer:
    """What a request was answered with.

    Attributes
    ----------
    mask
        Bool (H, W). It is handed over: :meth:`LiveMask.take` keeps it and writes strokes into it,
        so that whoever computed it only looks at it from then on.
    cleaned
        The mask before the override, never written; None where there is no map.
    share
        Where the structure may be, bool (H, W), never written; None is everywhere.
    """

    mask: NDArray[np.bool_]
    cleaned: CleanedMask | None = field(default=None, repr=False)
    share: NDArray[np.bool_] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class MaskRequest:
    """All that a mask is derived from, frozen: nothing of it is written, in no thread.

    Attributes
    ----------
    values
        Map, float32 (H, W) on 0-255, or the mask itself, bool; None where there is none.
    threshold
        On 0-255; a pixel is inside where its value is greater.
    cleanup
        What is tidied up before the override.
    edits
        The override; a copy of its own.
    stamp
        Which state of values, threshold and cleanup this is; :meth:`LiveMask.take` compares it.
    strokes
        How many changes of the override the request has seen.
    earlier
        A cleaned mask of the same slide, if there is one: saves time, never changes the answer.
    share
        Gives where the structure may be (:class:`hubseg.project.exclusive.Share`); equal ones give
        the same. None is everywhere.
    rivals
        What is said of structures that exclude this one; copies of its own.
    base
        The mask without edits where there are no values, bool (H, W); None is nothing.
    """

    values: NDArray[np.float32 | np.bool_] | None
    threshold: float
    cleanup: Cleanup
    edits: Edits
    stamp: int = 0
    strokes: int = 0
    earlier: CleanedMask | None = field(default=None, repr=False)
    share: ShareOf | None = field(default=None, repr=False)
    rivals: Rivals = field(default_factory=Rivals)
    base: NDArray[np.bool_] | None = field(default=None, repr=False)

    def answered_by(self, other: MaskRequest) -> bool:
        """Whether the mask that was computed for another request is this one's too."""
        return (
            (self.values is other.values and self.base is other.base)
            and (self.threshold, self.cleanup) == (other.threshold, other.cleanup)
            and (self.share, self.rivals) == (other.share, other.rivals)
            and self.edits == other.edits
        )

    def compute(self) -> MaskAnswer:
        """Return the mask, the caller's own; may run in any thread.

        Raises
        ------
        ValueError, OSError
            When the maps that the structure shares the slide with cannot be read.
        """
        if self.values is None:
            begun = np.zeros(self.edits.shape, np.bool_) if self.base is None else self.base.copy()
            return MaskAnswer(self._resolved(begun))
        if self.cleanup.is_identity:
            inside = self._share_of(self.values, inside=True)
            if inside is not None:  # one pass over the map, and nothing to keep to the share
                cleaned = CleanedMask.of(inside, self.cleanup)
                return MaskAnswer(self._resolved(inside.copy()), cleaned)
        share, above = self._share_of(self.values), self.values > self.threshold
        if share is not None:
            above &= share
        cleaned = CleanedMask.of(above, self.cleanup, self.earlier)
        kept = cleaned.mask.copy() if share is None else cleaned.mask & share
        return MaskAnswer(self._resolved(kept), cleaned, share)

    def _share_of(
        self, values: NDArray[np.float32 | np.bool_], *, inside: bool = False
    ) -> NDArray[np.bool_] | None:
        if self.share is None or values.dtype == np.bool_:
            return None
        return self.share(values.astype(np.float32, copy=False), inside=inside)

    def _resolved(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Put the override over a mask, in place, and let it give way."""
        self.edits.resolve(mask, in_place=True)
        self.rivals.give_way(mask, Claim(self.edits, _imported(self.values)))
        return mask


@dataclass(frozen=True, slots=True)
class Difference:
    """What one mask has that another has not.

    Attributes
    ----------
    more, less
        Share of the slide, 0-1, that only the mask has, and that only the reference has.
    dice
        Dice of the two, 0-1; 1 where both are empty.
    """

    more: float
    less: float
    dice: float

    @classmethod
    def between(cls, mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Difference:
        """Compare two masks, bool (H, W) each.

        Raises
        ------
        ValueError
            When they differ in size.
        """
        if mask.shape != reference.shape:
            raise ValueError(
                f"The mask is {mask.shape} and the reference {reference.shape} px: both must be "
                "of one slide."
            )
        size = max(1, mask.size)
        one, other = int(np.count_nonzero(mask)), int(np.count_nonzero(reference))
        both = int(np.count_nonzero(mask & reference))
        dice = 2 * both / (one + other) if one + other else 1.0
        return cls((one - both) / size, (other - both) / size, dice)


class LiveMask:
    """The newest mask of one slide.

    Parameters
    ----------
    edits
        The slide's override. It is read, never changed.
    """

    def __init__(self, edits: Edits) -> None:
        self._edits = edits
        self._values: NDArray[np.float32 | np.bool_] | None = None
        self._threshold = 127.0
        self._cleanup = Cleanup()
        self._mask: NDArray[np.bool_] | None = None
        self._cleaned: CleanedMask | None = None
        self._share_of: ShareOf | None = None
        self._rivals = Rivals()
        self._share: NDArray[np.bool_] | None = None
        self._base: NDArray[np.bool_] | None = None  # without values: what it was begun with
        self._stamp = next(_STAMPS)
        self._taken = 0
        self._strokes: list[Window] = []

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The newest mask, bool (H, W), not to be written; None until one was taken.

        Without a probability map it is what the person drew, at once.
        """
        if self._mask is None and self._values is None:
            request = self.request()
            self.take(request, request.compute())
        if self._mask is None:
            return None
        view = self._mask.view()
        view.flags.writeable = False
        return view

    @property
    def base(self) -> NDArray[np.bool_] | None:
        """What the newest mask is without edits, bool (H, W), not to be written.

        None while none was computed, or where there is nothing but edits.
        """
        if self._values is None or self._values.dtype == np.bool_:
            return self._base if self._values is None else self._values.view(np.bool_)
        if self._cleaned is None or self._share is None:
            return None if self._cleaned is None else self._cleaned.mask
        return self._cleaned.mask & self._share

    def begin_with(self, mask: NDArray[np.bool_], base: NDArray[np.bool_]) -> None:
        """Show a mask until there are values: with edits, to be written, and without them."""
        if self._values is None:
            self._mask, self._base = mask, base

    def hand_over(self) -> NDArray[np.bool_] | None:
        """Give the newest mask away, which is not looked after any more."""
        return self._mask

    @property
    def is_stale(self) -> bool:
        """Whether values, threshold or cleanup changed since the mask was computed."""
        return self._values is not None and self._taken != self._stamp

    def derive_from(
        self,
        values: NDArray[np.float32 | np.bool_] | None,
        threshold: float,
        cleanup: Cleanup,
        share: ShareOf | None = None,
        rivals: Rivals = Rivals(),  # noqa: B008  frozen
    ) -> None:
        """Set what the mask is derived from; the mask is stale where that makes a difference.

        `rivals` are read whenever the mask is derived: :meth:`touch` tells where they changed.
        """
        same_values = values is self._values and rivals == self._rivals
        rule = self._threshold, self._cleanup, self._share_of
        self._threshold, self._cleanup, self._share_of = threshold, cleanup, share
        self._rivals = rivals
        if same_values and ((threshold, cleanup, share) == rule or values is None):
            return
        if values is None:
            self._mask = self._cleaned = self._share = self._base = None
        self._values = values
        self._stamp = next(_STAMPS)
        self._strokes.clear()

    def request(self) -> MaskRequest:
        """Return what is needed to compute the mask elsewhere."""
        return MaskRequest(
            self._values,
            self._threshold,
            self._cleanup,
            self._edits.copy(),
            self._stamp,
            len(self._strokes),
            self._cleaned,
            self._share_of,
            self._rivals.frozen(),
            self._base if self._values is None else None,
        )

    def take(self, request: MaskRequest, answer: MaskAnswer) -> bool:
        """Take the answer to a request; False when it is stale and was dropped.

        Strokes made since the request are put over it.

        Raises
        ------
        ValueError
            When its mask is not bool of the slide's shape.
        """
        if request.stamp != self._stamp:
            return False  # also that of another slide: no state has the stamp of another
        mask = answer.mask
        if mask.shape != self._edits.shape or mask.dtype != np.bool_:
            raise ValueError(
                f"The mask is {mask.dtype} {mask.shape}: give a bool {self._edits.shape} array."
            )
        self._mask = mask if mask.flags.writeable else mask.copy()
        # painting needs it window by window, and the next mask too
        self._cleaned, self._share = answer.cleaned, answer.share
        self._taken = self._stamp
        for window in self._strokes[request.strokes :]:
            self._refresh(window)
        return True

    def follow(self, edits: Edits) -> None:
        """Take another override of the slide, which is the same but for windows that follow."""
        self._edits = edits

    def touch(self, window: Window) -> None:
        """Derive `window` again after the override, or a rival's, changed there."""
        self._strokes.append(window)
        if self._mask is not None:
            self._refresh(window)

    def _refresh(self, window: Window) -> None:
        if self._mask is None:
            return
        cut = slices(window)
        if self._values is None:
            nothing = np.zeros(window[2:], np.bool_)
            model = nothing if self._base is None else self._base[cut].copy()
        elif self._cleanup.is_identity and self._share_of is None:
            model = self._values[cut] > self._threshold
        elif self._cleaned is not None:  # perhaps the last one, while the next is being computed
            model = self._cleaned.mask[cut].copy()
        else:
            model = self._mask[cut].copy()
        if self._share is not None and self._values is not None:
            model &= self._share[cut]
        self._mask[cut] = self._edits.resolve(model, window, in_place=True)
        own = Claim(self._edits, _imported(self._values))
        self._rivals.give_way(self._mask[cut], own, window)


def _imported(values: NDArray[np.float32 | np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the imported mask that a mask is derived from; None where that is a map."""
    return values.view(np.bool_) if values is not None and values.dtype == np.bool_ else None
