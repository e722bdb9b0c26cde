"""Whole slides: the organ's drawing, its stain, the organ's edge or the round core, the scanner.

Responsible for what all organs share. Does not know what an organ looks like.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hubseg.organ import BUILT_IN, FACTS, ORGANS, DataSource, Organ, StructureName
from hubseg.synthetic.canvas import (
    MARGIN,
    UINT8,
    Canvas,
    Stain,
    blob,
    draw_polygon,
    focus,
    noise,
    scaled,
    soften,
    speckle,
)
from hubseg.synthetic.intestine import draw_intestine
from hubseg.synthetic.kidney import TUBULE, VESSEL, draw_kidney
from hubseg.synthetic.lung import draw_lung
from hubseg.synthetic.prostate import draw_prostate
from hubseg.synthetic.spleen import draw_spleen

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["make_slide", "make_structures"]

_OWN = 255  # what the functional tissue unit is in a mask

_SMALLEST = 32  # px: below this there is no room for an object
_ROOM_FOR_EDGE = 600  # px: in a smaller slide a ragged edge could take everything
# Glass and dye colours. PAS is fitted to real HuBMAP kidney tiles (their percentiles of red and
# blue at equal green); the others are the usual colours of eosin, haematoxylin and DAB.
_PAS = Stain(glass=(218.0, 212.0, 214.0), first=(0.25, 1.0, 0.235), second=(0.80, 1.0, 0.50))
_HE = Stain(glass=(243.0, 240.0, 243.0), first=(0.12, 1.0, 0.50), second=(0.92, 1.0, 0.42))
_DAB = Stain(glass=(246.0, 245.0, 246.0), first=(0.30, 0.62, 0.86), second=(0.80, 0.66, 0.36))
_BESIDE = MappingProxyType({Organ.KIDNEY: {"tubule": TUBULE, "vessel": VESSEL}})
_DRAW = MappingProxyType(
    {
        Organ.PROSTATE: draw_prostate,
        Organ.SPLEEN: draw_spleen,
        Organ.LUNG: draw_lung,
        Organ.KIDNEY: draw_kidney,
        Organ.LARGEINTESTINE: draw_intestine,
    }
)


def make_slide(
    organ: Organ,
    *,
    height: int = 3000,
    width: int = 3000,
    seed: int = 0,
    source: DataSource = DataSource.HUBMAP,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Draw one slide and its exact truth; equal arguments give equal bytes on every machine.

    Parameters
    ----------
    organ
        What to draw; its functional tissue unit (:data:`hubseg.organ.FACTS`) is the truth.
    height, width
        Size of the slide, px, each at least 32.
    seed
        Any integer from 0 on: another slide of the same kind.
    source
        HuBMAP: PAS for kidney, haematoxylin and eosin for the others; HPA: a round core in DAB
        and haematoxylin. The pixel size is the one published for organ and source.

    Returns
    -------
    image : uint8 (height, width, 3)
        RGB.
    mask : bool (height, width)
        True on the functional tissue units, never empty.

    Raises
    ------
    ValueError
        If the slide is smaller than 32 px or `seed` is negative.
    """
    image, where = _drawn(organ, height, width, seed, source)
    return image, where == _OWN


def make_structures(
    organ: Organ,
    *,
    height: int = 3000,
    width: int = 3000,
    seed: int = 0,
    source: DataSource = DataSource.HUBMAP,
) -> tuple[npt.NDArray[np.uint8], dict[StructureName, npt.NDArray[np.bool_]]]:
    """Draw the slide of :func:`make_slide`, and say where each structure that it draws lies.

    Returns
    -------
    image : uint8 (height, width, 3)
        RGB.
    masks : dict of bool (height, width)
        The functional tissue unit first; in a kidney also tubules and vessels. No pixel belongs to
        two.

    Raises
    ------
    ValueError
        As :func:`make_slide`.
    """
    image, where = _drawn(organ, height, width, seed, source)
    own = BUILT_IN.own(organ)
    named = {} if own is None else {own.name: _OWN}
    named |= {StructureName(name): value for name, value in _BESIDE.get(organ, {}).items()}
    return image, {name: where == value for name, value in named.items()}


def _drawn(
    organ: Organ, height: int, width: int, seed: int, source: DataSource
) -> tuple[UINT8, UINT8]:
    """Return the slide, and for each pixel what lies there."""
    if min(height, width) < _SMALLEST:
        raise ValueError(
            f"A synthetic slide of {height} × {width} px has no room for tissue: "
            f"ask for {_SMALLEST} px or more each way."
        )
    if seed < 0:
        raise ValueError(f"The seed {seed} is negative: use 0 or any larger integer.")
    core = source is DataSource.HPA
    rng = np.random.Generator(np.random.PCG64([seed, ORGANS.index(organ), int(core)]))
    shape = (height + 2 * MARGIN, width + 2 * MARGIN)
    remain = _round_core(rng, shape) if core else _organ_edge(rng, shape)
    canvas, mask = _DRAW[organ](rng, remain, FACTS[organ].um_per_px[source])
    mask[remain == 0] = 0
    _weather(rng, canvas, remain)
    stain = _DAB if core else _PAS if organ is Organ.KIDNEY else _HE
    inner = np.s_[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    image = stain.render(focus(canvas.first[inner]), focus(canvas.second[inner]))
    return image, np.ascontiguousarray(mask[inner])


def _organ_edge(rng: np.random.Generator, shape: tuple[int, int]) -> UINT8:
    """Return 255 on tissue, 0 on glass: every third large slide has an edge of the organ."""
    remain = np.full(shape, 255, np.uint8)
    if rng.random() > 0.35 or min(shape) - 2 * MARGIN < _ROOM_FOR_EDGE:
        return remain
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.22, 0.38)
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    across = (x - shape[1] / 2) * np.cos(angle) + (y - shape[0] / 2) * np.sin(angle)
    limit = depth * (abs(np.cos(angle)) * shape[1] + abs(np.sin(angle)) * shape[0])
    ragged = speckle(rng, shape, 256) * 90 + speckle(rng, shape, 32, 16, 8) * 16
    remain[across + ragged > limit] = 0
    return remain


def _round_core(rng: np.random.Generator, shape: tuple[int, int]) -> UINT8:
    """Return 255 on a round tissue core, 0 on the glass around it."""
    remain = np.zeros(shape, np.uint8)
    room = (min(shape) - 2 * MARGIN) / 2
    outline = blob(rng, room * rng.uniform(0.93, 0.97), rough=0.03, waves=9)
    draw_polygon(remain, outline + np.array(shape[::-1]) / 2, 255, smooth=False)
    return remain


def _weather(rng: np.random.Generator, canvas: Canvas, remain: UINT8) -> None:
    """Add the stain's unevenness, and bare glass, faintly dirty, beyond the organ's dark rim."""
    shape = canvas.shape
    strength = int(rng.integers(96, 116))
    weight = rng.integers(strength, strength + 24, shape, dtype=np.uint8)
    weight += noise(rng, shape, 4) // 12
    canvas.first[...] = scaled(canvas.first, weight, 128)
    if not remain.all():
        rim = scaled(255 - soften(remain, 16), remain, 700)
        rim = scaled(rim, np.minimum(canvas.first, 80), 80)  # open spaces stay open
        canvas.first[...] = cv2.add(canvas.first, rim)
        canvas.bleach(soften(remain, 1))
    canvas.first[...] = cv2.add(canvas.first, noise(rng, shape, 64) // 80)
