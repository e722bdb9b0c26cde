"""Kidney cortex in PAS: packed tubules, rays, vessels, tears, and the glomeruli to be found.

Responsible for where things lie and for the tissue between the glomeruli; a glomerulus itself is
drawn by :mod:`hubseg.synthetic.glomerulus`. Sizes are px at about 0.5 µm/px; colours, sizes and
counts were matched by eye and by histogram to real HuBMAP kidney tiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hubseg.synthetic.canvas import (
    FLOAT,
    POINTS,
    UINT8,
    UNIT,
    Canvas,
    Stain,
    blob,
    draw_polygon,
    noise,
    soften,
    speckle,
)
from hubseg.synthetic.cells import Cells, Nuclei, Packing, grow, scatter, warp_noise
from hubseg.synthetic.glomerulus import Glomerulus, draw_glomerulus, plan_glomeruli

__all__ = ["PAS", "draw_kidney"]

PAS = Stain(glass=(218.0, 212.0, 214.0), first=(0.25, 1.0, 0.235), second=(0.80, 1.0, 0.50))
_MARGIN = 96  # px drawn around the slide and cut off, so that its border cuts through objects


@dataclass(frozen=True)
class _Tubules:
    """What the tubules of one kind have in common; densities in units of optical density."""

    share: float
    wall: float  # px of epithelium
    fade: float  # px over which epithelium becomes lumen
    cytoplasm: tuple[float, float]
    lumen: tuple[float, float]
    blue: tuple[float, float]  # second dye in cytoplasm, in lumen
    nuclei: float  # chance of a nucleus at each place near the wall


_KINDS = (
    _Tubules(0.46, 13, 12, (0.50, 0.85), (0.08, 0.26), (0.20, 0.19), 0.20),  # proximal
    _Tubules(0.20, 17, 9, (0.70, 1.20), (0.45, 0.95), (0.19, 0.18), 0.22),  # cut at the wall: full
    _Tubules(0.22, 10, 8, (0.20, 0.45), (0.10, 0.20), (0.22, 0.20), 0.62),  # distal
    _Tubules(0.12, 12, 13, (0.45, 0.75), (0.00, 0.08), (0.18, 0.04), 0.25),  # open, white
)


def draw_kidney(
    rng: np.random.Generator, height: int, width: int
) -> tuple[UINT8, npt.NDArray[np.bool_]]:
    """Return colours uint8 (height, width, 3) and the exact glomeruli bool (height, width)."""
    shape = (height + 2 * _MARGIN, width + 2 * _MARGIN)
    remain = _bare_glass(rng, shape)
    taken = np.zeros((shape[0] // 4 + 2, shape[1] // 4 + 2), np.uint8)
    taken[cv2.resize(remain, taken.shape[::-1], interpolation=cv2.INTER_NEAREST) < 128] = 255
    glomeruli = plan_glomeruli(rng, shape, taken, _MARGIN)
    vessels = _plan_vessels(rng, shape, taken)
    cells, kinds = _tubules(rng, shape, taken, glomeruli, vessels)
    canvas = _draw_tissue(rng, cells, kinds)
    _draw_nuclei(rng, canvas, cells, kinds)
    for outline, wall in vessels:
        _draw_vessel(rng, canvas, outline, wall)
    mask = np.zeros(shape, np.uint8)
    for glomerulus in glomeruli:
        draw_glomerulus(rng, canvas, glomerulus, mask)
    _weather(rng, canvas, remain)
    inner = np.s_[_MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]
    image = PAS.render(_focus(canvas.first[inner]), _focus(canvas.second[inner]))
    return image, np.ascontiguousarray(mask[inner] > 0)


def _bare_glass(rng: np.random.Generator, shape: tuple[int, int]) -> UINT8:
    """255 on tissue, 0 on glass: every third slide has an edge of the organ."""
    remain = np.full(shape, 255, np.uint8)
    if rng.random() > 0.35:
        return remain
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.30, 0.42)
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    across = (x - shape[1] / 2) * np.cos(angle) + (y - shape[0] / 2) * np.sin(angle)
    limit = depth * (abs(np.cos(angle)) * shape[1] + abs(np.sin(angle)) * shape[0])
    ragged = (
        speckle(rng, shape, 256) * 90 + speckle(rng, shape, 32) * 12 + speckle(rng, shape, 8) * 5
    )
    remain[across + ragged > limit] = 0
    return remain


def _plan_vessels(
    rng: np.random.Generator, shape: tuple[int, int], taken: UINT8
) -> list[tuple[POINTS, float]]:
    """Outlines (x, y) and wall thickness of arteries, veins and tears."""
    vessels = []
    for _ in range(rng.poisson(shape[0] * shape[1] / 4.5e5) + 1):
        kind = rng.random()
        radius = rng.uniform(22, 60)
        stretch = rng.uniform(1.0, 1.25) if kind < 0.4 else rng.uniform(1.5, 2.6)
        wall = rng.uniform(12, 26) if kind < 0.4 else rng.uniform(0, 5)
        outline = blob(rng, radius + wall, stretch=stretch, rough=0.12, waves=7)
        outline += rng.uniform(0, 1, 2) * np.array(shape[::-1])
        free = taken.copy()
        cv2.fillPoly(free, [np.rint(outline / 4).astype(np.int32)], 255)
        probe = np.clip(np.rint(outline / 4).astype(int), 0, np.array(taken.shape[::-1]) - 1)
        if taken[probe[:, 1], probe[:, 0]].any():
            continue
        taken[...] = free
        vessels.append((outline, wall))
    return vessels


def _tubules(
    rng: np.random.Generator,
    shape: tuple[int, int],
    taken: UINT8,
    glomeruli: list[Glomerulus],
    vessels: list[tuple[POINTS, float]],
) -> tuple[Cells, npt.NDArray[np.int64]]:
    """Pack tubules into the free ground; return the cells and the kind of each (0 = none)."""
    packing = Packing(taken, 0)
    ray = noise(rng, shape, 512).astype(np.int32)
    drift = noise(rng, shape, 1024)
    main = rng.uniform(0, np.pi)
    kinds = [-1]
    for low, high, longest, tries in ((30, 43, 110, 2.2), (22, 32, 60, 3.0), (15, 22, 40, 4.5)):
        for x, y in rng.uniform(0, 1, (int(shape[0] * shape[1] * tries / 4e3), 2)):
            column, row = int(x * (shape[1] - 1)), int(y * (shape[0] - 1))
            inside_ray = int(ray[row, column]) > 158
            radius = rng.uniform(low, high) * (0.68 if inside_ray else 1.0)
            if inside_ray:
                angle = main + (int(drift[row, column]) - 128) / 160 + rng.normal(0, 0.06)
                length, bend = rng.uniform(90, 300), rng.normal(0, 0.0012)
            else:
                angle = rng.uniform(0, np.pi)
                length, bend = max(4.0, rng.uniform(-0.6, 1) * longest), rng.normal(0, 0.011)
            line = _arc((column, row), angle, length, bend)
            if packing.offer(line, radius):
                kinds.append(_pick_kind(rng, inside_ray))
    blocked = np.zeros(shape, np.uint8)
    for glomerulus in glomeruli:
        draw_polygon(blocked, glomerulus.outline, 255, smooth=False)
    for outline, _ in vessels:
        draw_polygon(blocked, outline, 255, smooth=False)
    radii = [radius * 1.45 for radius in packing.radii]
    warp = warp_noise(rng, shape, 24)
    cells = grow(shape, packing.lines, radii, blocked=blocked, warp=warp, gap=1.5)
    return cells, np.asarray(kinds)


def _arc(centre: tuple[float, float], angle: float, length: float, bend: float) -> POINTS:
    """Points (n, 2) of an arc of `length` px, curvature `bend` per px, about its middle."""
    steps = np.linspace(-length / 2, length / 2, max(2, int(length / 8)))
    turned = angle + bend * steps
    step = length / (len(steps) - 1)
    x = np.cumsum(np.cos(turned)) * step
    y = np.cumsum(np.sin(turned)) * step
    return np.stack([x - x.mean() + centre[0], y - y.mean() + centre[1]], axis=1)


def _pick_kind(rng: np.random.Generator, inside_ray: bool) -> int:
    share = np.array([kind.share for kind in _KINDS])
    if inside_ray:
        share = share * np.array([0.4, 0.8, 2.5, 1.2])
    return int(np.searchsorted(np.cumsum(share / share.sum()), rng.random()))


def _draw_tissue(rng: np.random.Generator, cells: Cells, kinds: npt.NDArray[np.int64]) -> Canvas:
    """Colour epithelium, lumen, membranes and interstitium."""
    shape = cells.label.shape
    label, edge = cells.label, cells.edge
    count = len(kinds)

    def each(field: str, position: int | None = None) -> FLOAT:
        values = [getattr(_KINDS[kind], field) for kind in kinds]
        column = [value if position is None else value[position] for value in values]
        return np.asarray(column, np.float32)

    def between(field: str) -> FLOAT:
        low, high = each(field, 0), each(field, 1)
        return low + (high - low) * rng.random(count).astype(np.float32)

    wall = (each("wall") * rng.uniform(0.75, 1.25, count)).astype(np.float32)
    fade = each("fade")
    ragged = speckle(rng, shape, 16, 6) * np.float32(3.0)
    open_part = (edge + ragged - wall[label]) / fade[label]
    np.clip(open_part, 0, 1, out=open_part)
    grain = speckle(rng, shape, 4, 8, 2)
    first = between("cytoplasm")[label]
    first *= 1 + grain * np.float32(0.16)
    first += (between("lumen")[label] * (1 + grain * np.float32(0.08)) - first) * open_part
    second = each("blue", 0)[label]
    second += (each("blue", 1)[label] - second) * open_part
    outside = label == 0
    between_cells = _interstitium(rng, shape)
    first[outside] = between_cells[outside]
    membrane = np.clip(1 - np.abs(edge - np.float32(0.5)) / np.float32(3.2), 0, 1)
    strength = speckle(rng, shape, 64, 16) * np.float32(0.7) + np.float32(0.75)
    first += membrane * strength
    tone = speckle(rng, shape, 256, 64) * np.float32(0.16) + np.float32(1.0)
    first *= tone
    return Canvas(_plane(first), _plane(second))


def _interstitium(rng: np.random.Generator, shape: tuple[int, int]) -> FLOAT:
    """First dye between the tubules: fibres, pale capillaries, small white gaps."""
    base = np.float32(0.80) + speckle(rng, shape, 16, 8, 4) * np.float32(0.45)
    gaps = noise(rng, shape, 24).astype(np.int32) + noise(rng, shape, 8) // 2
    pale = np.clip((gaps - 235).astype(np.float32) / np.float32(30), 0, 1)
    return base * (1 - pale * np.float32(0.9))


def _plane(density: FLOAT) -> UINT8:
    return np.clip(np.rint(density * np.float32(UNIT)), 0, 255).astype(np.uint8)


def _draw_nuclei(
    rng: np.random.Generator, canvas: Canvas, cells: Cells, kinds: npt.NDArray[np.int64]
) -> None:
    """Nuclei along the walls of tubules, and small dark ones between them."""
    points = scatter(rng, canvas.shape, 9.5)
    column, row = points[:, 0].astype(int), points[:, 1].astype(int)
    label, edge = cells.label[row, column], cells.edge[row, column]
    chance = np.array([kind.nuclei for kind in _KINDS])[kinds][label]
    clumps = noise(rng, canvas.shape, 64)[row, column] / 255.0
    near = (edge > 4.5) & (edge < 13)
    chance = np.where(near, chance, np.where(edge >= 13, chance * 0.22, 0.0))
    ring = (label > 0) & (rng.random(len(points)) < chance)
    loose = (label == 0) & (rng.random(len(points)) < clumps * 0.75)
    round_nuclei = Nuclei(size=(4.2, 5.6), aspect=(1.0, 1.15), density=(38, 66), left=(14, 48))
    small_nuclei = Nuclei(size=(3.2, 4.8), aspect=(1.0, 1.5), density=(46, 84), left=(14, 70))
    round_nuclei.draw(rng, canvas, points[ring])
    small_nuclei.draw(rng, canvas, points[loose])


def _draw_vessel(rng: np.random.Generator, canvas: Canvas, outline: POINTS, wall: float) -> None:
    """An artery (thick wall), a vein (thin wall) or a tear (no wall)."""
    centre = outline.mean(axis=0)
    size = np.hypot(*(outline - centre).T).mean()
    value = int(rng.integers(70, 115))
    draw_polygon(canvas.first, outline, value)
    draw_polygon(canvas.second, outline, 10)
    inner = outline
    for ring in np.arange(4, wall, 5):
        inner = centre + (outline - centre) * (1 - ring / size)
        draw_polygon(canvas.first, inner, value + int(rng.integers(-22, 22)))
    inner = centre + (outline - centre) * (1 - max(wall, 1.0) / size)
    draw_polygon(canvas.first, inner, int(rng.integers(0, 8)))
    draw_polygon(canvas.second, inner, 2)


def _weather(rng: np.random.Generator, canvas: Canvas, remain: UINT8) -> None:
    """Cracks, fine grain and the bare glass beyond the organ."""
    shape = canvas.shape
    ridge = noise(rng, shape, 32).astype(np.int32) + noise(rng, shape, 12) // 2 - 191
    where = noise(rng, shape, 128) > 140
    crack = np.where((np.abs(ridge) < 3) & where, 120, 255).astype(np.uint8)
    canvas.bleach(crack)
    grain = rng.integers(0, 15, shape, dtype=np.uint8)
    canvas.first[...] = cv2.subtract(cv2.add(canvas.first, grain), 7)
    if not remain.all():
        canvas.bleach(soften(remain, 2))


def _focus(plane: UINT8) -> UINT8:
    """The microscope's slight blur."""
    return np.asarray(cv2.GaussianBlur(np.ascontiguousarray(plane), (5, 5), 0.9), np.uint8)
