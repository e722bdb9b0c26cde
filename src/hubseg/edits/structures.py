"""The overrides of one slide's structures, and a gesture that may change several of them.

Responsible for which structure's override a gesture changes, for structures that give way to one
that is added to, and for the bytes of such a gesture. Does not know a vocabulary, or who made it.

A slide of one structure has gestures without a name; those are about its first structure whatever
that is called. Where a slide has several, a gesture has the name of its structure, and what was
drawn without a name before comes under the name of the first with its first gesture.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from hubseg.edits.gesture import ADD, ERASE, KEEP, TILE, Gesture, Patch
from hubseg.edits.override import Edits
from hubseg.window import union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hubseg.window import Window

__all__ = ["HEAD", "SlideEdits", "SlideGesture", "names_in"]

_MAGIC: Final = b"HSG2"
_SIZE: Final = struct.Struct("<I")
HEAD: Final = 8192
"""Bytes at the beginning of a gesture that hold the names of its structures."""


@dataclass(frozen=True, slots=True)
class SlideGesture:
    """One thing a person did on a slide: what it changed in the override of each structure.

    Attributes
    ----------
    parts
        Structure and change, each structure once; None is the one without a name.
    """

    parts: tuple[tuple[str | None, Gesture], ...]

    @property
    def structures(self) -> tuple[str | None, ...]:
        """The structures that it changes."""
        return tuple(name for name, _ in self.parts)

    @property
    def window(self) -> Window:
        """The smallest window that holds every change; (0, 0, 0, 0) when there is none."""
        windows = [one.window for _, one in self.parts if one.patches]
        return reduce(union, windows) if windows else (0, 0, 0, 0)

    def of(self, structure: str | None) -> Gesture | None:
        """Return what it changes of one structure; None when nothing."""
        return next((one for name, one in self.parts if name == structure), None)

    def __bool__(self) -> bool:
        return any(one.patches for _, one in self.parts)

    def to_bytes(self) -> bytes:
        """Return it compressed: as :class:`Gesture` is where one structure has no name.

        Raises
        ------
        ValueError
            When it has more structures than a row can name.
        """
        if self.structures == (None,):
            return self.parts[0][1].to_bytes()
        names = "\n".join(name or "" for name in self.structures).encode()
        head = _MAGIC + _SIZE.pack(len(names)) + names
        if len(head) > HEAD:
            raise ValueError(
                f"A gesture that changes {len(self.parts)} structures cannot be kept: draw on "
                "fewer at once."
            )
        return head + b"".join(
            _SIZE.pack(len(data)) + data for _, one in self.parts for data in (one.to_bytes(),)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote; nothing in it is trusted.

        Raises
        ------
        ValueError
            When the bytes are damaged or no gesture.
        """
        if data[:4] != _MAGIC:
            return cls(((None, Gesture.from_bytes(data)),))
        try:
            return cls(tuple(_unpacked(data)))
        except (struct.error, UnicodeDecodeError, ValueError) as error:
            raise ValueError(
                f"The stored gesture of {len(data)} bytes is damaged ({error}): "
                "take the project from a copy."
            ) from error


def names_in(head: bytes) -> tuple[str | None, ...]:
    """Return the structures of a gesture from the first :data:`HEAD` bytes of it.

    Raises
    ------
    ValueError
        When they are damaged.
    """
    if head[:4] != _MAGIC:
        return (None,)
    try:
        (size,) = _SIZE.unpack_from(head, 4)
        at = 4 + _SIZE.size
        if size > len(head) - at:
            raise ValueError(f"it cannot hold {size} bytes of names")
        names = tuple(name or None for name in head[at : at + size].decode().split("\n"))
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"the names of its structures cannot be read ({error})") from error
    if len(set(names)) != len(names):
        raise ValueError("it names a structure twice")
    return names


def _unpacked(data: bytes) -> Iterable[tuple[str | None, Gesture]]:
    names = names_in(data)
    at = 4 + _SIZE.size + _SIZE.unpack_from(data, 4)[0]
    for name in names:
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if size > len(data) - at:
            raise ValueError(f"it cannot hold {size} bytes more")
        yield name, Gesture.from_bytes(data[at : at + size])
        at += size
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left")


class SlideEdits:
    """The overrides of a slide, one for each structure that was drawn on.

    Parameters
    ----------
    shape
        (height, width) of the slide, px.
    first
        The structure that gestures without a name are about; None where it has no name.
    """

    def __init__(self, shape: tuple[int, int], first: str | None = None) -> None:
        self.first = first
        self._of: dict[str | None, Edits] = {None: Edits(shape)}
        self.shape = self._of[None].shape

    @property
    def drawn(self) -> tuple[str | None, ...]:
        """The structures of which something is overridden; the first one by its name."""
        names = (self.first if n is None else n for n, one in self._of.items() if not one.is_empty)
        return tuple(dict.fromkeys(names))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is overridden."""
        return all(one.is_empty for one in self._of.values())

    def of(self, structure: str | None) -> Edits:
        """Return the override of a structure, to be read only; None is the first one."""
        unnamed, named = self._of[None], self._of.get(structure)
        if structure not in (None, self.first):
            return self._of.setdefault(structure, Edits(self.shape)) if named is None else named
        if structure is None:
            named = None if self.first is None else self._of.get(self.first)
        if named is None or (named.is_empty and not unnamed.is_empty):
            return unnamed
        return named if unnamed.is_empty else _over(named, unnamed)

    def draw(
        self,
        structure: str | None,
        change: Callable[[Edits], Gesture],
        *,
        named: bool = False,
        rivals: Iterable[str] = (),
    ) -> SlideGesture:
        """Change the override of a structure and return what that changed.

        Parameters
        ----------
        structure
            Which; None is the first one.
        change
            Changes an override, and returns how.
        named
            Whether the gesture has the structure's name: where a slide has several.
        rivals
            Structures that exclude it: where it is added to, what was added to them is erased.
        """
        name = self.first if structure is None else structure
        known = self._of.get(name)
        nameless = not named and (known is None or known.is_empty)
        if name is None or (name == self.first and nameless):
            parts: list[tuple[str | None, Gesture]] = [(None, change(self._of[None]))]
        elif name != self.first or self._of[None].is_empty:
            target = self._of[name] = self.of(name)
            if target is self._of[None]:
                self._of[None] = Edits(self.shape)
            parts = [(name, change(target))]
        else:
            parts = self._named(name, self.of(name), change)
        parts += self._taken(parts[-1][1], [one for one in rivals if one != name])
        return SlideGesture(tuple((name, one) for name, one in parts if one.patches))

    def _named(
        self, key: str, target: Edits, change: Callable[[Edits], Gesture]
    ) -> list[tuple[str | None, Gesture]]:
        """Change the first structure, and bring what was drawn without a name under its name."""
        unnamed, known = self._of[None].copy(), self._of.get(key, Edits(self.shape)).copy()
        gesture = change(target)
        if not gesture.patches:
            return [(key, gesture)]
        nothing = Edits(self.shape)
        self._of[key], self._of[None] = target, nothing
        moved = known.towards(target, gesture.kind)
        return [(None, unnamed.towards(nothing, gesture.kind)), (key, moved)]

    def _taken(self, gesture: Gesture, rivals: list[str]) -> list[tuple[str | None, Gesture]]:
        """Erase from others what was added to them where a gesture adds."""
        taken: list[tuple[str | None, Gesture]] = []
        keys = [key for one in rivals for key in ((one, None) if one == self.first else (one,))]
        for key in keys:
            theirs = self._of.get(key)
            if theirs is None or theirs.is_empty:
                continue
            patches: list[Patch] = []
            for one in gesture.patches:
                added = one.after == ADD
                window = (one.top, one.left, *added.shape)
                clash = added & (theirs.override(window) == ADD)
                if clash.any():
                    made = theirs.paint(clash, top=one.top, left=one.left, value=ERASE)
                    patches += made.patches
            if patches:
                taken.append((key, Gesture(gesture.kind, tuple(patches))))
        return taken

    def towards(self, other: SlideEdits, kind: str) -> SlideGesture:
        """Return the gesture that makes `other` of these edits; neither is changed.

        Raises
        ------
        ValueError
            When the two are of slides of different size.
        """
        nothing = Edits(self.shape)
        names = dict.fromkeys((*self._of, *other._of))
        parts = (
            (name, self._of.get(name, nothing).towards(other._of.get(name, nothing), kind))
            for name in names
        )
        return SlideGesture(tuple((name, one) for name, one in parts if one.patches))

    def apply(self, gesture: SlideGesture) -> None:
        """Do a gesture again.

        Raises
        ------
        ValueError
            When it does not fit what stands there; nothing is changed then.
        """
        self._step(gesture, Edits.apply, Edits.revert)

    def revert(self, gesture: SlideGesture) -> None:
        """Undo a gesture.

        Raises
        ------
        ValueError
            When something else changed the same pixels since; nothing is changed then.
        """
        self._step(gesture, Edits.revert, Edits.apply)

    def _step(
        self,
        gesture: SlideGesture,
        step: Callable[[Edits, Gesture], None],
        back: Callable[[Edits, Gesture], None],
    ) -> None:
        done: list[tuple[Edits, Gesture]] = []
        try:
            for name, one in gesture.parts:
                edits = self._of.setdefault(name, Edits(self.shape))
                step(edits, one)
                done.append((edits, one))
        except ValueError:
            for edits, one in done:
                back(edits, one)
            raise

    def copy(self) -> SlideEdits:
        """Return an independent copy; tiles are shared until one side changes them."""
        other = SlideEdits(self.shape, self.first)
        other._of = {name: one.copy() for name, one in self._of.items()}
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SlideEdits):
            return NotImplemented
        mine, theirs = ({n: e for n, e in o._of.items() if not e.is_empty} for o in (self, other))
        return self.shape == other.shape and mine == theirs

    __hash__ = None  # type: ignore[assignment]


def _over(upper: Edits, lower: Edits) -> Edits:
    """Return two overrides as one: the upper one where it says something."""
    both = lower.copy()
    height, width = both.shape
    for top in range(0, height, TILE):
        band = (top, 0, min(TILE, height - top), width)
        values = upper.override(band)
        if np.any(values != KEEP):
            both.put(values, top=top)
    return both
