"""A member as ONNX, for programs without torch, compared with torch before it is called done.

Responsible for the file and for the comparison. Does not know how ONNX is run elsewhere.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from hubseg.inference import load_member
from hubseg.inference.activation import probabilities

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from hubseg.recipe import Channels, Member, Recipe

__all__ = ["LARGEST_ERROR", "export_onnx"]

LARGEST_ERROR = 1e-3  # of a probability, 0-1: a quarter of the smallest step of a threshold
OPSET = 18


class _Probability(torch.nn.Module):
    """What the file computes: the probability of each structure."""

    def __init__(self, network: nn.Module, channels: Channels) -> None:
        super().__init__()
        self.network, self._channels = network, channels

    def forward(self, image: Tensor) -> Tensor:
        made = probabilities(self.network(image).logits, self._channels)
        return made if made.ndim == 4 else made[:, None]


def export_onnx(
    recipe: Recipe, member: Member, checkpoint: Path, out: Path, *, side: int = 256
) -> float:
    """Write a member as ONNX: ``image`` float32 (1, 3, h, w) to ``probability`` (1, N, h', w').

    N is the number of its structures, in the order of the recipe's classes.

    The image is normalised as the recipe says; h and w are multiples of 32 and may vary, where the
    encoder is not made for one size.

    Parameters
    ----------
    side
        Side of the image that is traced, px.

    Returns
    -------
    The largest difference of a probability between onnxruntime and torch, on noise of another
    size than was traced.

    Raises
    ------
    ModuleNotFoundError
        When onnx or onnxruntime is not installed.
    ValueError
        When the file gives other probabilities than torch; it is not kept.
    """
    _check_installed()
    size = recipe.resolutions[member.resolution].size
    loaded = load_member(recipe, member, checkpoint, torch.device("cpu"))
    network = _Probability(loaded, member.channels).eval()
    part = out.with_name(f"{out.name}.part")
    _trace(network, part, size or side, varies=size is None)
    # another size than was traced, where sizes may vary
    error = _largest_error(network, part, (size, size) if size else (side // 2, side + 64))
    if not error <= LARGEST_ERROR:
        part.unlink()
        raise ValueError(
            f"{out} gives probabilities that differ by {error:.2g} from torch's: it is not kept; "
            "report the encoder and the versions of torch and onnxruntime."
        )
    part.replace(out)
    return error


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "ONNX files need onnx and onnxruntime: run pip install 'napari-hubseg[onnx]'."
        ) from error


def _trace(network: _Probability, path: Path, side: int, *, varies: bool) -> None:
    axes = {0: "batch", 2: "height", 3: "width"}
    with torch.no_grad(), warnings.catch_warnings():
        # the exporter that needs no further package; what it warns of is compared afterwards
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, side, side),),
            str(path),
            input_names=["image"],
            output_names=["probability"],
            dynamic_axes={"image": axes, "probability": axes} if varies else None,
            opset_version=OPSET,
            dynamo=False,
        )


def _largest_error(network: _Probability, path: Path, shape: tuple[int, int]) -> float:
    """Return how far a file's probabilities are from torch's, on noise; inf for another shape."""
    import onnxruntime

    image = torch.randn(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"image": image.numpy()})
    with torch.no_grad():
        ours = network(image).numpy()
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else math.inf
