"""Whether a slide starts from an imported mask, and its pixels.

Responsible for which of the two is newer: the import or a run. Pure reading. Does not know formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hubseg.journal.imported import ImportedMask
    from hubseg.journal.slide_state import SlideState
    from hubseg.organ import StructureName
    from hubseg.project import ReviewProject
    from hubseg.slide import Slide

__all__ = ["imported_mask", "newest_run_id", "pixels_of"]


def imported_mask(
    project: ReviewProject,
    slide_id: str,
    state: SlideState,
    structure: StructureName | None = None,
    first: StructureName | None = None,
) -> ImportedMask | None:
    """Return the imported mask that a structure starts from; None where a map stands there.

    A run that somebody made after the import takes its place.

    Parameters
    ----------
    structure
        None is the slide's first one.
    first
        The slide's first structure: a mask without a name is of that.

    Raises
    ------
    ValueError
        When the row about it is damaged.
    """
    wanted = first if structure is None else structure
    masks = [one for one in state.imported.values() if (one.structure or first) == wanted]
    run = newest_run_id(project, slide_id) if masks else ""
    return masks[-1] if masks and masks[-1].run == run else None


def newest_run_id(project: ReviewProject, slide_id: str) -> str:
    """Return which run of a slide was recorded last; "" where none was."""
    runs = project.runs(slide_id)
    return runs[-1].run_id if runs else ""


def pixels_of(project: ReviewProject, imported: ImportedMask, slide: Slide) -> NDArray[np.bool_]:
    """Return an imported mask's pixels, bool (H, W), the caller's own.

    Raises
    ------
    ValueError
        When the project does not hold it, it is damaged, or of another size than the slide.
    """
    mask = project.mask(imported.digest).unpack()
    if mask.shape != (slide.height, slide.width):
        height, width = mask.shape
        raise ValueError(
            f"The {imported} has {width} × {height} px and slide {slide.id} has {slide.width} × "
            f"{slide.height}: undo the import, or import one of this image."
        )
    return mask
