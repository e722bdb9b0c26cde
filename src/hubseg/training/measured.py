"""What the figures of a training were measured against, and what they may be called.

A network that agrees with a mask which a network made says little about either. So figures against
people's work and agreement with unedited masks are kept apart. Responsible for these figures, and
for saying them in sentences. Does not predict, and needs no torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from hubseg.training.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hubseg.training.validation import Judged

__all__ = ["Measured", "OfStructure"]

_SLIGHT = 0.05  # share of the marked pixels: less is a touch, and the rest is the network's

_KINDS = {
    Origin.TRUE: ("true mask", "true masks"),
    Origin.EDITED: ("mask that a person edited", "masks that a person edited"),
    Origin.UNEDITED: (
        "mask that networks made and a person accepted unedited",
        "masks that networks made and a person accepted unedited",
    ),
}


@dataclass(frozen=True)
class OfStructure:
    """How well one structure was found, at the recipe's threshold.

    Attributes
    ----------
    positives, negatives
        Slides that have something of it, and that have nothing.
    dice, iou
        Means over all of them.
    dice_positives, dice_negatives
        Means over each kind; None without any. Of a slide that has nothing it is 1 where nothing
        is marked, else 0.
    """

    positives: int
    negatives: int
    dice: float | None
    iou: float | None
    dice_positives: float | None
    dice_negatives: float | None

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> OfStructure:
        """Sum up what slides said of one structure."""
        positive = [one.dice for one in judged if one.positive]
        negative = [one.dice for one in judged if not one.positive]
        return cls(
            len(positive),
            len(negative),
            _mean(one.dice for one in judged),
            _mean(one.iou for one in judged),
            _mean(positive),
            _mean(negative),
        )


@dataclass(frozen=True)
class Measured:
    """How good what was trained is on slides that it never saw, and how that is known.

    Attributes
    ----------
    counts
        Slides that judged, by the origin of their label.
    dice
        Mean Dice against true and edited masks, at the recipe's threshold; None without any.
    held_out
        The same with each fold at the threshold that the other folds chose; None where they chose
        none.
    agreement
        Mean Dice with unedited masks; None without any.
    edited_share
        Of edited masks the mean share of marked pixels that a person decided, 0-1; None without
        any.
    same_networks
        Unedited masks made by the very networks that the training started from.
    unknown_past
        Whether it started from checkpoints that do not say which slides they have seen.
    slides
        How many judged.
    structures
        The figures of each structure, where there are several.
    """

    counts: Mapping[Origin, int] = field(default_factory=dict)
    dice: float | None = None
    held_out: float | None = None
    agreement: float | None = None
    edited_share: float | None = None
    same_networks: int = 0
    unknown_past: bool = False
    slides: int = 0
    structures: Mapping[str, OfStructure] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        judged: Iterable[Judged],
        *,
        held_out: float | None = None,
        unknown_past: bool = False,
    ) -> Self:
        """Sum up what slides said of the folds that never saw them."""
        judged = list(judged)
        edited = (one.edited_share for one in judged if one.against is Origin.EDITED)
        return cls(
            counts=Counter(one.against for one in judged),
            dice=_mean(one.dice for one in judged if one.against.measures),
            held_out=held_out,
            agreement=_mean(one.dice for one in judged if not one.against.measures),
            edited_share=_mean(share for share in edited if share is not None),
            same_networks=sum(one.same_networks for one in judged),
            unknown_past=unknown_past,
            slides=len({one.slide for one in judged}),
            structures={
                name: OfStructure.of([one for one in judged if one.structure == name])
                for name in dict.fromkeys(one.structure for one in judged)
                if name
            },
        )

    def sentence(self) -> str:
        """Say the figures, each with what it was measured against."""
        people = " and ".join(
            self._counted(kind) for kind in (Origin.TRUE, Origin.EDITED) if self.counts.get(kind)
        )
        unedited = self._counted(Origin.UNEDITED)
        alike = "" if self.agreement is None else f"agreement {self.agreement:.3f} with {unedited}"
        if self.dice is None:
            return f"No Dice: {alike or 'no slide judged a network'}."
        chosen = "" if self.held_out is None else ", each fold at the threshold the others chose"
        dice = self.dice if self.held_out is None else self.held_out
        never = "on slides that the networks judging them never saw"
        also = f"; {alike}" if alike else ""
        return f"Mean Dice {dice:.3f} against {people}, {never}{chosen}{also}."

    def warnings(self) -> tuple[str, ...]:
        """Say why a figure is worth less than it looks; nothing where there is no reason."""
        said = []
        if self.agreement is not None:
            all_ = self.dice is None
            said.append(
                f"{'No mask' if all_ else 'Not every mask'} here was edited or is a true one: "
                "agreement with masks that networks made says how alike the networks are, not how "
                "good. Correct slides, or learn from a table with true masks, to know."
            )
        if self.same_networks:
            masks = "mask was" if self.same_networks == 1 else "masks were"
            said.append(
                f"{self.same_networks} unedited {masks} made by the very networks that this "
                "training started from: labels and judge are of one origin."
            )
        if self.edited_share is not None and self.edited_share < _SLIGHT:
            said.append(
                f"Edited masks were edited in {self.edited_share:.1%} of their marked pixels only: "
                "the rest is as networks made it."
            )
        if self.unknown_past:
            said.append(
                "The networks it started from do not say which slides they have seen (no folds.csv "
                "in or above their folder): if these are among them, the figures are too high."
            )
        return tuple(said)

    def facts(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        kinds = (Origin.TRUE, Origin.EDITED, Origin.UNEDITED)
        return {
            "dice": self.dice,
            "dice_held_out": self.held_out,
            "agreement": self.agreement,
            "slides": self.slides,
            "measured_against": {str(kind): self.counts.get(kind, 0) for kind in kinds},
            "edited_share": self.edited_share,
            "same_networks": self.same_networks,
            "sentence": self.sentence(),
            "warnings": list(self.warnings()),
            **({"structures": self._by_structure()} if self.structures else {}),
        }

    def _by_structure(self) -> dict[str, Any]:
        return {name: asdict(own) for name, own in self.structures.items()}

    def _counted(self, kind: Origin) -> str:
        count = self.counts.get(kind, 0)
        one, several = _KINDS[kind]
        return f"{count} {one if count == 1 else several}"


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None
