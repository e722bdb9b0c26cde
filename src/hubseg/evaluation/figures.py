"""Figures for a paper: a slide with truth, mask and disagreement, and threshold curves.

Responsible for drawing with matplotlib, which the extra ``figures`` brings; PNG and PDF come from
``figure.savefig``. Does not know projects; no window is opened and no global state is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubseg.slide.outlines import MASK, TRUTH, heat, outlined, shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hubseg.thresholds.calibration import Calibration

__all__ = ["curve_figure", "slide_figure"]

_SIDE = 900  # px of a picture in a figure
_WIDTH = 3.1  # inches of a picture


def _figure(size: tuple[float, float]) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Figures need matplotlib: pip install 'napari-hubseg[figures]'."
        ) from error
    return Figure(figsize=size, layout="constrained")


def slide_figure(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    truth: NDArray[np.bool_] | None = None,
    disagreement: NDArray[np.float32] | None = None,
    title: str = "",
) -> Any:
    """Draw a slide beside its truth, its mask and where the members disagree.

    Parameters
    ----------
    pixels
        uint8 (H, W, 3) RGB.
    mask, truth
        Bool (H, W); without a truth its panel is left out.
    disagreement
        float32 (h, w), 0-255; left out when None.
    title
        Over the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib; the message names the extra.
    ValueError
        When mask or truth is of another size than the slide; both sizes are named.
    """
    for name, other in (("mask", mask), ("truth", truth)):
        if other is not None and other.shape != pixels.shape[:2]:
            raise ValueError(
                f"The {name} is {other.shape} and the slide {pixels.shape[:2]} px: both must be "
                "of the same slide."
            )
    small = shrunk(pixels, _SIDE)
    panels: list[tuple[str, NDArray[np.uint8]]] = [("slide", small)]
    if truth is not None:
        panels.append(("truth", outlined(small, truth, TRUTH)))
    panels.append(("mask", outlined(small, mask, MASK)))
    if disagreement is not None:
        panels.append(("disagreement of members", heat(disagreement, _SIDE)))
    height = _WIDTH * small.shape[0] / small.shape[1] + 0.5
    figure = _figure((_WIDTH * len(panels), height))
    for index, (name, picture) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), index)
        axes.imshow(picture, extent=(0, pixels.shape[1], pixels.shape[0], 0))
        axes.set_title(name, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def curve_figure(
    found: Calibration, *, now: float | None = None, slides: Sequence[Sequence[float]] = ()
) -> Any:
    """Draw what each threshold gives, with the best one and its interval.

    Parameters
    ----------
    found
        A calibration.
    now
        A threshold to mark beside the best one, 0-255.
    slides
        Curves of single slides, 256 values each, drawn faintly behind.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib; the message names the extra.
    """
    figure = _figure((5.0, 3.4))
    axes = figure.add_subplot(1, 1, 1)
    for curve in slides:
        axes.plot(curve, color="0.75", linewidth=0.4)
    axes.axvspan(*found.threshold_interval, color="tab:blue", alpha=0.12, linewidth=0)
    axes.plot(found.curve, color="tab:blue", linewidth=1.8)
    axes.axvline(found.threshold, color="tab:blue", linewidth=1)
    low, high = found.threshold_interval
    said = f"best {found.threshold} (95 % {low}-{high}): {found.dice:.4f}"
    axes.plot([], [], color="tab:blue", label=said)
    if found.held_out is not None:
        axes.plot([], [], " ", label=f"held out by fold: {found.held_out:.4f}")
    if now is not None:
        axes.axvline(now, color="tab:orange", linewidth=1, linestyle="--")
        at = f"{now:g}: {found.curve[int(now)]:.4f}"
        axes.plot([], [], color="tab:orange", linestyle="--", label=at)
    kind = "mean Dice per image" if found.objective == "mean" else "Dice of all pixels"
    axes.set(xlabel="threshold (0-255)", ylabel=kind, xlim=(0, 255))
    axes.set_ylim(max(0.0, min(found.curve[10:240]) - 0.02), 1.0)
    axes.set_title(f"{found.organ} / {found.source}, {found.slides} slides", fontsize=10)
    axes.legend(fontsize=8, framealpha=0.9, edgecolor="none", loc="lower center")
    return figure
