"""One member: its network from its file, and its map of a slide, whole or in tiles.

Responsible for putting scene, tiles and passes together. Does not know recipes' mixing nor which
networks stay loaded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from hubseg.inference.activation import probabilities
from hubseg.inference.cpu_network import expect
from hubseg.inference.device import choose_precision
from hubseg.inference.input_image import LARGEST, InputImage, see
from hubseg.inference.passes import Answer, ExecutionPlan, Passes
from hubseg.inference.staging import stage
from hubseg.inference.tissue_tiles import with_tissue
from hubseg.inference.views import views
from hubseg.network import (
    cast_weights,
    check_checkpoint,
    is_sized,
    read_checkpoint,
    ready,
    shapes,
    take_from,
)
from hubseg.probability import MemberMap
from hubseg.probability.tiling import Grid, Tiling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hubseg.inference.kept_tiles import KeptTiles
    from hubseg.inference.views import View
    from hubseg.recipe import Channels, Member, Recipe
    from hubseg.slide import Slide

__all__ = [
    *("answer_of", "check_member", "load_member", "open_pixels", "passes_for"),
    "predict_member",
]

_TILING = Tiling()
_COMPILED = 64  # structures and sizes that are compiled in one process


def open_pixels(slide: Slide) -> NDArray[np.uint8] | Slide:
    """Return a slide's pixels, or the slide itself where they are too many to hold in memory."""
    return slide.read() if slide.height * slide.width <= LARGEST else slide


def check_member(
    recipe: Recipe, member: Member, path: Path, *, tiling: Tiling = _TILING
) -> tuple[str, ...]:
    """Look whether a run can use a member's checkpoint, before any slide; nothing is built for it.

    Reads the file once. Networks of one kind and size are measured once.

    Returns
    -------
    What was taken off or passed over in the file: sentences that name it; most files have none.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the run would refuse it: one sentence with the file and the reason.
    ModuleNotFoundError
        When the network is of a kind that is not installed.
    """
    size = recipe.resolutions[member.resolution].size or tiling.side
    return check_checkpoint(path, shapes(member.network, size))


def load_member(
    recipe: Recipe,
    member: Member,
    path: Path,
    device: torch.device,
    *,
    tiling: Tiling = _TILING,
    compiled: bool = False,
    held: Tensor | None = None,
    precision: str = "float32",
) -> nn.Module:
    """Build a member's network on `device` with the weights of the file `path`.

    Parameters
    ----------
    held
        The file's bytes where they were read already (:func:`hubseg.inference.staging.stage`);
        they are let go.
    precision
        The arithmetic it will run in, as of :func:`predict_member`. For float16 on a GPU its
        weights are cast once and not at every pass; it then runs in no other arithmetic there.
    compiled
        Hand the network to torch.compile: its first pass takes minutes and needs a C++ compiler;
        files of one structure share what was compiled.

    Raises
    ------
    ValueError
        When the file is refused or does not fit the network.
    """
    size = recipe.resolutions[member.resolution].size or tiling.side
    held = _bytes_on(device, path) if held is None else held
    network = ready(member.network, read_checkpoint(path, held), device, size=size)
    if device.type == "cuda" and choose_precision(precision, device) == torch.float16:
        cast_weights(network, torch.float16)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if held is not None:
        take_from(network, held)
    return _compiled(network) if compiled else network


def _bytes_on(device: torch.device, path: Path) -> Tensor | None:
    """Return a file's bytes on a GPU; None on a CPU, or where the GPU has no room for them."""
    if device.type != "cuda":
        return None
    try:
        return stage(path, device).held
    except torch.OutOfMemoryError:
        return None


def _compiled(network: nn.Module) -> nn.Module:
    """Hand a network to torch.compile, which compiles once for all files of one structure.

    Its weights are inputs of the compiled code. Each size has code of its own, which is faster than
    code for all sizes; torch gives up after eight, fewer than a recipe has.
    """
    import torch._dynamo

    limits: Any = torch._dynamo.config
    limits.recompile_limit = max(limits.recompile_limit, _COMPILED)
    return cast("nn.Module", torch.compile(network, dynamic=False))


def predict_member(
    network: nn.Module,
    pixels: NDArray[np.uint8] | Slide,
    recipe: Recipe,
    member: Member,
    *,
    um_per_px: float | None = None,
    cancelled: Callable[[], bool] | None = None,
    precision: str = "auto",
    said: Callable[[str], None] | None = None,
    tiling: Tiling = _TILING,
    make_room: Callable[[], bool] | None = None,
    execution: ExecutionPlan | None = None,
    kept: KeptTiles | None = None,
    following: int = 0,
    answer: Callable[[Tensor, Channels], Tensor] = probabilities,
    tissue: NDArray[np.bool_] | None = None,
) -> MemberMap:
    """Run one member of `recipe` on a slide.

    Parameters
    ----------
    network
        From :func:`load_member`; its device is used.
    pixels
        RGB uint8 (H, W, 3), or a slide that is too large for memory and is read by window.
    um_per_px
        The slide's pixel size, µm/px, where it is known.
    cancelled
        Asked before each view, and while one is computed: between layers, or as a GPU works.
    precision
        auto, float32, float16 or bfloat16; auto is float16 on CUDA and float32 on a CPU.
    said
        Told in a few words when memory runs out and something gives way.
    tiling
        How a slide too large for one pass is covered.
    make_room
        Asked, before anything else gives way, to free memory of the device; tells whether it did.
    execution
        How to begin; default: all views at once on a GPU, one by one on a CPU, in `precision`.
    kept
        Where the tiles of a slide too large for one pass are filed, and taken from: a run that was
        killed computes none of them twice.
    following
        How many slides this network is run on right after: whether OpenVINO pays depends on it.
    answer
        What is made of the network's logits.
    tissue
        Where a person says that the slide shows tissue, bool (h, w) at any resolution.

    Raises
    ------
    Cancelled
        When `cancelled` says so.
    ValueError
        When the precision or the slide's pixel size is wrong.
    MemoryError
        When not even one view fits.
    """
    fixed = is_sized(member.network)
    resolution = recipe.resolutions[member.resolution]
    at_least = tiling.side if fixed and resolution.size is None else 0
    scene = see(pixels, recipe, resolution, um_per_px, at_least=at_least)
    passes = passes_for(
        *(network, recipe, member),
        precision=precision,
        cancelled=cancelled,
        said=said,
        make_room=make_room,
        execution=execution,
        answer=answer,
    )
    high, wide = scene.padded
    whole = resolution.size is not None or (not fixed and high * wide <= tiling.side**2)
    grid = None if whole else _grid(scene, tiling, recipe, pixels, tissue)
    to_come = _passes(views(recipe.tta), scene, grid) * (1 + following)
    expect(network, to_come, kept=kept is not None)
    return _put_together(scene, _tiles(scene, passes, grid, kept))


def passes_for(
    network: nn.Module,
    recipe: Recipe,
    member: Member,
    *,
    precision: str = "auto",
    cancelled: Callable[[], bool] | None = None,
    said: Callable[[str], None] | None = None,
    make_room: Callable[[], bool] | None = None,
    execution: ExecutionPlan | None = None,
    answer: Callable[[Tensor, Channels], Tensor] = probabilities,
) -> Passes:
    """Return what runs a member's network over images; see :func:`predict_member`.

    Raises
    ------
    ValueError
        When the precision is wrong.
    """
    view_set = views(recipe.tta)
    if execution is None:
        device = next(network.parameters()).device
        # several views at once are slower on a CPU: they no longer fit into its caches
        at_once = len(view_set) if device.type == "cuda" else 1
        execution = ExecutionPlan(device, choose_precision(precision, device), at_once)
    return Passes(
        *(network, execution, view_set, member.channels),
        cancelled=cancelled,
        said=said,
        make_room=make_room,
        answer=answer,
    )


def _passes(view_set: Sequence[View], scene: InputImage, grid: Grid | None) -> int:
    """Return how many passes on images of one shape a slide takes: quarter turns swap its sides."""
    tiles, count = 1 if grid is None else len(grid), len(view_set)
    lying = sum(view.turns % 2 for view in view_set)
    square = grid is not None or scene.padded[0] == scene.padded[1]
    return tiles * (count if square else max(lying, count - lying))


_Tile = tuple[int, int, "NDArray[np.float32] | None", Answer]


def _grid(
    scene: InputImage,
    tiling: Tiling,
    recipe: Recipe,
    pixels: NDArray[np.uint8] | Slide,
    tissue: NDArray[np.bool_] | None,
) -> Grid:
    """Return top, left and weights of each tile that a recipe runs: all, or those of tissue."""
    high, wide = scene.padded
    columns = list(zip(tiling.starts(wide), tiling.weights(wide), strict=True))
    grid = [
        (top, left, (down, across))
        for top, down in zip(tiling.starts(high), tiling.weights(high), strict=True)
        for left, across in columns
    ]
    return with_tissue(grid, pixels, scene, tissue) if recipe.tissue_only else grid


def _tiles(
    scene: InputImage, passes: Passes, grid: Grid | None, kept: KeptTiles | None
) -> Iterator[_Tile]:
    """Yield each tile's top and left, its weights (None: all one) and its answer."""
    if grid is None:
        yield 0, 0, None, answer_of(scene, passes, ())
        return
    for top, left, (down, across) in grid:
        size = len(down), len(across)
        compute = partial(answer_of, scene, passes, (top, left, *size))
        made = compute() if kept is None else kept.answer(top, left, size, compute)
        yield top, left, np.outer(down, across), made


def answer_of(scene: InputImage, passes: Passes, window: tuple[int, ...]) -> Answer:
    """Return what a network says of a window (top, left, height, width); of the whole for ()."""
    return passes.mean(passes.placed(partial(_image, scene, window)))


def _image(scene: InputImage, window: tuple[int, ...], device: torch.device) -> Tensor:
    return scene.tensor(*window, device=device)


def _put_together(scene: InputImage, tiles: Iterator[_Tile]) -> MemberMap:
    """Add up weighted tiles at the network's output resolution, and average what its heads say."""
    values: NDArray[np.float32] | None = None
    organ, pixel_size = [], []
    for top, left, weights, answer in tiles:
        if answer.organ is not None:
            organ.append(answer.organ)
        if answer.pixel_size is not None:
            pixel_size.append(answer.pixel_size)
        if weights is None:
            step = scene.padded[0] // answer.values.shape[-2]
            values = answer.values[..., : scene.valid[0] // step, : scene.valid[1] // step]
            continue
        step = weights.shape[0] // answer.values.shape[-2]
        if values is None:
            sides = [side // step for side in scene.valid]
            values = np.zeros([*answer.values.shape[:-2], *sides], np.float32)
        into = values[..., top // step :, left // step :]
        high = min(into.shape[-2], answer.values.shape[-2])
        wide = min(into.shape[-1], answer.values.shape[-1])
        share = _coarser(weights, step)[:high, :wide]
        into[..., :high, :wide] += answer.values[..., :high, :wide] * share
    side = sum(1.0 / scale for scale in scene.scale) / 2
    return MemberMap(
        values=np.ascontiguousarray(values, np.float32),
        organ=tuple(np.mean(organ, axis=0).tolist()) if organ else None,
        um_per_px=float(np.mean(pixel_size)) * 10.0 * side if pixel_size else None,
    )


def _coarser(weights: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Average weights over step × step px: they still add up to one."""
    high, wide = weights.shape[0] // step, weights.shape[1] // step
    blocks = weights.reshape(high, step, wide, step)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
