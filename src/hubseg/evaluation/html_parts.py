"""HTML that needs no other file: a page, an image with its name, a plot of Dice.

Responsible for how a report looks. Does not know projects, slides or masks.
"""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["dice_plot", "figure", "whole_page"]

_QUALITY = 82  # of its JPEG

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2430; margin: 2rem auto; max-width: 1240px;
  padding: 0 1rem; background: #fff; }
h1 { margin-bottom: 0; } .faint { color: #5a6675; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #dde2e8; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
section { margin: 2rem 0; border-top: 2px solid #dde2e8; break-inside: avoid; }
.row { display: flex; flex-wrap: wrap; gap: 12px; } figure { margin: 0; flex: 1 1 260px;
  max-width: 420px; } img { width: 100%; } figcaption { font-size: 13px; color: #5a6675; }
svg { width: 100%; height: auto; } .v { padding: .1rem .5rem; border-radius: 3px; background: #eef1f4; }
"""  # noqa: E501


def whole_page(title: str, body: str) -> str:
    """Return a whole page that needs no other file; `body` is HTML already."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def figure(name: str, pixels: NDArray[np.uint8]) -> str:
    """Return an image with its name below, as a JPEG inside the page.

    Parameters
    ----------
    name
        In plain text.
    pixels
        uint8 (H, W, 3) RGB.
    """
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    _, made = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), settings)
    data = base64.b64encode(made.tobytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(name)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )


def dice_plot(curve: NDArray[np.float64], threshold: float) -> str:
    """Return Dice against threshold as an SVG.

    Parameters
    ----------
    curve
        Dice at each whole threshold, float64 (256,).
    threshold
        0-255: the one in use, which is marked.
    """
    points = " ".join(f"{t + 22:.1f},{110 - 100 * value:.1f}" for t, value in enumerate(curve))
    at, best = 22 + threshold, int(np.argmax(curve))
    labels = "".join(
        f'<text x="{x}" y="{y}" font-size="9" fill="#5a6675">{text}</text>'
        for x, y, text in ((2, 14, "1"), (2, 113, "0"), (22, 122, "0"), (262, 122, "255"))
    )
    return (
        '<figure><svg viewBox="0 0 284 126" role="img">'
        '<path d="M22 10V110H278" fill="none" stroke="#b8c0ca"/>'
        f'<polyline points="{points}" fill="none" stroke="#0d7f86" stroke-width="2"/>'
        f'<line x1="{at}" x2="{at}" y1="10" y2="110" stroke="#d97706"/>{labels}</svg>'
        f"<figcaption>Dice of the model at each threshold: {curve[int(threshold)]:.4f} at "
        f"{threshold:g}, best {curve[best]:.4f} at {best}</figcaption></figure>"
    )
