"""What to run, as data, and where its checkpoints lie."""

from __future__ import annotations

from hubseg.recipe.checkpoints import find_checkpoint, find_checkpoints
from hubseg.recipe.core import Recipe, builtin_names
from hubseg.recipe.entries import Entry, Member, NetworkSpec, Normalize, Resolution, for_organ
from hubseg.recipe.scores import best_score, with_scores
from hubseg.recipe.training_plan import MULTIPLE

__all__ = [
    "MULTIPLE",
    "Entry",
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
    "with_scores",
]
