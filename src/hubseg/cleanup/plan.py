"""What is tidied up, as data: one number per step, and the order of the steps.

Responsible for the plan, its units and its order. Does not know how a step is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hubseg.cleanup import shapes
from hubseg.cleanup.objects import filled, without_small
from hubseg.organ import ORGANS, Organ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.cleanup.tiles import Before

__all__ = ["Cleanup", "cleanups_from", "cleanups_to", "run_step"]


class Cleanup(BaseModel):
    """What is tidied up; with every step at 0 nothing is.

    Steps run in the order of the fields. Lengths are in px and areas in px, or in µm and µm² where
    `unit` says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    close: float = Field(
        0, ge=0, le=500, title="Close gaps", description="Gaps narrower than 2 × this are filled."
    )
    open: float = Field(
        0, ge=0, le=500, title="Open", description="What is narrower than 2 × this is dropped."
    )
    fill_holes: float = Field(
        0, ge=0, title="Fill holes up to", description="Holes of up to this area are filled."
    )
    smooth: float = Field(
        0, ge=0, le=500, title="Smooth", description="Outlines are smoothed over about this length."
    )
    grow: float = Field(
        0, ge=-500, le=500, title="Grow, shrink", description="By this length; below 0 it shrinks."
    )
    split: float = Field(
        0,
        ge=0,
        le=100,
        title="Split at waists",
        description="Objects are cut where they are narrower than this percentage of their parts.",
    )
    min_area: float = Field(
        0, ge=0, title="Drop objects under", description="Objects of less than this are dropped."
    )
    unit: Literal["px", "µm"] = Field(
        "px", title="Unit", description="Of lengths; areas are in px, or in µm²."
    )

    STEPS: ClassVar[tuple[str, ...]] = (
        *("close", "open", "fill_holes", "smooth", "grow", "split", "min_area"),
    )
    AREAS: ClassVar[tuple[str, ...]] = ("fill_holes", "min_area")
    LENGTHS: ClassVar[tuple[str, ...]] = ("close", "open", "smooth", "grow")

    @property
    def is_identity(self) -> bool:
        """Whether :meth:`apply` changes nothing."""
        others = (step for step in self.STEPS if step != "min_area")
        return not any(getattr(self, step) for step in others) and self.min_area <= (
            1 if self.unit == "px" else 0
        )

    def in_px(self, um_per_px: float | None) -> Cleanup:
        """Return the same plan in px.

        Parameters
        ----------
        um_per_px
            The slide's pixel size, µm/px; None where it is not known.

        Raises
        ------
        ValueError
            When the plan is in µm, does something, and the pixel size is not known.
        """
        if self.unit == "px":
            return self
        if self.is_identity:
            return Cleanup()
        if um_per_px is None:
            raise ValueError(
                "The cleanup is in µm and the slide's pixel size is not known: enter it beside "
                "the slide's organ, or give the cleanup in px."
            )
        sizes = {step: getattr(self, step) / um_per_px for step in self.LENGTHS}
        sizes |= {step: getattr(self, step) / um_per_px**2 for step in self.AREAS}
        return self.model_copy(update={**sizes, "unit": "px"})  # the others have no unit

    def up_to(self, step: str) -> Cleanup:
        """Return the plan without what comes after `step`, to look at what each step does.

        Raises
        ------
        ValueError
            When there is no such step.
        """
        if step not in self.STEPS:
            raise ValueError(f"There is no step {step!r}: use one of {', '.join(self.STEPS)}.")
        later = self.STEPS[self.STEPS.index(step) + 1 :]
        return self.model_copy(update=dict.fromkeys(later, 0))

    def apply(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask after every step, in the order of :attr:`STEPS`.

        A hole is background, connected over edges, that does not reach the border; an object is
        connected over edges and corners. Small objects go last, so that a ring counts with what
        it surrounds, and a part that was split off with itself alone.

        Parameters
        ----------
        mask
            Bool (h, w); it is not changed, and is returned itself when there is nothing to do.

        Returns
        -------
        numpy.ndarray
            Bool (h, w).

        Raises
        ------
        ValueError
            When the plan is in µm: ask :meth:`in_px` first.
        """
        if not mask.size:
            return mask
        for step, size in self.steps_in_px():
            mask = run_step(step, mask, size)
        return mask

    def steps_in_px(self) -> tuple[tuple[str, float], ...]:
        """Return the steps that do something, in their order, each with its size in px.

        Raises
        ------
        ValueError
            When the plan is in µm: ask :meth:`in_px` first.
        """
        if self.is_identity:
            return ()
        if self.unit != "px":
            raise ValueError("This cleanup is in µm: turn it into px of a slide first.")
        sizes = ((step, float(getattr(self, step))) for step in self.STEPS)
        return tuple((step, size) for step, size in sizes if size)


_Step = Callable[["NDArray[np.bool_]", float, "Before | None"], "NDArray[np.bool_]"]


def _whole(how: Callable[[NDArray[np.bool_], float], NDArray[np.bool_]]) -> _Step:
    """Return a step that needs the whole mask, whatever was made before."""
    return lambda mask, size, _: how(mask, size)


_DOES: Mapping[str, _Step] = MappingProxyType(
    {
        "close": shapes.closed,
        "open": shapes.opened,
        "fill_holes": _whole(filled),
        "smooth": shapes.smoothed,
        "grow": shapes.grown,
        "split": shapes.waists_cut,
        "min_area": _whole(without_small),
    }
)


def run_step(
    step: str, mask: NDArray[np.bool_], size: float, before: Before | None = None
) -> NDArray[np.bool_]:
    """Return what one step makes of a bool (h, w) mask, as a new array.

    Parameters
    ----------
    size
        px, px² or percent, as the step has it.
    before
        What the step, with this size, made of an earlier mask.
    """
    return _DOES[step](mask, size, before)


def cleanups_from(mapping: object) -> dict[Organ, Cleanup]:
    """Read ``{"kidney": {"min_area": 4000}}``.

    Raises
    ------
    ValueError
        When it is no such table, or an organ is named twice.
    """
    if not isinstance(mapping, Mapping):
        raise ValueError(f"cleanup must be a table organ → steps, not {mapping!r}")
    read: dict[Organ, Cleanup] = {}
    for name, plan in mapping.items():
        organ = Organ.parse(str(name))
        if organ in read:
            raise ValueError(f"the cleanup of {organ} is given twice: keep one")
        read[organ] = _read(organ, plan)
    return read


def _read(organ: Organ, plan: object) -> Cleanup:
    if isinstance(plan, Cleanup):
        return plan
    try:
        return Cleanup.model_validate(plan)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join((organ.value, *map(str, first["loc"])))
        said = "unknown step" if first["type"] == "extra_forbidden" else first["msg"]
        raise ValueError(f"{key}: {said}") from error


def cleanups_to(cleanups: Mapping[Organ, Cleanup]) -> dict[str, dict[str, Any]]:
    """Return ``{"kidney": {"min_area": 4000}}`` in a fixed order: steps at 0 are left out."""
    return {
        organ.value: cleanups[organ].model_dump(exclude_defaults=True)
        for organ in (*ORGANS, *sorted(set(cleanups) - set(ORGANS)))
        if organ in cleanups
    }
