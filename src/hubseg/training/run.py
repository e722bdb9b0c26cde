"""One training: what it is given, where it writes, and which labels each network may see.

Responsible for these answers. Does not train, judge or write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from hubseg.recipe import for_organ
from hubseg.training.consensus import Agreement, Consensus
from hubseg.training.folder import state_of, weights_of
from hubseg.training.label import nobody, told
from hubseg.training.targets import nothing_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

    from hubseg.recipe import Channels, Member, Recipe
    from hubseg.recipe.training_plan import TrainingPlan
    from hubseg.slide.folds import Folds
    from hubseg.training.label import Label, Watch

__all__ = ["TrainingRun"]


@dataclass(frozen=True)
class TrainingRun:
    """One training.

    Attributes
    ----------
    recipe
        What is trained, as it was given.
    plan
        How its networks learn: the recipe's plan, or that of networks which start from checkpoints.
    out
        Folder it writes to.
    own, beside
        Labels that judge a fold each, and those that only train.
    folds
        Who sees what.
    starts, digests
        File that each network starts from, and the digest of it; empty for random weights.
    encoders, origins
        File that each network's encoder starts from, and where pretrained weights come from.
    unknown_past
        Whether it starts from checkpoints that do not say which slides they have seen.
    stopped
        Tells whether it shall stop.
    watch
        Told what is being done.
    said
        What a person is told of how it began, or "".
    """

    recipe: Recipe
    plan: TrainingPlan
    out: Path
    own: list[Label]
    beside: list[Label]
    folds: Folds
    devices: tuple[torch.device, ...]
    resume: bool
    starts: Mapping[str, Path] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, Path] = field(default_factory=dict)
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unknown_past: bool = False
    stopped: Callable[[], bool] = lambda: False
    watch: Watch = nobody
    said: str = ""

    @property
    def weights(self) -> Path:
        """Folder of the checkpoints."""
        return self.out / "weights"

    @property
    def cache(self) -> Path:
        """Folder of the slides at network scale."""
        return self.out / "cache"

    @property
    def learning(self) -> Recipe:
        """The recipe with the plan by which its networks learn."""
        return self.recipe.model_copy(update={"training": self.plan})

    def seen_by(self, member: Member) -> list[Label]:
        """Labels that may train a member.

        Raises
        ------
        ValueError
            When there is none, or none with anything inside.
        """
        never = self.folds.left_out(self.recipe.folds.index(member.fold))
        given = [*self.own, *self.beside]
        # of a checkpoint that several entries name, each may be for other organs
        same = [m for m in self.recipe.members([member.fold]) if m.checkpoint == member.checkpoint]
        given = [x for x in given if for_organ(same, x.slide.organ)]
        seen = [x for x in given if x.slide.id not in never and self._teaches(x, member)]
        if not seen:
            raise ValueError(
                f"Fold {member.fold} has no slide to train on: all validate it, are held out, show "
                "the same tissue or were labelled by its own model; add slides of other tissue."
            )
        if nothing_marked(seen, [self._outputs(member, label) for label in seen]):
            raise ValueError(
                f"Fold {member.fold} would train on {len(seen)} slides without anything marked: "
                "add slides with marked tissue, or use fewer folds."
            )
        return seen

    @cached_property
    def _consensus(self) -> Consensus:
        return Consensus(self.folds.overlaps, self.watch)

    def taught_by(self, member: Member) -> tuple[list[Label], Agreement | None]:
        """Return the labels that may train a member, as the plan wants them.

        Where it wants them to agree, only these take part: no outline that judges the fold.

        Raises
        ------
        ValueError
            As for :meth:`seen_by`, or when a slide cannot be read.
        OSError
            When a slide cannot be read.
        """
        seen, method = self.seen_by(member), self.plan.labels
        return (seen, None) if method == "outlines" else self._consensus.of(seen, method)

    def _outputs(self, member: Member, label: Label) -> Channels:
        return told(member.channels, self.recipe.vocabulary, label)

    def _teaches(self, label: Label, member: Member) -> bool:
        """Tell whether a label may train a member: of something that it marks."""
        known = label.known_of(self._outputs(member, label))
        return any(one is not None and one.may_train(member.fold) for one in known)

    def checkpoint(self, member: Member) -> Path:
        """Return the file of a member's weights."""
        return weights_of(self.out, member)

    def state(self, member: Member) -> Path:
        """Return the file of the state that a member's training goes on from."""
        return state_of(self.out, member)

    def finished(self, member: Member) -> bool:
        """Tell whether a member is trained."""
        return self.checkpoint(member).is_file()

    def judged_by(self, fold: int) -> list[Label]:
        """Return the labels that judge a fold."""
        place = self.recipe.folds.index(fold)
        return [label for label in self.own if self.folds.of.get(label.slide.id) == place]

    def measuring(self, fold: int) -> list[Label]:
        """Return the labels that a fold's score is taken from: all that judge it.

        Where every fold has true or edited masks, these alone: agreement with a network's mask is
        no score, and scores of folds are to be compared.
        """
        by_fold = {
            one: [label for label in self.judged_by(one) if label.against.measures]
            for one in self.recipe.folds
        }
        return by_fold[fold] if all(by_fold.values()) else self.judged_by(fold)
