"""What is known of where the structures of a slide are, and who says so.

Responsible for one slide's labels, one for each structure that somebody marked there. Does not know
where they come from (:mod:`hubseg.training.sources`), and reads no pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hubseg.formats.rle import decode
from hubseg.recipe import for_organ, in_words
from hubseg.training.origin import MadeBy, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.organ import StructureName, Vocabulary
    from hubseg.recipe import Channels, Recipe
    from hubseg.slide import Slide

__all__ = ["OPENING", "READING", "TRAINING", "Label", "Soft", "Watch", "nobody", "resolved", "told"]

Soft = Callable[[int], "NDArray[np.float32] | None"]
"""A model's map (H, W), 0-255, that may train a fold; None where that fold's model made it."""

READING, OPENING, TRAINING = "reading slides", "opening slides", "training"

Watch = Callable[[str, int, int], object]
"""Told what is being done, how many slides or steps are done, and how many there are."""


def nobody(what: str, done: int, total: int) -> None:
    """Watch nothing."""
    del what, done, total


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one slide's mask, and of the masks of its further structures.

    Attributes
    ----------
    slide
        The slide.
    truth
        Run-length text of the mask.
    soft
        The model's map, for a label that no person stands behind; else None.
    threshold
        The value, 0-255, above which that map was inside.
    donor
        Whose tissue it is; "" where it is not known.
    origin
        Where the mask comes from.
    edited_share
        Share of the marked pixels that a person decided, 0-1; None where that is not known.
    made_by
        The networks whose map it was cut from; None where that is not known, or there are none.
    known
        Run-length text of the true mask, where a table has one beside the mask that is learnt from.
    structure
        What the mask marks; None where nobody said, or it has no name.
    others
        The labels of further structures of the slide. One that is not among them is not known: it
        may be anywhere.
    agreed
        Makes what a network learns in place of the mask, uint8 (H, W), 0-255
        (:mod:`hubseg.training.consensus`); None is the mask. Nothing is measured against it.
    """

    slide: Slide
    truth: str
    soft: Soft | None = None
    threshold: float = 127.0
    donor: str = ""
    origin: Origin = Origin.TRUE
    edited_share: float | None = None
    made_by: MadeBy | None = None
    known: str | None = None
    structure: StructureName | None = None
    others: tuple[Label, ...] = ()
    agreed: Callable[[], NDArray[np.uint8]] | None = None

    def of(self, structure: StructureName | None) -> Label | None:
        """Return the label of a structure; None where nobody knows where it is."""
        return next((x for x in (self, *self.others) if x.structure == structure), None)

    def known_of(self, channels: Channels) -> tuple[Label | None, ...]:
        """Return the label of each structure that a network marks, in its order.

        An output without a name is of what the label is of.

        Parameters
        ----------
        channels
            In the words that the labels are told in.
        """
        if not channels.names:
            return (self,)
        return tuple(self.of(name) for name in channels.structures)

    def with_slide(self, slide: Slide) -> Label:
        """Return it, and the labels of further structures, with other facts about the slide."""
        others = tuple(replace(one, slide=slide) for one in self.others)
        return replace(self, slide=slide, others=others)

    @property
    def marked(self) -> tuple[StructureName | None, ...]:
        """The structures of which something is marked."""
        return tuple(x.structure for x in (self, *self.others) if x.truth.strip())

    @property
    def against(self) -> Origin:
        """Where the mask comes from that a network is measured against."""
        return self.origin if self.known is None else Origin.TRUE

    @property
    def by_person(self) -> bool:
        """Whether a person drew or accepted it."""
        return self.soft is None

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask, bool (H, W).

        Raises
        ------
        ValueError
            When it does not fit the slide.
        """
        return self._decoded(self.truth)

    def measuring_mask(self) -> NDArray[np.bool_]:
        """Return the mask that a network is measured against, bool (H, W): the true one if known.

        Raises
        ------
        ValueError
            When it does not fit the slide.
        """
        return self._decoded(self.truth if self.known is None else self.known)

    def _decoded(self, text: str) -> NDArray[np.bool_]:
        try:
            return decode(text, (self.slide.height, self.slide.width))
        except ValueError as error:
            raise ValueError(
                f"The mask of {self.slide.id} does not fit its slide of {self.slide.height} x "
                f"{self.slide.width} px ({error})"
            ) from error

    def may_train(self, fold: int) -> bool:
        """Tell whether the label may train a fold: not where that fold's model made it."""
        return self.soft is None or self.soft(fold) is not None


def resolved(labels: Iterable[Label], recipe: Recipe) -> list[Label]:
    """Return labels that say what they mark, in the words of a recipe.

    Where nobody said, it is what all networks for the slide's organ mark, if they mark one
    structure, or else the organ's own.
    """
    words, found = recipe.vocabulary, []
    for label in labels:
        organ = label.slide.organ
        members = in_words(for_organ(recipe.members(), organ), words, organ)
        marked = {name for one in members for name in one.channels.structures or (None,)}
        own = words.own(organ)
        name = marked.pop() if len(marked) == 1 else None if own is None else own.name
        others = (replace(x, structure=_in_words(words, x.structure)) for x in label.others)
        told = _in_words(words, label.structure) or name
        found.append(replace(label, structure=told, others=tuple(others)))
    return found


def told(channels: Channels, words: Vocabulary, label: Label) -> Channels:
    """Return a network's outputs in the words of a label; one without a name stays so."""
    return channels.in_words_of(words, label.slide.organ) if channels.names else channels


def _in_words(words: Vocabulary, name: StructureName | None) -> StructureName | None:
    known = None if name is None else words.structure(name)
    return name if known is None else known.name
