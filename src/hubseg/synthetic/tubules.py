"""Kidney tubules in PAS: packed, bent tubes of four kinds, their nuclei, and what lies between.

Responsible for where tubules lie and how they look; sizes are px at about 0.5 µm/px, densities
optical densities in green, matched to real HuBMAP kidney tiles. Does not know glomeruli or
vessels but as ground already taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubseg.synthetic.canvas import FLOAT, UINT8, Canvas, noise, plane, speckle
from hubseg.synthetic.cells import Cells, Nuclei, Packing, arc, grow, scatter, warp_noise

__all__ = ["Tubules", "draw_tubules", "pack_tubules"]


@dataclass(frozen=True)
class _Kind:
    """What the tubules of one kind have in common; pairs of densities are ranges."""

    share: float
    share_in_rays: float
    wall: float  # px of epithelium
    fade: float  # px over which epithelium becomes lumen
    cytoplasm: tuple[float, float]
    lumen: tuple[float, float]
    blue: tuple[float, float]  # second dye in cytoplasm and in lumen
    nuclei: float  # chance of a nucleus at each place near the wall


_KINDS = (
    _Kind(0.46, 0.20, 13, 12, (0.50, 0.85), (0.00, 0.30), (0.21, 0.18), 0.26),  # proximal
    _Kind(0.22, 0.18, 17, 10, (0.70, 1.15), (0.45, 0.95), (0.20, 0.19), 0.24),  # cut at its wall
    _Kind(0.22, 0.47, 9, 8, (0.24, 0.55), (0.02, 0.20), (0.25, 0.18), 0.80),  # distal, collecting
    _Kind(0.10, 0.15, 12, 13, (0.45, 0.75), (0.00, 0.06), (0.20, 0.03), 0.30),  # open, white
)
_ROUND = Nuclei(size=(3.3, 4.6), aspect=(1.0, 1.15), density=(40, 70), left=(10, 44))
_SMALL = Nuclei(size=(2.6, 4.0), aspect=(1.0, 1.5), density=(44, 84), left=(14, 90))
# Least and greatest radius, longest extra length, px, and tries per 4,000 px²: big ones first.
_SIZES = ((30, 43, 120, 2.2), (22, 32, 70, 3.0), (15, 22, 40, 4.5))


@dataclass(frozen=True)
class Tubules:
    """Packed tubules: the regions and, for each label, its kind (index 0 is the gap)."""

    cells: Cells
    kind: npt.NDArray[np.int64]

    def per_cell(self, field: str, position: int | None = None) -> FLOAT:
        """Return one figure per label: the kind's `field`, or one member of a pair."""
        values = [getattr(_KINDS[kind], field) for kind in self.kind]
        column = [value if position is None else value[position] for value in values]
        return np.asarray(column, np.float32)

    def within(self, rng: np.random.Generator, field: str) -> FLOAT:
        """Return one figure per label, drawn from the kind's range."""
        low, high = self.per_cell(field, 0), self.per_cell(field, 1)
        return low + (high - low) * rng.random(len(low)).astype(np.float32)


def pack_tubules(rng: np.random.Generator, taken: UINT8, blocked: UINT8) -> Tubules:
    """Pack tubules into free ground.

    Parameters
    ----------
    taken
        uint8, a quarter of the slide's resolution: no tubule is begun where it is not 0.
    blocked
        uint8 (h, w): no tubule grows where it is not 0.
    """
    shape = blocked.shape
    packing = Packing(taken)
    ray = noise(rng, shape, 512)
    drift = noise(rng, shape, 1024)
    along = rng.uniform(0, np.pi)
    kinds = [0]
    for low, high, longest, tries in _SIZES:
        for x, y in rng.uniform(0, 1, (int(shape[0] * shape[1] * tries / 4e3), 2)):
            column, row = int(x * (shape[1] - 1)), int(y * (shape[0] - 1))
            in_ray = int(ray[row, column]) > 158
            radius = rng.uniform(low, high) * (0.68 if in_ray else 1.0)
            if in_ray:
                angle = along + (int(drift[row, column]) - 128) / 120 + rng.normal(0, 0.08)
                line = arc((column, row), angle, rng.uniform(90, 300), rng.normal(0, 0.0015))
            else:
                length = max(4.0, rng.uniform(-0.6, 1) * longest)
                line = arc((column, row), rng.uniform(0, np.pi), length, rng.normal(0, 0.012))
            if packing.offer(line, radius):
                kinds.append(_pick_kind(rng, in_ray))
    radii = [radius * 1.42 for radius in packing.radii]
    warp = warp_noise(rng, (shape[0], shape[1]), 24)
    spread = np.clip(speckle(rng, (shape[0], shape[1]), 96, 32), 0, 1) * np.float32(7)
    cells = grow((shape[0], shape[1]), packing.lines, radii, blocked=blocked, warp=warp, gap=spread)
    return Tubules(cells, np.asarray(kinds))


def draw_tubules(rng: np.random.Generator, tubules: Tubules) -> Canvas:
    """Colour epithelium, lumen, membranes, interstitium and nuclei."""
    cells = tubules.cells
    shape = cells.label.shape
    first, second = _epithelium(rng, tubules)
    outside = cells.label == 0
    first[outside] = _interstitium(rng, shape)[outside]
    second[outside] = 0.19
    near = np.abs(cells.edge - np.float32(0.6))
    membrane = np.clip(1 - near / np.float32(2.8), 0, 1)
    first += membrane * (speckle(rng, shape, 48, 16) * np.float32(1.2) + np.float32(0.62))
    np.clip(first, 0, None, out=first)
    first *= speckle(rng, shape, 256, 64, 32) * np.float32(0.17) + np.float32(1.0)
    canvas = Canvas(plane(first), plane(second))
    _nuclei(rng, canvas, tubules)
    _cracks(rng, canvas, cells)
    return canvas


def _pick_kind(rng: np.random.Generator, in_ray: bool) -> int:
    share = np.cumsum([kind.share_in_rays if in_ray else kind.share for kind in _KINDS])
    return int(np.searchsorted(share / share[-1], rng.random()))


def _epithelium(rng: np.random.Generator, tubules: Tubules) -> tuple[FLOAT, FLOAT]:
    """Return both dyes of walls and lumens, the one fading raggedly into the other."""
    label, edge = tubules.cells.label, tubules.cells.edge
    shape = label.shape
    count = len(tubules.kind)
    wall = tubules.per_cell("wall") * rng.uniform(0.7, 1.3, count).astype(np.float32)
    ragged = speckle(rng, shape, 32, 12, 4) * np.float32(5.5)
    lumen = (edge + ragged - wall[label]) / tubules.per_cell("fade")[label]
    np.clip(lumen, 0, 1, out=lumen)
    grain = speckle(rng, shape, 16, 8, 4, 2)
    first = tubules.within(rng, "cytoplasm")[label]
    first *= 1 + grain * np.float32(0.30)
    first += (tubules.within(rng, "lumen")[label] * (1 + grain * np.float32(0.12)) - first) * lumen
    second = tubules.per_cell("blue", 0)[label]
    second += (tubules.per_cell("blue", 1)[label] - second) * lumen
    return first, second


def _interstitium(rng: np.random.Generator, shape: tuple[int, int]) -> FLOAT:
    """Return the first dye between tubules: fibres, pale capillaries, small white gaps."""
    base = np.float32(0.74) + speckle(rng, shape, 16, 8, 4) * np.float32(0.55)
    gaps = noise(rng, shape, 24).astype(np.int32) + noise(rng, shape, 8) // 2
    pale = np.clip((gaps - 225).astype(np.float32) / np.float32(30), 0, 1)
    base *= 1 - pale * np.float32(0.85)
    return base


def _nuclei(rng: np.random.Generator, canvas: Canvas, tubules: Tubules) -> None:
    """Nuclei along the walls of tubules, and small dark ones between them."""
    points = scatter(rng, canvas.shape, 9.0)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    label, edge = tubules.cells.label[row, column], tubules.cells.edge[row, column]
    chance = tubules.per_cell("nuclei")[label]
    clumps = noise(rng, canvas.shape, 64)[row, column] / 255.0
    chance = np.where(edge < 12, chance, chance * 0.06) * (edge > 3.5)
    ring = (label > 0) & (rng.random(len(points)) < chance)
    loose = (label == 0) & (rng.random(len(points)) < clumps * 1.0)
    _ROUND.draw(rng, canvas, points[ring])
    _SMALL.draw(rng, canvas, points[loose])


def _cracks(rng: np.random.Generator, canvas: Canvas, cells: Cells) -> None:
    """Bright slits where tissue has shrunk from itself, in patches, along walls and across."""
    shape = canvas.shape
    patch = noise(rng, shape, 128).astype(np.int32) + noise(rng, shape, 32) // 2
    offset = speckle(rng, shape, 32, 8) * np.float32(5)
    slit = (np.abs(cells.edge + offset - np.float32(4)) < 0.7) & (patch > 245)
    ridge = noise(rng, shape, 16).astype(np.int32) + noise(rng, shape, 8) // 2 - 191
    slit |= (np.abs(ridge) < 4) & (patch > 285)
    canvas.bleach(np.where(slit, 130, 255).astype(np.uint8))
