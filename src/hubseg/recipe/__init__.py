"""What to run, as data, and where its checkpoints lie."""

from __future__ import annotations

from hubseg.recipe.channels import BACKGROUND, Channels
from hubseg.recipe.checkpoints import find_checkpoint, find_checkpoints
from hubseg.recipe.core import Recipe, builtin_names
from hubseg.recipe.entries import (
    Entry,
    KnownStain,
    Member,
    Normalize,
    Resolution,
    for_organ,
    in_words,
    occurring,
)
from hubseg.recipe.networks import NetworkSpec
from hubseg.recipe.scores import best_score, with_scores
from hubseg.recipe.training_plan import MULTIPLE

__all__ = [
    "BACKGROUND",
    "MULTIPLE",
    "Channels",
    "Entry",
    "KnownStain",
    "Member",
    "NetworkSpec",
    "Normalize",
    "Recipe",
    "Resolution",
    "best_score",
    "builtin_names",
    "find_checkpoint",
    "find_checkpoints",
    "for_organ",
    "in_words",
    "occurring",
    "with_scores",
]
