"""The thresholds and the cleanup that a recipe brings along: taken up, and said where they differ.

Responsible for the words and for the way back. Does not know how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hubseg.jobs.choices import recipe_title

if TYPE_CHECKING:
    from hubseg.cleanup import Cleanup
    from hubseg.recipe import Recipe
    from hubseg.session import ReviewSession

__all__ = ["BroughtRules", "steps_on", "take_up"]


@dataclass(frozen=True, slots=True)
class BroughtRules:
    """What a recipe changes on the slide on screen.

    Attributes
    ----------
    recipe
        What the recipe is called.
    threshold
        Before and after, 0-255; None where it stays.
    cleanup
        Before and after; None where it stays.
    others
        How many other kinds of slides get another threshold.
    um_per_px
        Of the slide on screen, µm/px, or None.
    """

    recipe: str
    threshold: tuple[float, float] | None
    cleanup: tuple[Cleanup, Cleanup] | None
    others: int
    um_per_px: float | None = None

    @property
    def sentence(self) -> str:
        """What is said."""
        here = []
        if self.threshold is not None:
            here.append("threshold {:g} → {:g}".format(*self.threshold))
        if self.cleanup is not None:
            after = ", ".join(steps_on(self.cleanup[1], self.um_per_px)) or "none"
            here.append(f"cleanup: {after}")
        if self.others > 1:
            others = f"thresholds for slides of {self.others} other organs or sources."
        else:
            others = "a threshold for slides of another organ or source."
        if not here:
            return f"Recipe {self.recipe} brings {others} Nothing changes on this slide."
        said = f"Recipe {self.recipe} brings its own settings: {'; '.join(here)}."
        return f"{said} It also brings {others}" if self.others else said

    @property
    def label(self) -> str:
        """What stands on the button that takes it back; "" where nothing on screen changes."""
        if self.threshold is not None and self.cleanup is None:
            return f"Keep {self.threshold[0]:g}"
        return "Keep earlier settings" if self.cleanup is not None else ""

    def take_back(self, session: ReviewSession) -> None:
        """Make what held before a person's own, for slides of this kind."""
        if self.cleanup is not None:
            session.set_cleanup(self.cleanup[0])
        if self.threshold is not None:
            session.set_threshold(self.threshold[0])


def take_up(session: ReviewSession, recipe: Recipe, name: str) -> BroughtRules | None:
    """Put a recipe's thresholds and cleanups below a person's own; None where all stays."""
    threshold, cleanup, table = session.threshold, session.cleanup, session.thresholds
    session.adopt(recipe)
    after, here = session.thresholds.values, session.current
    other = [kind for kind, value in after.items() if table.values.get(kind) != value]
    moved = threshold != session.threshold
    if here is not None and moved:
        other = [kind for kind in other if kind != (here.organ, here.source)]
    tidied = cleanup != session.cleanup
    if not (moved or tidied or other):
        return None
    return BroughtRules(
        recipe_title(name),
        (threshold, session.threshold) if moved else None,
        (cleanup, session.cleanup) if tidied else None,
        len(other),
        None if here is None else here.um_per_px,
    )


def steps_on(cleanup: Cleanup, um_per_px: float | None = None) -> list[str]:
    """Return the steps of a cleanup that do something, in a person's words and with their units.

    Parameters
    ----------
    um_per_px
        Pixel size of the slide, µm/px: areas in px are said in µm² too.
    """
    fields = type(cleanup).model_fields
    on = {name: getattr(cleanup, name) for name in cleanup.STEPS if getattr(cleanup, name)}
    return [
        f"{(fields[name].title or name).lower()} {value:g} {_unit(cleanup, name, um_per_px)}"
        for name, value in on.items()
    ]


def _unit(cleanup: Cleanup, name: str, um_per_px: float | None) -> str:
    if name == "split":
        return "%"
    if name not in cleanup.AREAS:
        return cleanup.unit
    if cleanup.unit == "µm":
        return "µm²"
    if um_per_px is None:
        return "px"
    return f"px ({getattr(cleanup, name) * um_per_px**2:.0f} µm²)"
