"""What to run, as data, and where its checkpoints lie."""

from __future__ import annotations

from hubseg.plan import MULTIPLE
from hubseg.recipe.core import Recipe, builtin_names
from hubseg.recipe.entries import Entry, Member, NetworkSpec, Normalize, Resolution
from hubseg.recipe.files import find_checkpoint, find_checkpoints
from hubseg.recipe.scores import best_score, with_scores

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
    "with_scores",
]
