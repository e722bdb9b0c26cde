"""Running networks on slides: one member, or a whole recipe as an iterator of ever better maps.

Responsible for preprocessing, views and their mean, and for reading checkpoints member by member.
Does not know where it runs (:mod:`hubseg.engine`) nor who looks at the maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from hubseg.network import Prediction, build, load_into, read_checkpoint
from hubseg.probability import MapStore, MemberMap, ProbabilityMap, file_digest, map_key, mix
from hubseg.recipe import MULTIPLE, find_checkpoints
from hubseg.tta import View, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from hubseg.recipe import Member, Normalize, Recipe, Resolution
    from hubseg.slide import Slide

__all__ = [
    "Cancelled",
    "choose_device",
    "load_member",
    "network_input",
    "predict",
    "predict_member",
    "predict_pixels",
]

LARGEST = 1 << 28  # px: a slide larger than this is not held in memory at once


class Cancelled(RuntimeError):
    """A person asked the run to stop."""


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """A slide as a network sees it.

    Attributes
    ----------
    tensor
        float32 (1, 3, h, w), normalised; h and w multiples of 32.
    valid
        Height and width of the part that shows the slide; the rest is padding by reflection.
    scale
        Slide px per input px, vertical and horizontal.
    """

    tensor: Tensor
    valid: tuple[int, int]
    scale: tuple[float, float]


def input_size(
    resolution: Resolution, height: int, width: int, um_per_px: float | None
) -> tuple[int, int]:
    """Return the height and width, in px, to which a slide is resized.

    ``size`` squeezes to a square; ``scale`` and ``um_per_px`` keep the aspect ratio and give even
    numbers, because networks answer at half resolution.

    Raises
    ------
    ValueError
        When the resolution is in µm/px and the slide's pixel size is not known.
    """
    if resolution.size is not None:
        return resolution.size, resolution.size
    if resolution.scale is not None:
        factor = resolution.scale
    elif resolution.um_per_px is not None and um_per_px is not None:
        factor = um_per_px / resolution.um_per_px
    else:
        raise ValueError(
            "The recipe runs at a fixed µm/px but the slide's pixel size is not known: enter it "
            "beside the slide's organ."
        )
    return max(2, round(height * factor / 2) * 2), max(2, round(width * factor / 2) * 2)


def resize_pixels(
    pixels: NDArray[np.uint8], resolution: Resolution, um_per_px: float | None = None
) -> NDArray[np.uint8]:
    """Resize RGB pixels uint8 (H, W, 3) as `resolution` asks.

    ``size`` uses bilinear sampling as published; the others average areas when they shrink.
    """
    height, width = input_size(resolution, pixels.shape[0], pixels.shape[1], um_per_px)
    shrinks = resolution.size is None and height < pixels.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)


def normalise(pixels: NDArray[np.uint8], normalize: Normalize, channel_order: str) -> Tensor:
    """Turn RGB pixels uint8 (h, w, 3) into a network's input float32 (3, h, w)."""
    ordered = pixels[..., ::-1] if channel_order == "bgr" else pixels
    channels = np.ascontiguousarray(ordered.transpose(2, 0, 1), np.float32)
    return torch.from_numpy(
        channels / np.float32(normalize.divide) - np.float32(normalize.subtract)
    )


def network_input(
    pixels: NDArray[np.uint8],
    recipe: Recipe,
    resolution: Resolution,
    um_per_px: float | None = None,
) -> NetworkInput:
    """Preprocess a slide's RGB pixels uint8 (H, W, 3) for one resolution of a recipe."""
    resized = resize_pixels(pixels, resolution, um_per_px)
    height, width = resized.shape[:2]
    pad_h, pad_w = -height % MULTIPLE, -width % MULTIPLE
    if pad_h or pad_w:
        resized = np.asarray(
            cv2.copyMakeBorder(resized, 0, pad_h, 0, pad_w, cv2.BORDER_REFLECT_101), np.uint8
        )
    return NetworkInput(
        tensor=normalise(resized, recipe.normalize, recipe.channel_order)[None],
        valid=(height, width),
        scale=(pixels.shape[0] / height, pixels.shape[1] / width),
    )


def predict_pixels(
    network: nn.Module,
    shown: NetworkInput,
    view_set: Sequence[View],
    *,
    cancelled: Callable[[], bool] | None = None,
) -> MemberMap:
    """Average a network's answers over views.

    Parameters
    ----------
    network
        In evaluation mode; its device and precision are used.
    shown
        The slide as the network sees it.
    cancelled
        Asked before each view.

    Raises
    ------
    Cancelled
        When `cancelled` says so.
    """
    parameter = next(network.parameters())
    device, image = parameter.device, shown.tensor.to(parameter.device)
    half = device.type == "cuda"
    summed = torch.zeros((), device=device)
    organ, pixel_size = [], []
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=half):
        for view in view_set:
            if cancelled is not None and cancelled():
                raise Cancelled("The run was stopped.")
            seen = view.forward(image).contiguous(memory_format=torch.channels_last)
            answer: Prediction = network(seen)
            probability = view.inverse(torch.sigmoid(answer.logits[0, 0].float()))
            summed = summed + probability
            organ.append(torch.softmax(answer.organ[0].float(), 0).cpu())
            pixel_size.append(float(answer.pixel_size[0, 0]))
    height, width = shown.valid[0] // 2, shown.valid[1] // 2
    mean = (summed / len(view_set))[:height, :width].cpu().numpy()
    side = sum(1.0 / scale for scale in shown.scale) / 2
    return MemberMap(
        values=np.ascontiguousarray(mean, np.float32),
        organ=tuple(torch.stack(organ).mean(0).tolist()),
        um_per_px=float(np.mean(pixel_size)) * 10.0 * side,
    )


def predict_member(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    recipe: Recipe,
    member: Member,
    *,
    um_per_px: float | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> MemberMap:
    """Run one member of `recipe` on a slide's RGB pixels uint8 (H, W, 3)."""
    shown = network_input(pixels, recipe, recipe.resolutions[member.resolution], um_per_px)
    return predict_pixels(network, shown, views(recipe.tta), cancelled=cancelled)


def choose_device(name: str) -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:N.

    Raises
    ------
    ValueError
        When the device is not there; the message says which are.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {name!r}: use auto, cpu or cuda:N.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"Device {name} is not there ({torch.cuda.device_count()} CUDA devices found): use "
            "auto or cpu."
        )
    return device


def load_member(recipe: Recipe, member: Member, path: Path, device: torch.device) -> nn.Module:
    """Build a member's network on `device` with the weights of the file `path`.

    Raises
    ------
    ValueError
        When the file is refused or does not fit the network.
    """
    network = build(member.network, size=recipe.resolutions[member.resolution].size)
    load_into(network, read_checkpoint(path))
    network.eval().requires_grad_(False)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def predict(
    slide: Slide,
    recipe: Recipe,
    weights: Sequence[Path],
    *,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    store: MapStore | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[ProbabilityMap]:
    """Run a recipe on a slide; after each member, yield a better map.

    Members whose map the store holds are not computed again.

    Raises
    ------
    FileNotFoundError
        When checkpoints are missing; the message says where they were looked for.
    Cancelled
        When `cancelled` says so.
    """
    members = recipe.members(folds)
    files = find_checkpoints(members, weights)
    on = choose_device(device)
    pixels: NDArray[np.uint8] | None = None
    finished: list[tuple[Member, MemberMap]] = []
    for member in members:
        path = files[member.checkpoint]
        key = map_key(
            recipe, member, slide_digest=slide.digest, checkpoint_digest=file_digest(path)
        )
        made = store.get(key) if store is not None else None
        if made is None:
            pixels = slide.read() if pixels is None else pixels
            made = predict_member(
                load_member(recipe, member, path, on),
                pixels,
                recipe,
                member,
                um_per_px=slide.um_per_px,
                cancelled=cancelled,
            )
            if store is not None:
                store.put(key, made)
        finished.append((member, made))
        yield mix(
            recipe,
            finished,
            shape=(slide.height, slide.width),
            slide_digest=slide.digest,
            total=len(members),
        )
