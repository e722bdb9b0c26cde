"""The published U-Net over any timm encoder, and checkpoints that load safely or not at all.

Responsible for module names that match the published files, for building a network from its
specification, and for reading checkpoints without ever unpickling more than tensors and the NumPy
scalar the published files hold. Does not know slides, views or devices.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from hubseg.recipe import NetworkSpec

__all__ = ["Checkpoint", "Prediction", "TimmUnet", "build", "load_into", "read_checkpoint"]

# NumPy 2 and NumPy 1 spell the scalar's constructor differently; published files hold NumPy 1's.
_SCALAR = np._core.multiarray.scalar  # type: ignore[attr-defined]
_SAFE = [
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]


class Prediction(NamedTuple):
    """What a network says of a batch of B images of h × w pixels.

    Attributes
    ----------
    logits
        (B, 1, h/2, w/2): the tissue unit's logit per pixel of half resolution.
    organ
        (B, 5): organ logits in the order of :class:`hubseg.organ.Organ`.
    pixel_size
        (B, 1): µm/px of the resized input, divided by 10.
    """

    logits: Tensor
    organ: Tensor
    pixel_size: Tensor


class _ConvSilu(nn.Module):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.SiLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class TimmUnet(nn.Module):
    """U-Net decoder with the published key names over a timm `features_only` encoder.

    Encoders with five levels (strides 2-32) have `conv9_2`; those with four (strides 4-32) have
    none. Source: HuBMAP 2022 second place, cns-iu/ccf-research-kaggle-2022, models/Team_2.

    Parameters
    ----------
    encoder
        A module that maps (B, 3, h, w) to four or five feature maps, finest first.
    channels
        Channels of those maps.
    decoder
        Decoder filters, finest first; published: 32, 48, 64, 96, 128.
    """

    def __init__(
        self,
        encoder: nn.Module,
        channels: tuple[int, ...],
        decoder: tuple[int, ...] = (32, 48, 64, 96, 128),
    ) -> None:
        super().__init__()
        if len(channels) not in (4, 5):
            raise ValueError(
                f"The encoder gives {len(channels)} feature levels; a U-Net of this kind needs "
                "an encoder with four or five."
            )
        f10, f9, f8, f7, f6 = decoder
        self.conv6 = _ConvSilu(channels[-1], f6)
        self.conv6_2 = _ConvSilu(f6 + channels[-2], f6)
        self.conv7 = _ConvSilu(f6, f7)
        self.conv7_2 = _ConvSilu(f7 + channels[-3], f7)
        self.conv8 = _ConvSilu(f7, f8)
        self.conv8_2 = _ConvSilu(f8 + channels[-4], f8)
        self.conv9 = _ConvSilu(f8, f9)
        if len(channels) == 5:
            self.conv9_2 = _ConvSilu(f9 + channels[-5], f9)
        self.conv10 = _ConvSilu(f9, f10)
        self.res = nn.Conv2d(f10, 1, 1)
        self.cls = nn.Linear(2 * channels[-1], 5)
        self.pix_sz = nn.Linear(2 * channels[-1], 1)
        self.encoder = encoder

    def forward(self, x: Tensor) -> Prediction:
        """Predict for a normalised batch (B, 3, h, w); h and w multiples of 32."""
        levels = self.encoder(x)
        y = self.conv6_2(torch.cat([self.conv6(_up(levels[-1])), levels[-2]], dim=1))
        y = self.conv7_2(torch.cat([self.conv7(_up(y)), levels[-3]], dim=1))
        y = self.conv8_2(torch.cat([self.conv8(_up(y)), levels[-4]], dim=1))
        y = self.conv9(_up(y))
        if len(levels) == 5:
            y = self.conv9_2(torch.cat([y, levels[-5]], dim=1))
        logits = self.res(self.conv10(y))
        deepest = levels[-1]
        pooled = torch.cat([deepest.mean((-2, -1)), deepest.amax((-2, -1))], dim=1)
        return Prediction(logits, self.cls(pooled), self.pix_sz(pooled))


# Transformers whose position embedding is made for one image size.
_SIZED = ("coat", "swin", "vit", "maxvit", "maxxvit", "coatnet", "beit", "deit")


def build(spec: NetworkSpec, *, size: int | None = None) -> TimmUnet:
    """Build the network of `spec` with fresh random weights.

    Parameters
    ----------
    spec
        Kind, encoder and decoder filters.
    size
        Image side in px, for encoders that are made for one size; None where it varies.

    Raises
    ------
    ValueError
        When timm does not know the encoder or cannot give its feature levels.
    """
    import timm

    sized = size is not None and spec.encoder.startswith(_SIZED)
    arguments = dict(spec.encoder_args) | ({"img_size": size} if sized else {})
    if not timm.is_model(spec.encoder):
        raise ValueError(
            f"timm {timm.__version__} does not know the encoder {spec.encoder!r}: correct "
            "`network.encoder` in the recipe."
        )
    try:
        encoder = timm.create_model(spec.encoder, features_only=True, pretrained=False, **arguments)
    except (TypeError, RuntimeError, AssertionError) as error:
        raise ValueError(
            f"timm cannot build {spec.encoder!r} with feature levels ({error}): choose another "
            "`network.encoder` or correct `encoder_args`."
        ) from error
    return TimmUnet(encoder, tuple(encoder.feature_info.channels()), spec.decoder)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file's tensors, and what it says of itself."""

    path: Path
    state: Mapping[str, Tensor]
    epoch: int | None = None
    best_score: float | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint: published (no extension), `.pth`, or `.safetensors`.

    Only tensors, plain containers and NumPy's float64 scalar are unpickled; a file that asks for
    anything else is refused before anything in it runs.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged, is no checkpoint, or asks for code to be run.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Checkpoint {path.name} was not found in {path.parent}: name the folder that holds it."
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with torch.serialization.safe_globals(_SAFE), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of old pickle protocols: read or refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"Checkpoint {path} holds more than tensors and was refused unread: get it from a "
            f"source you trust as safetensors ({str(error).splitlines()[0]})."
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise ValueError(
            f"Checkpoint {path} is damaged or not a torch checkpoint; copy it again "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        ) from error
    return _checkpoint(path, content)


def _read_safetensors(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            said = stored.metadata() or {}
            state = {key: stored.get_tensor(key) for key in stored.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"Checkpoint {path} is damaged or not safetensors; copy it again ({error})."
        ) from error
    return _checkpoint(
        path,
        {
            "state_dict": state,
            "epoch": int(said["epoch"]) if "epoch" in said else None,
            "best_score": float(said["best_score"]) if "best_score" in said else None,
        },
    )


def _checkpoint(path: Path, content: object) -> Checkpoint:
    if not isinstance(content, Mapping):
        raise ValueError(f"Checkpoint {path} holds no table of tensors: it is not a checkpoint.")
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"Checkpoint {path} holds no table of tensors: it is not a checkpoint.")
    prefix = "module."
    epoch, score = content.get("epoch"), content.get("best_score")
    return Checkpoint(
        path=path,
        state={str(key).removeprefix(prefix): tensor for key, tensor in state.items()},
        epoch=None if epoch is None else int(epoch),
        best_score=None if score is None else float(score),
    )


def load_into(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load every tensor of `checkpoint`, or none.

    Published CoaT files name the encoder's tensors without timm's `model.` prefix; both load.

    Raises
    ------
    ValueError
        When keys are missing, unexpected or of another shape; the message names them.
    """
    wanted = network.state_dict()
    state = dict(checkpoint.state)
    if any(key.startswith("encoder.model.") for key in wanted):
        state = {
            key
            if not key.startswith("encoder.") or key.startswith("encoder.model.")
            else "encoder.model." + key.removeprefix("encoder."): tensor
            for key, tensor in state.items()
        }
    problems = {
        "missing": sorted(wanted.keys() - state.keys()),
        "unexpected": sorted(state.keys() - wanted.keys()),
        "of another shape": sorted(
            key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape
        ),
    }
    said = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in problems.items() if keys]
    if said:
        raise ValueError(
            f"Checkpoint {checkpoint.path} does not fit the network: {'; '.join(said)}. "
            "Check the recipe's encoder for this file."
        )
    network.load_state_dict(state, strict=True)


def _some(keys: list[str], shown: int = 3) -> str:
    return ", ".join(keys[:shown]) + (f", … {len(keys) - shown} more" if len(keys) > shown else "")
