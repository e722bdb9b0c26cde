"""The published networks with seeded random weights, a slide, and the plain published loop.

Random weights are made fit for half precision: batch norms take their statistics from the slide,
and the last layer is scaled so that the map spans all levels. Otherwise two maps would be equal
because they say nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import nn

from hubseg.network import build
from hubseg.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from _gpu_measure import Bench

    from hubseg.recipe import Member

SMALL = {  # what stands for the published encoders and sizes where it must be quick
    "tf_efficientnet_b7_ns": "test_efficientnet",
    "convnext_large_384_in22ft1k": "test_convnext",
    "tf_efficientnetv2_l_in21ft1k": "test_resnet",
    "coat_lite_medium": "coat_lite_tiny",
}
SIZES = {768: 64, 1024: 96, 1472: 128}
STD = 2.5  # of the logits


def recipe_of(small: bool) -> Recipe:
    """Return the published recipe, or the same with tiny encoders and sizes."""
    recipe = Recipe.load("hubmap-2022-2nd-place")
    if not small:
        return recipe
    resolutions = [
        one.model_copy(
            update={
                "size": SIZES[one.size or 0],
                "members": tuple(
                    entry.model_copy(
                        update={
                            "network": entry.network.model_copy(
                                update={"encoder": SMALL[entry.network.encoder]}
                            )
                        }
                    )
                    for entry in one.members
                ),
            }
        )
        for one in recipe.resolutions
    ]
    return recipe.model_copy(update={"resolutions": tuple(resolutions)})


def size_of(recipe: Recipe, member: Member) -> int:
    """Return the side of a member's input, px."""
    return recipe.resolutions[member.resolution].size or 0


def chosen(recipe: Recipe, encoder: str, size: int) -> Member:
    """Return the member of fold 0 whose encoder is called like this, at a published size."""
    wanted = {size, SIZES[size]}
    names = {encoder, SMALL[encoder]}
    return next(
        member
        for member in recipe.members([0])
        if member.network.encoder in names and size_of(recipe, member) in wanted
    )


def slide_pixels(side: int) -> np.ndarray:
    """Return RGB uint8 (side, side, 3): soft blobs of many sizes, and grain."""
    random = np.random.default_rng(0)
    summed = np.zeros((side, side, 3), np.float32)
    for cells in (8, 40, 200):
        coarse = random.random((cells, cells, 3), np.float32)
        summed += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    grain = random.integers(0, 24, (side, side, 3), np.uint8)
    return np.clip(summed * 80 + grain, 0, 255).astype(np.uint8)


def published_input(pixels: np.ndarray, size: int) -> torch.Tensor:
    """Return the published input, float32 (1, 3, size, size): BGR, squeezed, x / 127 - 1."""
    bgr = cv2.resize(pixels[..., ::-1].copy(), (size, size), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy((bgr.astype(np.float32) / 127 - 1).transpose(2, 0, 1)[None].copy())


def checkpoint_of(bench: Bench, recipe: Recipe, member: Member, pixels: np.ndarray) -> Path:
    """Return a file in the published format for a member: one for each encoder, linked by name."""
    files: dict[str, Path] = bench.known.setdefault("files", {})
    first = files.get(member.network.encoder)
    path = bench.folder / "weights" / member.checkpoint
    if path.exists():
        return path
    path.parent.mkdir(exist_ok=True)
    if first is not None:
        os.link(first, path)
        return path
    size = size_of(recipe, member)
    network = seeded(member, size, published_input(pixels, size).to(bench.device), bench.device)
    state = {key: tensor.cpu().contiguous() for key, tensor in network.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state, "best_score": np.float64(0.8)}, path)
    files[member.network.encoder] = path
    return path


def seeded(member: Member, size: int, image: torch.Tensor, device: torch.device) -> nn.Module:
    """Build a network whose seeded random weights give a map that spans all levels."""
    torch.manual_seed(0)
    network: Any = build(member.network, size=size).to(device).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):  # ConvNeXt begins with blocks that hardly do anything
            nn.init.constant_(parameter, 0.1)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of what is seen
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        if norms:
            network(image)
        network.eval()
        logits = network(image).logits
        factor = STD / float(logits.std().clamp_min(1e-6))
        network.res.weight.mul_(factor)
        network.res.bias.sub_(logits.mean()).mul_(factor)
    return network


def plain_load(member: Member, size: int, path: Path, device: torch.device) -> nn.Module:
    """Load a network as the published code does: build it, read the file, copy what fits."""
    network = build(member.network, size=size)
    stored = torch.load(path, map_location="cpu", weights_only=False)
    network.load_state_dict(stored["state_dict"], strict=False)
    return network.to(device).eval().requires_grad_(False)


VIEWS = (  # forward on tensors (1, 3, h, w), back on arrays (h, w)
    (lambda x: x, lambda y: y),
    (lambda x: x.flip(3), lambda y: y[:, ::-1]),
    (lambda x: x.rot90(1, (2, 3)), lambda y: np.rot90(y, 3)),
    (lambda x: x.rot90(1, (2, 3)).flip(3), lambda y: np.rot90(y[:, ::-1], 3)),
)


def plain_member(network: nn.Module, image: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Sum one member's views at slide size, as the published loop does; float32, 0-4."""
    summed = np.zeros(shape, np.float32)
    for forward, back in VIEWS:
        half = torch.autocast("cuda", torch.float16, enabled=image.is_cuda)
        with torch.no_grad(), half:
            logits = network(forward(image).contiguous()).logits
        seen = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
        undone = np.ascontiguousarray(back(seen))
        summed += cv2.resize(undone, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return summed


def plain_on_device(network: nn.Module, image: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Do the same with the maps enlarged and added on the device: a plain loop, a little better."""
    summed = torch.zeros(shape, device=image.device)
    for index, (forward, _) in enumerate(VIEWS):
        half = torch.autocast("cuda", torch.float16, enabled=image.is_cuda)
        with torch.no_grad(), half:
            logits = network(forward(image).contiguous()).logits
        seen = torch.sigmoid(logits.float())
        undone = seen.flip(3) if index % 2 else seen
        undone = undone.rot90(3, (2, 3)) if index >= 2 else undone
        summed += nn.functional.interpolate(undone, shape, mode="bilinear")[0, 0]
    return summed.cpu().numpy()
