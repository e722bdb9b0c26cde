"""The stains of the slides that networks were trained on, for the recipe that runs them.

Responsible for measuring them on some slides. Does not know how a slide's stains are estimated
(:mod:`hubseg.slide.stain`) nor what they are good for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hubseg.recipe import KnownStain
from hubseg.slide.stain import stains_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubseg.recipe import Recipe
    from hubseg.slide import Slide

__all__ = ["knowing_stains"]

_MOST: Final = 100  # slides that are looked at, evenly


def knowing_stains(recipe: Recipe, slides: Sequence[Slide]) -> Recipe:
    """Return a recipe that says which stains slides have: the median of vectors and of strengths.

    One that shows slides in other stains stays as it is: its networks know those. So does one whose
    slides have no tissue.

    Parameters
    ----------
    slides
        That its networks were trained on.

    Raises
    ------
    OSError, ValueError
        When a slide's file cannot be read.
    """
    if recipe.aligns or not slides:
        return recipe
    taken = np.unique(np.linspace(0, len(slides) - 1, min(_MOST, len(slides))).astype(int))
    found = [one for i in taken if (one := stains_of(slides[i])) is not None]
    if not found:
        return recipe
    vectors = np.median([one.beside(found[0]).vectors for one in found], axis=0)
    vectors = np.clip(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 1e-4, 1)
    strength = np.median([one.beside(found[0]).strength for one in found], axis=0)
    stain = {"vectors": np.round(vectors, 4).tolist(), "strength": np.round(strength, 4).tolist()}
    return recipe.model_copy(update={"stain": KnownStain.model_validate(stain)})
