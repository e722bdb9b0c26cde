"""How much a mask is, in words: objects, share of the slide, area in the unit that suits it.

Responsible for the one spelling of these figures. Does not know how they are counted.
"""

from __future__ import annotations

__all__ = ["area_in_words", "size_in_words"]

_SMALL = 0.01  # mm²; below, µm² are said
_PER_MM2 = 1e6  # µm²


def size_in_words(
    objects: int | None, share: float | None, px: int = 0, um_per_px: float | None = None
) -> tuple[str, ...]:
    """Return "12 objects", "4.3 %" and "0.11 mm²", as far as they are known.

    Parameters
    ----------
    objects
        How many there are, or None.
    share
        Share of the slide inside the mask, 0-1, or None.
    px
        Pixels of the slide; 0 where that is not known.
    um_per_px
        Its pixel size, µm/px; None says the area in px.
    """
    said = [] if objects is None else [f"{objects} object{'' if objects == 1 else 's'}"]
    if share is not None:
        said.append(f"{100 * share:.1f} %")
        if px:
            said.append(area_in_words(share * px, um_per_px))
    return tuple(said)


def area_in_words(px: float, um_per_px: float | None) -> str:
    """Return an area: "0.11 mm²", "8,200 µm²" where it is small, "432,000 px" without a scale.

    Parameters
    ----------
    px
        The area, px.
    um_per_px
        Pixel size, µm/px, or None.
    """
    if um_per_px is None:
        return f"{px:,.0f} px"
    area = px * um_per_px**2 / _PER_MM2
    if area < _SMALL:
        return f"{area * _PER_MM2:,.0f} µm²"
    return f"{area:,.{2 if area < 10 else 1}f} mm²"
